//! The newest events, numbered: what a client that comes back can catch up on.

use std::collections::VecDeque;
use std::sync::Arc;

use super::kind::Kind;

/// Events that are kept.
pub(crate) const EVENTS_MAX: usize = 1_024;

/// One event as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    /// One JSON object on one line.
    pub(crate) data: String,
}

/// The newest events of one process; ids grow by one.
#[derive(Debug)]
pub(crate) struct Ring {
    entries: VecDeque<Arc<Entry>>,
    first_id: u64,
    next_id: u64,
}

/// From where a client reads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// Whatever comes from now on.
    Now,
    /// The oldest that is still there.
    Oldest,
    /// What came after this id.
    After(u64),
}

/// What a client finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Events between the last one it had and the first of these that are not
    /// there any more.
    pub(crate) missed: u64,
    /// Its last id is none of this process: how many another one had after it
    /// is not known.
    pub(crate) restarted: bool,
    /// In order, without a gap.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// What to read on after.
    pub(crate) last_id: u64,
}

impl Ring {
    /// An empty one, whose first event will have `first_id`, from 1.
    pub(crate) fn new(first_id: u64) -> Self {
        let first_id = first_id.max(1);
        Self { entries: VecDeque::new(), first_id, next_id: first_id }
    }

    /// Adds one event and gives its id; the oldest gives way.
    pub(crate) fn push(&mut self, kind: Kind, data: String) -> u64 {
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        if self.entries.len() >= EVENTS_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(Arc::new(Entry { id, kind, data }));
        id
    }

    /// The newest event's id; one less than the first if there was none.
    pub(crate) const fn last_id(&self) -> u64 {
        self.next_id - 1
    }

    /// At most `entries_max` events from there on, and what is missing before
    /// them.
    pub(crate) fn read(&self, from: From, entries_max: usize) -> Found {
        let oldest = self.entries.front().map_or(self.next_id, |entry| entry.id);
        let (after, missed, restarted) = match from {
            From::Now => (self.last_id(), 0, false),
            From::Oldest => (oldest - 1, 0, false),
            From::After(id) if id.saturating_add(1) < self.first_id || id > self.last_id() => {
                (oldest - 1, oldest - self.first_id, true)
            }
            From::After(id) => (id.max(oldest - 1), (oldest - 1).saturating_sub(id), false),
        };
        let skipped = usize::try_from(after + 1 - oldest).unwrap_or(usize::MAX);
        let entries: Vec<_> =
            self.entries.iter().skip(skipped).take(entries_max).cloned().collect();
        let last_id = entries.last().map_or(after, |entry| entry.id);
        Found { missed, restarted, entries, last_id }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(first_id: u64, count: u64) -> Ring {
        let mut ring = Ring::new(first_id);
        for number in 0..count {
            assert_eq!(ring.push(Kind::Beat, format!("{{\"n\":{number}}}")), first_id + number);
        }
        ring
    }

    fn ids(found: &Found) -> Vec<u64> {
        found.entries.iter().map(|entry| entry.id).collect()
    }

    proptest! {
        /// Whoever reads on after the last id it had gets every event once, in
        /// order, and what it missed is counted exactly, however the reads and
        /// the pushes are interleaved.
        #[test]
        fn who_reads_on_gets_each_event_once_or_has_it_counted(
            first_id in prop_oneof![Just(1), 1..u64::from(u32::MAX), Just(u64::MAX / 2)],
            before in 0_u64..3_000,
            turns in prop::collection::vec((0_u64..2_500, 1_usize..2_000), 1..6),
        ) {
            let mut ring = filled(first_id, before);
            let start = ring.read(From::Now, EVENTS_MAX);
            prop_assert_eq!(&start.entries, &vec![]);
            let (mut last, mut seen, mut missed, mut pushed) = (start.last_id, 0, 0, 0);
            for (pushes, entries_max) in turns {
                for _ in 0..pushes {
                    ring.push(Kind::Poll, "{}".into());
                }
                pushed += pushes;
                let found = ring.read(From::After(last), entries_max);
                prop_assert!(!found.restarted);
                prop_assert!(found.entries.len() <= entries_max.min(EVENTS_MAX));
                let count = found.entries.len();
                let expected: Vec<_> = (last + found.missed + 1..).take(count).collect();
                prop_assert_eq!(ids(&found), expected);
                seen += found.entries.len() as u64;
                missed += found.missed;
                last = found.last_id;
            }
            let rest = ring.read(From::After(last), usize::MAX);
            prop_assert_eq!(seen + missed + rest.missed + rest.entries.len() as u64, pushed);
            prop_assert_eq!(rest.last_id, ring.last_id());
            prop_assert_eq!(ring.last_id(), first_id - 1 + before + pushed);
        }

        /// Any id at all is answered, and never with an event before it.
        #[test]
        fn any_id_is_answered(first_id in 1_u64..10_000, count in 0_u64..1_500, id: u64) {
            let ring = filled(first_id, count);
            let found = ring.read(From::After(id), usize::MAX);
            let is_ours = id.saturating_add(1) >= first_id && id <= ring.last_id();
            prop_assert_eq!(found.restarted, !is_ours);
            let kept = count.min(EVENTS_MAX as u64);
            if found.restarted {
                prop_assert_eq!(found.missed, count - kept);
                prop_assert_eq!(found.entries.len() as u64, kept);
            }
        }
    }

    #[test]
    fn it_is_bounded() {
        let ring = filled(1, 5_000);
        assert_eq!(ring.read(From::Oldest, usize::MAX).entries.len(), EVENTS_MAX);
        assert_eq!(ring.read(From::Oldest, usize::MAX).missed, 0);
        assert_eq!(ring.last_id(), 5_000);
    }

    #[test]
    fn an_id_of_another_process_says_so() {
        let ring = filled(1_000, 3);
        assert_eq!(ring.read(From::After(999), 9).entries.len(), 3);
        assert!(!ring.read(From::After(999), 9).restarted);
        assert!(ring.read(From::After(998), 9).restarted);
        assert!(ring.read(From::After(2_000), 9).restarted);
        assert_eq!(ids(&ring.read(From::After(2_000), 9)), [1_000, 1_001, 1_002]);
    }
}
