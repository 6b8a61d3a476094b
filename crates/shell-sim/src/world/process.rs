//! One process of the agent: the production machine over the production
//! store, on the virtual disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use everbeat_core::{Action, CommandId, Heartbeat, Now, Outcome, Secret, ValidConfig};
use everbeat_store::{Disk, Paths, Store, read_secret, write_secret};

use crate::plan::OWN;

/// Where the agent's files lie.
pub(crate) const CONFIGS: &str = "/configs";
/// The folder of the results file.
pub(crate) const FOLDER: &str = "/tmp";
/// The file that the reader takes.
pub(crate) const RESULTS: &str = "/tmp/delegation_results.jsonl";

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
    pub(crate) token: Option<Secret>,
    pub(crate) cancelled: BTreeSet<CommandId>,
    /// Whether a beat carried the runtime metadata.
    pub(crate) has_told_metadata: bool,
    disk: D,
    store: Store<D>,
}

impl<D: Disk + Clone> Process<D> {
    pub(crate) fn start(disk: D, config: ValidConfig, number: u64, seed: u64, now: Now) -> Self {
        Self {
            number,
            machine: Heartbeat::new(config, seed, now),
            token: read_secret(&disk, &token_file()).ok().flatten(),
            cancelled: BTreeSet::new(),
            has_told_metadata: false,
            store: Store::new(disk.clone(), paths()),
            disk,
        }
    }

    /// Carries out a command that is about files.
    pub(crate) fn carry_out(&mut self, action: Action) -> Outcome {
        if action.is_store() {
            return self.store.carry_out(action);
        }
        match action {
            Action::ReloadToken => match read_secret(&self.disk, &token_file()) {
                Ok(token) => {
                    let changed = token != self.token;
                    let present = token.is_some();
                    self.token = token;
                    Outcome::TokenLoaded { changed, present }
                }
                Err(failure) => Outcome::FileFailed(failure),
            },
            Action::SaveToken(token) => {
                let written = write_secret(&self.disk, &token_file(), &token);
                self.token = Some(token);
                saved(written)
            }
            Action::SaveInboundSecret(secret) => {
                saved(write_secret(&self.disk, &inbound_file(), &secret))
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

fn saved(written: Result<(), everbeat_core::FileFailure>) -> Outcome {
    written.map_or_else(Outcome::FileFailed, |()| Outcome::SecretSaved)
}
