//! What happens when: a queue in the order of time, ties in the order in
//! which they were put in.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// A queue of things that happen at a time.
#[derive(Clone, Debug)]
pub struct Agenda<T> {
    /// What was known from the start, in order: however much there is of it,
    /// the heap stays small.
    planned: VecDeque<(Duration, T)>,
    /// When, in which order they were put in, and where each lies: what is
    /// moved about is small, whatever happens.
    order: BinaryHeap<Reverse<(Duration, u64, usize)>>,
    things: Vec<Option<T>>,
    free: Vec<usize>,
    next_order: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self {
            planned: VecDeque::new(),
            order: BinaryHeap::new(),
            things: Vec::new(),
            free: Vec::new(),
            next_order: 0,
        }
    }
}

impl<T> Agenda<T> {
    /// A queue with these things in it, in any order of time.
    pub fn of(planned: impl IntoIterator<Item = (Duration, T)>) -> Self {
        let mut planned: Vec<_> = planned.into_iter().collect();
        planned.sort_by_key(|(at, _)| *at);
        Self { planned: planned.into(), ..Self::default() }
    }

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
        [self.next_planned_at(), self.next_put_at()].into_iter().flatten().min()
    }

    /// Takes out the next thing if it happens by `now`.
    pub fn take_due(&mut self, now: Duration) -> Option<(Duration, T)> {
        let at = self.next_at().filter(|at| *at <= now)?;
        if self.next_planned_at() == Some(at) {
            return self.planned.pop_front();
        }
        let Reverse((_, _, place)) = self.order.pop()?;
        self.free.push(place);
        self.things[place].take().map(|what| (at, what))
    }

    fn next_planned_at(&self) -> Option<Duration> {
        self.planned.front().map(|(at, _)| *at)
    }

    fn next_put_at(&self) -> Option<Duration> {
        self.order.peek().map(|Reverse((at, ..))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_come_out_as_they_went_in() {
        let second = Duration::from_secs;
        let mut agenda = Agenda::of([(second(2), "e"), (second(1), "a"), (second(1), "b")]);
        for (at, what) in [(2, "f"), (1, "c"), (2, "g"), (1, "d"), (3, "h")] {
            agenda.put(second(at), what);
        }
        let mut order = String::new();
        while let Some((_, what)) = agenda.take_due(second(2)) {
            order.push_str(what);
        }
        assert_eq!(order, "abcdefg");
        assert_eq!(agenda.next_at(), Some(second(3)));
    }
}
