//! The store: one command of the core at a time.

use everbeat_core::{Action, Outcome};

use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::paths::Paths;

/// The files of one agent.
#[derive(Debug)]
pub struct Store<D: Disk> {
    disk: D,
    paths: Paths,
}

impl<D: Disk> Store<D> {
    /// A store that has touched nothing yet; [`Action::OpenStore`] comes
    /// first.
    pub fn new(disk: D, paths: Paths) -> Self {
        Self { disk, paths }
    }

    /// Carries out one action for which [`Action::is_store`] is true; any
    /// other is answered by a failure. Blocks until it is done; never panics.
    pub fn carry_out(&mut self, _action: Action) -> Outcome {
        let _ = self.disk.process_id();
        let failure = DiskError::new(DiskErrorKind::Other, "under construction");
        Outcome::FileFailed(failure.at("open", &self.paths.state_dir))
    }
}
