//! Carrying out one command: whatever takes time happens here.

use std::path::PathBuf;
use std::sync::Arc;

use everbeat_core::{Action, Outcome, Secret, ValidConfig, lower};
use everbeat_store::{RealDisk, write_secret};

use crate::client::Client;
use crate::files::{Stores, Worker};
use crate::token::Token;

/// What the machines of a driver share.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) stores: Worker<Stores>,
    /// Token files and inbound secrets: a beat may wait for a token, so these
    /// never queue behind a store.
    pub(crate) secrets: Worker<()>,
}

/// What the effects of one machine work with.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    /// The machine's place in the driver.
    pub(crate) index: usize,
    pub(crate) config: ValidConfig,
    pub(crate) token: Arc<Token>,
    pub(crate) inbound_secret_file: PathBuf,
}

impl Context {
    /// Reads the token's file, for nobody's refusal.
    pub(crate) async fn load_token(&self) -> Outcome {
        let token = Arc::clone(&self.token);
        self.shared.secrets.run(move |()| token.load()).await
    }

    /// Carries out any action that is answered.
    pub(crate) async fn carry_out(self: Arc<Self>, action: Action) -> Outcome {
        if let Some(request) = lower(&self.config, &action) {
            return self.shared.client.send(request, self.token.current()).await;
        }
        let token = Arc::clone(&self.token);
        match action {
            Action::ReloadToken => self.shared.secrets.run(move |()| token.reload()).await,
            Action::SaveToken(secret) => {
                self.shared.secrets.run(move |()| token.save(secret)).await
            }
            Action::SaveInboundSecret(secret) => {
                let file = self.inbound_secret_file.clone();
                self.shared.secrets.run(move |()| save(&file, &secret)).await
            }
            Action::OpenStore
            | Action::StoreBatch(_)
            | Action::PlaceBatch { .. }
            | Action::AppendJournal { .. }
            | Action::CompactJournal { .. }
            | Action::ProbeResults => {
                let index = self.index;
                self.shared.stores.run(move |stores| stores.carry_out(index, action)).await
            }
            Action::PostHeartbeat(_)
            | Action::Register(_)
            | Action::FetchDelegations
            | Action::FetchWorkspace { .. }
            | Action::SendSelfMessage { .. }
            | Action::Notify { .. }
            | Action::Cancel { .. }
            | Action::RebuildClient => {
                debug_assert!(false, "lowered above, or the driver's own matter");
                Outcome::Panicked
            }
        }
    }
}

fn save(file: &std::path::Path, secret: &Secret) -> Outcome {
    match write_secret(&RealDisk, file, secret) {
        Ok(()) => Outcome::SecretSaved,
        Err(failure) => Outcome::FileFailed(failure),
    }
}
