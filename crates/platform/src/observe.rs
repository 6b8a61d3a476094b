//! What can be seen from outside: for checkers and for `GET /admin/state`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use crate::route::Route;
use crate::status::Status;

/// The newest entries of a sequence and how many there ever were.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    items: VecDeque<T>,
    total: u64,
    max: usize,
}

impl<T> Ring<T> {
    pub(crate) fn new(max: usize) -> Self {
        Self { items: VecDeque::new(), total: 0, max: max.max(1) }
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.items.len() == self.max {
            self.items.pop_front();
        }
        self.items.push_back(item);
        self.total += 1;
    }

    /// How many were ever observed; never goes back.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Those that are kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter()
    }

    /// Those after the first `seen` ever observed, as far as they are kept:
    /// `let mut seen = 0; for x in ring.since(seen) {…} seen = ring.total();`
    pub fn since(&self, seen: u64) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        let dropped = self.total - self.items.len() as u64;
        let skip = usize::try_from(seen.saturating_sub(dropped)).unwrap_or(usize::MAX);
        self.items.iter().skip(skip)
    }

    /// The newest.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        self.items.back()
    }
}

/// A request of any route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRequest {
    /// When, on the monotonic clock.
    pub at: Duration,
    /// When, in Unix milliseconds.
    pub wall_ms: i64,
    /// Which endpoint.
    pub route: Route,
    /// The workspace in its path or (registry) in its body, shortened to 128
    /// bytes; empty if none.
    pub workspace: Arc<str>,
    /// From whom, shortened to 64 bytes.
    pub peer: Arc<str>,
    /// What was answered; 0 if the connection was refused or hangs.
    pub status: u16,
    /// Whether a fault or an outage stood in its way.
    pub faulted: bool,
}

/// An accepted heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When, on the monotonic clock.
    pub at: Duration,
    /// When, in Unix milliseconds.
    pub wall_ms: i64,
    /// Its body as it was sent; empty if it was longer than 64 KiB.
    pub body: Vec<u8>,
    /// The workspace's status after it.
    pub status: Status,
}

impl Beat {
    /// The body as JSON; `Null` if it was not kept.
    #[must_use]
    pub fn value(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        let mut reader = serde_json::Deserializer::from_str(&text);
        Value::deserialize(&mut reader).unwrap_or_default()
    }
}

/// A list of delegations that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// When, on the monotonic clock.
    pub at: Duration,
    /// The delegation ids of its rows, newest first; empty where a row has
    /// none.
    pub delegations: Arc<[String]>,
    /// The rows' statuses, in the same order.
    pub statuses: Arc<[String]>,
}

/// A call of a workspace's agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When it arrived, on the monotonic clock.
    pub at: Duration,
    /// When, in Unix milliseconds.
    pub wall_ms: i64,
    /// Who called; `None` for the user. A self-message names the workspace.
    pub caller: Option<String>,
    /// As sent; `None` if the platform had to make one up.
    pub message_id: Option<String>,
    /// The text of its parts.
    pub text: String,
    /// How it was answered.
    pub fate: Fate,
    /// The answer's status.
    pub status: u16,
}

/// What became of a [`Message`] by the time of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The agent got it.
    Delivered,
    /// It waits; see [`Delivered`] for its end.
    Queued,
    /// It waits already under the same message id: nothing was added.
    Duplicate,
    /// The agent did not get it.
    Refused,
}

/// A message that reached a workspace's agent, at once or from the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// When, on the monotonic clock.
    pub at: Duration,
    /// Who called; `None` for the user.
    pub caller: Option<String>,
    /// Its id, made up by the platform if it had none.
    pub message_id: String,
    /// The text of its parts.
    pub text: String,
}

/// A line in the user's chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// When, on the monotonic clock.
    pub at: Duration,
    /// When, in Unix milliseconds.
    pub wall_ms: i64,
    /// What the user reads.
    pub message: String,
}

/// An accepted registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// When, on the monotonic clock.
    pub at: Duration,
    /// When, in Unix milliseconds.
    pub wall_ms: i64,
    /// Whether the answer carried a token.
    pub minted: bool,
}

/// A change of a workspace's status, or its container's restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceEvent {
    /// When, on the monotonic clock.
    pub at: Duration,
    /// What.
    pub kind: EventKind,
    /// For instance the error that degraded it.
    pub detail: String,
}

/// Kinds of [`WorkspaceEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind {
    /// It was registered, recovered or came back.
    WorkspaceOnline,
    /// It is wedged or fails too often.
    WorkspaceDegraded,
    /// Its liveness key expired, or its beats are too old.
    WorkspaceOffline,
    /// The platform restarted its container.
    WorkspaceRestarted,
    /// `current_task` changed.
    TaskUpdated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_forgets_the_oldest_and_never_its_count() {
        let mut ring = Ring::new(2);
        (1..=5).for_each(|n| ring.push(n));
        assert_eq!((ring.total(), ring.iter().copied().collect::<Vec<_>>()), (5, vec![4, 5]));
        assert_eq!(ring.since(4).copied().collect::<Vec<_>>(), [5]);
        assert_eq!(ring.since(0).copied().collect::<Vec<_>>(), [4, 5]);
        assert_eq!(ring.since(9).count(), 0);
    }
}
