//! The journal: a file of checksummed lines that is only ever appended to or
//! replaced as a whole.
//!
//! It is opened anew for each step. A handle that is kept would go on writing
//! into a file that somebody removed or replaced, and nobody would notice.

mod line;
mod scan;

use std::path::PathBuf;

use everbeat_core::{FileFailure, JournalRecord, Repair};

use crate::disk::{Access, Disk, DiskError, DiskErrorKind, FileId, FileKind};
use crate::files::{
    At, CopyError, SYNC, copy, odd, remove_if_there, sync_folder, write_all, write_temporary,
};
use crate::paths::Paths;
use crate::planted::{self, Fault};
use scan::{Header, Scan};

/// Journals set aside within one second that get a name of their own.
const SET_ASIDE_ATTEMPTS: u32 = 100;
/// Damaged journals that are kept; before another is set aside the oldest
/// goes.
const SET_ASIDE_KEPT: usize = 4;
/// Bytes of such a file's name up to the end of its date.
const SET_ASIDE_DATED: usize = "journal-corrupt-20260714T093000Z".len();

/// An open journal: which file it is, and what it says about batches.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    id: FileId,
    pub(crate) length: u64,
    pub(crate) position: Position,
}

/// What the records say about batches and where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) last_batch: u64,
    /// Bytes of the last batch's own lines.
    pub(crate) last_length: u64,
    pub(crate) taken_through: u64,
    /// Batches up to this were given up when the folder was emptied.
    pub(crate) forgotten_through: u64,
}

impl Position {
    fn of(records: &[JournalRecord]) -> Self {
        let mut position = Self::default();
        position.follow(records);
        position
    }

    fn follow(&mut self, records: &[JournalRecord]) {
        for record in records {
            match record {
                JournalRecord::Stored { batch, length, .. } => {
                    self.last_batch = *batch;
                    self.last_length = *length;
                }
                JournalRecord::Taken { through } => {
                    // A record from before the state folder was lost may name
                    // batches that are still to come.
                    let through = (*through).min(self.last_batch);
                    self.taken_through = self.taken_through.max(through);
                }
                JournalRecord::Forgotten => self.forgotten_through = self.last_batch,
                JournalRecord::Snapshot(snapshot) => {
                    self.last_batch = snapshot.last_batch;
                    self.last_length = snapshot.last_length;
                    self.taken_through = snapshot.taken_through;
                }
                JournalRecord::Began
                | JournalRecord::Settled { .. }
                | JournalRecord::Announcing { .. }
                | JournalRecord::Refused { .. }
                | JournalRecord::Announced { .. }
                | JournalRecord::Notified { .. }
                | JournalRecord::Awaited { .. }
                | JournalRecord::AwaitDropped { .. } => {}
            }
        }
    }
}

impl Journal {
    /// Opens the journal, or starts one; repairs it; makes durable what it
    /// holds before anybody acts on it. `is_suspect` says that a sync failed:
    /// the system may then take for written what never reached the disk, so
    /// that another sync proves nothing; everything is written anew.
    ///
    /// # Errors
    /// If a call fails, or if the journal is another workspace's or another
    /// version's.
    pub(crate) fn open<D: Disk>(
        disk: &D,
        paths: &Paths,
        is_suspect: bool,
        repairs: &mut Vec<Repair>,
    ) -> Result<(Self, Vec<JournalRecord>), FileFailure> {
        let path = paths.journal();
        let (mut file, metadata) = match disk.open(&path, Access::Append) {
            Err(error) if error.kind == DiskErrorKind::Missing => {
                return Ok((Self::replace(disk, paths, &[])?, Vec::new()));
            }
            other => other.at("open", &path)?,
        };
        if metadata.kind != FileKind::File {
            return Err(odd("open", &path, "it is not a regular file"));
        }
        let scan = scan::scan(disk, &mut file, &path, metadata.length, &paths.workspace_id)?;
        if scan.is_corrupt {
            let journal = set_aside(disk, paths, &scan, repairs)?;
            return Ok((journal, scan.records));
        }
        let mut length = scan.good_bytes;
        if scan.torn_bytes > 0 {
            repairs.push(Repair::TornTail { bytes: scan.torn_bytes });
            if planted::active(Fault::TornTailKept) {
                length += scan.torn_bytes;
            } else {
                disk.truncate(&mut file, length).at("cut", &path)?;
            }
        }
        if is_suspect {
            return Ok((Self::replace(disk, paths, &scan.records)?, scan.records));
        }
        if !planted::active(Fault::UnsyncedJournalTrusted) {
            disk.sync(&mut file).at(SYNC, &path)?;
            sync_folder(disk, &paths.state_dir)?;
        }
        let position = Position::of(&scan.records);
        Ok((Self { id: metadata.id, length, position }, scan.records))
    }

    /// Adds records and makes them durable.
    ///
    /// # Errors
    /// If a call fails: the journal must be opened anew, since part of the
    /// records may stand in it; also if it is no longer the file, or no
    /// longer as long, as it was left.
    pub(crate) fn append<D: Disk>(
        &mut self,
        disk: &D,
        paths: &Paths,
        records: &[JournalRecord],
    ) -> Result<(), FileFailure> {
        let path = paths.journal();
        let (mut file, metadata) = disk.open(&path, Access::Append).at("open", &path)?;
        if metadata.id != self.id || metadata.length != self.length {
            return Err(odd("append to", &path, "somebody else changed or replaced it"));
        }
        let mut bytes = Vec::new();
        push_records(&mut bytes, records).at("append to", &path)?;
        write_all(disk, &mut file, &bytes).at("append to", &path)?;
        disk.sync(&mut file).at(SYNC, &path)?;
        self.length += bytes.len() as u64;
        self.position.follow(records);
        Ok(())
    }

    /// Puts these records in the place of all there are, in one step: until
    /// the rename the old journal stands untouched.
    ///
    /// # Errors
    /// If a call fails, or if the records do not say the same of the last
    /// batch: without it a private file could be misread.
    pub(crate) fn compact<D: Disk>(
        &mut self,
        disk: &D,
        paths: &Paths,
        records: &[JournalRecord],
    ) -> Result<(), FileFailure> {
        let [old, new] = [self.position, Position::of(records)];
        if (old.last_batch, old.last_length) != (new.last_batch, new.last_length) {
            let reason = format!(
                "the new journal would end with batch {}, the old one ends with batch {}",
                new.last_batch, old.last_batch
            );
            return Err(odd("compact", &paths.journal(), reason));
        }
        *self = Self::replace(disk, paths, records)?;
        Ok(())
    }

    fn replace<D: Disk>(
        disk: &D,
        paths: &Paths,
        records: &[JournalRecord],
    ) -> Result<Self, FileFailure> {
        let [path, new] = [paths.journal(), paths.journal_new()];
        let mut bytes = Vec::new();
        line::push(&mut bytes, &Header::new(&paths.workspace_id))
            .map_err(as_disk_error)
            .and_then(|()| push_records(&mut bytes, records))
            .at("write", &new)?;
        let mut file = write_temporary(disk, &new, &bytes)?;
        if !planted::active(Fault::CompactedUnsynced) {
            disk.sync(&mut file).at(SYNC, &new)?;
        }
        drop(file);
        disk.rename(&new, &path).at("rename", &new)?;
        sync_folder(disk, &paths.state_dir)?;
        let Some(metadata) = disk.metadata(&path).at("look at", &path)? else {
            return Err(odd("look at", &path, "somebody removed it"));
        };
        let position = Position::of(records);
        Ok(Self { id: metadata.id, length: bytes.len() as u64, position })
    }
}

/// Keeps a damaged journal under a dated name and goes on with its good
/// beginning. It is copied, not renamed: whatever fails on the way, a journal
/// stands at the journal's name, and is never mistaken for an empty one.
fn set_aside<D: Disk>(
    disk: &D,
    paths: &Paths,
    scan: &Scan,
    repairs: &mut Vec<Repair>,
) -> Result<Journal, FileFailure> {
    make_room(disk, paths)?;
    let copy_path = copy_of_journal(disk, paths)?;
    let journal = Journal::replace(disk, paths, &scan.records)?;
    repairs.push(Repair::Corrupt {
        set_aside: copy_path.display().to_string(),
        kept: scan.records.len() as u64,
        lost: scan.lost_lines,
    });
    Ok(journal)
}

/// Removes the oldest of the damaged journals that were set aside, so that
/// there may be one more.
fn make_room<D: Disk>(disk: &D, paths: &Paths) -> Result<(), FileFailure> {
    let folder = &paths.state_dir;
    let mut names = disk.list(folder, Paths::SET_ASIDE_PREFIX).at("list", folder)?;
    // Dates sort by themselves, and those of one second by their number.
    names.sort_unstable_by_key(|name| (name.len(), name.clone()));
    names.sort_by_key(|name| name.get(..SET_ASIDE_DATED).map(str::to_owned));
    let too_many = names.len().saturating_sub(SET_ASIDE_KEPT - 1);
    for name in names.iter().take(too_many) {
        let path = folder.join(name);
        remove_if_there(disk, &path)?;
    }
    Ok(())
}

fn copy_of_journal<D: Disk>(disk: &D, paths: &Paths) -> Result<PathBuf, FileFailure> {
    let path = paths.journal();
    let (mut from, _) = disk.open(&path, Access::Read).at("open", &path)?;
    let (mut to, to_path) = create_dated(disk, paths)?;
    let copied = match copy(disk, &mut from, &mut to, u64::MAX) {
        Ok(_) => disk.sync(&mut to).at(SYNC, &to_path),
        Err(CopyError::Read(error)) => Err(error).at("read", &path),
        Err(CopyError::Write(error)) => Err(error).at("write", &to_path),
    };
    if let Err(failure) = copied {
        // A partial copy is of no use, and on a full disk in the way.
        let _ = disk.remove(&to_path);
        return Err(failure);
    }
    Ok(to_path)
}

fn create_dated<D: Disk>(disk: &D, paths: &Paths) -> Result<(D::File, PathBuf), FileFailure> {
    let date = utc_date(disk.unix_seconds());
    let mut attempt = 0;
    loop {
        let path = paths.journal_set_aside(&date, attempt);
        match disk.create(&path) {
            Err(error) if error.kind == DiskErrorKind::Exists && attempt < SET_ASIDE_ATTEMPTS => {
                attempt += 1;
            }
            other => return Ok((other.at("create", &path)?, path)),
        }
    }
}

fn push_records(bytes: &mut Vec<u8>, records: &[JournalRecord]) -> Result<(), DiskError> {
    records.iter().try_for_each(|record| line::push(bytes, record)).map_err(as_disk_error)
}

fn as_disk_error(error: serde_json::Error) -> DiskError {
    DiskError::new(DiskErrorKind::Other, error.to_string())
}

/// `20260714T093000Z`, for a file name.
fn utc_date(unix_seconds: u64) -> String {
    let (day, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years (Howard Hinnant's
    // civil_from_days).
    let shifted = day + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day_of_month:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_utc() {
        assert_eq!(utc_date(0), "19700101T000000Z");
        assert_eq!(utc_date(951_782_400), "20000229T000000Z");
        assert_eq!(utc_date(1_784_021_400), "20260714T093000Z");
    }
}
