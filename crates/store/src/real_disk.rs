//! The [`Disk`] of a real file system.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::disk::{Access, Disk, DiskError, DiskErrorKind, FileId, FileKind, Metadata};

/// The file system of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    type File = File;

    fn create(&self, path: &Path) -> Result<File, DiskError> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::APPEND;
        // A umask can only take bits away: nobody else ever reads it.
        open(path, flags, Mode::RUSR | Mode::WUSR)
    }

    fn open(&self, path: &Path, access: Access) -> Result<(File, Metadata), DiskError> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Append => OFlags::RDWR | OFlags::APPEND,
        };
        // A FIFO would wait for its other end.
        let file = open(path, flags | OFlags::NONBLOCK, Mode::empty())?;
        let metadata = file.metadata()?;
        Ok((file, described(&metadata)))
    }

    fn read(&self, file: &mut File, buffer: &mut [u8]) -> Result<usize, DiskError> {
        uninterrupted(|| file.read(buffer))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> Result<usize, DiskError> {
        uninterrupted(|| file.write(bytes))
    }

    fn truncate(&self, file: &mut File, length: u64) -> Result<(), DiskError> {
        uninterrupted(|| file.set_len(length))
    }

    fn sync(&self, file: &mut File) -> Result<(), DiskError> {
        uninterrupted(|| file.sync_all())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        uninterrupted(|| fs::rename(from, to))
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let renamed =
            rustix::io::retry_on_intr(|| renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE));
        renamed.map_err(|errno| match errno {
            Errno::INVAL | Errno::NOSYS => unsupported(errno),
            other => io::Error::from(other).into(),
        })
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        uninterrupted(|| fs::remove_file(path))
    }

    fn metadata(&self, path: &Path) -> Result<Option<Metadata>, DiskError> {
        match uninterrupted(|| fs::symlink_metadata(path)) {
            Ok(metadata) => Ok(Some(described(&metadata))),
            Err(error) if error.kind == DiskErrorKind::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))
            .map_err(io::Error::from)?;
        rustix::io::retry_on_intr(|| rustix::fs::fsync(&folder)).map_err(|errno| match errno {
            Errno::INVAL | Errno::BADF | Errno::NOSYS => unsupported(errno),
            other => io::Error::from(other).into(),
        })
    }

    fn make_dir(&self, path: &Path) -> Result<(), DiskError> {
        let mode = Mode::RWXU;
        rustix::io::retry_on_intr(|| rustix::fs::mkdir(path, mode))
            .map_err(|errno| io::Error::from(errno).into())
    }

    fn list(&self, path: &Path, prefix: &str) -> Result<Vec<String>, DiskError> {
        let mut names = Vec::new();
        for entry in uninterrupted(|| fs::read_dir(path))? {
            // The names of this program are ASCII: others are not its own.
            if let Some(name) = entry?.file_name().to_str().filter(|name| name.starts_with(prefix))
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn try_lock(&self, file: &mut File) -> Result<bool, DiskError> {
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    fn process_id(&self) -> u32 {
        std::process::id()
    }

    fn unix_seconds(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    #[cfg(everbeat_planted)]
    fn link(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        uninterrupted(|| fs::hard_link(from, to))
    }
}

fn open(path: &Path, flags: OFlags, mode: Mode) -> Result<File, DiskError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, mode)) {
        Ok(file) => Ok(file.into()),
        // A link, or a FIFO or socket without its other end.
        Err(errno @ (Errno::LOOP | Errno::NXIO)) => {
            Err(DiskError::new(DiskErrorKind::Odd, io::Error::from(errno).to_string()))
        }
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

fn unsupported(errno: Errno) -> DiskError {
    DiskError::new(DiskErrorKind::Unsupported, io::Error::from(errno).to_string())
}

fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T, DiskError> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(DiskError::from),
        }
    }
}

fn described(metadata: &fs::Metadata) -> Metadata {
    let kind = metadata.file_type();
    let kind = if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Folder
    } else if kind.is_symlink() {
        FileKind::Link
    } else {
        FileKind::Other
    };
    Metadata {
        id: FileId { device: metadata.dev(), inode: metadata.ino() },
        length: metadata.len(),
        kind,
        owned_by_me: metadata.uid() == rustix::process::geteuid().as_raw(),
    }
}

#[cfg(test)]
mod tests;
