//! One workspace, as the platform knows it.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use crate::agent::{AgentMode, QueueItem};
use crate::listing::Listed;
use crate::observe::{
    Beat, Delivered, EventKind, Message, Notification, Poll, Registration, Ring, WorkspaceEvent,
};
use crate::platform::shortened;
use crate::status::Status;
use crate::tokens::Tokens;

/// A workspace's row with what was observed of it.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Its id.
    pub id: String,
    /// Its name; other than the reference, the id until one is given.
    pub name: String,
    /// The workspace above it.
    pub parent_id: Option<String>,
    /// `external` for one that the platform did not start.
    pub runtime: String,
    /// What the platform thinks of it.
    pub status: Status,
    /// Where its agent is called; `None` until registered.
    pub url: Option<String>,
    /// As registered.
    pub agent_card: Option<Value>,
    /// Until when its liveness key stands; `None` once it has expired.
    pub live_until: Option<Duration>,
    /// When it was last heard of, on the monotonic clock.
    pub last_beat_at: Option<Duration>,
    /// From the last beat.
    pub error_rate: f64,
    /// From the last beat.
    pub sample_error: String,
    /// From the last beat.
    pub active_tasks: i64,
    /// From the last beat.
    pub uptime_seconds: i64,
    /// From the last beat.
    pub current_task: String,
    /// US cents, from the last beat that said something of it.
    pub monthly_spend: i64,
    /// From the last beat; `Null` if it had none.
    pub capabilities: Value,
    /// From the last beat.
    pub idle_timeout_seconds: Option<i64>,
    /// How many tasks it takes at once; queued messages wait beyond.
    pub max_concurrent_tasks: i64,
    /// Its live tokens.
    pub tokens: Tokens,
    /// What answers when its agent is called.
    pub agent_mode: AgentMode,
    /// How long its agent takes for a turn.
    pub turn: Duration,

    /// Every accepted heartbeat.
    pub beats: Ring<Beat>,
    /// Every list of delegations that was sent.
    pub polls: Ring<Poll>,
    /// Every call of its agent, self-messages among them.
    pub messages: Ring<Message>,
    /// Every message that reached its agent.
    pub delivered: Ring<Delivered>,
    /// Every line in the user's chat.
    pub notifications: Ring<Notification>,
    /// Every accepted registration.
    pub registrations: Ring<Registration>,
    /// Changes of its status, restarts of its container.
    pub events: Ring<WorkspaceEvent>,
    /// How often its container was restarted. The reference then also issues
    /// a new token: here that is left to
    /// [`Platform::rotate_token`](crate::Platform::rotate_token).
    pub restarts: u64,

    pub(crate) listed: Option<Listed>,
    pub(crate) inbound_secret: Option<Secret>,
    pub(crate) queue: VecDeque<QueueItem>,
    /// Whether a look at its liveness key is on the agenda.
    pub(crate) watched: bool,
}

/// Text that does not print.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Workspace {
    pub(crate) fn new(id: &str, turn: Duration, observed_max: usize) -> Self {
        Self {
            id: id.into(),
            name: id.into(),
            parent_id: None,
            runtime: "docker".into(),
            status: Status::Provisioning,
            url: None,
            agent_card: None,
            live_until: None,
            last_beat_at: None,
            error_rate: 0.0,
            sample_error: String::new(),
            active_tasks: 0,
            uptime_seconds: 0,
            current_task: String::new(),
            monthly_spend: 0,
            capabilities: Value::Null,
            idle_timeout_seconds: None,
            max_concurrent_tasks: 1,
            tokens: Tokens::default(),
            agent_mode: AgentMode::Answers,
            turn,
            beats: Ring::new(observed_max),
            polls: Ring::new(observed_max),
            messages: Ring::new(observed_max),
            delivered: Ring::new(observed_max),
            notifications: Ring::new(observed_max),
            registrations: Ring::new(observed_max),
            events: Ring::new(observed_max),
            restarts: 0,
            listed: None,
            inbound_secret: None,
            queue: VecDeque::new(),
            watched: false,
        }
    }

    /// The calls that it made of itself.
    pub fn self_messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.iter().filter(|message| message.caller.as_ref() == Some(&self.id))
    }

    /// Messages that wait for its agent.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn event(&mut self, at: Duration, kind: EventKind, detail: &str) {
        self.events.push(WorkspaceEvent { at, kind, detail: shortened(detail, 1_024) });
    }

    pub(crate) fn is_external(&self) -> bool {
        self.runtime == "external"
    }
}
