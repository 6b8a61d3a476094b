//! Small files that hold one secret.

use std::path::Path;

use everbeat_core::{FileFailure, Secret};

use crate::disk::{Disk, DiskError, DiskErrorKind};

/// Reads a secret, white space around it removed. A file that is missing,
/// empty, too long or holds anything but one visible ASCII word is `None`.
///
/// # Errors
/// If the file cannot be read, or is not a regular file.
pub fn read_secret<D: Disk>(_disk: &D, path: &Path) -> Result<Option<Secret>, FileFailure> {
    Err(DiskError::new(DiskErrorKind::Other, "under construction").at("read", path))
}

/// Writes a secret: atomically, with mode 0600 from the first byte, durably.
/// The folder is made if it is missing; an equal secret is not written again.
///
/// # Errors
/// If a call on the way fails; the old secret then still stands.
pub fn write_secret<D: Disk>(_disk: &D, path: &Path, _secret: &Secret) -> Result<(), FileFailure> {
    Err(DiskError::new(DiskErrorKind::Other, "under construction").at("write", path))
}
