//! The disk: space, and whether writing, syncing and renaming work at the very
//! places where results go.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use everbeat_store::{Disk, DiskError, DiskErrorKind};

use super::{Checked, EACH_WITHIN};
use crate::RealDisk;
use crate::cli::check::{Finding, Status, finding};

/// Below this a full batch may not fit.
const BYTES_WARN: u64 = 64 << 20;
const BYTES_MIN: u64 = 4 << 20;
/// A sync that takes longer delays each delivery.
const SYNC_SLOW: Duration = Duration::from_secs(1);

/// How much fits into `folder`, or into the next one above that exists.
pub(super) async fn space(check: &'static str, folder: &Path) -> Checked {
    let wanted = folder.to_owned();
    let asked = look(check, folder, move || {
        let folder = standing(&wanted);
        let space = rustix::fs::statvfs(&folder).map_err(std::io::Error::from);
        (space, folder.display().to_string())
    });
    let ((answer, shown), took) = match asked.await {
        Ok(answered) => answered,
        Err(hangs) => return hangs,
    };
    let space = match answer {
        Ok(space) => space,
        Err(error) => {
            return Checked::new(
                finding(check, Status::Warning, format!("{shown}: {error}")),
                took,
            );
        }
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let detail = format!("{shown}: {} MiB free", free >> 20);
    // Some file systems have no fixed number of files: both are 0 then.
    let no_files = space.f_files > 0 && space.f_favail == 0;
    let (status, detail) = if no_files {
        (Status::Error, format!("{shown}: no file can be made (no inode is free)"))
    } else if free < BYTES_MIN {
        (Status::Error, detail)
    } else if free < BYTES_WARN {
        (Status::Warning, detail)
    } else {
        return Checked::new(finding(check, Status::Ok, detail), took);
    };
    Checked::new(finding(check, status, detail), took)
        .with("make room: results wait beside the file until there is some; beats go on")
}

/// Makes a file, writes, syncs, renames without replacing, syncs the folder
/// and removes it: what each delivery does. `None` where the folder is yet to
/// be made.
pub(super) async fn trial(check: &'static str, folder: &Path) -> Option<Checked> {
    let (shown, at) = (folder.display().to_string(), folder.to_owned());
    let tried = look(check, folder, move || at.is_dir().then(|| steps(&at)));
    let (result, took) = match tried.await {
        Ok((result, took)) => (result?, took),
        Err(hangs) => return Some(hangs),
    };
    let done = match result {
        Ok(done) => done,
        Err((step, error)) => {
            let detail = format!("{shown}: cannot {step}: {}", error.reason);
            return Some(Checked::new(failed(check, &detail), took).with(match error.kind {
                DiskErrorKind::Full => "make room, or raise the quota",
                DiskErrorKind::ReadOnly => "mount it for writing, or choose another folder",
                DiskErrorKind::Denied => {
                    "run this as the user of the agent; if it is, make the folder writable for it"
                }
                DiskErrorKind::Missing
                | DiskErrorKind::Exists
                | DiskErrorKind::Odd
                | DiskErrorKind::Unsupported
                | DiskErrorKind::Other => "see the system's log; choose another folder if it stays",
            }));
        }
    };
    let detail = format!(
        "{shown}: write and sync {} ms, rename {} ms, sync of the folder {} ms",
        done.write.as_millis(),
        done.rename.as_millis(),
        done.sync_dir.as_millis()
    );
    Some(if !done.without_replacing {
        let detail = format!("{detail}; it cannot rename without replacing");
        Checked::new(finding(check, Status::Warning, detail), took)
            .with("choose a local file system for it: this one costs a look before each rename")
    } else if done.write.max(done.sync_dir) > SYNC_SLOW {
        Checked::new(finding(check, Status::Warning, detail), took)
            .with("a sync this slow delays results; choose another disk, or see what keeps it busy")
    } else {
        Checked::new(finding(check, Status::Ok, detail), took)
    })
}

struct Done {
    write: Duration,
    rename: Duration,
    sync_dir: Duration,
    without_replacing: bool,
}

/// Removes its file, whatever happens.
struct Trial(PathBuf, PathBuf);

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = RealDisk.remove(&self.0);
        let _ = RealDisk.remove(&self.1);
    }
}

fn steps(folder: &Path) -> Result<Done, (&'static str, DiskError)> {
    let disk = RealDisk;
    let name = format!(".doctor-of-everbeat-{}", std::process::id());
    let files = Trial(folder.join(&name), folder.join(format!("{name}.renamed")));
    let at = |step: &'static str| move |error| (step, error);
    let mut file = disk.create(&files.0).map_err(at("make a file"))?;
    let from = Instant::now();
    let block = [b'\n'; 4_096];
    let mut written = 0;
    while let Some(rest) = block.get(written..).filter(|rest| !rest.is_empty()) {
        written += disk.write(&mut file, rest).map_err(at("write"))?;
    }
    disk.sync(&mut file).map_err(at("sync a file"))?;
    let write = from.elapsed();
    let from = Instant::now();
    let without_replacing = match disk.rename_no_replace(&files.0, &files.1) {
        Ok(()) => true,
        Err(error) if error.kind == DiskErrorKind::Unsupported => {
            disk.rename(&files.0, &files.1).map_err(at("rename"))?;
            false
        }
        Err(error) => return Err(("rename", error)),
    };
    let rename = from.elapsed();
    let from = Instant::now();
    match disk.sync_dir(folder) {
        // As the store has it: where a folder cannot be synced, it goes on.
        Err(error) if !matches!(error.kind, DiskErrorKind::Unsupported | DiskErrorKind::Denied) => {
            return Err(("sync the folder", error));
        }
        Ok(()) | Err(_) => {}
    }
    Ok(Done { write, rename, sync_dir: from.elapsed(), without_replacing })
}

fn failed(check: &'static str, detail: &str) -> Finding {
    finding(check, Status::Error, detail)
}

/// On a thread of its own, with how long it took.
///
/// # Errors
/// The finding that `path` does not answer in time.
pub(super) async fn look<T: Send + 'static>(
    check: &'static str,
    path: &Path,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<(T, Duration), Checked> {
    look_within(EACH_WITHIN, check, path, call).await
}

async fn look_within<T: Send + 'static>(
    within: Duration,
    check: &'static str,
    path: &Path,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<(T, Duration), Checked> {
    let from = Instant::now();
    let looked = tokio::time::timeout(within, tokio::task::spawn_blocking(call)).await;
    if let Ok(Ok(value)) = looked {
        return Ok((value, from.elapsed()));
    }
    let detail = format!("{}: no answer within {} s", path.display(), within.as_secs());
    Err(Checked::new(failed(check, &detail), from.elapsed())
        .with("the file system hangs, as NFS does without its server; choose a local one"))
}

fn standing(folder: &Path) -> PathBuf {
    let standing = folder.ancestors().find(|folder| folder.symlink_metadata().is_ok());
    standing.filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[tokio::test]
    async fn a_good_folder_is_good_and_left_as_it_was() {
        let dir = TempDir::new();
        let checked = trial("disk", dir.as_ref()).await.unwrap();
        assert_eq!(checked.finding.status, Status::Ok, "{}", checked.finding.detail);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
        assert!(trial("disk", &dir.join("absent")).await.is_none());
        let space = space("space", &dir.join("absent/below")).await;
        assert!(space.finding.detail.contains("MiB free"), "{}", space.finding.detail);
    }

    #[tokio::test]
    async fn a_file_system_that_hangs_is_told_in_time() {
        let (answer, hung) = std::sync::mpsc::channel::<()>();
        let looked = look_within(Duration::from_secs(1), "disk", Path::new("/hung"), move || {
            let _ = hung.recv();
        });
        let Err(hangs) = looked.await else { panic!("it answered") };
        assert_eq!(hangs.finding.detail, "/hung: no answer within 1 s");
        assert!(hangs.advice.is_some_and(|advice| advice.contains("hangs")));
        drop(answer);
    }

    #[tokio::test]
    async fn what_stands_in_the_way_is_named() {
        // Not even root may make a file there.
        let checked = trial("disk", Path::new("/proc/self")).await.unwrap();
        assert_eq!(checked.finding.status, Status::Error);
        assert!(checked.finding.detail.contains("/proc/self: cannot make a file"));
        assert!(checked.advice.is_some());
    }
}
