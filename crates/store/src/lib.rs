//! Everbeat's files: the journal, the results file, the small secret files
//! and the lock, as plain steps over a small [`Disk`] trait.
//!
//! The results file is shared with a reader that takes it by renaming it
//! away, at any moment. How a batch gets there exactly once, whatever process
//! dies where, is told step by step in [`store_batch`] and [`placing`], and
//! what is found after a crash in [`recovery`].
//!
//! The feature `std-disk` adds `RealDisk`, the file system of this process:
//! what every shell on a Unix works with.
#![forbid(unsafe_code)]

mod disk;
mod files;
mod journal;
pub mod lease;
mod lock;
mod marker;
mod opening;
mod paths;
pub mod placing;
#[doc(hidden)]
pub mod planted;
#[cfg(feature = "std-disk")]
mod real_disk;
pub mod recovery;
mod secret_file;
mod store;
pub mod store_batch;
#[cfg(test)]
#[cfg(feature = "std-disk")]
mod testing;
mod token;

pub use disk::{Access, Disk, DiskError, DiskErrorKind, FileId, FileKind, Metadata};
pub use lease::{Lease, LeaseDesk, Leased, Taken};
pub use paths::Paths;
#[cfg(feature = "std-disk")]
pub use real_disk::RealDisk;
pub use secret_file::{read_secret, write_issued, write_secret};
pub use store::Store;
pub use token::TokenInUse;
