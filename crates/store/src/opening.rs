//! Opening the store: everything that may be wrong after a crash, a power
//! loss or a failure is set right here, and only here.
//!
//! The order matters. The journal is synced before anything is done because
//! of what it says; the emptied folder is noted before the private files are
//! read as if nothing had happened.

use everbeat_core::{FileFailure, OpenedStore, Repair};

use crate::disk::Disk;
use crate::files::{make_folders, sync_folder};
use crate::journal::Journal;
use crate::lock::{self, Lock};
use crate::paths::{Paths, folder_of};
use crate::{marker, recovery};

/// Takes the lock, unless it is held already.
pub(crate) fn lock<D: Disk>(
    disk: &D,
    paths: &Paths,
    held: Option<Lock<D::File>>,
) -> Result<Lock<D::File>, FileFailure> {
    make_folders(disk, &paths.state_dir)?;
    lock::take(disk, paths, held)
}

/// Reads and repairs journal and results file; the lock is held. `is_suspect`
/// says that a sync failed since the journal was last written as a whole.
pub(crate) fn open<D: Disk>(
    disk: &D,
    paths: &Paths,
    is_suspect: bool,
) -> Result<(Journal, OpenedStore), FileFailure> {
    let mut repairs: Vec<Repair> = Vec::new();
    // A process that died right after it made the state folder has not done
    // this.
    sync_folder(disk, folder_of(&paths.state_dir))?;
    let (mut journal, mut records) = Journal::open(disk, paths, is_suspect, &mut repairs)?;
    records.extend(marker::open(disk, paths, &mut journal, &mut repairs)?);
    let recovered = recovery::recover(disk, paths, &mut journal, &mut repairs)?;
    records.extend(recovered.record);
    let placement = recovered.placement;
    let opened = OpenedStore { records, placement, journal_bytes: journal.length, repairs };
    Ok((journal, opened))
}
