//! The lock: one process per state folder.

use std::path::Path;

use everbeat_core::{FileFailure, FileFailureKind};

use crate::disk::{Access, Disk, DiskErrorKind, FileId, FileKind, Metadata};
use crate::files::{At, odd, write_all};
use crate::paths::Paths;
use crate::planted::{self, Fault};

/// A lock that is held as long as this lives.
#[derive(Clone, Debug)]
pub(crate) struct Lock<F> {
    _file: F,
    id: FileId,
}

/// Takes the lock, or keeps the one that is held if its file still stands
/// where others would look for it.
///
/// # Errors
/// [`FileFailureKind::Locked`] with the holder's process id in the reason;
/// otherwise whatever call failed.
pub(crate) fn take<D: Disk>(
    disk: &D,
    paths: &Paths,
    held: Option<Lock<D::File>>,
) -> Result<Lock<D::File>, FileFailure> {
    let path = paths.lock();
    if let Some(lock) = held {
        let standing = disk.metadata(&path).at("look at", &path)?;
        if standing.is_some_and(|metadata| metadata.id == lock.id) {
            return Ok(lock);
        }
    }
    let (mut file, metadata) = open_or_create(disk, &path)?;
    if metadata.kind != FileKind::File {
        return Err(odd("lock", &path, "it is not a regular file"));
    }
    let is_free = disk.try_lock(&mut file).at("lock", &path)?;
    if !is_free && !planted::active(Fault::LockIgnored) {
        return Err(locked(disk, &mut file, &path));
    }
    // Only people read it, so a full disk must not keep the agent out.
    let id = disk.process_id().to_string();
    let _ = disk
        .truncate(&mut file, 0)
        .and_then(|()| write_all(disk, &mut file, format!("{id}\n").as_bytes()));
    Ok(Lock { _file: file, id: metadata.id })
}

fn open_or_create<D: Disk>(disk: &D, path: &Path) -> Result<(D::File, Metadata), FileFailure> {
    match disk.open(path, Access::Append) {
        Err(error) if error.kind == DiskErrorKind::Missing => {}
        other => return other.at("open", path),
    }
    match disk.create(path) {
        // Another process was faster: the lock decides between the two.
        Err(error) if error.kind == DiskErrorKind::Exists => {}
        other => drop(other.at("create", path)?),
    }
    disk.open(path, Access::Append).at("open", path)
}

fn locked<D: Disk>(disk: &D, file: &mut D::File, path: &Path) -> FileFailure {
    let mut bytes = [0; 16];
    let count = disk.read(file, &mut bytes).unwrap_or(0);
    let text = String::from_utf8_lossy(bytes.get(..count).unwrap_or_default()).into_owned();
    let holder = match text.trim().parse::<u32>() {
        Ok(process_id) => format!("process {process_id}"),
        Err(_) => "another process".into(),
    };
    FileFailure {
        operation: "lock".into(),
        path: path.display().to_string(),
        kind: FileFailureKind::Locked,
        reason: format!("{holder} holds it: only one agent can work in a state folder"),
    }
}
