//! Small files that hold one secret: the bearer token, the inbound secret.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use everbeat_core::{FileFailure, Secret};

use crate::disk::{Access, Disk, DiskErrorKind, FileKind};
use crate::files::{At, SYNC, make_folders, odd, sync_folder, write_temporary};
use crate::paths::folder_of;

/// Longest file that is read, in bytes: a secret and some white space.
const FILE_BYTES_MAX: usize = 2 * Secret::BYTES_MAX;

/// Reads a secret, white space around it removed. A file that is missing,
/// empty, too long or holds anything but one visible ASCII word is `None`.
///
/// # Errors
/// If the file cannot be read, or is not a regular file.
pub fn read_secret<D: Disk>(disk: &D, path: &Path) -> Result<Option<Secret>, FileFailure> {
    let (mut file, metadata) = match disk.open(path, Access::Read) {
        Err(error) if error.kind == DiskErrorKind::Missing => return Ok(None),
        other => other.at("open", path)?,
    };
    if metadata.kind != FileKind::File {
        return Err(odd("read", path, "it is not a regular file"));
    }
    let mut bytes = vec![0; FILE_BYTES_MAX + 1];
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match disk.read(&mut file, rest).at("read", path)? {
            0 => break,
            count => length += count,
        }
    }
    if length > FILE_BYTES_MAX {
        return Ok(None);
    }
    let text = std::str::from_utf8(bytes.get(..length).unwrap_or_default()).unwrap_or_default();
    Ok(Secret::new(text.trim()))
}

/// Writes a secret: atomically, with mode 0600 from the first byte, durably.
/// The folder is made if it is missing; an equal secret is not written again.
///
/// # Errors
/// If a call on the way fails; the old secret then still stands.
pub fn write_secret<D: Disk>(disk: &D, path: &Path, secret: &Secret) -> Result<(), FileFailure> {
    // What cannot be read is replaced; what is wrong shows in the writing.
    if read_secret(disk, path).is_ok_and(|standing| standing.as_ref() == Some(secret)) {
        return Ok(());
    }
    make_folders(disk, folder_of(path))?;
    let temporary = temporary_beside(path);
    let written = write_temporary(disk, &temporary, secret.expose().as_bytes())
        .and_then(|mut file| disk.sync(&mut file).at(SYNC, &temporary))
        .and_then(|()| disk.rename(&temporary, path).at("rename", &temporary));
    if let Err(failure) = written {
        // A secret does not stay about under another name.
        let _ = disk.remove(&temporary);
        return Err(failure);
    }
    sync_folder(disk, folder_of(path))
}

/// Writes a secret that the platform issued, unless another one stands there
/// by now than `known`, the one last read or written: somebody put that there
/// while the issued one was on its way, and it is left and returned. Else the
/// issued one is.
///
/// # Errors
/// If it cannot be written.
pub fn write_issued<D: Disk>(
    disk: &D,
    path: &Path,
    known: Option<&Secret>,
    issued: &Secret,
) -> Result<Secret, FileFailure> {
    match read_secret(disk, path) {
        Ok(Some(standing)) if Some(&standing) != known => Ok(standing),
        Ok(_) | Err(_) => write_secret(disk, path, issued).map(|()| issued.clone()),
    }
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".everbeat-");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    folder_of(path).join(name)
}
