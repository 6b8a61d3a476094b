//! Making the socket, and taking it away again.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::place::{Found, PATH_BYTES_MAX, look};

/// How long another start in the same folder may take to look and replace.
const TURN_WITHIN: Duration = Duration::from_secs(1);

/// Why nobody can be listened to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// Another process listens there.
    #[error("{}: another process answers on this control socket", .0.display())]
    Living(PathBuf),
    /// The path does not fit into a socket's address.
    #[error(
        "{}: too long for a socket: its folder's path can have {} bytes and its whole path \
         {PATH_BYTES_MAX}; give a shorter one (--control)",
        .0.display(),
        PATH_BYTES_MAX - BESIDE_BYTES
    )]
    TooLong(PathBuf),
    /// Something else is there.
    #[error("{}: {found}, and not replaced by a control socket", path.display())]
    Odd { path: PathBuf, found: Found },
    /// The system refuses.
    #[error("{}: the control socket cannot be made: {source}", path.display())]
    Socket { path: PathBuf, source: io::Error },
    /// The address cannot be listened on.
    #[error("{address}: the control address cannot be listened on: {source}")]
    Address { address: SocketAddr, source: io::Error },
}

/// `/.eb` and eight digits, `/s`.
const BESIDE_BYTES: usize = 14;

/// A socket that listens; it is unlinked with this value, unless another took
/// its place.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Socket {
    /// Listens at `path`, in a folder that must exist. What a dead process
    /// left there is replaced.
    ///
    /// It is made and restricted in a folder that only this user may enter
    /// and then moved to its path, so that at no moment anybody else could
    /// connect, and a client finds the old one or the new one, never none.
    pub(crate) fn bind(path: &Path) -> Result<Self, BindError> {
        let socket = |source| BindError::Socket { path: path.into(), source };
        let folder = folder_of(path);
        let _turn = take_turn(folder).map_err(socket)?;
        examine(path)?;
        let beside = Beside::new(folder).map_err(socket)?;
        let made = beside.0.join("s");
        let listen = || {
            let listener = UnixListener::bind(&made)?;
            listener.set_nonblocking(true)?;
            fs::set_permissions(&made, Permissions::from_mode(0o600))?;
            let metadata = made.symlink_metadata()?;
            fs::rename(&made, path)?;
            let (device, inode) = (metadata.dev(), metadata.ino());
            Ok(Self { listener, path: path.into(), device, inode })
        };
        listen().map_err(socket)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_ours =
            |metadata: fs::Metadata| (metadata.dev(), metadata.ino()) == (self.device, self.inode);
        if self.path.symlink_metadata().is_ok_and(is_ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What would keep a socket from being made at `path`, whose folder is not
/// looked at.
pub(crate) fn examine(path: &Path) -> Result<(), BindError> {
    if bytes(path) > PATH_BYTES_MAX || bytes(folder_of(path)) + BESIDE_BYTES > PATH_BYTES_MAX {
        return Err(BindError::TooLong(path.into()));
    }
    match look(path) {
        Found::Absent | Found::NobodyListens => Ok(()),
        Found::Listening => Err(BindError::Living(path.into())),
        found @ (Found::NotAllowed | Found::Odd(_)) => {
            Err(BindError::Odd { path: path.into(), found })
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// A port that listens.
pub(crate) fn bind_address(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|source| BindError::Address { address, source })
}

fn bytes(path: &Path) -> usize {
    path.as_os_str().len()
}

/// Two starts that replace the same dead socket must not replace each
/// other's: whoever holds the folder's lock looks and replaces. Where a file
/// system has no locks it goes without.
fn take_turn(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    let within = Instant::now() + TURN_WITHIN;
    while let Err(fs::TryLockError::WouldBlock) = folder.try_lock() {
        if Instant::now() > within {
            return Err(io::Error::other("another process holds its folder's lock"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(folder)
}

/// A folder beside the socket that only this user may enter; it is removed
/// with this value.
struct Beside(PathBuf);

impl Beside {
    fn new(folder: &Path) -> io::Result<Self> {
        let mut number = std::process::id();
        loop {
            let path = folder.join(format!(".eb{:08}", number % 100_000_000));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Only a process that was killed between two steps left it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    drop(Self(path));
                    number = number.wrapping_add(7_919);
                    if number == std::process::id() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.join("s"));
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn it_is_0600_and_goes_with_its_value() {
        let dir = TempDir::new();
        let path = dir.join("control.sock");
        let socket = Socket::bind(&path).unwrap();
        let mode = path.symlink_metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert!(matches!(Socket::bind(&path), Err(BindError::Living(_))));
        drop(socket);
        assert_eq!(look(&path), Found::Absent);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_dead_one_is_replaced_and_anything_else_is_not() {
        let dir = TempDir::new();
        let path = dir.join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        drop(Socket::bind(&path).unwrap());
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Socket::bind(&path), Err(BindError::Odd { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn anothers_is_not_unlinked() {
        let dir = TempDir::new();
        let path = dir.join("control.sock");
        let first = Socket::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = Socket::bind(&path).unwrap();
        drop(first);
        assert_eq!(look(&path), Found::Listening);
        drop(second);
    }

    #[test]
    fn of_many_starts_at_once_one_listens() {
        let dir = TempDir::new();
        let path = dir.join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        let start = || {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Socket::bind(&path))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            })
        };
        let started = start();
        assert_eq!(started.iter().filter(|socket| socket.is_ok()).count(), 1);
        assert_eq!(look(&path), Found::Listening);
    }

    #[test]
    fn too_long_a_path_is_named() {
        let dir = TempDir::new();
        let path = dir.join(&"x".repeat(120));
        let error = Socket::bind(&path).unwrap_err();
        assert!(matches!(error, BindError::TooLong(_)));
        assert!(error.to_string().contains("107"), "{error}");
    }
}
