//! The results lease: taking the results file for somebody who says when he
//! is done with it.
//!
//! The reader of old renames the results file away, and what it took is its
//! own from then on: if it dies, nobody has it. Here the file is renamed to a
//! private name `L`, which stands until it is acknowledged:
//!
//! 1. Does `L` stand? Then somebody took it and did not acknowledge: it is
//!    handed out again.
//! 2. `P` is renamed to `L`, replacing nothing. (Gone: nothing waits.)
//! 3. The folder is synced, and `L` read. Until this sync nothing may be put
//!    at `P`: a power loss could keep that rename and not this one, and the
//!    one would replace what the other moved.
//! 4. Acknowledged: `L` is removed and the folder synced.
//!
//! As long as `L` stands its results count as lying there: they are not known
//! to be taken ([`Store::carry_out`](crate::Store::carry_out) of a probe says
//! *present*), so that an emptied folder does not lose them.

use std::path::Path;
use std::time::Duration;

use everbeat_core::{FileFailure, Instant};

use crate::disk::{Access, Disk, DiskErrorKind, Metadata};
use crate::files::{At, CHUNK_BYTES, Renamed, odd, rename_into_gap, sync_folder};
use crate::paths::Paths;
use crate::placing::RESULTS_BYTES_MAX;
use crate::planted::{self, Fault};

/// What was taken, and whether somebody had it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The lines as they stood in the results file.
    pub bytes: Vec<u8>,
    /// Handed out before and not acknowledged.
    pub redelivered: bool,
}

/// Steps 1 to 3; `None` where nothing waits.
///
/// # Errors
/// If a call fails, or what stands there is no regular file of this user.
pub(crate) fn take<D: Disk>(disk: &D, paths: &Paths) -> Result<Option<Taken>, FileFailure> {
    let leased = paths.leased();
    let redelivered = stands(disk, paths)?;
    if !redelivered && !move_away(disk, paths, &leased)? {
        return Ok(None);
    }
    if !planted::active(Fault::NoFolderSyncBeforeHandOut) {
        sync_folder(disk, paths.folder())?;
    }
    let bytes = read(disk, &leased)?;
    if bytes.is_empty() || planted::active(Fault::ForgottenWhenTaken) {
        acknowledge(disk, paths)?;
    }
    Ok((!bytes.is_empty()).then_some(Taken { bytes, redelivered }))
}

/// Step 4; false if nothing was taken.
///
/// # Errors
/// If a call fails.
pub(crate) fn acknowledge<D: Disk>(disk: &D, paths: &Paths) -> Result<bool, FileFailure> {
    let leased = paths.leased();
    let was_there = match disk.remove(&leased) {
        Err(error) if error.kind == DiskErrorKind::Missing => false,
        other => other.at("remove", &leased).map(|()| true)?,
    };
    if !planted::active(Fault::NoFolderSyncAfterAcknowledge) {
        sync_folder(disk, paths.folder())?;
    }
    Ok(was_there)
}

/// Whether something is taken and not acknowledged.
pub(crate) fn stands<D: Disk>(disk: &D, paths: &Paths) -> Result<bool, FileFailure> {
    let leased = paths.leased();
    Ok(disk.metadata(&leased).at("look at", &leased)?.is_some())
}

/// Like [`stands`], for whoever takes the results file's absence as a sign
/// that it was read.
pub(crate) fn holds_results<D: Disk>(disk: &D, paths: &Paths) -> Result<bool, FileFailure> {
    Ok(stands(disk, paths)? && !planted::active(Fault::LeasedCountsAsTaken))
}

/// Makes a rename of step 2 durable that a crash may have left unsynced.
pub(crate) fn settle<D: Disk>(disk: &D, paths: &Paths) -> Result<(), FileFailure> {
    if stands(disk, paths)? && !planted::active(Fault::NoFolderSyncBeforeHandOut) {
        sync_folder(disk, paths.folder())?;
    }
    Ok(())
}

fn move_away<D: Disk>(disk: &D, paths: &Paths, leased: &Path) -> Result<bool, FileFailure> {
    let results = &paths.results_file;
    match disk.metadata(results).at("look at", results)? {
        None => return Ok(false),
        Some(found) if found.is_own_file() => {}
        Some(_) => return Err(not_own(results)),
    }
    match rename_into_gap(disk, results, leased).at("rename", results)? {
        Renamed::Done => Ok(true),
        Renamed::Gone => Ok(false),
        Renamed::Occupied => Err(odd("rename", leased, "somebody put something there")),
    }
}

fn read<D: Disk>(disk: &D, leased: &Path) -> Result<Vec<u8>, FileFailure> {
    let (mut file, found) = disk.open(leased, Access::Read).at("open", leased)?;
    if !Metadata::is_own_file(&found) {
        return Err(not_own(leased));
    }
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; CHUNK_BYTES]);
    loop {
        let count = disk.read(&mut file, &mut chunk).at("read", leased)?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if bytes.len() as u64 > 2 * RESULTS_BYTES_MAX {
            return Err(odd("read", leased, "it is too long to be handed out: take it by hand"));
        }
    }
}

fn not_own(path: &Path) -> FileFailure {
    odd("take", path, "it is not a regular file of this user")
}

/// The desk where leases are handed out: one at a time, each for a while.
///
/// What was taken is on the disk; who has it until when is only here, so that
/// a restart hands it out again.
#[derive(Debug)]
pub struct LeaseDesk {
    /// Tells the leases of one process from those of another.
    seed: u64,
    handed_out: u64,
    current: Option<Lease>,
}

/// The right to what was taken, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What the holder acknowledges by.
    pub id: String,
    /// When it runs out.
    pub until: Instant,
}

/// Another holds a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the results are handed out to somebody else for {left:?}")]
pub struct Leased {
    /// Until it runs out.
    pub left: Duration,
}

impl LeaseDesk {
    /// A desk that has handed out nothing; `seed` differs from process to
    /// process.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, handed_out: 0, current: None }
    }

    /// Whether the results may be taken now.
    ///
    /// # Errors
    /// While a lease runs.
    pub fn may_take(&self, now: Instant) -> Result<(), Leased> {
        match self.running(now) {
            Some(lease) => Err(Leased { left: lease.until.since(now) }),
            None => Ok(()),
        }
    }

    /// Hands out what was just taken.
    pub fn hand_out(&mut self, now: Instant, lasts: Duration) -> Lease {
        self.handed_out += 1;
        let id = format!("{:016x}-{}", self.seed, self.handed_out);
        let lease = Lease { id, until: now.plus(lasts) };
        self.current = Some(lease.clone());
        lease
    }

    /// Whether this lease may be acknowledged: it is the last one that was
    /// handed out. One that ran out may, as long as nobody else got another.
    #[must_use]
    pub fn may_acknowledge(&self, id: &str) -> bool {
        self.current.as_ref().is_some_and(|lease| lease.id == id)
    }

    /// It was acknowledged.
    pub fn acknowledged(&mut self) {
        self.current = None;
    }

    /// The lease that runs now.
    #[must_use]
    pub fn running(&self, now: Instant) -> Option<&Lease> {
        self.current.as_ref().filter(|lease| lease.until > now)
    }
}
