//! Reading self-messages as the agent reads them.

use crate::world::ResultName;

/// A self-message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its id.
    pub id: String,
    /// The results that it names.
    pub names: Vec<ResultName>,
    /// How many more it counts.
    pub more: usize,
}

impl Announcement {
    /// Reads a message's text. Ids of the plan are short, so that they stand
    /// there whole.
    #[must_use]
    pub fn read(id: &str, text: &str) -> Self {
        let more = text.lines().find_map(|line| line.strip_prefix("- and ")?.split_once(' '));
        let more = more.and_then(|(more, _)| more.parse().ok()).unwrap_or_default();
        Self { id: id.into(), names: named_in(text), more }
    }
}

/// The results that a message names.
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
