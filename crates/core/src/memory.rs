//! The durable part of the delivery pipeline: the fold over the journal.
//!
//! The same function takes in a record that was just made durable and one
//! that is read back after a restart, so both lead to the same state.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::chance::fnv1a;
use crate::journal::{
    JournalRecord, ResultKey, Snapshot, SnapshotMessage, SnapshotResult, StoredResult, Untold,
};
use crate::limits::{AWAITED_MAX, REMEMBERED_MAX};
use crate::planted::{self, Fault};

#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) began: bool,
    pub(crate) last_batch: u64,
    pub(crate) last_length: u64,
    pub(crate) taken_through: u64,
    /// By age, oldest first.
    results: BTreeMap<u64, Remembered>,
    /// The hash of each one's key, with its age: keys are compared only where
    /// their hashes are the same.
    ages: BTreeSet<(u64, u64)>,
    /// The ages of those that are not told yet.
    untold: BTreeSet<u64>,
    youngest: u64,
    /// Self-messages that were neither accepted nor refused, by their id.
    announcing: BTreeMap<String, Vec<ResultKey>>,
    awaited: VecDeque<String>,
    /// Whether any self-message was ever begun, as far as can be known.
    pub(crate) spoke: bool,
    /// Results that were forgotten here and that the journal still holds.
    pub(crate) forgotten: usize,
    /// Grows with whatever may have changed what is remembered.
    version: u64,
}

/// What is remembered of one result.
#[derive(Debug)]
pub(crate) struct Remembered {
    key: ResultKey,
    pub(crate) batch: u64,
    pub(crate) untold: Option<Untold>,
    pub(crate) notified: bool,
}

impl Memory {
    /// Becomes what these records say, whatever it was.
    pub(crate) fn become_of(&mut self, records: Vec<JournalRecord>) {
        *self = Self { version: self.version + 1, ..Self::default() };
        for record in records {
            self.apply(record);
        }
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Takes in one durable record. Applying it twice changes nothing more.
    pub(crate) fn apply(&mut self, record: JournalRecord) {
        self.version += 1;
        match record {
            JournalRecord::Began => self.began = true,
            JournalRecord::Stored { batch, length, results } => {
                self.last_batch = batch;
                self.last_length = length;
                for result in results {
                    self.remember_stored(batch, result);
                }
            }
            JournalRecord::Settled { keys } => {
                for key in keys {
                    self.remember(key, 0, None, true, |_| false);
                }
            }
            JournalRecord::Announcing { message_id, keys } => {
                self.spoke = true;
                self.announcing.insert(message_id, keys);
            }
            JournalRecord::Refused { message_id } => {
                self.announcing.remove(&message_id);
            }
            JournalRecord::Announced { message_id } => {
                for key in self.announcing.remove(&message_id).unwrap_or_default() {
                    if let Some((age, result)) = self.find_mut(&key) {
                        result.untold = None;
                        self.untold.remove(&age);
                    }
                }
            }
            JournalRecord::Notified { keys } => {
                for key in keys {
                    if let Some((_, result)) = self.find_mut(&key) {
                        result.notified = true;
                    }
                }
            }
            JournalRecord::Taken { through } => {
                // A journal that begins anew counts its batches from one.
                self.taken_through = self.taken_through.max(through.min(self.last_batch));
            }
            JournalRecord::Forgotten => self.forget_untaken(),
            JournalRecord::Awaited { delegation_id } => {
                self.add_awaited(delegation_id);
            }
            JournalRecord::AwaitDropped { delegation_id } => {
                self.awaited.retain(|awaited| *awaited != delegation_id);
            }
            JournalRecord::Snapshot(snapshot) => {
                *self = Self { version: self.version, ..Self::from_snapshot(snapshot) };
            }
        }
    }

    /// What is stored in a later batch was forgotten in between: the journal
    /// may still name the earlier one.
    fn remember_stored(&mut self, batch: u64, result: StoredResult) {
        let untold = Untold { summary: result.summary, error: result.error };
        self.remember(result.key, batch, Some(untold), false, |known| known.batch < batch);
    }

    /// Remembers one more, unless it is known and `is_outdated` does not say
    /// that this comes in its place.
    fn remember(
        &mut self,
        key: ResultKey,
        batch: u64,
        untold: Option<Untold>,
        notified: bool,
        is_outdated: impl Fn(&Remembered) -> bool,
    ) {
        let known = self.find(&key);
        if known.is_some_and(|(_, known)| !is_outdated(known)) {
            return;
        }
        if let Some(earlier) = known.map(|(age, _)| age) {
            self.forget(earlier);
        }
        self.youngest += 1;
        let age = self.youngest;
        if untold.is_some() {
            self.untold.insert(age);
        }
        self.ages.insert((hash(&key), age));
        self.results.insert(age, Remembered { key, batch, untold, notified });
    }

    fn forget(&mut self, age: u64) {
        if let Some(result) = self.results.remove(&age) {
            self.ages.remove(&(hash(&result.key), age));
            self.untold.remove(&age);
        }
    }

    fn retain(&mut self, stays: impl Fn(&Remembered) -> bool) {
        let goes = |(age, result): (&u64, &Remembered)| (!stays(result)).then_some(*age);
        let gone: Vec<u64> = self.results.iter().filter_map(goes).collect();
        for age in gone {
            self.forget(age);
        }
    }

    fn forget_untaken(&mut self) {
        let taken_through = self.taken_through;
        self.retain(|result| result.batch <= taken_through);
        let mut announcing = core::mem::take(&mut self.announcing);
        announcing.retain(|_, keys| keys.iter().all(|key| self.knows(key)));
        self.announcing = announcing;
    }

    /// Remembers an awaited delegation; says whether an older one had to go.
    pub(crate) fn add_awaited(&mut self, delegation_id: String) -> bool {
        if self.awaited.contains(&delegation_id) {
            return false;
        }
        self.awaited.push_back(delegation_id);
        let overflows = self.awaited.len() > AWAITED_MAX;
        if overflows {
            self.awaited.pop_front();
        }
        overflows
    }

    pub(crate) fn is_awaited(&self, delegation_id: &str) -> bool {
        self.awaited.iter().any(|awaited| awaited == delegation_id)
    }

    pub(crate) fn awaited_len(&self) -> usize {
        self.awaited.len()
    }

    /// What is remembered of this result, with its age.
    fn find(&self, key: &ResultKey) -> Option<(u64, &Remembered)> {
        let hash = hash(key);
        let mut ages = self.ages.range((hash, 0)..=(hash, u64::MAX)).map(|(_, age)| *age);
        ages.find_map(|age| Some((age, self.results.get(&age).filter(|have| have.key == *key)?)))
    }

    fn find_mut(&mut self, key: &ResultKey) -> Option<(u64, &mut Remembered)> {
        let (age, _) = self.find(key)?;
        Some((age, self.results.get_mut(&age)?))
    }

    pub(crate) fn get(&self, key: &ResultKey) -> Option<&Remembered> {
        self.find(key).map(|(_, result)| result)
    }

    pub(crate) fn knows(&self, key: &ResultKey) -> bool {
        self.find(key).is_some()
    }

    /// Whether any result of this delegation is remembered.
    pub(crate) fn knows_delegation(&self, delegation_id: &str) -> bool {
        use crate::journal::Status;
        [Status::Completed, Status::Failed]
            .into_iter()
            .any(|status| self.knows(&ResultKey { delegation_id: delegation_id.into(), status }))
    }

    pub(crate) fn len(&self) -> usize {
        self.results.len()
    }

    /// All remembered results, oldest first.
    pub(crate) fn by_age(&self) -> impl Iterator<Item = (&ResultKey, &Remembered)> {
        self.results.values().map(|result| (&result.key, result))
    }

    /// The results that are not told yet, oldest first.
    pub(crate) fn untold(&self) -> impl Iterator<Item = (&ResultKey, &Remembered)> {
        let of_age = |age: &u64| self.results.get(age).map(|result| (&result.key, result));
        self.untold.iter().filter_map(of_age)
    }

    pub(crate) fn untold_len(&self) -> usize {
        self.untold.len()
    }

    /// The unanswered self-messages.
    pub(crate) fn announcing(&self) -> impl Iterator<Item = (&String, &Vec<ResultKey>)> {
        self.announcing.iter()
    }

    pub(crate) fn is_announcing(&self, message_id: &str) -> bool {
        self.announcing.contains_key(message_id)
    }

    /// Whether nothing of these is left to tell: the reader has them, another
    /// message told them, or nobody knows them any more.
    pub(crate) fn are_told(&self, keys: &[ResultKey]) -> bool {
        let is_told =
            |result: &Remembered| result.untold.is_none() || result.batch <= self.taken_through;
        keys.iter().all(|key| self.get(key).is_none_or(is_told))
    }

    /// Whether there is room for `more`, which must not push out what is
    /// untold or still listed.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.untold.len() + more + crate::limits::ROWS_MAX <= REMEMBERED_MAX
    }

    /// Forgets the oldest beyond the bound: never what is untold, never what
    /// `is_listed` says the platform can still show.
    pub(crate) fn forget_oldest(&mut self, is_listed: impl Fn(&str) -> bool) {
        if planted::active(Fault::RandomEviction) {
            self.forget_at_random();
            return;
        }
        let surplus = self.results.len().saturating_sub(REMEMBERED_MAX);
        if surplus == 0 || planted::active(Fault::Unbounded) {
            return;
        }
        let may_go =
            |result: &Remembered| result.untold.is_none() && !is_listed(&result.key.delegation_id);
        let oldest = self.results.iter().filter(|(_, result)| may_go(result));
        let gone: Vec<u64> = oldest.map(|(age, _)| *age).take(surplus).collect();
        self.forgotten += gone.len();
        for age in gone {
            self.forget(age);
        }
    }

    /// For a planted fault only: any half goes, as a hash set's order has it.
    fn forget_at_random(&mut self) {
        if self.results.len() <= 200 {
            return;
        }
        self.version += 1;
        self.retain(|result| hash(&result.key).is_multiple_of(2));
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let result = |(key, result): (&ResultKey, &Remembered)| SnapshotResult {
            key: key.clone(),
            batch: result.batch,
            untold: result.untold.clone(),
            notified: result.notified,
        };
        let message = |(message_id, keys): (&String, &Vec<ResultKey>)| SnapshotMessage {
            message_id: message_id.clone(),
            keys: keys.clone(),
        };
        Snapshot {
            began: self.began,
            last_batch: self.last_batch,
            last_length: self.last_length,
            taken_through: self.taken_through,
            spoke: self.spoke,
            results: self.by_age().map(result).collect(),
            announcing: self.announcing.iter().map(message).collect(),
            awaited: self.awaited.iter().cloned().collect(),
        }
    }

    fn from_snapshot(snapshot: Snapshot) -> Self {
        let mut memory = Self {
            began: snapshot.began,
            last_batch: snapshot.last_batch,
            last_length: snapshot.last_length,
            taken_through: snapshot.taken_through,
            spoke: snapshot.spoke,
            ..Self::default()
        };
        for SnapshotResult { key, batch, untold, notified } in snapshot.results {
            memory.remember(key, batch, untold, notified, |_| false);
        }
        for SnapshotMessage { message_id, keys } in snapshot.announcing {
            memory.announcing.insert(message_id, keys);
        }
        for delegation_id in snapshot.awaited {
            memory.add_awaited(delegation_id);
        }
        memory
    }
}

/// Of the delegation's id alone: it seldom has both results.
fn hash(key: &ResultKey) -> u64 {
    fnv1a(key.delegation_id.as_bytes())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::journal::Status;

    fn key() -> ResultKey {
        ResultKey { delegation_id: "d1".into(), status: Status::Failed }
    }

    fn stored(batch: u64) -> JournalRecord {
        let result = StoredResult { key: key(), summary: "s".into(), error: String::new() };
        JournalRecord::Stored { batch, length: 10, results: vec![result] }
    }

    fn told(memory: &mut Memory) {
        let message_id = String::from("everbeat-1");
        memory
            .apply(JournalRecord::Announcing { message_id: message_id.clone(), keys: vec![key()] });
        memory.apply(JournalRecord::Announced { message_id });
    }

    /// A running machine forgets without a record, so the journal may hold a
    /// result twice: the later one is what is true.
    #[test]
    fn what_was_forgotten_and_stored_again_is_untold_after_a_restart() {
        let mut memory = Memory::default();
        memory.apply(stored(1));
        told(&mut memory);
        assert_eq!(memory.untold_len(), 0);
        memory.apply(stored(7));
        let untold: Vec<u64> = memory.untold().map(|(_, result)| result.batch).collect();
        assert_eq!((untold, memory.len(), memory.by_age().count()), (vec![7], 1, 1));
    }

    fn results(ids: core::ops::Range<usize>, batch: u64) -> JournalRecord {
        let result = |number: usize| StoredResult {
            key: ResultKey { delegation_id: alloc::format!("d{number}"), status: Status::Failed },
            summary: String::new(),
            error: String::new(),
        };
        JournalRecord::Stored { batch, length: 10, results: ids.map(result).collect() }
    }

    fn settled(ids: core::ops::Range<usize>) -> JournalRecord {
        let JournalRecord::Stored { results, .. } = results(ids, 1) else {
            return JournalRecord::Began;
        };
        JournalRecord::Settled { keys: results.into_iter().map(|result| result.key).collect() }
    }

    #[test]
    fn a_snapshot_is_all_of_it() {
        let mut memory = Memory::default();
        memory.apply(JournalRecord::Began);
        memory.apply(stored(1));
        memory.apply(results(10..13, 2));
        memory.apply(JournalRecord::Taken { through: 1 });
        memory.apply(JournalRecord::Announcing { message_id: "m".into(), keys: vec![key()] });
        memory.apply(JournalRecord::Notified { keys: vec![key()] });
        memory.apply(JournalRecord::Awaited { delegation_id: "d9".into() });
        let snapshot = memory.snapshot();
        assert!(snapshot.began && snapshot.spoke && snapshot.results[0].notified);
        assert_eq!((snapshot.last_batch, snapshot.last_length), (2, 10));
        assert_eq!((snapshot.taken_through, snapshot.awaited.len()), (1, 1));
        let mut other = Memory::default();
        other.apply(JournalRecord::Snapshot(snapshot.clone()));
        assert_eq!(other.snapshot(), snapshot);
        assert_eq!(other.untold_len(), memory.untold_len());
    }

    #[test]
    fn of_what_is_awaited_the_newest_are_remembered() {
        let mut memory = Memory::default();
        let id = |number: usize| alloc::format!("d{number}");
        assert!((0..AWAITED_MAX).all(|number| !memory.add_awaited(id(number))));
        assert!(!memory.add_awaited(id(0)), "that one is known");
        assert!(memory.add_awaited(id(AWAITED_MAX)));
        assert_eq!(memory.awaited_len(), AWAITED_MAX);
        assert!(!memory.is_awaited("d0") && memory.is_awaited("d1"));
    }

    #[test]
    fn there_is_room_as_long_as_a_list_fits_beside_what_is_untold() {
        let most = REMEMBERED_MAX - crate::limits::ROWS_MAX;
        let mut memory = Memory::default();
        memory.apply(results(0..most - 2, 1));
        assert!(memory.has_room(2) && !memory.has_room(3));
        memory.apply(settled(5_000..6_000));
        assert!(memory.has_room(2), "what is told makes room by being forgotten");
    }

    #[test]
    fn the_oldest_are_forgotten_but_not_what_is_untold_or_listed() {
        let mut memory = Memory::default();
        memory.apply(results(0..2, 1));
        memory.apply(settled(2..REMEMBERED_MAX));
        memory.forget_oldest(|_| false);
        assert_eq!((memory.len(), memory.forgotten), (REMEMBERED_MAX, 0));
        memory.apply(settled(REMEMBERED_MAX..REMEMBERED_MAX + 3));
        memory.forget_oldest(|delegation_id| delegation_id == "d3");
        assert_eq!((memory.len(), memory.forgotten, memory.untold_len()), (REMEMBERED_MAX, 3, 2));
        let knows = ["d0", "d1", "d2", "d3", "d4", "d5", "d6"]
            .map(|delegation_id| memory.knows_delegation(delegation_id));
        assert_eq!(knows, [true, true, false, true, false, false, true]);
    }

    #[test]
    fn keys_of_the_same_hash_are_told_apart() {
        let mut memory = Memory::default();
        memory.apply(stored(1));
        let completed = ResultKey { status: Status::Completed, ..key() };
        assert!(memory.knows(&key()) && !memory.knows(&completed));
        memory.apply(JournalRecord::Settled { keys: vec![completed.clone()] });
        assert!(memory.get(&completed).is_some_and(|result| result.untold.is_none()));
        assert!(memory.get(&key()).is_some_and(|result| result.untold.is_some()));
        memory.apply(JournalRecord::Forgotten);
        assert!(!memory.knows(&key()), "it was not taken");
        assert!(memory.knows(&completed), "it was in no batch");
    }

    #[test]
    fn a_record_applied_twice_changes_nothing_more() {
        let mut memory = Memory::default();
        memory.apply(stored(1));
        told(&mut memory);
        memory.apply(stored(1));
        assert_eq!((memory.untold_len(), memory.len()), (0, 1));
    }
}
