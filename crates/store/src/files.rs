//! What several algorithms do with files.

use std::path::Path;

use everbeat_core::FileFailure;

use crate::disk::{Access, Disk, DiskError, DiskErrorKind, Metadata};
use crate::paths::folder_of;
use crate::planted::{self, Fault};

/// The operation of a failed sync.
pub(crate) const SYNC: &str = "sync";

/// Bytes read or copied at a time.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// Says at which file which operation failed.
pub(crate) trait At<T> {
    fn at(self, operation: &str, path: &Path) -> Result<T, FileFailure>;
}

impl<T> At<T> for Result<T, DiskError> {
    fn at(self, operation: &str, path: &Path) -> Result<T, FileFailure> {
        self.map_err(|error| error.at(operation, path))
    }
}

/// A failure that no call reported, but what was found.
pub(crate) fn odd(operation: &str, path: &Path, reason: impl Into<String>) -> FileFailure {
    DiskError::new(DiskErrorKind::Odd, reason).at(operation, path)
}

pub(crate) fn write_all<D: Disk>(
    disk: &D,
    file: &mut D::File,
    mut bytes: &[u8],
) -> Result<(), DiskError> {
    while !bytes.is_empty() {
        let written = disk.write(file, bytes)?;
        if written == 0 {
            return Err(DiskError::new(DiskErrorKind::Other, "the disk took no bytes"));
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Creates a file and writes it; nothing is durable yet.
pub(crate) fn write_new<D: Disk>(
    disk: &D,
    path: &Path,
    bytes: &[u8],
) -> Result<D::File, FileFailure> {
    let mut file = disk.create(path).at("create", path)?;
    write_all(disk, &mut file, bytes).at("write", path)?;
    Ok(file)
}

/// Like [`write_new`], for a name that only this crate uses and where a
/// crash may have left something.
pub(crate) fn write_temporary<D: Disk>(
    disk: &D,
    path: &Path,
    bytes: &[u8],
) -> Result<D::File, FileFailure> {
    remove_if_there(disk, path)?;
    write_new(disk, path, bytes)
}

pub(crate) fn remove_if_there<D: Disk>(disk: &D, path: &Path) -> Result<(), FileFailure> {
    match disk.remove(path) {
        Err(error) if error.kind == DiskErrorKind::Missing => Ok(()),
        other => other.at("remove", path),
    }
}

/// Syncs a folder where that can be done: a folder that cannot be opened for
/// reading (mode 0733) cannot be synced either, and there is no other way.
pub(crate) fn sync_folder<D: Disk>(disk: &D, path: &Path) -> Result<(), FileFailure> {
    match disk.sync_dir(path) {
        Err(error) if matches!(error.kind, DiskErrorKind::Unsupported | DiskErrorKind::Denied) => {
            Ok(())
        }
        other => other.at(SYNC, path),
    }
}

/// Makes a folder and what is missing above it, each private.
pub(crate) fn make_folders<D: Disk>(disk: &D, path: &Path) -> Result<(), FileFailure> {
    match disk.make_dir(path) {
        Ok(()) => sync_folder(disk, folder_of(path)),
        Err(error) if error.kind == DiskErrorKind::Exists => Ok(()),
        Err(error) if error.kind == DiskErrorKind::Missing && folder_of(path) != path => {
            make_folders(disk, folder_of(path))?;
            disk.make_dir(path).at("create folder", path)?;
            sync_folder(disk, folder_of(path))
        }
        Err(error) => Err(error.at("create folder", path)),
    }
}

/// What became of a rename that must not replace anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renamed {
    Done,
    /// Something stands at the new name; nothing was changed.
    Occupied,
    /// Nothing stands at the old name.
    Gone,
}

/// Renames if nothing stands at `to`. Where the file system cannot do that in
/// one step, a look goes before: sound as long as nobody but this process
/// puts anything there.
pub(crate) fn rename_into_gap<D: Disk>(
    disk: &D,
    from: &Path,
    to: &Path,
) -> Result<Renamed, DiskError> {
    #[cfg(everbeat_planted)]
    if planted::active(Fault::LinkInsteadOfRename) {
        return link_into_gap(disk, from, to);
    }
    let unsupported = |error: &DiskError| error.kind == DiskErrorKind::Unsupported;
    let renamed = match disk.rename_no_replace(from, to) {
        Err(error) if unsupported(&error) => {
            if disk.metadata(to)?.is_some() {
                return Ok(Renamed::Occupied);
            }
            disk.rename(from, to)
        }
        other => other,
    };
    sort_rename(renamed)
}

fn sort_rename(renamed: Result<(), DiskError>) -> Result<Renamed, DiskError> {
    match renamed {
        Ok(()) => Ok(Renamed::Done),
        Err(error) if error.kind == DiskErrorKind::Exists => Ok(Renamed::Occupied),
        Err(error) if error.kind == DiskErrorKind::Missing => Ok(Renamed::Gone),
        Err(error) => Err(error),
    }
}

#[cfg(everbeat_planted)]
fn link_into_gap<D: Disk>(disk: &D, from: &Path, to: &Path) -> Result<Renamed, DiskError> {
    let linked = sort_rename(disk.link(from, to))?;
    if linked == Renamed::Done {
        disk.remove(from)?;
    }
    Ok(linked)
}

/// Copies from where `from` stands to its end; gives the bytes copied and
/// whether the last one ends a line. Stops with `None` as soon as there are
/// more than `bytes_max`.
pub(crate) fn copy<D: Disk>(
    disk: &D,
    from: &mut D::File,
    to: &mut D::File,
    bytes_max: u64,
) -> Result<Option<Copied>, CopyError> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut copied = Copied { bytes: 0, ends_line: true };
    loop {
        let count = disk.read(from, &mut chunk).map_err(CopyError::Read)?;
        let Some(bytes) = chunk.get(..count) else { return Ok(None) };
        let Some(last) = bytes.last() else { return Ok(Some(copied)) };
        copied.bytes += count as u64;
        if copied.bytes > bytes_max {
            return Ok(None);
        }
        copied.ends_line = *last == b'\n';
        write_all(disk, to, bytes).map_err(CopyError::Write)?;
    }
}

/// How much [`copy`] copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) bytes: u64,
    pub(crate) ends_line: bool,
}

/// Which side of a [`copy`] failed.
pub(crate) enum CopyError {
    Read(DiskError),
    Write(DiskError),
}

/// Opens a regular file of this process's own user for writing at its end.
pub(crate) fn open_own<D: Disk>(disk: &D, path: &Path) -> Result<(D::File, Metadata), FileFailure> {
    let (file, metadata) = disk.open(path, Access::Append).at("open", path)?;
    if metadata.is_own_file() {
        Ok((file, metadata))
    } else {
        Err(odd("open", path, "it is not a regular file of this user"))
    }
}

/// Cuts a file and makes that durable: what is cut away must not come back.
pub(crate) fn cut<D: Disk>(
    disk: &D,
    file: &mut D::File,
    path: &Path,
    length: u64,
) -> Result<(), FileFailure> {
    disk.truncate(file, length).at("cut", path)?;
    if planted::active(Fault::NoSyncAfterCut) {
        return Ok(());
    }
    disk.sync(file).at(SYNC, path)
}
