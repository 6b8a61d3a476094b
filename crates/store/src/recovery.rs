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
//! | `A_j`, `j` not `k` | should not be | put back if nothing stands at `P` |
//! | `N_j`, `j < k` | should not be | left, told |
//! | `N_j`, `j > k + 1` | journal was lost | as `N_{k+1}`, told |
//!
//! The steps are those of [`placing`](crate::placing). What is not a regular
//! file of this user was not made here: it is left and told.

use everbeat_core::{FileFailure, Placement, Repair};

use crate::disk::{Disk, DiskErrorKind, Metadata};
use crate::files::{At, Renamed, rename_into_gap};
use crate::journal::Position;
use crate::paths::{Paths, Private};
use crate::placing::Placing;

/// Sets right what lies beside the results file; says where the last stored
/// batch lies, `None` before the first.
pub(crate) fn recover<D: Disk>(
    disk: &D,
    paths: &Paths,
    position: Position,
    repairs: &mut Vec<Repair>,
) -> Result<Option<Placement>, FileFailure> {
    let last = position.last_batch;
    for private in private_files(disk, paths, last)? {
        if private != Private::New(last) && private != Private::Aside(last) {
            clear_stray(disk, paths, last, private, repairs)?;
        }
    }
    if last == 0 {
        return Ok(None);
    }
    Placing::new(disk, paths, last, position.last_length).resume().map(Some)
}

/// The private files in the folder, in a fixed order. A folder that cannot be
/// listed may still be looked into for the one name that matters.
fn private_files<D: Disk>(disk: &D, paths: &Paths, last: u64) -> Result<Vec<Private>, FileFailure> {
    let folder = paths.folder();
    let mut found: Vec<_> = match disk.list(folder, &paths.private_prefix()) {
        Err(error) if error.kind == DiskErrorKind::Denied => vec![Private::New(last + 1)],
        other => {
            other.at("list", folder)?.iter().filter_map(|name| paths.parse_private(name)).collect()
        }
    };
    found.sort_unstable();
    Ok(found)
}

fn clear_stray<D: Disk>(
    disk: &D,
    paths: &Paths,
    last: u64,
    private: Private,
    repairs: &mut Vec<Repair>,
) -> Result<(), FileFailure> {
    let path = paths.private(private);
    let Some(found) = disk.metadata(&path).at("look at", &path)? else {
        return Ok(());
    };
    let done = match private {
        _ if !Metadata::is_own_file(&found) => "left: not a regular file of this user",
        Private::New(batch) if batch > last => {
            disk.remove(&path).at("remove", &path)?;
            if batch == last + 1 {
                return Ok(());
            }
            "removed: the journal does not know it, its results are fetched again"
        }
        Private::New(_) => "left: an old batch that was not placed; look what is in it",
        Private::Aside(_) => {
            match rename_into_gap(disk, &path, &paths.results_file).at("rename", &path)? {
                Renamed::Done => "put back as the results file",
                Renamed::Occupied | Renamed::Gone => "left: a results file stands already",
            }
        }
    };
    repairs.push(Repair::Stray { path: path.display().to_string(), done: done.into() });
    Ok(())
}
