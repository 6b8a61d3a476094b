//! What is found beside the results file after a crash, and what is done.
//! `k` is the last batch that the journal knows as stored.
//!
//! | found | meaning | done |
//! |---|---|---|
//! | `N_{k+1}` | never journalled | removed; its rows are fetched again |
//! | `N_k`, no `A_k` | not placed | cut to its length, synced, step 4 |
//! | `N_k` and `A_k` | not placed | cut, `A_k` copied behind, synced, step 8 |
//! | `A_k` only | merged and placed | folder synced, `A_k` removed |
//! | neither | placed | nothing |
//! | `A_j`, `j` not `k` | should not be | put back if nothing stands at `P`, else left |
//! | `N_j`, `j < k` | should not be | left, told |
//! | `N_j`, `j > k + 1` | journal was lost | as `N_{k+1}`, told |
//!
//! The steps are those of [`placing`](crate::placing). What is not a regular
//! file of this user was not made here: it is left and told.
//!
//! Between steps 6 and 8 of batch `k` nothing else is put at `P`: the batch goes
//! there first.
//!
//! An `A_j` that is left is of a batch that the journal lost. Were the number
//! used again it would be taken for that batch's own, so the journal notes an
//! empty batch past it.

use everbeat_core::{FileFailure, JournalRecord, Placement, Repair};

use crate::disk::{Disk, DiskErrorKind, Metadata};
use crate::files::{At, Renamed, rename_into_gap};
use crate::journal::Journal;
use crate::paths::{Paths, Private};
use crate::placing::Placing;
use crate::planted::{self, Fault};

/// What came of a recovery.
pub(crate) struct Recovered {
    /// Where the last stored batch lies, `None` before the first.
    pub(crate) placement: Option<Placement>,
    /// What the journal notes besides.
    pub(crate) record: Option<JournalRecord>,
}

/// Sets right what lies beside the results file.
pub(crate) fn recover<D: Disk>(
    disk: &D,
    paths: &Paths,
    journal: &mut Journal,
    repairs: &mut Vec<Repair>,
) -> Result<Recovered, FileFailure> {
    let last = journal.position.last_batch;
    let placing = Placing::new(disk, paths, last, journal.position.last_length);
    let (own, strays): (Vec<_>, Vec<_>) = private_files(disk, paths, last)?
        .into_iter()
        .partition(|private| *private == Private::New(last) || *private == Private::Aside(last));
    let is_set_aside = last != 0 && own.contains(&Private::Aside(last));
    let mut placement = None;
    let mut highest = last;
    for private in strays {
        // Between steps 6 and 8 nothing else may be put at `P`: the batch
        // would wait until somebody took that.
        if is_set_aside
            && placement.is_none()
            && matches!(private, Private::Aside(_))
            && !planted::active(Fault::StrayPutBackFirst)
        {
            placement = Some(placing.resume()?);
        }
        highest = highest.max(clear_stray(disk, paths, last, private, repairs)?);
    }
    if last != 0 && placement.is_none() {
        placement = Some(placing.resume()?);
    }
    // Until the last batch is placed the journal must end with it.
    if highest == last || matches!(placement, Some(Placement::Held { .. })) {
        return Ok(Recovered { placement, record: None });
    }
    let record = JournalRecord::Stored { batch: highest + 1, length: 0, results: Vec::new() };
    journal.append(disk, paths, std::slice::from_ref(&record))?;
    Ok(Recovered { placement: Some(Placement::Placed { merged: true }), record: Some(record) })
}

/// Whether a file of this user stands where what is in the way of this batch
/// would be set aside.
pub(crate) fn stands_aside<D: Disk>(
    disk: &D,
    paths: &Paths,
    batch: u64,
) -> Result<bool, FileFailure> {
    let path = paths.private(Private::Aside(batch));
    Ok(disk.metadata(&path).at("look at", &path)?.is_some_and(|found| found.is_own_file()))
}

/// The private files in the folder, in a fixed order. A folder that cannot be
/// listed may still be looked into for the names that matter.
fn private_files<D: Disk>(disk: &D, paths: &Paths, last: u64) -> Result<Vec<Private>, FileFailure> {
    let folder = paths.folder();
    let mut found: Vec<_> = match disk.list(folder, &paths.private_prefix()) {
        Err(error) if error.kind == DiskErrorKind::Denied => {
            vec![Private::New(last + 1), Private::Aside(last + 1)]
        }
        other => {
            other.at("list", folder)?.iter().filter_map(|name| paths.parse_private(name)).collect()
        }
    };
    found.sort_unstable();
    Ok(found)
}

/// Says which number a file that is left keeps from being used, 0 for none.
fn clear_stray<D: Disk>(
    disk: &D,
    paths: &Paths,
    last: u64,
    private: Private,
    repairs: &mut Vec<Repair>,
) -> Result<u64, FileFailure> {
    let path = paths.private(private);
    let Some(found) = disk.metadata(&path).at("look at", &path)? else {
        return Ok(0);
    };
    let mut kept = 0;
    let done = match private {
        _ if !Metadata::is_own_file(&found) => "left: not a regular file of this user",
        Private::New(batch) if batch > last => {
            disk.remove(&path).at("remove", &path)?;
            if batch == last + 1 {
                return Ok(0);
            }
            "removed: the journal does not know it, its results are fetched again"
        }
        Private::New(_) => "left: an old batch that was not placed; look what is in it",
        Private::Aside(batch) => {
            match rename_into_gap(disk, &path, &paths.results_file).at("rename", &path)? {
                Renamed::Done => "put back as the results file",
                Renamed::Occupied => {
                    kept = batch;
                    "left: a results file stands already"
                }
                Renamed::Gone => "left: a results file stands already",
            }
        }
    };
    repairs.push(Repair::Stray { path: path.display().to_string(), done: done.into() });
    Ok(kept)
}
