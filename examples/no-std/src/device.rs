//! The shell: it carries out every command at once, in memory.

use alloc::string::String;
use alloc::vec::Vec;

use everbeat_core::{
    Action, Command, Config, ConfigError, Event, Heartbeat, Instant, JournalRecord, Now,
    OpenedStore, Outcome, Placement, Secret, ValidConfig, WallTime, lower,
};

use crate::platform::{self, Endpoint};

/// 2026-01-01, in milliseconds since 1970.
const STARTED_AT: i64 = 1_767_225_600_000;

/// An agent and all that it works with.
pub struct Device {
    config: ValidConfig,
    heartbeat: Heartbeat,
    now: Now,
    store: Store,
    token: Option<Secret>,
    seen: Seen,
}

/// What lies in memory as it would in files: it outlives the machine.
#[derive(Default)]
struct Store {
    journal: Vec<JournalRecord>,
    batch: u64,
    length: u64,
    results: Vec<String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Beats that the platform accepted.
    pub beats: u32,
    /// Polls that it answered.
    pub polls: u32,
    /// Messages that woke the agent.
    pub messages: u32,
    /// Lines that lie in the results file.
    pub results: u32,
}

impl Device {
    /// A device of this workspace, switched on now.
    ///
    /// # Errors
    /// If the id is none.
    pub fn new(workspace: &str) -> Result<Self, ConfigError> {
        let config = Config::new(workspace, "http://platform:8080").validate()?;
        let wall = WallTime::from_unix_millis(STARTED_AT);
        let now = Now { monotonic: Instant::START, wall };
        let heartbeat = Heartbeat::new(config.clone(), 7, now);
        let (store, token, seen) = (Store::default(), None, Seen::default());
        Ok(Self { config, heartbeat, now, store, token, seen })
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, millis: u64) {
        let until = self.now.monotonic.plus(core::time::Duration::from_millis(millis));
        loop {
            while let Some(command) = self.heartbeat.poll_command() {
                self.carry_out(command);
            }
            while self.heartbeat.poll_notice().is_some() {}
            let Some(wakeup) = self.heartbeat.next_wakeup() else { return };
            self.set_time(wakeup.at.min(until));
            self.heartbeat.handle(self.now, Event::Tick);
            if wakeup.at >= until {
                return;
            }
        }
    }

    /// Takes the power away and gives it back: the machine is lost, what lies
    /// in the store is not.
    pub fn restart(&mut self) {
        self.heartbeat = Heartbeat::new(self.config.clone(), 8, self.now);
    }

    /// What came of it so far.
    pub fn seen(&self) -> Seen {
        Seen { results: u32::try_from(self.store.results.len()).unwrap_or(u32::MAX), ..self.seen }
    }

    fn set_time(&mut self, at: Instant) {
        let passed = at.since(self.now.monotonic).as_millis();
        let wall = self.now.wall.unix_millis() + i64::try_from(passed).unwrap_or(0);
        self.now = Now { monotonic: at, wall: WallTime::from_unix_millis(wall) };
    }

    fn carry_out(&mut self, command: Command) {
        let outcome = if let Some(request) = lower(&self.config, &command.action) {
            let workspace = &self.config.workspace_id;
            let (endpoint, response) = platform::answer(&request, self.now.monotonic, workspace);
            match endpoint {
                Endpoint::Heartbeat => self.seen.beats += 1,
                Endpoint::Delegations => self.seen.polls += 1,
                Endpoint::SelfMessage => self.seen.messages += 1,
                Endpoint::Other => {}
            }
            Outcome::Response(response)
        } else if command.action.is_store() {
            self.store.carry_out(command.action)
        } else if command.action.is_answered() {
            self.keep(command.action)
        } else {
            return;
        };
        self.heartbeat.handle(self.now, Event::Completed { id: command.id, outcome });
    }

    fn keep(&mut self, action: Action) -> Outcome {
        if let Action::SaveToken(secret) = action {
            self.token = Some(secret);
            return Outcome::SecretSaved;
        }
        if action == Action::ReloadToken {
            return Outcome::TokenLoaded { changed: false, present: self.token.is_some() };
        }
        Outcome::SecretSaved
    }
}

impl Store {
    fn carry_out(&mut self, action: Action) -> Outcome {
        let placement = Placement::Placed { merged: false };
        match action {
            Action::OpenStore => Outcome::StoreOpened(OpenedStore {
                records: self.journal.clone(),
                placement: (self.batch > 0).then_some(placement),
                ..OpenedStore::default()
            }),
            Action::StoreBatch(batch) => {
                let bytes: usize = batch.lines.iter().map(|line| line.len() + 1).sum();
                let length = bytes as u64;
                (self.batch, self.length) = (batch.batch, length);
                self.results.extend(batch.lines);
                let results = batch.results;
                self.journal.push(JournalRecord::Stored { batch: batch.batch, length, results });
                Outcome::BatchStored { length, placement, journal_bytes: 0 }
            }
            Action::PlaceBatch { .. } => Outcome::BatchPlaced { placement },
            Action::AppendJournal { records } => {
                self.journal.extend(records);
                Outcome::JournalWritten { journal_bytes: 0 }
            }
            Action::CompactJournal { records } => {
                self.journal = records;
                Outcome::JournalWritten { journal_bytes: 0 }
            }
            Action::ProbeResults => Outcome::ResultsProbed { present: !self.results.is_empty() },
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
            | Action::RebuildClient => Outcome::Panicked,
        }
    }
}
