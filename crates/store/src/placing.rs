//! Placing a stored batch at the results path: steps 4 to 9 of the delivery
//! protocol. `P` is the results file, `N_k` the private file of batch `k`,
//! `A_k` the name under which what stood at `P` is set aside.
//!
//! 4. `N_k` is renamed to `P` if nothing stands there. Done.
//! 5. Where something stands, it is copied behind the batch in `N_k`, which
//!    is synced. (The reader took it meanwhile: cut `N_k` back, again 4.)
//! 6. `P` is renamed to `A_k`. (The reader took it meanwhile: cut `N_k` back,
//!    sync, again 4.)
//! 7. Is `A_k` the file and of the length that was copied? If not, `N_k` is
//!    cut back and `A_k` copied instead.
//! 8. `N_k` is renamed to `P` if nothing stands there. Something does only if
//!    somebody else writes results too: then the batch waits for the reader.
//! 9. The folder is synced and `A_k` removed.
//!
//! What is odd at `P` holds the batch back in `N_k`: a link, a folder, a
//! FIFO, a file that cannot be read or moved, one over [`RESULTS_BYTES_MAX`],
//! or no space for the copy. `P` is not touched then.

use std::path::{Path, PathBuf};

use everbeat_core::{FileFailure, Placement};

use crate::disk::{Access, Disk, DiskError, DiskErrorKind, FileId, FileKind, Metadata};
use crate::files::{
    At, CopyError, Renamed, SYNC, copy, cut, odd, open_own, remove_if_there, rename_into_gap,
    sync_folder, write_all,
};
use crate::lease;
use crate::marker;
use crate::paths::{Paths, Private};
use crate::planted::{self, Fault};

/// A results file that would become longer than this is left to the reader
/// first, in bytes.
pub const RESULTS_BYTES_MAX: u64 = 16 << 20;

/// How often a results file may come and go before the batch waits.
const ATTEMPTS_MAX: u32 = 8;

/// One batch on its way to the results path.
pub(crate) struct Placing<'a, D: Disk> {
    disk: &'a D,
    paths: &'a Paths,
    /// `N_k`.
    private: PathBuf,
    /// `A_k`.
    aside: PathBuf,
    /// Bytes of the batch's own lines.
    length: u64,
}

/// How one step ended.
enum Step<T> {
    Done(T),
    /// The reader was faster; the private file is as it was.
    Gone,
    /// Something is odd; the private file is as it was.
    Odd(String),
}

/// What was copied behind the batch.
struct Merged<F> {
    /// Kept open until step 7, so that its inode number cannot pass to
    /// another file meanwhile.
    _file: F,
    id: FileId,
    bytes: u64,
}

impl<'a, D: Disk> Placing<'a, D> {
    pub(crate) fn new(disk: &'a D, paths: &'a Paths, batch: u64, length: u64) -> Self {
        let private = paths.private(Private::New(batch));
        let aside = paths.private(Private::Aside(batch));
        Self { disk, paths, private, aside, length }
    }

    /// Goes on from whatever step the private files show.
    pub(crate) fn resume(&self) -> Result<Placement, FileFailure> {
        if planted::active(Fault::StoredNotPlaced) {
            return Ok(Placement::Placed { merged: true });
        }
        let own = self.look_at(&self.private)?.filter(Metadata::is_own_file);
        let aside = self.look_at(&self.aside)?.filter(|found| found.kind == FileKind::File);
        match (own, aside) {
            (None, None) => Ok(Placement::Placed { merged: true }),
            (None, Some(_)) => self.finish(),
            (Some(own), _) if own.length < self.length => Ok(self.damaged(own.length)),
            (Some(_), Some(aside)) if aside.owned_by_me => self.merge_aside(),
            (Some(_), aside) => {
                // However long it is: a cut that a crash interrupted may have
                // been done and not synced, and would come undone.
                self.cut_back(&mut self.open_private()?)?;
                // Where it can be moved at all, it was moved here from `P`.
                if aside.is_some() {
                    self.put_back()?;
                }
                self.place_new()
            }
        }
    }

    /// Steps 4 to 9, when the private file holds just the batch and nothing
    /// is set aside.
    pub(crate) fn place_new(&self) -> Result<Placement, FileFailure> {
        if planted::active(Fault::RenamedOver) {
            self.disk.rename(&self.private, self.results()).at("rename", &self.private)?;
            return Ok(Placement::Placed { merged: false });
        }
        lease::settle(self.disk, self.paths)?;
        for _ in 0..ATTEMPTS_MAX {
            match rename_into_gap(self.disk, &self.private, self.results())
                .at("rename", &self.private)?
            {
                Renamed::Done => {
                    let merged = lease::holds_results(self.disk, self.paths)?;
                    // Nothing stood there: the reader took it, or somebody
                    // emptied the folder since the marker was last seen.
                    marker::check(self.disk, self.paths)?;
                    return Ok(Placement::Placed { merged });
                }
                Renamed::Gone => return Err(self.private_gone()),
                Renamed::Occupied => {}
            }
            if planted::active(Fault::AppendedInPlace) {
                return self.append_in_place();
            }
            let mut private = self.open_private()?;
            let merged = match self.merge_standing(&mut private)? {
                Step::Done(merged) => merged,
                Step::Gone => continue,
                Step::Odd(reason) => return Ok(Placement::Held { reason }),
            };
            match self.set_aside(&mut private)? {
                Step::Done(()) => return self.replace(private, &merged),
                Step::Gone => {}
                Step::Odd(reason) => return Ok(Placement::Held { reason }),
            }
        }
        let reason = format!("{} keeps coming and going", self.results().display());
        Ok(Placement::Held { reason })
    }

    /// For a planted fault only: the batch goes behind what stands there.
    fn append_in_place(&self) -> Result<Placement, FileFailure> {
        let (mut batch, _) =
            self.disk.open(&self.private, Access::Read).at("open", &self.private)?;
        let (mut standing, _) = open_own(self.disk, self.results())?;
        if copy(self.disk, &mut batch, &mut standing, RESULTS_BYTES_MAX).is_err() {
            return Err(odd("write", self.results(), "the batch could not be appended"));
        }
        self.disk.remove(&self.private).at("remove", &self.private)?;
        Ok(Placement::Placed { merged: true })
    }

    /// Step 5.
    fn merge_standing(&self, private: &mut D::File) -> Result<Step<Merged<D::File>>, FileFailure> {
        let path = self.results();
        match self.disk.open(path, Access::Read) {
            Err(error) if error.kind == DiskErrorKind::Missing => Ok(Step::Gone),
            Err(error) => Ok(Step::Odd(cannot("be read", path, &error))),
            Ok((file, found)) => self.merge(file, &found, path, private),
        }
    }

    /// Copies `file` behind the batch and makes that durable, or leaves the
    /// private file as it was.
    fn merge(
        &self,
        mut file: D::File,
        found: &Metadata,
        path: &Path,
        private: &mut D::File,
    ) -> Result<Step<Merged<D::File>>, FileFailure> {
        if let Some(reason) = not_mergeable(found, path) {
            return Ok(Step::Odd(reason));
        }
        let bytes_max = RESULTS_BYTES_MAX.saturating_sub(self.length);
        let copied = copy(self.disk, &mut file, private, bytes_max).and_then(|copied| {
            if copied.is_some_and(|copied| !copied.ends_line) {
                write_all(self.disk, private, b"\n").map_err(CopyError::Write)?;
            }
            Ok(copied)
        });
        let reason = match copied {
            Ok(Some(copied)) => {
                if !planted::active(Fault::MergedUnsynced) {
                    self.disk.sync(private).at(SYNC, &self.private)?;
                }
                let (id, bytes) = (found.id, copied.bytes);
                return Ok(Step::Done(Merged { _file: file, id, bytes }));
            }
            Ok(None) => too_long(path),
            Err(CopyError::Read(error)) => cannot("be read", path, &error),
            Err(CopyError::Write(error)) if error.kind == DiskErrorKind::Full => format!(
                "no space to merge {} with the new results ({error}): free some, or let the \
                 reader take the file",
                path.display()
            ),
            Err(CopyError::Write(error)) => return Err(error.at("write", &self.private)),
        };
        self.cut_back(private)?;
        Ok(Step::Odd(reason))
    }

    /// Step 6.
    fn set_aside(&self, private: &mut D::File) -> Result<Step<()>, FileFailure> {
        let step = match rename_into_gap(self.disk, self.results(), &self.aside) {
            Ok(Renamed::Done) => return Ok(Step::Done(())),
            Ok(Renamed::Gone) => Step::Gone,
            Ok(Renamed::Occupied) => Step::Odd(format!(
                "{} stands in the way: remove it if it is not everbeat's own",
                self.aside.display()
            )),
            Err(error) if error.kind == DiskErrorKind::Denied => {
                Step::Odd(cannot("be moved", self.results(), &error))
            }
            Err(error) => return Err(error.at("rename", self.results())),
        };
        self.cut_back(private)?;
        Ok(step)
    }

    /// Step 7, and on.
    fn replace(
        &self,
        private: D::File,
        merged: &Merged<D::File>,
    ) -> Result<Placement, FileFailure> {
        let is_what_was_copied =
            |aside: Metadata| aside.id == merged.id && aside.length == merged.bytes;
        if self.look_at(&self.aside)?.is_some_and(is_what_was_copied) {
            self.place_merged()
        } else {
            drop(private);
            self.merge_aside()
        }
    }

    /// The second half of step 7: what was set aside is copied, whatever the
    /// private file holds behind its batch.
    fn merge_aside(&self) -> Result<Placement, FileFailure> {
        let mut private = self.open_private()?;
        self.cut_back(&mut private)?;
        let merged = match self.disk.open(&self.aside, Access::Read) {
            Err(error) if error.kind == DiskErrorKind::Missing => Step::Gone,
            Err(error) => Step::Odd(cannot("be read", &self.aside, &error)),
            Ok((file, found)) => self.merge(file, &found, &self.aside, &mut private)?,
        };
        match merged {
            Step::Done(_) | Step::Gone => self.place_merged(),
            Step::Odd(reason) => {
                self.put_back()?;
                Ok(Placement::Held { reason })
            }
        }
    }

    /// Step 8, and on.
    fn place_merged(&self) -> Result<Placement, FileFailure> {
        if planted::active(Fault::AsideRemovedEarly) {
            remove_if_there(self.disk, &self.aside)?;
        }
        match rename_into_gap(self.disk, &self.private, self.results())
            .at("rename", &self.private)?
        {
            Renamed::Done => self.finish(),
            Renamed::Gone => Err(self.private_gone()),
            Renamed::Occupied => {
                let reason = format!(
                    "another program wrote {} just now: the results wait until it is taken",
                    self.results().display()
                );
                Ok(Placement::Held { reason })
            }
        }
    }

    /// Step 9. What cannot be removed is somebody else's.
    fn finish(&self) -> Result<Placement, FileFailure> {
        if !planted::active(Fault::NoFolderSyncBeforeUnlink) {
            sync_folder(self.disk, self.paths.folder())?;
        }
        match self.disk.remove(&self.aside) {
            Err(error) if !matches!(error.kind, DiskErrorKind::Missing | DiskErrorKind::Denied) => {
                Err(error.at("remove", &self.aside))
            }
            Ok(()) | Err(_) => Ok(Placement::Placed { merged: true }),
        }
    }

    /// What was set aside goes back to the results path, if it can and
    /// nothing stands there; otherwise it stays for the next attempt.
    fn put_back(&self) -> Result<(), FileFailure> {
        match rename_into_gap(self.disk, &self.aside, self.results()) {
            Err(error) if error.kind != DiskErrorKind::Denied => {
                Err(error.at("rename", &self.aside))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn cut_back(&self, private: &mut D::File) -> Result<(), FileFailure> {
        cut(self.disk, private, &self.private, self.length)
    }

    fn open_private(&self) -> Result<D::File, FileFailure> {
        open_own(self.disk, &self.private).map(|(file, _)| file)
    }

    fn look_at(&self, path: &Path) -> Result<Option<Metadata>, FileFailure> {
        self.disk.metadata(path).at("look at", path)
    }

    fn results(&self) -> &Path {
        &self.paths.results_file
    }

    fn private_gone(&self) -> FileFailure {
        odd("rename", &self.private, "somebody removed it")
    }

    fn damaged(&self, found: u64) -> Placement {
        let reason = format!(
            "{} holds {found} of the {} bytes that were synced, so the disk lost data: move its \
             whole lines to {} and remove it",
            self.private.display(),
            self.length,
            self.results().display()
        );
        Placement::Held { reason }
    }
}

fn not_mergeable(found: &Metadata, path: &Path) -> Option<String> {
    let what = match found.kind {
        FileKind::File if found.length > RESULTS_BYTES_MAX => return Some(too_long(path)),
        FileKind::File => return None,
        FileKind::Folder => "a folder",
        FileKind::Link => "a link",
        FileKind::Other => "not a regular file",
    };
    Some(format!("{} is {what}: remove it, or name another results file", path.display()))
}

fn too_long(path: &Path) -> String {
    format!(
        "{} would be longer than {} MiB: nobody seems to read it",
        path.display(),
        RESULTS_BYTES_MAX >> 20
    )
}

fn cannot(what: &str, path: &Path, error: &DiskError) -> String {
    format!("{} cannot {what} ({error}): remove it, or name another results file", path.display())
}
