//! Everbeat's files: the journal, the results file, the small secret files
//! and the lock, as plain steps over a small [`Disk`] trait.
#![forbid(unsafe_code)]

mod disk;
mod paths;
mod secret_file;
mod store;

pub use disk::{Access, Disk, DiskError, DiskErrorKind, FileId, FileKind, Metadata};
pub use paths::Paths;
pub use secret_file::{read_secret, write_secret};
pub use store::Store;
