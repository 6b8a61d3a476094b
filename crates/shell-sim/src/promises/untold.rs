//! Of which results in the stream no message tells. A message names some and
//! counts the others; which ones it counts nobody outside the agent can say,
//! so that they are counted here, too: what waits must not be more than what
//! the messages since then count.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::messages::Announcement;
use super::stream::Stream;
use crate::world::ResultName;

/// The results that wait to be told, and the messages that may tell of them.
#[derive(Debug, Default)]
pub struct Untold {
    waiting: BTreeMap<ResultName, Waiting>,
    /// In the order in which they were sent for the first time.
    messages: Vec<Message>,
    /// How many the agent may take for untold: it learns of what came of a
    /// message later than the platform, and not always.
    pending: usize,
    /// How many of those each message tells of that was ever sent, none once
    /// it is settled.
    pending_by: BTreeMap<String, usize>,
    /// How many of those came again and are in no message that was sent again.
    again: usize,
}

/// A result in the stream that no message names which the platform took.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// When it arrived.
    pub since: Duration,
    /// How many had arrived with it.
    place: u64,
    /// Whether a message that names it was sent, or a process ended that may
    /// have been about to send one. Then the reader's taking it tells that it
    /// is told.
    may_be_told: bool,
}

#[derive(Debug)]
struct Message {
    what: Announcement,
    /// How many results had arrived when it was sent: it tells of no later one.
    arrived: u64,
    is_accepted: bool,
}

impl Untold {
    /// When those that wait arrived, whether messages count them or not.
    pub fn since(&self) -> impl Iterator<Item = Duration> {
        self.waiting.values().map(|waiting| waiting.since)
    }

    /// The oldest of those in question that is not told, whichever results the
    /// messages count.
    #[must_use]
    pub fn oldest(
        &self,
        unread: &BTreeSet<&ResultName>,
        is_in_question: impl Fn(&Waiting) -> bool,
    ) -> Option<(&ResultName, Waiting)> {
        let mut waiting: Vec<_> = self
            .waiting
            .iter()
            .map(|(name, waiting)| (name, *waiting))
            .filter(|(name, waiting)| {
                is_in_question(waiting) && (!waiting.may_be_told || unread.contains(name))
            })
            .collect();
        waiting.sort_unstable_by_key(|(_, waiting)| std::cmp::Reverse(waiting.place));
        // What was taken by the reader is told if it was only sent.
        let taken = waiting.iter().copied().filter(|(name, _)| !unread.contains(name));
        let taken = self.not_counted(taken, |message| !message.is_accepted);
        let taken: BTreeSet<_> = taken.into_iter().map(|(name, _)| name).collect();
        waiting.retain(|(name, _)| unread.contains(name) || taken.contains(name));
        self.not_counted(waiting, |message| message.is_accepted).pop()
    }

    /// Those that are left if each of these messages counts as many of them
    /// as it says. The later ones first: fewer messages can tell of them.
    fn not_counted<'a>(
        &self,
        latest_first: impl IntoIterator<Item = (&'a ResultName, Waiting)>,
        may_count: impl Fn(&Message) -> bool,
    ) -> Vec<(&'a ResultName, Waiting)> {
        let mut messages =
            self.messages.iter().rev().filter(|message| may_count(message)).peekable();
        let mut counted = 0;
        let mut is_left = |place: u64| {
            while let Some(message) = messages.next_if(|message| place <= message.arrived) {
                counted += message.what.more;
            }
            let is_left = counted == 0;
            counted = counted.saturating_sub(1);
            is_left
        };
        latest_first.into_iter().filter(|(_, waiting)| is_left(waiting.place)).collect()
    }

    pub(super) fn arrives(&mut self, name: ResultName, since: Duration, place: u64) {
        self.pending += 1;
        self.waiting.insert(name, Waiting { since, place, may_be_told: false });
    }

    /// One came again that may have been news to the agent.
    pub(super) const fn arrives_again(&mut self) {
        self.pending += 1;
        self.again += 1;
    }

    pub(super) fn goes(&mut self, name: &ResultName) {
        self.waiting.remove(name);
    }

    /// How many the agent may take for untold.
    pub(super) const fn pending(&self) -> usize {
        self.pending
    }

    /// Nothing is asked of what arrived before.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// A process ended that may have been about to send a message.
    pub(super) fn all_may_be_told(&mut self) {
        self.waiting.values_mut().for_each(|waiting| waiting.may_be_told = true);
    }

    pub(super) fn sent(&mut self, what: Announcement, arrived: u64) {
        let results = what.names.len() + what.more;
        match self.pending_by.entry(what.id.clone()) {
            Entry::Vacant(first_sent) => {
                first_sent.insert(results);
                self.again = self.again.saturating_sub(results);
            }
            // It tells of the same: of what is settled no more than came again.
            Entry::Occupied(mut sent_before) => {
                let more = self.again.min(results.saturating_sub(*sent_before.get()));
                self.again -= more;
                *sent_before.get_mut() += more;
                return;
            }
        }
        for name in &what.names {
            if let Some(waiting) = self.waiting.get_mut(name) {
                waiting.may_be_told = true;
            }
        }
        self.messages.push(Message { what, arrived, is_accepted: false });
    }

    /// The agent takes what this message tells of for told, and need not tell
    /// of it again.
    pub(super) fn settles(&mut self, id: &str) {
        let told = self.pending_by.get_mut(id).map(std::mem::take).unwrap_or_default();
        self.pending = self.pending.saturating_sub(told);
    }

    /// The platform took a message: it reached the agent, or will. If all that
    /// had arrived by then is told, nothing is asked of that any more.
    pub(super) fn accepted(&mut self, id: &str, stream: &Stream) {
        let is_it = |message: &&mut Message| message.what.id == id && !message.is_accepted;
        let Some(message) = self.messages.iter_mut().find(is_it) else {
            return;
        };
        message.is_accepted = true;
        for name in &message.what.names {
            self.waiting.remove(name);
        }
        let arrived = message.arrived;
        if self.oldest(&stream.unread(), |waiting| waiting.place <= arrived).is_none() {
            self.waiting.retain(|_, waiting| waiting.place > arrived);
            self.messages.retain(|message| message.arrived > arrived);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::StreamParts;

    fn name(number: u64) -> ResultName {
        (format!("d{number}"), "failed".to_owned())
    }

    /// Results that lie in the file, nobody having read them.
    fn lying(numbers: &[u64]) -> Stream {
        let line =
            |number: &u64| format!("{{\"delegation_id\":\"d{number}\",\"status\":\"failed\"}}\n");
        let lying: String = numbers.iter().map(line).collect();
        let mut stream = Stream::default();
        stream.now_is(&StreamParts { lying: lying.as_bytes(), ..StreamParts::default() });
        stream
    }

    struct Told {
        untold: Untold,
        arrived: u64,
    }

    impl Told {
        fn after(arrived: u64) -> Self {
            let mut told = Self { untold: Untold::default(), arrived: 0 };
            told.arrive(arrived);
            told
        }

        fn arrive(&mut self, count: u64) {
            for _ in 0..count {
                self.arrived += 1;
                self.untold.arrives(name(self.arrived), Duration::ZERO, self.arrived);
            }
        }

        fn sent(&mut self, id: &str, names: &[u64], more: usize) {
            let names = names.iter().copied().map(name).collect();
            self.untold.sent(Announcement { id: id.into(), names, more }, self.arrived);
        }

        fn accepted(&mut self, id: &str, names: &[u64], more: usize, unread: &[u64]) {
            self.sent(id, names, more);
            self.untold.accepted(id, &lying(unread));
        }

        /// The oldest that waits while these lie in the file.
        fn oldest(&self, unread: &[u64]) -> Option<String> {
            let stream = lying(unread);
            let oldest = self.untold.oldest(&stream.unread(), |_| true);
            oldest.map(|(name, _)| name.0.clone())
        }
    }

    #[test]
    fn as_many_are_told_as_a_message_counts() {
        let mut told = Told::after(4);
        told.accepted("m1", &[2], 2, &[1, 2, 3, 4]);
        assert_eq!(told.oldest(&[1, 2, 3, 4]).as_deref(), Some("d1"), "one of three is left");
        told.accepted("m2", &[4], 0, &[1, 2, 3, 4]);
        assert_eq!(told.oldest(&[1, 2, 3, 4]), None, "m1 counted the two that m2 does not name");
    }

    #[test]
    fn no_message_counts_what_arrives_later() {
        let mut told = Told::after(2);
        told.sent("m1", &[1], 3);
        told.arrive(1);
        assert_eq!(told.oldest(&[]).as_deref(), Some("d3"), "the reader took all three");
    }

    #[test]
    fn what_was_only_sent_is_told_once_it_is_taken() {
        let mut told = Told::after(3);
        told.sent("m1", &[1], 1);
        assert_eq!(told.oldest(&[1, 2, 3]).as_deref(), Some("d1"));
        assert_eq!(told.oldest(&[3]).as_deref(), Some("d3"), "m1 names d1 and counts d2");
        assert_eq!(told.oldest(&[]).as_deref(), Some("d2"), "m1 counts one of two");
        told.untold.all_may_be_told();
        assert_eq!(told.oldest(&[]), None, "whoever died may have told the reader's");
        assert_eq!(told.oldest(&[2]).as_deref(), Some("d2"));
    }

    #[test]
    fn what_is_settled_is_asked_for_no_more() {
        let mut told = Told::after(3);
        told.sent("m1", &[1], 1);
        told.arrive(1);
        told.accepted("m2", &[3], 1, &[1, 2, 3, 4]);
        assert_eq!(told.untold.waiting.len(), 3, "m1 may not have come");
        told.untold.accepted("m1", &lying(&[1, 2, 3, 4]));
        assert_eq!(told.untold.waiting.len(), 1);
        assert_eq!(told.oldest(&[1, 2, 3, 4]), None, "m2 counts d4");
    }

    #[test]
    fn the_agent_learns_later_what_came_of_a_message() {
        let mut told = Told::after(2);
        told.sent("m1", &[1], 1);
        told.arrive(1);
        told.accepted("m2", &[3], 0, &[]);
        assert_eq!((told.untold.waiting.len(), told.untold.pending()), (0, 3));
        told.untold.settles("m2");
        told.untold.settles("m1");
        told.untold.settles("m1");
        assert_eq!(told.untold.pending(), 0);
    }

    #[test]
    fn what_came_again_is_told_again_by_the_same_message() {
        let mut told = Told::after(2);
        for _ in 0..2 {
            told.sent("m1", &[1, 2], 0);
            told.untold.settles("m1");
            assert_eq!(told.untold.pending(), 0);
            told.untold.arrives_again();
            told.untold.arrives_again();
        }
        assert_eq!(told.untold.pending(), 2);
    }
}
