//! The delegation ids of a list, kept until the next one.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

#[derive(Debug)]
pub(crate) struct Listed {
    /// In their order, each once.
    ids: Vec<String>,
    /// Where each row's id stands among them.
    rows: Vec<usize>,
}

impl Listed {
    pub(crate) const fn new() -> Self {
        Self { ids: Vec::new(), rows: Vec::new() }
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.ids.binary_search_by(|have| have.as_str().cmp(id)).is_ok()
    }

    /// Keeps the ids of another list, one for each row, in place of the last
    /// one's.
    pub(crate) fn become_of(&mut self, rows: &[Cow<'_, str>]) {
        // Most lists have the same ones in the same rows as the one before.
        if self.are_the_rows(rows) {
            return;
        }
        let mut ids: Vec<&str> = rows.iter().map(AsRef::as_ref).collect();
        ids.sort_unstable();
        ids.dedup();
        self.rows = rows.iter().filter_map(|id| ids.binary_search(&id.as_ref()).ok()).collect();
        self.ids = ids.into_iter().map(ToString::to_string).collect();
    }

    fn are_the_rows(&self, rows: &[Cow<'_, str>]) -> bool {
        let are_the_same = |(place, id): (&usize, &Cow<'_, str>)| {
            self.ids.get(*place).is_some_and(|have| have == id)
        };
        self.rows.len() == rows.len() && self.rows.iter().zip(rows).all(are_the_same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_list_counts() {
        let mut listed = Listed::new();
        let lists = ["", "a", "b a", "b a", "b a a c", "c a a b", "b a a", "c", "", "b b"];
        for list in lists {
            let rows: Vec<Cow<'_, str>> = list.split_whitespace().map(Cow::Borrowed).collect();
            listed.become_of(&rows);
            assert!(listed.are_the_rows(&rows), "{list}: {listed:?}");
            for id in ["a", "b", "c", "d", ""] {
                assert_eq!(listed.contains(id), rows.iter().any(|row| row == id), "{list}: {id:?}");
            }
        }
    }
}
