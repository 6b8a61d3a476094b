//! Temporary folders, small file systems, and questions about files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder that is removed with everything in it.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// A new, empty one, open to everybody.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("everbeat-test-{}-{count}", process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder can be made");
        set_mode(&path, 0o755);
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sets a file's mode.
///
/// # Panics
/// If that fails.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode can be set");
}

/// The permission bits of a file, its type left out.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("the file stands").permissions().mode() & 0o7777
}

/// Whether this process may mount and give files away.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A mount that ends with this value.
#[derive(Debug)]
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// A file system of so many KiB in memory at `path`; `None`, and a line
    /// that says so, where this process may not mount.
    #[must_use]
    pub fn mount(path: &Path, kib: u64) -> Option<Self> {
        let options = format!("size={kib}k,mode=0755");
        Self::run(path, &["-t", "tmpfs", "-o", &options, "tmpfs"])
    }

    /// Makes what lies at `path` readable only, until dropped.
    #[must_use]
    pub fn read_only(path: &Path) -> Option<Self> {
        let source = path.display().to_string();
        let mount = Self::run(path, &["--bind", &source])?;
        let remount = ["-o", "remount,bind,ro"];
        let done = Command::new("mount").args(remount).arg(path).status();
        done.is_ok_and(|status| status.success()).then_some(mount)
    }

    fn run(path: &Path, args: &[&str]) -> Option<Self> {
        let output = is_root().then(|| Command::new("mount").args(args).arg(path).output());
        match output {
            Some(Ok(output)) if output.status.success() => Some(Self(path.into())),
            other => {
                println!("skipped: this needs the right to mount ({other:?})");
                None
            }
        }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
