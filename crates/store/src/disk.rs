//! The calls on files that the algorithms of this crate need, and no others.

use std::path::Path;

use everbeat_core::{FileFailure, FileFailureKind};

/// A file system as one process sees it.
///
/// One method is one system call as far as that is possible, so that a test
/// can stop a process between any two of them. Every path is absolute or
/// relative to the process's folder, as the caller of
/// [`Store::new`](crate::Store::new) gave it. No method follows a symbolic
/// link in the last part of a path, none waits (a FIFO or a lock fails at
/// once), and a call that a signal interrupted is repeated by the
/// implementation.
pub trait Disk {
    /// An open file; dropping it closes it and releases its lock.
    type File;

    /// Creates a file that did not exist, with mode 0600 from its first byte,
    /// open for reading and for writing at its end
    /// (`O_CREAT|O_EXCL|O_RDWR|O_APPEND|O_NOFOLLOW|O_CLOEXEC`).
    ///
    /// # Errors
    /// [`DiskErrorKind::Exists`] whatever stands there, a dangling link too.
    fn create(&self, path: &Path) -> Result<Self::File, DiskError>;

    /// Opens what exists, without following a link and without waiting
    /// (`O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC`), and looks at what was opened
    /// (`fstat`).
    ///
    /// # Errors
    /// [`DiskErrorKind::Missing`]; [`DiskErrorKind::Odd`] for a link
    /// (`ELOOP`) or something that cannot be opened so (`ENXIO`, `EISDIR`).
    /// A FIFO or a folder may also open well: the metadata tell.
    fn open(&self, path: &Path, access: Access) -> Result<(Self::File, Metadata), DiskError>;

    /// Reads on from where the last read or write ended, from the beginning at
    /// first. 0 is the end of the file.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read(&self, file: &mut Self::File, buffer: &mut [u8]) -> Result<usize, DiskError>;

    /// Writes at the end of the file; says how many bytes it took, which may
    /// be fewer than given.
    ///
    /// # Errors
    /// [`DiskErrorKind::Full`] and whatever else the system says; part of the
    /// bytes may have been written then.
    fn write(&self, file: &mut Self::File, bytes: &[u8]) -> Result<usize, DiskError>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn truncate(&self, file: &mut Self::File, length: u64) -> Result<(), DiskError>;

    /// Makes the file's contents and length durable (`fsync`).
    ///
    /// # Errors
    /// Whatever the system says; what is durable is unknown then.
    fn sync(&self, file: &mut Self::File) -> Result<(), DiskError>;

    /// Renames, replacing what stands at `to`.
    ///
    /// # Errors
    /// [`DiskErrorKind::Missing`] if `from` does not exist.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;

    /// Renames if nothing stands at `to` (`renameat2` with
    /// `RENAME_NOREPLACE`), in one step.
    ///
    /// # Errors
    /// [`DiskErrorKind::Exists`] if something does;
    /// [`DiskErrorKind::Unsupported`] where the file system or the system
    /// cannot do that (`EINVAL`, `ENOSYS`); [`DiskErrorKind::Missing`] if
    /// `from` does not exist.
    fn rename_no_replace(&self, from: &Path, to: &Path) -> Result<(), DiskError>;

    /// Removes a file or a link (`unlink`).
    ///
    /// # Errors
    /// [`DiskErrorKind::Missing`] if nothing is there.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;

    /// What stands at `path` (`lstat`), or `None`.
    ///
    /// # Errors
    /// Whatever the system says, but never [`DiskErrorKind::Missing`] for the
    /// last part of the path; a missing folder on the way may give `None` too.
    fn metadata(&self, path: &Path) -> Result<Option<Metadata>, DiskError>;

    /// Makes the names in a folder durable (`fsync` of the folder).
    ///
    /// # Errors
    /// [`DiskErrorKind::Unsupported`] where folders cannot be synced
    /// (`EINVAL`, `EBADF`, `ENOSYS` of the sync itself).
    fn sync_dir(&self, path: &Path) -> Result<(), DiskError>;

    /// Creates one folder with mode 0700; its parent exists.
    ///
    /// # Errors
    /// [`DiskErrorKind::Exists`], [`DiskErrorKind::Missing`] if the parent is.
    fn make_dir(&self, path: &Path) -> Result<(), DiskError>;

    /// The names in a folder that begin with `prefix`, in any order; others
    /// need not be kept in memory.
    ///
    /// # Errors
    /// Whatever the system says.
    fn list(&self, path: &Path, prefix: &str) -> Result<Vec<String>, DiskError>;

    /// Takes an exclusive advisory lock on the open file without waiting
    /// (`flock`); false if another process holds it. It lasts until the file
    /// is dropped or the process ends.
    ///
    /// # Errors
    /// Whatever the system says.
    fn try_lock(&self, file: &mut Self::File) -> Result<bool, DiskError>;

    /// This process's id, written into the lock file for people.
    fn process_id(&self) -> u32;

    /// Seconds since 1970, for the name of a journal that is set aside.
    fn unix_seconds(&self) -> u64;

    /// A second name for a file: only the planted fault uses it.
    ///
    /// # Errors
    /// [`DiskErrorKind::Unsupported`] unless implemented.
    #[cfg(everbeat_planted)]
    #[doc(hidden)]
    fn link(&self, _from: &Path, _to: &Path) -> Result<(), DiskError> {
        Err(DiskError::new(DiskErrorKind::Unsupported, "no hard links"))
    }
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading alone (`O_RDONLY`).
    Read,
    /// Reading, writing at the end, and cutting (`O_RDWR|O_APPEND`).
    Append,
}

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Which file it is, whatever its name.
    pub id: FileId,
    /// Bytes.
    pub length: u64,
    /// What it is.
    pub kind: FileKind,
    /// Whether its owner is the effective user of this process.
    pub owned_by_me: bool,
}

impl Metadata {
    /// Whether it is a regular file of this process's user.
    #[must_use]
    pub fn is_own_file(&self) -> bool {
        self.kind == FileKind::File && self.owned_by_me
    }
}

/// Device and inode: equal for two names or handles of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The file system.
    pub device: u64,
    /// The file in it.
    pub inode: u64,
}

/// Kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A FIFO, a socket or a device.
    Other,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct DiskError {
    /// What the algorithms decide by.
    pub kind: DiskErrorKind,
    /// The system's own words, with the errno.
    pub reason: String,
}

/// Kinds of [`DiskError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskErrorKind {
    /// The file, or a folder on its path, does not exist (`ENOENT`).
    Missing,
    /// Something stands there already (`EEXIST`).
    Exists,
    /// No space, quota or file size limit (`ENOSPC`, `EDQUOT`, `EFBIG`).
    Full,
    /// A read-only file system (`EROFS`).
    ReadOnly,
    /// Permission denied (`EACCES`, `EPERM`).
    Denied,
    /// A link, a folder, a FIFO where a file was expected (`ELOOP`, `EISDIR`,
    /// `ENOTDIR`, `ENXIO`).
    Odd,
    /// The file system or the system cannot do this.
    Unsupported,
    /// Anything else (`EIO` …).
    Other,
}

impl DiskError {
    /// An error of this kind with these words.
    pub fn new(kind: DiskErrorKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    /// The failure that the core is told: `operation` as a verb, on `path`.
    #[must_use]
    pub fn at(self, operation: &str, path: &Path) -> FileFailure {
        let kind = match self.kind {
            DiskErrorKind::Missing => FileFailureKind::Missing,
            DiskErrorKind::Full => FileFailureKind::Full,
            DiskErrorKind::ReadOnly => FileFailureKind::ReadOnly,
            DiskErrorKind::Denied => FileFailureKind::Denied,
            DiskErrorKind::Odd | DiskErrorKind::Exists => FileFailureKind::Odd,
            DiskErrorKind::Unsupported | DiskErrorKind::Other => FileFailureKind::Other,
        };
        FileFailure {
            operation: operation.into(),
            path: path.display().to_string(),
            kind,
            reason: self.reason,
        }
    }
}

impl From<std::io::Error> for DiskError {
    /// Sorts by what every call means alike. What one call alone means (an
    /// `EINVAL` of `renameat2` or of a folder's sync is
    /// [`DiskErrorKind::Unsupported`], an `ELOOP` or `ENXIO` of `open` is
    /// [`DiskErrorKind::Odd`]) the implementation sets itself.
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not exhaustive")]
        let kind = match error.kind() {
            ErrorKind::NotFound => DiskErrorKind::Missing,
            ErrorKind::AlreadyExists => DiskErrorKind::Exists,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                DiskErrorKind::Full
            }
            ErrorKind::ReadOnlyFilesystem => DiskErrorKind::ReadOnly,
            ErrorKind::PermissionDenied => DiskErrorKind::Denied,
            ErrorKind::IsADirectory | ErrorKind::NotADirectory => DiskErrorKind::Odd,
            ErrorKind::Unsupported => DiskErrorKind::Unsupported,
            _ => DiskErrorKind::Other,
        };
        Self { kind, reason: error.to_string() }
    }
}
