//! What happens when: a queue in the order of time, ties in the order in
//! which they were put in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A queue of things that happen at a time.
#[derive(Clone, Debug)]
pub struct Agenda<T> {
    /// When, in which order they were put in, and where each lies: what is
    /// moved about is small, whatever happens.
    order: BinaryHeap<Reverse<(Duration, u64, usize)>>,
    things: Vec<Option<T>>,
    free: Vec<usize>,
    next_order: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), things: Vec::new(), free: Vec::new(), next_order: 0 }
    }
}

impl<T> Agenda<T> {
    /// Puts in something that happens at `at`.
    pub fn put(&mut self, at: Duration, what: T) {
        let place = match self.free.pop() {
            Some(place) => {
                self.things[place] = Some(what);
                place
            }
            None => {
                self.things.push(Some(what));
                self.things.len() - 1
            }
        };
        self.order.push(Reverse((at, self.next_order, place)));
        self.next_order += 1;
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.order.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes out the next thing if it happens by `now`.
    pub fn take_due(&mut self, now: Duration) -> Option<(Duration, T)> {
        let at = self.next_at().filter(|at| *at <= now)?;
        let Reverse((_, _, place)) = self.order.pop()?;
        self.free.push(place);
        self.things[place].take().map(|what| (at, what))
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
