//! Planted faults: what the exploration of the delivery protocol must catch.
//!
//! In a normal build [`active`] is constantly false and every planted branch
//! is compiled away. With `--cfg everbeat_planted` a test plants one fault at
//! a time and must see a promise broken.

/// One fault: a step of the protocol left out or done the wrong way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(everbeat_planted), allow(dead_code))]
#[repr(u32)]
pub enum Fault {
    /// The private names carry no batch number.
    FixedPrivateName = 1,
    /// The journal is written before the private file is synced.
    JournalBeforePrivateSync,
    /// The folder is not synced before the journal is written.
    NoFolderSyncBeforeJournal,
    /// The folder is not synced before the file set aside is unlinked.
    NoFolderSyncBeforeUnlink,
    /// The private file is not synced after it was cut back.
    NoSyncAfterCut,
    /// Recovery acts on a journal that it has not synced.
    UnsyncedJournalTrusted,
    /// A hard link and an unlink stand for the no-replace rename.
    LinkInsteadOfRename,
    /// The compacted journal takes the old one's place before it is synced.
    CompactedUnsynced,
    /// The torn tail of the journal is left in place.
    TornTailKept,
    /// An emptied results folder is taken for one whose results were read.
    EmptiedFolderTrusted,
}

#[cfg(everbeat_planted)]
mod switch {
    use core::sync::atomic::{AtomicU32, Ordering};

    static PLANTED: AtomicU32 = AtomicU32::new(0);

    /// Plants `fault` in this process, or none.
    pub fn plant(fault: Option<super::Fault>) {
        PLANTED.store(fault.map_or(0, |fault| fault as u32), Ordering::SeqCst);
    }

    /// Whether `fault` is planted.
    #[must_use]
    pub fn active(fault: super::Fault) -> bool {
        PLANTED.load(Ordering::SeqCst) == fault as u32
    }
}

#[cfg(everbeat_planted)]
pub use switch::{active, plant};

/// Whether `fault` is planted: never, in a normal build.
#[cfg(not(everbeat_planted))]
#[inline(always)]
#[must_use]
pub const fn active(_fault: Fault) -> bool {
    false
}
