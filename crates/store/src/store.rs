//! The store: one command of the core at a time.

use std::fmt;

use everbeat_core::{Action, FileFailure, Outcome};

use crate::disk::Disk;
use crate::files::{At, SYNC, odd};
use crate::journal::Journal;
use crate::lease::Taken;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::placing::Placing;
use crate::{lease, marker, opening, store_batch};

/// The files of one agent. Of them it remembers nothing that it could not read again
/// from the disk: after any failure it must be opened anew.
pub struct Store<D: Disk> {
    disk: D,
    paths: Paths,
    /// Held until the store is dropped, through every failure.
    lock: Option<Lock<D::File>>,
    /// `None` until opened, and after a failure.
    journal: Option<Journal>,
    /// A sync failed since the journal was last opened.
    is_suspect: bool,
}

impl<D: Disk> Store<D> {
    /// A store that has touched nothing yet; [`Action::OpenStore`] comes
    /// first.
    pub fn new(disk: D, paths: Paths) -> Self {
        Self { disk, paths, lock: None, journal: None, is_suspect: false }
    }

    /// Carries out one action for which [`Action::is_store`] is true; any
    /// other is answered by a failure. Blocks until it is done; never panics.
    ///
    /// After [`Outcome::FileFailed`] every action but [`Action::OpenStore`]
    /// fails until that one has gone well.
    pub fn carry_out(&mut self, action: Action) -> Outcome {
        self.try_to(action).unwrap_or_else(|failure| {
            self.journal = None;
            self.is_suspect |= failure.operation == SYNC;
            Outcome::FileFailed(failure)
        })
    }

    /// Takes the results file for a holder of a lease, or what was taken and
    /// not acknowledged: [`Store::acknowledge`] comes last. `None` where
    /// nothing waits. Who holds it is [`LeaseDesk`](crate::LeaseDesk)'s matter.
    ///
    /// # Errors
    /// If the store was never opened, a call fails, or what stands there is
    /// no regular file of this user.
    pub fn take(&self) -> Result<Option<Taken>, FileFailure> {
        self.locked()?;
        lease::take(&self.disk, &self.paths)
    }

    /// Forgets what was taken; false if nothing was.
    ///
    /// # Errors
    /// If the store was never opened, or a call fails: whether it is forgotten
    /// is unknown then.
    pub fn acknowledge(&self) -> Result<bool, FileFailure> {
        self.locked()?;
        lease::acknowledge(&self.disk, &self.paths)
    }

    /// Taking is for the process that holds the lock, whatever became of the
    /// journal.
    fn locked(&self) -> Result<(), FileFailure> {
        let reason = "the store is not open";
        self.lock.as_ref().map(|_| ()).ok_or_else(|| odd("use", &self.paths.state_dir, reason))
    }

    fn try_to(&mut self, action: Action) -> Result<Outcome, FileFailure> {
        let (disk, paths) = (&self.disk, &self.paths);
        let path = &paths.state_dir;
        let opened = self.journal.as_mut();
        let opened = opened.ok_or_else(|| odd("use", path, "the store is not open"));
        match action {
            Action::OpenStore => self.open(),
            Action::StoreBatch(batch) => {
                let journal = opened?;
                let stored = store_batch::store_batch(disk, paths, journal, batch)?;
                let journal_bytes = journal.length;
                let store_batch::Stored { length, placement } = stored;
                Ok(Outcome::BatchStored { length, placement, journal_bytes })
            }
            Action::PlaceBatch { batch } => {
                let position = opened?.position;
                if batch != position.last_batch {
                    return Err(odd("place", path, format!("batch {batch} is not the last")));
                }
                marker::check(disk, paths)?;
                let placing = Placing::new(disk, paths, batch, position.last_length);
                Ok(Outcome::BatchPlaced { placement: placing.resume()? })
            }
            Action::AppendJournal { records } => {
                let journal = opened?;
                journal.append(disk, paths, &records)?;
                Ok(Outcome::JournalWritten { journal_bytes: journal.length })
            }
            Action::CompactJournal { records } => {
                let journal = opened?;
                journal.compact(disk, paths, &records)?;
                Ok(Outcome::JournalWritten { journal_bytes: journal.length })
            }
            Action::ProbeResults => {
                opened?;
                self.probe()
            }
            Action::PostHeartbeat(_)
            | Action::Register(_)
            | Action::FetchDelegations
            | Action::FetchWorkspace { .. }
            | Action::SendSelfMessage { .. }
            | Action::Notify { .. }
            | Action::ReloadToken
            | Action::SaveToken(_)
            | Action::SaveInboundSecret(_)
            | Action::Cancel { .. }
            | Action::RebuildClient => Err(odd("use", path, "this is no action of the store")),
        }
    }

    fn open(&mut self) -> Result<Outcome, FileFailure> {
        self.journal = None;
        self.lock = Some(opening::lock(&self.disk, &self.paths, self.lock.take())?);
        let (journal, opened) = opening::open(&self.disk, &self.paths, self.is_suspect)?;
        self.journal = Some(journal);
        self.is_suspect = false;
        Ok(Outcome::StoreOpened(opened))
    }

    /// A missing results file was taken only if nobody emptied the folder.
    fn probe(&self) -> Result<Outcome, FileFailure> {
        let path = &self.paths.results_file;
        let present = self.disk.metadata(path).at("look at", path)?.is_some()
            || lease::holds_results(&self.disk, &self.paths)?;
        if !present {
            marker::check(&self.disk, &self.paths)?;
        }
        Ok(Outcome::ResultsProbed { present })
    }
}

impl<D: Disk + Clone> Clone for Store<D>
where
    D::File: Clone,
{
    /// For a disk whose state can be saved and restored: what the clone does
    /// is done to the same disk.
    fn clone(&self) -> Self {
        Self {
            disk: self.disk.clone(),
            paths: self.paths.clone(),
            lock: self.lock.clone(),
            journal: self.journal.clone(),
            is_suspect: self.is_suspect,
        }
    }
}

impl<D: Disk> fmt::Debug for Store<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("paths", &self.paths)
            .field("is_locked", &self.lock.is_some())
            .field("journal", &self.journal)
            .field("is_suspect", &self.is_suspect)
            .finish_non_exhaustive()
    }
}
