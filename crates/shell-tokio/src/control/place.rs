//! Where the control socket is: one answer for whoever makes it and whoever
//! looks for it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Its name in the state folder.
pub(crate) const FILE_NAME: &str = "control.sock";
/// Instead of a path: there is none.
pub(crate) const NONE: &str = "none";
/// The longest path that a socket can have, in bytes.
pub(crate) const PATH_BYTES_MAX: usize = 107;
/// The variable that says where it is.
pub(crate) const VARIABLE: &str = "EVERBEAT_CONTROL";

/// Where a running agent's socket may be, the likeliest first. One that is
/// given, by a flag or by `EVERBEAT_CONTROL`, is the only one.
pub(crate) fn candidates(
    explicit: Option<&Path>,
    environment: &BTreeMap<String, OsString>,
) -> Vec<PathBuf> {
    let variable = |name: &str| {
        let value = environment.get(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value))
    };
    if let Some(given) = explicit.map(Path::to_path_buf).or_else(|| variable(VARIABLE)) {
        return if given == Path::new(NONE) { Vec::new() } else { vec![given] };
    }
    let configs = variable("EVERBEAT_CONFIGS_DIR").or_else(|| variable("CONFIGS_DIR"));
    let state_dirs = [
        variable("EVERBEAT_STATE_DIR"),
        configs.map(|folder| folder.join("everbeat")),
        Some(PathBuf::from("/configs/everbeat")),
    ];
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in state_dirs.into_iter().flatten().map(|folder| folder.join(FILE_NAME)) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// What was found at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Somebody answers there.
    Listening,
    /// Nothing stands there.
    Absent,
    /// This user may not connect, or not look.
    NotAllowed,
    /// A socket whose process is gone.
    NobodyListens,
    /// Something that is no socket, or cannot be asked.
    Odd(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listening => "somebody listens",
            Self::Absent => "absent",
            Self::NotAllowed => "not allowed",
            Self::NobodyListens => "nobody listens",
            Self::Odd(what) => what,
        })
    }
}

/// Looks whether somebody listens at `path`, by connecting; it never waits
/// for an answer.
pub(crate) fn look(path: &Path) -> Found {
    match path.symlink_metadata() {
        Ok(metadata) if !is_socket(&metadata) => return Found::Odd("no socket".into()),
        Ok(_) => {}
        Err(error) => return found(&error),
    }
    let tried = SocketAddrUnix::new(path).and_then(|address| {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &address)
    });
    match tried {
        // The queue of a busy one is full.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS) => Found::Listening,
        Err(Errno::CONNREFUSED) => Found::NobodyListens,
        Err(errno) => found(&errno.into()),
    }
}

fn found(error: &io::Error) -> Found {
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        Found::Absent
    } else if kind == io::ErrorKind::PermissionDenied {
        Found::NotAllowed
    } else {
        Found::Odd(error.to_string())
    }
}

fn is_socket(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::testing::TempDir;

    fn from(explicit: Option<&str>, variables: &[(&str, &str)]) -> Vec<String> {
        let environment = variables.iter().map(|(name, value)| ((*name).into(), value.into()));
        let paths = candidates(explicit.map(Path::new), &environment.collect());
        paths.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn one_that_is_given_is_the_only_one() {
        let variables = [("EVERBEAT_CONTROL", "/b"), ("EVERBEAT_STATE_DIR", "/state")];
        assert_eq!(from(Some("/a"), &variables), ["/a"]);
        assert_eq!(from(None, &variables), ["/b"]);
        assert_eq!(from(Some("none"), &variables), [""; 0]);
    }

    #[test]
    fn else_the_folders_come_in_their_order_and_none_twice() {
        let last = "/configs/everbeat/control.sock";
        assert_eq!(from(None, &[]), [last]);
        assert_eq!(from(None, &[("CONFIGS_DIR", "/configs"), ("EVERBEAT_CONTROL", "")]), [last]);
        let variables =
            [("EVERBEAT_STATE_DIR", "/s"), ("CONFIGS_DIR", "/d"), ("EVERBEAT_CONFIGS_DIR", "/c")];
        let all = ["/s/control.sock", "/c/everbeat/control.sock", last];
        assert_eq!(from(None, &variables), all);
    }

    #[test]
    fn what_stands_at_a_path_is_told() {
        let dir = TempDir::new();
        let paths = ["living", "dead", "absent", "file", "link"].map(|name| dir.join(name));
        let _living = UnixListener::bind(&paths[0]).unwrap();
        drop(UnixListener::bind(&paths[1]).unwrap());
        std::fs::write(&paths[3], "").unwrap();
        symlink(&paths[0], &paths[4]).unwrap();
        let told = paths.map(|path| look(&path).to_string());
        let expected = ["somebody listens", "nobody listens", "absent", "no socket", "no socket"];
        assert_eq!(told, expected);
    }
}
