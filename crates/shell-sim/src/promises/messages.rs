//! Reading self-messages as the agent reads them.

use everbeat_core::limits::ID_CHARS;

use crate::world::ResultName;

/// A self-message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its id.
    pub id: String,
    /// The results that it names by their whole ids.
    pub names: Vec<ResultName>,
    /// How many more it tells of: it counts them, or shows the start of their
    /// ids.
    pub more: usize,
}

impl Announcement {
    /// Reads a message's text. Ids of the plan are short; one that is as long
    /// as an id is shown may have been cut.
    #[must_use]
    pub fn read(id: &str, text: &str) -> Self {
        let more = text.lines().find_map(|line| line.strip_prefix("- and ")?.split_once(' '));
        let counted: usize = more.and_then(|(more, _)| more.parse().ok()).unwrap_or_default();
        let is_whole = |(id, _): &ResultName| id.chars().count() < ID_CHARS;
        let (names, cut): (Vec<_>, Vec<_>) = named_in(text).into_iter().partition(is_whole);
        Self { id: id.into(), names, more: counted + cut.len() }
    }
}

/// The results that a message names, as it shows them.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_may_be_cut_tells_of_some_result() {
        let text =
            "- [failed] Delegation d1: \"a\"\n- [completed] Delegation h53faile\n- and 3 more in";
        let Announcement { names, more, .. } = Announcement::read("m", text);
        assert_eq!((names, more), (vec![("d1".to_owned(), "failed".to_owned())], 4));
    }
}
