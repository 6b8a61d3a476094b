//! The marker: tells a results folder that the reader emptied from one that
//! was made anew.
//!
//! In a container that is made anew, `/tmp` is new while the state folder was
//! kept. The missing results file would then look like one that was taken.

use everbeat_core::{FileFailure, JournalRecord, Repair};

use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::files::{At, odd, sync_folder};
use crate::journal::Journal;
use crate::paths::Paths;
use crate::planted::{self, Fault};

/// Sets the marker; if it is gone although something was stored, the results
/// that the reader is not known to have are journalled as forgotten first.
///
/// # Errors
/// If a call fails; the next opening tries again.
pub(crate) fn open<D: Disk>(
    disk: &D,
    paths: &Paths,
    journal: &mut Journal,
    repairs: &mut Vec<Repair>,
) -> Result<Vec<JournalRecord>, FileFailure> {
    if stands(disk, paths)? {
        return Ok(Vec::new());
    }
    // A folder that is away as a whole may come back with all that lies in it.
    let folder = paths.folder();
    let is_away = disk.metadata(folder).at("look at", folder)?.is_none();
    if is_away && !planted::active(Fault::AwayTakenForEmptied) {
        return Err(DiskError::new(DiskErrorKind::Missing, "no such folder")).at("look at", folder);
    }
    let position = journal.position;
    let known = position.taken_through.max(position.forgotten_through);
    let mut records = Vec::new();
    if position.last_batch > known && !planted::active(Fault::EmptiedFolderTrusted) {
        records.push(JournalRecord::Forgotten);
        journal.append(disk, paths, &records)?;
        repairs.push(Repair::FolderEmptied);
    }
    let path = paths.marker();
    match disk.create(&path) {
        Err(error) if error.kind == DiskErrorKind::Exists => {}
        other => drop(other.at("create", &path)?),
    }
    sync_folder(disk, folder)?;
    Ok(records)
}

/// Fails if the marker is gone: the store must then be opened anew, before a
/// missing results file is taken for one that was read.
///
/// # Errors
/// If it is gone, or if looking fails.
pub(crate) fn check<D: Disk>(disk: &D, paths: &Paths) -> Result<(), FileFailure> {
    if stands(disk, paths)? || planted::active(Fault::EmptiedFolderTrusted) {
        return Ok(());
    }
    Err(odd("look at", &paths.marker(), "it is gone: somebody emptied the results folder"))
}

fn stands<D: Disk>(disk: &D, paths: &Paths) -> Result<bool, FileFailure> {
    let path = paths.marker();
    Ok(disk.metadata(&path).at("look at", &path)?.is_some())
}
