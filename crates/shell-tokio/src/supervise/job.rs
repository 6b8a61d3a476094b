//! Another process, whose end is awaited: `--exit-with-pid`.

use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, getpid};

/// Where the system has no descriptors of processes, it is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A process that runs; one that takes over its id later is not it.
#[derive(Debug)]
pub(crate) struct Job {
    pid: Pid,
    watched: Watched,
}

#[derive(Debug)]
enum Watched {
    Descriptor(OwnedFd),
    /// By when it was started, in ticks since the system was.
    Started(String),
}

/// Why a process cannot be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JobError {
    /// No process has this id.
    #[error(
        "--exit-with-pid {0}: there is no such process; is its container's process namespace shared?"
    )]
    Absent(i32),
    /// No id of another process.
    #[error("--exit-with-pid {0}: that is no process to wait for: give another one's id")]
    NotAnother(i32),
    /// The system refuses.
    #[error("--exit-with-pid {0}: it cannot be watched: {1}")]
    Refused(i32, Errno),
}

impl Job {
    /// The process that has this id now.
    ///
    /// # Errors
    /// If there is none, or it is this one.
    pub(crate) fn of(pid: i32) -> Result<Self, JobError> {
        let raw = pid;
        let pid = Some(raw).filter(|raw| *raw > 0).and_then(Pid::from_raw);
        let pid = pid.filter(|pid| *pid != getpid()).ok_or(JobError::NotAnother(raw))?;
        let watched = match descriptor(pid) {
            Ok(descriptor) => Watched::Descriptor(descriptor),
            Err(Errno::SRCH) => return Err(JobError::Absent(raw)),
            // An old kernel, or a sandbox.
            Err(Errno::NOSYS | Errno::PERM) => {
                Watched::Started(started(pid).ok_or(JobError::Absent(raw))?)
            }
            // A thread's id.
            Err(Errno::INVAL) => return Err(JobError::NotAnother(raw)),
            Err(errno) => return Err(JobError::Refused(raw, errno)),
        };
        Ok(Self { pid, watched })
    }

    /// Returns once it has ended. Blocks.
    pub(crate) fn wait(&self) {
        match &self.watched {
            Watched::Descriptor(descriptor) => loop {
                let mut polled = [PollFd::new(descriptor, PollFlags::IN)];
                match poll(&mut polled, None) {
                    Ok(0) | Err(Errno::INTR) => {}
                    Ok(_) => return,
                    Err(_) => thread::sleep(LOOK_EVERY),
                }
            },
            Watched::Started(at_start) => {
                while started(self.pid).as_ref() == Some(at_start) {
                    thread::sleep(LOOK_EVERY);
                }
            }
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }
}

#[cfg(target_os = "linux")]
fn descriptor(pid: Pid) -> Result<OwnedFd, Errno> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
}

#[cfg(not(target_os = "linux"))]
fn descriptor(_: Pid) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// When it was started, of a process that runs.
#[cfg(target_os = "linux")]
fn started(pid: Pid) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    parse(&stat)
}

/// Whether it runs; when it was started nobody tells.
#[cfg(not(target_os = "linux"))]
fn started(pid: Pid) -> Option<String> {
    match rustix::process::test_kill_process(pid) {
        Ok(()) | Err(Errno::PERM) => Some(String::new()),
        Err(_) => None,
    }
}

/// From `/proc/PID/stat` (proc(5)): the state is the third field, the start's
/// time the 22nd. The second is a name in parentheses, with anything in it.
#[cfg(target_os = "linux")]
fn parse(stat: &str) -> Option<String> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let is_over = matches!(state, "Z" | "X" | "x");
    fields.nth(18).filter(|_| !is_over).map(Into::into)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_start_is_read_behind_any_name() {
        let stat = |state: &str| {
            format!("7 (a) b (c) {state} 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 4242 9 9")
        };
        assert_eq!(parse(&stat("S")).as_deref(), Some("4242"));
        assert_eq!(parse(&stat("Z")), None);
        assert_eq!(parse("7 (a"), None);
        assert_eq!(parse(""), None);
        assert!(started(getpid()).is_some());
    }

    #[test]
    fn both_ways_of_watching_see_the_end() {
        for is_polled in [false, true] {
            let mut child = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
            let mut job = Job::of(i32::try_from(child.id()).unwrap()).unwrap();
            if is_polled {
                job.watched = Watched::Started(started(job.pid).unwrap());
            }
            child.kill().unwrap();
            // Not taken away by its parent yet: over all the same.
            job.wait();
            child.wait().unwrap();
            job.wait();
        }
    }

    #[test]
    fn only_another_process_that_runs_is_watched() {
        let own = getpid().as_raw_nonzero().get();
        for pid in [0, -1, i32::MIN, own] {
            assert_eq!(Job::of(pid).unwrap_err(), JobError::NotAnother(pid));
        }
        // Beyond the highest id that Linux gives.
        let error = Job::of(i32::MAX).unwrap_err();
        assert_eq!(error, JobError::Absent(i32::MAX));
        assert!(error.to_string().contains("2147483647"));
    }
}
