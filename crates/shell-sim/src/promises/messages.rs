//! Reading self-messages as the agent reads them.

use std::time::Duration;

use crate::plan::OWN;
use crate::world::{Request, ResultName, World};

/// A self-message that reached the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// When.
    pub at: Duration,
    /// Its id.
    pub id: String,
    /// The results that it names.
    pub names: Vec<ResultName>,
    /// Whether it counts more of them than it names.
    pub counts_more: bool,
}

/// Every self-message that reached the agent, in order.
#[must_use]
pub fn announcements(world: &World) -> Vec<Announcement> {
    let Some(workspace) = world.platform.workspace(OWN) else {
        return Vec::new();
    };
    let delivered = workspace.delivered.iter();
    delivered
        .map(|message| Announcement {
            at: message.at,
            id: message.message_id.clone(),
            names: named_in(&message.text),
            counts_more: message.text.contains("\n- and "),
        })
        .collect()
}

/// The results that a message names. Ids of the plan are short, so that they
/// stand there whole.
#[must_use]
pub fn named_in(text: &str) -> Vec<ResultName> {
    let name = |line: &str| {
        let rest = line.strip_prefix("- [")?;
        let (status, rest) = rest.split_once("] Delegation ")?;
        let id = rest.split([':', ' ']).next()?;
        Some((id.to_owned(), status.to_owned()))
    };
    text.lines().filter_map(name).collect()
}

/// Every self-message that was sent: when, its id, its text.
pub(super) fn sent_messages(world: &World) -> impl Iterator<Item = (Duration, &str, &str)> {
    world.seen.sent.iter().filter_map(|sent| match &sent.what {
        Request::SelfMessage { id, text } => Some((sent.at, id.as_str(), text.as_str())),
        Request::Beat { .. }
        | Request::Poll
        | Request::Register
        | Request::Lookup
        | Request::Notify { .. } => None,
    })
}
