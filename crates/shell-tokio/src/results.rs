//! Results under a lease: the other way to take them, without renaming files.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everbeat_core::{FileFailure, Instant};
use everbeat_store::{Lease, LeaseDesk, Leased};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::effects::Shared;

/// The results stream of one agent, taken under a lease.
///
/// What is handed out stays on the disk until it is acknowledged. If the lease
/// runs out before, or this process dies, it is handed out again; once
/// acknowledged it never is. A reader that renames the results file may work
/// beside this: each result goes to one of them.
#[derive(Clone)]
pub struct Results {
    shared: Arc<Shared>,
    index: usize,
    clock: Clock,
    desk: Arc<Mutex<LeaseDesk>>,
}

/// What was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOut {
    /// What it is acknowledged by, and until when nobody else gets it, on the
    /// clock of [`AgentHandle::now`](crate::AgentHandle::now).
    pub lease: Lease,
    /// Lines of the results file.
    pub bytes: Vec<u8>,
    /// Whether it was handed out before and not acknowledged.
    pub redelivered: bool,
}

/// Why nothing was handed out or forgotten.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has the results.
    #[error(transparent)]
    Leased(#[from] Leased),
    /// The lease was acknowledged, or somebody else got another after it ran
    /// out, or it is of an earlier process.
    #[error("there is no such lease: it was acknowledged, or it ran out and another was given")]
    NoSuchLease,
    /// A file could not be moved, read or removed.
    #[error("cannot {} {}: {}", .0.operation, .0.path, .0.reason)]
    File(FileFailure),
    /// A fault of this program.
    #[error("a fault in this program: the files' thread did not answer")]
    Panicked,
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").field("desk", &self.desk).finish_non_exhaustive()
    }
}

impl Results {
    pub(crate) fn new(shared: Arc<Shared>, index: usize, clock: Clock, seed: u64) -> Self {
        let desk = Arc::new(Mutex::new(LeaseDesk::new(seed)));
        Self { shared, index, clock, desk }
    }

    /// Hands out what lies at the results path, or what was handed out and
    /// not acknowledged; `None` where nothing waits. The lease lasts for
    /// `lasts` from when this returns.
    ///
    /// # Errors
    /// While another lease runs, or if the files cannot be used.
    pub async fn take(&self, lasts: Duration) -> Result<Option<HandedOut>, LeaseError> {
        let mut desk = self.desk.lock().await;
        desk.may_take(self.clock.monotonic())?;
        let index = self.index;
        let taken = self.shared.stores.ask(move |stores| stores.take(index)).await;
        let Some(taken) = taken.ok_or(LeaseError::Panicked)?.map_err(LeaseError::File)? else {
            return Ok(None);
        };
        let lease = desk.hand_out(self.clock.monotonic(), lasts);
        Ok(Some(HandedOut { lease, bytes: taken.bytes, redelivered: taken.redelivered }))
    }

    /// Forgets what was handed out under this lease.
    ///
    /// # Errors
    /// If it is not the last lease that was given, or if the files cannot be
    /// used; it can be tried again then.
    pub async fn acknowledge(&self, lease: &str) -> Result<(), LeaseError> {
        let mut desk = self.desk.lock().await;
        if !desk.may_acknowledge(lease) {
            return Err(LeaseError::NoSuchLease);
        }
        let index = self.index;
        let forgotten = self.shared.stores.ask(move |stores| stores.acknowledge(index)).await;
        forgotten.ok_or(LeaseError::Panicked)?.map_err(LeaseError::File)?;
        desk.acknowledged();
        Ok(())
    }

    /// How long the lease that runs now, if any, will run. `None` as well
    /// while results are being taken.
    #[must_use]
    pub fn leased_for(&self, now: Instant) -> Option<Duration> {
        let desk = self.desk.try_lock().ok()?;
        desk.running(now).map(|lease| lease.until.since(now))
    }
}
