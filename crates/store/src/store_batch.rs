//! Storing a batch: steps 1 to 3 of the delivery protocol.
//!
//! 1. The batch is written to a private file of its own beside the results
//!    file and synced.
//! 2. The folder is synced, so that the private file's name is durable; so is
//!    then the placing of the batch before.
//! 3. The journal notes the batch as stored. From here on it is durable, and
//!    a restart places it.
//!
//! The placing follows ([`placing`](crate::placing)) and needs no record: what
//! is found beside the results file tells it.

use everbeat_core::{Batch, FileFailure, JournalRecord, Placement};

use crate::disk::Disk;
use crate::files::{At, SYNC, odd, sync_folder, write_new};
use crate::journal::Journal;
use crate::paths::{Paths, Private};
use crate::placing::Placing;
use crate::planted::{self, Fault};
use crate::recovery;

/// What became of a batch.
pub(crate) struct Stored {
    pub(crate) length: u64,
    pub(crate) placement: Placement,
}

pub(crate) fn store_batch<D: Disk>(
    disk: &D,
    paths: &Paths,
    journal: &mut Journal,
    batch: Batch,
) -> Result<Stored, FileFailure> {
    let path = paths.private(Private::New(batch.batch));
    if batch.batch != journal.position.last_batch + 1 {
        let reason =
            format!("batch {} cannot follow batch {}", batch.batch, journal.position.last_batch);
        return Err(odd("create", &path, reason));
    }
    crate::marker::check(disk, paths)?;
    if recovery::stands_aside(disk, paths, batch.batch)? {
        let reason = "a file stands that was set aside for a batch of this number, which the \
                      journal lost";
        return Err(odd("create", &path, reason));
    }

    let bytes: String = batch.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let length = bytes.len() as u64;
    let mut file = write_new(disk, &path, bytes.as_bytes())?;
    let sync_late = planted::active(Fault::JournalBeforePrivateSync);
    if !sync_late {
        disk.sync(&mut file).at(SYNC, &path)?;
    }

    if !planted::active(Fault::NoFolderSyncBeforeJournal) {
        sync_folder(disk, paths.folder())?;
    }

    let record = JournalRecord::Stored { batch: batch.batch, length, results: batch.results };
    let placing = Placing::new(disk, paths, batch.batch, length);
    if planted::active(Fault::PlacedBeforeJournal) {
        let placement = placing.place_new()?;
        journal.append(disk, paths, &[record])?;
        return Ok(Stored { length, placement });
    }
    journal.append(disk, paths, &[record])?;
    if sync_late {
        disk.sync(&mut file).at(SYNC, &path)?;
    }
    drop(file);
    Ok(Stored { length, placement: placing.place_new()? })
}
