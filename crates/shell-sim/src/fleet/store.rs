//! A store in memory: answers what a store answers, and keeps what a journal
//! keeps. No disk, no failure.

use everbeat_core::{Action, Batch, JournalRecord, OpenedStore, Outcome, Placement, ResultKey};

/// What a record costs in a journal, about: enough for the machine to compact
/// it now and then, as it would a real one.
const RECORD_BYTES: u64 = 120;

/// The journal and the results file of one workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryStore {
    records: Vec<JournalRecord>,
    bytes: u64,
    /// A results file lies there untaken.
    lies: bool,
    /// Why the last batch cannot be placed, while it cannot.
    held: Option<String>,
}

impl MemoryStore {
    /// Carries out a command of the store; `None` if it is another's.
    pub(crate) fn carry_out(&mut self, action: Action) -> Option<Outcome> {
        Some(match action {
            Action::OpenStore => Outcome::StoreOpened(OpenedStore {
                records: self.records.clone(),
                placement: self.ever_stored().then(|| self.placement()),
                journal_bytes: self.bytes,
                repairs: Vec::new(),
            }),
            Action::StoreBatch(batch) => self.store(batch),
            Action::PlaceBatch { .. } => Outcome::BatchPlaced { placement: self.place() },
            Action::AppendJournal { records } => {
                records.into_iter().for_each(|record| self.write(record));
                Outcome::JournalWritten { journal_bytes: self.bytes }
            }
            Action::CompactJournal { records } => {
                self.records.clear();
                self.bytes = 0;
                records.into_iter().for_each(|record| self.write(record));
                Outcome::JournalWritten { journal_bytes: self.bytes }
            }
            Action::ProbeResults => Outcome::ResultsProbed { present: self.lies },
            Action::PostHeartbeat(_)
            | Action::Register(_)
            | Action::FetchDelegations
            | Action::FetchWorkspace { .. }
            | Action::SendSelfMessage { .. }
            | Action::Notify { .. }
            | Action::ReloadToken
            | Action::SaveToken(_)
            | Action::SaveInboundSecret(_)
            | Action::Cancel { .. }
            | Action::RebuildClient => return None,
        })
    }

    /// The agent takes its results.
    pub(crate) const fn take(&mut self) {
        self.lies = false;
    }

    /// Something odd stands at the results path, or goes from there.
    pub(crate) fn hold(&mut self, reason: Option<String>) {
        self.held = reason;
    }

    fn store(&mut self, batch: Batch) -> Outcome {
        let Batch { batch, lines, results } = batch;
        let length = lines.iter().map(|line| line.len() as u64 + 1).sum();
        self.write(JournalRecord::Stored { batch, length, results });
        Outcome::BatchStored { length, placement: self.place(), journal_bytes: self.bytes }
    }

    fn write(&mut self, record: JournalRecord) {
        let results = match &record {
            JournalRecord::Stored { results, .. } => results.len(),
            JournalRecord::Announcing { keys, .. }
            | JournalRecord::Settled { keys }
            | JournalRecord::Notified { keys } => keys.len(),
            JournalRecord::Snapshot(snapshot) => snapshot.results.len(),
            JournalRecord::Began
            | JournalRecord::Refused { .. }
            | JournalRecord::Announced { .. }
            | JournalRecord::Taken { .. }
            | JournalRecord::Forgotten
            | JournalRecord::Awaited { .. }
            | JournalRecord::AwaitDropped { .. } => 0,
        };
        self.bytes += RECORD_BYTES * (1 + results as u64);
        self.records.push(record);
    }

    fn place(&mut self) -> Placement {
        let placement = self.placement();
        self.lies |= self.held.is_none();
        placement
    }

    fn placement(&self) -> Placement {
        match &self.held {
            Some(reason) => Placement::Held { reason: reason.clone() },
            None => Placement::Placed { merged: self.lies },
        }
    }

    fn ever_stored(&self) -> bool {
        self.records.iter().any(|record| match record {
            JournalRecord::Stored { .. } => true,
            JournalRecord::Snapshot(snapshot) => snapshot.last_batch > 0,
            JournalRecord::Began
            | JournalRecord::Settled { .. }
            | JournalRecord::Announcing { .. }
            | JournalRecord::Refused { .. }
            | JournalRecord::Announced { .. }
            | JournalRecord::Notified { .. }
            | JournalRecord::Taken { .. }
            | JournalRecord::Forgotten
            | JournalRecord::Awaited { .. }
            | JournalRecord::AwaitDropped { .. } => false,
        })
    }
}

/// The results of a batch, by name.
pub(crate) fn names(batch: &Batch) -> impl Iterator<Item = &ResultKey> {
    batch.results.iter().map(|result| &result.key)
}
