//! What happens when: a queue in the order of time, ties in the order in
//! which they were put in.

use std::collections::BTreeMap;
use std::time::Duration;

/// A queue of things that happen at a time.
#[derive(Clone, Debug)]
pub struct Agenda<T> {
    entries: BTreeMap<(Duration, u64), T>,
    next_order: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), next_order: 0 }
    }
}

impl<T> Agenda<T> {
    /// Puts in something that happens at `at`.
    pub fn put(&mut self, at: Duration, what: T) {
        self.entries.insert((at, self.next_order), what);
        self.next_order += 1;
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes out the next thing if it happens by `now`.
    pub fn take_due(&mut self, now: Duration) -> Option<(Duration, T)> {
        let ((at, _), _) = self.entries.first_key_value().filter(|((at, _), _)| *at <= now)?;
        let at = *at;
        self.entries.pop_first().map(|(_, what)| (at, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_come_out_as_they_went_in() {
        let mut agenda = Agenda::default();
        for (at, what) in [(2, "c"), (1, "a"), (2, "d"), (1, "b")] {
            agenda.put(Duration::from_secs(at), what);
        }
        let mut order = String::new();
        while let Some((_, what)) = agenda.take_due(Duration::from_secs(2)) {
            order.push_str(what);
        }
        assert_eq!(order, "abcd");
        assert_eq!(agenda.next_at(), None);
    }
}
