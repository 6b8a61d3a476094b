//! The store lane: one file command at a time, in the order that keeps the
//! journal ahead of everything that is told.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::backoff;
use crate::command::{Action, Batch};
use crate::config::ValidConfig;
use crate::effects::{Effects, Slot};
use crate::event::{OpenedStore, Outcome, Placement, Repair};
use crate::journal::{JournalRecord, ResultKey};
use crate::limits::{
    AWAITED_MAX, BATCH_RESULTS_MAX, DELEGATION_ID_BYTES_MAX, DISCOVERED_MAX, JOURNAL_BYTES_MIN,
    REMEMBERED_MAX,
};
use crate::line;
use crate::memory::Memory;
use crate::notice::{Lane, Notice};
use crate::outage::Outage;
use crate::planted::{self, Fault};
use crate::status::OutageStatus;
use crate::text;
use crate::time::Instant;
use crate::timers::Timer;
use crate::wire::delegations::FoldedResult;

#[derive(Debug)]
pub(crate) struct StoreLane {
    pub(crate) memory: Memory,
    open: bool,
    outage: Outage,
    in_flight: InFlight,
    /// Results that wait for the disk, oldest first.
    discovered: VecDeque<FoldedResult>,
    /// Records that wait for the journal.
    queue: VecDeque<JournalRecord>,
    /// Why the last batch is stored but not placed, if so.
    held: Option<String>,
    wants_probe: bool,
    journal_bytes: u64,
    compact_above: u64,
}

/// What the store is doing.
#[derive(Debug, PartialEq)]
enum InFlight {
    Nothing,
    Opening,
    Storing(Batch),
    Placing,
    Appending(Vec<JournalRecord>),
    Compacting,
    Probing,
}

/// What a completed file command means for the other lanes.
#[derive(Debug, PartialEq)]
pub(crate) enum StoreEvent {
    /// Nothing beyond the store.
    None,
    /// The journal was opened: all that is durable is in the memory.
    Opened,
    /// These results are durable now, in this order.
    Stored(Vec<FoldedResult>),
    /// These records are durable now.
    Journalled(Vec<JournalRecord>),
    /// More is known of what the reader took.
    Taken,
}

impl StoreLane {
    pub(crate) fn new(fx: &mut Effects) -> Self {
        fx.timers.set(Timer::Store, fx.at());
        Self {
            memory: Memory::default(),
            open: false,
            outage: Outage::new(Lane::Store),
            in_flight: InFlight::Nothing,
            discovered: VecDeque::new(),
            queue: VecDeque::new(),
            held: None,
            wants_probe: false,
            journal_bytes: 0,
            compact_above: JOURNAL_BYTES_MIN,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    pub(crate) fn held(&self) -> Option<&str> {
        self.held.as_deref()
    }

    pub(crate) fn outage(&self, now: Instant) -> Option<OutageStatus> {
        self.outage.status(now)
    }

    /// The ids of what waits for the disk, oldest first.
    pub(crate) fn discovered_ids(&self) -> impl Iterator<Item = &String> {
        self.discovered.iter().map(|result| &result.key.delegation_id)
    }

    pub(crate) fn discovered(&self) -> usize {
        self.discovered.len()
    }

    /// Whether the key is remembered or on its way to be.
    pub(crate) fn knows(&self, key: &ResultKey) -> bool {
        if planted::active(Fault::StatusIgnored) {
            let waits = |result: &FoldedResult| result.key.delegation_id == key.delegation_id;
            return self.memory.knows_delegation(&key.delegation_id)
                || self.discovered.iter().any(waits);
        }
        self.memory.knows(key) || self.discovered.iter().any(|result| result.key == *key)
    }

    /// Takes one more result; false if there is no room for it now.
    pub(crate) fn discover(&mut self, result: FoldedResult) -> bool {
        let waiting = self.discovered.len();
        let has_room = waiting < DISCOVERED_MAX && self.memory.has_room(waiting + 1);
        if has_room || planted::active(Fault::Unbounded) {
            if planted::active(Fault::MarkedBeforeStored) {
                self.queue.push_back(JournalRecord::Settled { keys: vec![result.key.clone()] });
            }
            self.discovered.push_back(result);
            return true;
        }
        false
    }

    /// Queues a record for the journal.
    pub(crate) fn append(&mut self, record: JournalRecord) {
        self.queue.push_back(record);
    }

    /// Remembers an awaited delegation, at once and in the journal.
    pub(crate) fn await_delegation(&mut self, delegation_id: String, fx: &mut Effects) {
        let fits = !delegation_id.is_empty()
            && delegation_id.len() <= DELEGATION_ID_BYTES_MAX
            && !delegation_id.contains(char::is_control);
        if !fits || self.memory.is_awaited(&delegation_id) {
            return;
        }
        if self.memory.add_awaited(delegation_id.clone()) {
            fx.notice(Notice::AwaitedOverflow);
        }
        self.append_await(JournalRecord::Awaited { delegation_id });
    }

    /// Forgets an awaited delegation, at once and in the journal.
    pub(crate) fn drop_await(&mut self, delegation_id: String) {
        if self.memory.is_awaited(&delegation_id) {
            let record = JournalRecord::AwaitDropped { delegation_id };
            self.memory.apply(record.clone());
            self.append_await(record);
        }
    }

    /// Of what is awaited and what is not any more, only so many records wait
    /// for a journal that cannot be written.
    fn append_await(&mut self, record: JournalRecord) {
        if self.queue.iter().filter(|record| is_await(record)).count() >= AWAITED_MAX
            && let Some(oldest) = self.queue.iter().position(is_await)
        {
            self.queue.remove(oldest);
        }
        self.queue.push_back(record);
    }

    /// Asks for a look at the results file.
    pub(crate) fn probe(&mut self) {
        self.wants_probe = self.memory.last_batch > self.memory.taken_through;
    }

    /// Starts the next file command if there is one and none is under way.
    pub(crate) fn advance(&mut self, fx: &mut Effects, stopping: bool) {
        if fx.is_busy(Slot::Store) {
            return;
        }
        let may_try = !fx.timers.is_set(Timer::Store);
        let next = if !self.open {
            (may_try && !stopping).then_some((InFlight::Opening, Action::OpenStore))
        } else if !self.queue.is_empty() {
            let records: Vec<_> = self.queue.drain(..).collect();
            let action = Action::AppendJournal { records: records.clone() };
            Some((InFlight::Appending(records), action))
        } else if stopping {
            None
        } else if self.memory.forgotten > REMEMBERED_MAX {
            // Before more is stored: whoever reads the journal remembers all
            // of it, until a list says what may be forgotten.
            Some(self.compaction())
        } else if self.is_held() && may_try {
            Some((InFlight::Placing, Action::PlaceBatch { batch: self.memory.last_batch }))
        } else if !self.is_held() && !self.discovered.is_empty() {
            let batch = self.next_batch(fx);
            Some((InFlight::Storing(batch.clone()), Action::StoreBatch(batch)))
        } else if self.wants_probe && !self.is_held() {
            self.wants_probe = false;
            Some((InFlight::Probing, Action::ProbeResults))
        } else {
            (self.journal_bytes > self.compact_above).then(|| self.compaction())
        };
        if let Some((in_flight, action)) = next {
            self.in_flight = in_flight;
            fx.start(Slot::Store, None, action);
        } else if self.open {
            self.works_again(fx);
        }
    }

    /// Ends an outage: not when the store was merely opened, which a full disk
    /// allows, but once it did something else, or has nothing else to do.
    fn works_again(&mut self, fx: &mut Effects) {
        if let Some(notice) = self.outage.ended(fx.at()) {
            fx.notice(notice);
        }
    }

    fn compaction(&mut self) -> (InFlight, Action) {
        self.memory.forgotten = 0;
        let records = vec![JournalRecord::Snapshot(self.memory.snapshot())];
        (InFlight::Compacting, Action::CompactJournal { records })
    }

    fn next_batch(&self, fx: &Effects) -> Batch {
        let results = || self.discovered.iter().take(BATCH_RESULTS_MAX);
        Batch {
            batch: self.memory.last_batch.saturating_add(1),
            lines: results().map(|result| line::result_line(result, fx.now.wall)).collect(),
            results: results().map(line::stored_result).collect(),
        }
    }

    /// A file command came to its end.
    pub(crate) fn landed(
        &mut self,
        config: &ValidConfig,
        fx: &mut Effects,
        outcome: Outcome,
    ) -> StoreEvent {
        let in_flight = core::mem::replace(&mut self.in_flight, InFlight::Nothing);
        let has_failed = matches!(outcome, Outcome::FileFailed(_));
        if !has_failed && !matches!(in_flight, InFlight::Opening) {
            self.works_again(fx);
        }
        match (in_flight, outcome) {
            (InFlight::Opening, Outcome::StoreOpened(opened)) => self.opened(config, fx, opened),
            (
                InFlight::Storing(batch),
                Outcome::BatchStored { length, placement, journal_bytes },
            ) => {
                self.journal_bytes = journal_bytes;
                self.stored(config, fx, batch, length, &placement)
            }
            (InFlight::Placing, Outcome::BatchPlaced { placement }) => {
                let taken = self.placed(config, fx, 0, &placement);
                if taken { StoreEvent::Taken } else { StoreEvent::None }
            }
            (InFlight::Appending(records), Outcome::JournalWritten { journal_bytes }) => {
                self.journal_bytes = journal_bytes;
                for record in &records {
                    self.memory.apply(record.clone());
                }
                // What was said of awaits since then holds.
                for record in self.queue.iter().filter(|record| is_await(record)) {
                    self.memory.apply(record.clone());
                }
                StoreEvent::Journalled(records)
            }
            (InFlight::Compacting, Outcome::JournalWritten { journal_bytes }) => {
                self.journal_bytes = journal_bytes;
                self.compact_above = journal_bytes.saturating_mul(2).max(JOURNAL_BYTES_MIN);
                StoreEvent::None
            }
            (InFlight::Probing, Outcome::ResultsProbed { present }) => {
                let taken = !present && self.know_taken(self.memory.last_batch);
                if taken { StoreEvent::Taken } else { StoreEvent::None }
            }
            (in_flight, outcome) => {
                self.failed(config, fx, in_flight, outcome);
                StoreEvent::None
            }
        }
    }

    fn opened(
        &mut self,
        config: &ValidConfig,
        fx: &mut Effects,
        opened: OpenedStore,
    ) -> StoreEvent {
        self.memory.become_of(opened.records);
        if opened.repairs.iter().any(|repair| matches!(repair, Repair::Corrupt { .. })) {
            // What was lost may have been the record of a self-message.
            self.memory.spoke = true;
        }
        let last_batch = self.memory.last_batch;
        self.queue.retain(
            |record| !matches!(record, JournalRecord::Taken { through } if *through > last_batch),
        );
        for record in &self.queue {
            self.memory.apply(record.clone());
        }
        self.open = true;
        self.journal_bytes = opened.journal_bytes;
        let memory = &self.memory;
        self.discovered.retain(|result| !memory.knows(&result.key));
        for repair in opened.repairs {
            fx.notice(repair_notice(repair));
        }
        let waiting = count(memory.untold_len());
        fx.notice(Notice::StoreOpened { remembered: count(memory.len()), waiting });
        if let Some(placement) = opened.placement {
            self.placed(config, fx, 0, &placement);
        }
        StoreEvent::Opened
    }

    fn stored(
        &mut self,
        config: &ValidConfig,
        fx: &mut Effects,
        batch: Batch,
        length: u64,
        placement: &Placement,
    ) -> StoreEvent {
        let stored = batch.results.len();
        let results = self.discovered.drain(..stored.min(self.discovered.len())).collect();
        let record = JournalRecord::Stored { batch: batch.batch, length, results: batch.results };
        self.memory.apply(record);
        self.placed(config, fx, count(stored), placement);
        StoreEvent::Stored(results)
    }

    /// Notes where the last batch lies; true if that shows that the reader
    /// took the earlier ones.
    fn placed(
        &mut self,
        config: &ValidConfig,
        fx: &mut Effects,
        results: u32,
        placement: &Placement,
    ) -> bool {
        let batch = self.memory.last_batch;
        match placement {
            Placement::Placed { merged } => {
                if results > 0 || self.is_held() {
                    fx.notice(Notice::ResultsPlaced { batch, results, merged: *merged });
                }
                self.held = None;
                !merged && self.know_taken(batch.saturating_sub(1))
            }
            Placement::Held { reason } => {
                let reason = text::cut_chars(&text::one_line(reason), 400);
                self.held = Some(reason.clone());
                fx.notice(Notice::ResultsHeld { batch, reason });
                let delay = backoff::local_delay(&mut fx.chance, config.interval, 1);
                fx.set_in(Timer::Store, delay);
                false
            }
        }
    }

    /// The reader has everything up to this batch. Known at once; durable
    /// with the next record, since forgetting it costs at most a repetition.
    fn know_taken(&mut self, through: u64) -> bool {
        if through <= self.memory.taken_through {
            return false;
        }
        let record = JournalRecord::Taken { through };
        self.memory.apply(record.clone());
        self.queue.push_back(record);
        true
    }

    /// Nothing is certain after a failure: the journal is opened again, and
    /// what it holds is what counts.
    fn failed(
        &mut self,
        config: &ValidConfig,
        fx: &mut Effects,
        in_flight: InFlight,
        outcome: Outcome,
    ) {
        let failure = outcome.into_file_failure();
        let [operation, path, reason] = [&failure.operation, &failure.path, &failure.reason]
            .map(|words| text::cut_chars(&text::one_line(words), 300));
        let cause = format!("{operation} {path}: {reason}");
        fx.notice(Notice::FileTrouble { operation, path, reason });
        if let Some(notice) = self.outage.failed(fx.at(), cause) {
            fx.notice(notice);
        }
        let in_flight = if let InFlight::Appending(records) = in_flight { records } else { vec![] };
        let queued = core::mem::take(&mut self.queue);
        self.queue = in_flight.into_iter().chain(queued).filter(is_true_later).collect();
        self.open = false;
        let delay = backoff::local_delay(&mut fx.chance, config.interval, self.outage.failures());
        fx.set_in(Timer::Store, delay);
    }
}

fn is_await(record: &JournalRecord) -> bool {
    matches!(record, JournalRecord::Awaited { .. } | JournalRecord::AwaitDropped { .. })
}

/// Of the records that did not become durable, those that are still true later
/// are written once the journal is open again; what was about to be told or
/// settled is decided anew.
fn is_true_later(record: &JournalRecord) -> bool {
    match record {
        JournalRecord::Announcing { .. }
        | JournalRecord::Notified { .. }
        | JournalRecord::Stored { .. }
        | JournalRecord::Settled { .. }
        | JournalRecord::Began
        | JournalRecord::Forgotten
        | JournalRecord::Snapshot(_) => false,
        JournalRecord::Refused { .. }
        | JournalRecord::Announced { .. }
        | JournalRecord::Taken { .. }
        | JournalRecord::Awaited { .. }
        | JournalRecord::AwaitDropped { .. } => true,
    }
}

fn repair_notice(repair: Repair) -> Notice {
    let line = |words: &str| text::cut_chars(&text::one_line(words), 300);
    match repair {
        Repair::TornTail { bytes } => Notice::JournalTorn { bytes },
        Repair::Corrupt { set_aside, kept, lost } => {
            Notice::JournalCorrupt { set_aside: line(&set_aside), kept, lost }
        }
        Repair::FolderEmptied => Notice::FolderEmptied,
        Repair::Stray { path, done } => Notice::StrayFile { path: line(&path), done: line(&done) },
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
