//! One process of the agent: the production machine over the production
//! store, on the virtual disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use everbeat_core::{
    Action, CommandId, FileFailure, Heartbeat, Instant, Now, Outcome, ValidConfig,
};
use everbeat_store::{
    Disk, LeaseDesk, Paths, Store, TokenInUse, read_secret, write_issued, write_secret,
};

use crate::plan::OWN;

/// Where the agent's files lie.
pub(crate) const CONFIGS: &str = "/configs";
/// The folder of the results file.
pub(crate) const FOLDER: &str = "/tmp";
/// The file that the reader takes.
pub(crate) const RESULTS: &str = "/tmp/delegation_results.jsonl";

/// Where the store keeps what is handed out under a lease.
pub(crate) const LEASED: &str = "/tmp/.everbeat-own-workspace.leased";

pub(crate) fn token_file() -> PathBuf {
    Path::new(CONFIGS).join(".auth_token")
}

pub(crate) fn inbound_file() -> PathBuf {
    Path::new(CONFIGS).join(".platform_inbound_secret")
}

pub(crate) fn state_dir() -> PathBuf {
    Path::new(CONFIGS).join("everbeat")
}

pub(crate) fn paths() -> Paths {
    Paths { state_dir: state_dir(), results_file: RESULTS.into(), workspace_id: OWN.into() }
}

pub(crate) struct Process<D: Disk> {
    pub(crate) number: u64,
    pub(crate) machine: Heartbeat,
    pub(crate) token: TokenInUse,
    pub(crate) cancelled: BTreeSet<CommandId>,
    /// The last beat.
    pub(crate) beat: Option<CommandId>,
    /// Whether a beat carried the runtime metadata.
    pub(crate) has_told_metadata: bool,
    disk: D,
    store: Store<D>,
    desk: LeaseDesk,
}

impl<D: Disk + Clone> Process<D> {
    pub(crate) fn start(disk: D, config: ValidConfig, number: u64, seed: u64, now: Now) -> Self {
        let mut token = TokenInUse::default();
        token.read(read_secret(&disk, &token_file()), false);
        Self {
            number,
            machine: Heartbeat::new(config, seed, now),
            token,
            cancelled: BTreeSet::new(),
            beat: None,
            has_told_metadata: false,
            store: Store::new(disk.clone(), paths()),
            desk: LeaseDesk::new(seed),
            disk,
        }
    }

    /// Hands out what waits, under a lease that lasts so long; `None` where
    /// nothing does, somebody else has a lease, or a call failed.
    pub(crate) fn hand_out(&mut self, now: Instant, lasts: Duration) -> Option<(String, Vec<u8>)> {
        self.desk.may_take(now).ok()?;
        let taken = self.store.take().ok()??;
        Some((self.desk.hand_out(now, lasts).id, taken.bytes))
    }

    /// Forgets what was handed out under this lease; `None` if it is not the
    /// last one that was given.
    pub(crate) fn acknowledge(&mut self, lease: &str) -> Option<Result<bool, FileFailure>> {
        if !self.desk.may_acknowledge(lease) {
            return None;
        }
        let acknowledged = self.store.acknowledge();
        if acknowledged.is_ok() {
            self.desk.acknowledged();
        }
        Some(acknowledged)
    }

    /// Carries out a command that is about files.
    pub(crate) fn carry_out(&mut self, action: Action) -> Outcome {
        if action.is_store() {
            return self.store.carry_out(action);
        }
        match action {
            Action::ReloadToken => self.token.read(read_secret(&self.disk, &token_file()), true),
            Action::SaveToken(issued) => {
                let known = self.token.in_file();
                let written = write_issued(&self.disk, &token_file(), known, &issued);
                self.token.issued(issued, written)
            }
            Action::SaveInboundSecret(secret) => {
                let written = write_secret(&self.disk, &inbound_file(), &secret);
                written.map_or_else(Outcome::FileFailed, |()| Outcome::SecretSaved)
            }
            Action::PostHeartbeat(_)
            | Action::Register(_)
            | Action::FetchDelegations
            | Action::FetchWorkspace { .. }
            | Action::SendSelfMessage { .. }
            | Action::Notify { .. }
            | Action::OpenStore
            | Action::StoreBatch(_)
            | Action::PlaceBatch { .. }
            | Action::AppendJournal { .. }
            | Action::CompactJournal { .. }
            | Action::ProbeResults
            | Action::Cancel { .. }
            | Action::RebuildClient => Outcome::Panicked,
        }
    }
}
