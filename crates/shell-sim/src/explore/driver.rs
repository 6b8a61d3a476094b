//! The core's part in an exploration: which file command comes next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use everbeat_core::{
    Action, Batch, JournalRecord, Outcome, Placement, Repair, ResultKey, Snapshot, SnapshotResult,
    Status, StoredResult,
};

use super::Scenario;
use super::lease::Step;

/// What the driver wants done next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    Open,
    Store(usize),
    Place,
    Taken(u64),
    Compact,
    Probe,
    Lease(Step),
    Done,
}

/// The core's knowledge in one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Driver {
    is_open: bool,
    is_held: bool,
    /// In which batch each of the scenario's batches was stored.
    known: BTreeMap<usize, u64>,
    last_batch: u64,
    last_length: u64,
    taken_through: u64,
    queue: VecDeque<Op>,
    was_probed: bool,
}

/// What the driver makes of an outcome.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Fine,
    Held(String),
    Failed(String),
    /// A repair that nothing in an exploration is a cause for.
    Alarmed(String),
}

impl Driver {
    pub(super) fn next(&self, scenario: &Scenario) -> Op {
        if !self.is_open {
            return Op::Open;
        }
        if let Some(op) = self.queue.front() {
            return op.clone();
        }
        if self.is_held {
            return Op::Place;
        }
        let unknown = (0..scenario.batches.len()).find(|index| !self.known.contains_key(index));
        match unknown {
            Some(index) => Op::Store(index),
            None if scenario.ends_with_probe() && !self.was_probed => Op::Probe,
            None => Op::Done,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The scenario's batches that are durable as far as the driver was told.
    pub(super) fn known(&self) -> BTreeSet<usize> {
        self.known.keys().copied().collect()
    }

    pub(super) fn action(&self, op: &Op, scenario: &Scenario) -> Action {
        match op {
            Op::Open | Op::Done | Op::Lease(_) => Action::OpenStore,
            Op::Store(index) => {
                let lines = scenario.batches.get(*index).cloned().unwrap_or_default();
                let results = lines.iter().map(|line| result(*index, line)).collect();
                Action::StoreBatch(Batch { batch: self.last_batch + 1, lines, results })
            }
            Op::Place => Action::PlaceBatch { batch: self.last_batch },
            Op::Taken(through) => {
                Action::AppendJournal { records: vec![JournalRecord::Taken { through: *through }] }
            }
            Op::Compact => Action::CompactJournal {
                records: vec![JournalRecord::Snapshot(self.snapshot(scenario))],
            },
            Op::Probe => Action::ProbeResults,
        }
    }

    pub(super) fn landed(&mut self, op: &Op, outcome: Outcome, scenario: &Scenario) -> Told {
        self.queue.pop_front();
        match outcome {
            Outcome::StoreOpened(opened) => {
                let is_alarming = |repair: &&Repair| match repair {
                    Repair::Corrupt { .. } | Repair::Stray { .. } => true,
                    Repair::TornTail { .. } | Repair::FolderEmptied => false,
                };
                if let Some(repair) = opened.repairs.iter().find(is_alarming) {
                    return Told::Alarmed(format!("{repair:?}"));
                }
                *self = Self { is_open: true, ..Self::default() };
                self.follow(&opened.records);
                opened.placement.map_or(Told::Fine, |placement| self.placed(placement, scenario))
            }
            Outcome::BatchStored { length, placement, .. } => {
                self.last_batch += 1;
                self.last_length = length;
                if let Op::Store(index) = op {
                    self.known.insert(*index, self.last_batch);
                }
                let told = self.placed(placement, scenario);
                if scenario.compacts {
                    self.queue.push_back(Op::Compact);
                }
                told
            }
            Outcome::BatchPlaced { placement } => self.placed(placement, scenario),
            Outcome::JournalWritten { .. } => {
                if let Op::Taken(through) = op {
                    self.taken_through = self.taken_through.max(*through);
                }
                Told::Fine
            }
            Outcome::ResultsProbed { present } => {
                self.was_probed = true;
                if !present && scenario.notes_taken {
                    self.note_taken(self.last_batch);
                }
                Told::Fine
            }
            Outcome::FileFailed(failure) => {
                *self = Self::default();
                Told::Failed(format!("{} {}: {}", failure.operation, failure.path, failure.reason))
            }
            Outcome::Response(_)
            | Outcome::TransportFailed(_)
            | Outcome::TokenLoaded { .. }
            | Outcome::SecretSaved
            | Outcome::Panicked => Told::Failed("an outcome of another kind".into()),
        }
    }

    fn placed(&mut self, placement: Placement, scenario: &Scenario) -> Told {
        match placement {
            Placement::Placed { merged } => {
                self.is_held = false;
                if !merged && scenario.notes_taken {
                    self.note_taken(self.last_batch.saturating_sub(1));
                }
                Told::Fine
            }
            Placement::Held { reason } => {
                self.is_held = true;
                Told::Held(reason)
            }
        }
    }

    fn note_taken(&mut self, through: u64) {
        if through > self.taken_through {
            self.queue.push_back(Op::Taken(through));
        }
    }

    fn follow(&mut self, records: &[JournalRecord]) {
        for record in records {
            match record {
                JournalRecord::Stored { batch, length, results } => {
                    self.last_batch = *batch;
                    self.last_length = *length;
                    for result in results {
                        self.known.insert(index_of(&result.key), *batch);
                    }
                }
                JournalRecord::Taken { through } => self.taken_through = *through,
                JournalRecord::Forgotten => {
                    let taken_through = self.taken_through;
                    self.known.retain(|_, batch| *batch <= taken_through);
                }
                JournalRecord::Snapshot(snapshot) => {
                    self.last_batch = snapshot.last_batch;
                    self.last_length = snapshot.last_length;
                    self.taken_through = snapshot.taken_through;
                    let results = &snapshot.results;
                    self.known = results
                        .iter()
                        .map(|result| (index_of(&result.key), result.batch))
                        .collect();
                }
                JournalRecord::Began
                | JournalRecord::Settled { .. }
                | JournalRecord::Announcing { .. }
                | JournalRecord::Refused { .. }
                | JournalRecord::Announced { .. }
                | JournalRecord::Notified { .. }
                | JournalRecord::Awaited { .. }
                | JournalRecord::AwaitDropped { .. } => {}
            }
        }
    }

    fn snapshot(&self, scenario: &Scenario) -> Snapshot {
        let results = self.known.iter().flat_map(|(index, batch)| {
            let lines = scenario.batches.get(*index).map(Vec::as_slice).unwrap_or_default();
            lines.iter().map(|line| SnapshotResult {
                key: result(*index, line).key,
                batch: *batch,
                untold: None,
                notified: false,
            })
        });
        Snapshot {
            last_batch: self.last_batch,
            last_length: self.last_length,
            taken_through: self.taken_through,
            results: results.collect(),
            ..Snapshot::default()
        }
    }
}

fn result(index: usize, line: &str) -> StoredResult {
    let key = ResultKey { delegation_id: format!("{index}/{line}"), status: Status::Completed };
    StoredResult { key, summary: String::new(), error: String::new() }
}

fn index_of(key: &ResultKey) -> usize {
    let index = key.delegation_id.split('/').next();
    index.and_then(|index| index.parse().ok()).unwrap_or(usize::MAX)
}
