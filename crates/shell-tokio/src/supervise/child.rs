//! The one process that is supervised: started, signalled, waited for.

use std::fmt;
use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait, waitpid};

/// What a shell adds to a signal's number.
const BY_SIGNAL: i32 = 128;

/// The supervised process, if one runs; clones share it.
///
/// Nobody else in this process starts or waits for children while it is in
/// use. The lock is held while one is waited for, so no signal goes to a
/// process that took over the id of one that has ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target(Arc<Mutex<Option<Pid>>>);

impl Target {
    /// Starts it.
    ///
    /// # Errors
    /// If the system cannot.
    pub(crate) fn start(&self, command: &mut Command) -> io::Result<Pid> {
        let mut held = self.lock();
        // `reap` waits for it by its id.
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        *held = pid;
        pid.ok_or_else(|| io::Error::other("it has no process id"))
    }

    /// Sends it a signal; says whether there was somebody to send it to.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.lock().is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Takes away what has ended, without waiting, and says how the
    /// supervised process did if it has. With `adopts`, orphans that this
    /// process was given are taken away, too.
    pub(crate) fn reap(&self, adopts: bool) -> Option<End> {
        let mut held = self.lock();
        let mut end = None;
        loop {
            let waited = match *held {
                _ if adopts => wait(WaitOptions::NOHANG),
                Some(pid) => waitpid(Some(pid), WaitOptions::NOHANG),
                None => return end,
            };
            match waited {
                Ok(Some((pid, status))) => {
                    if *held == Some(pid) {
                        *held = None;
                        end = Some(End::of(status));
                    }
                }
                Ok(None) => return end,
                Err(Errno::INTR) => {}
                Err(_) => return held.take().map(|_| End::Unknown).or(end),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It could not be started.
    NotStarted,
    /// Somebody else waited for it, or it cannot be ended.
    Unknown,
}

impl End {
    fn of(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }

    /// What a shell would say of it.
    pub(crate) fn exit_code(self) -> u8 {
        let code = match self {
            Self::Code(code) => code,
            Self::Signal(signal) => BY_SIGNAL + signal,
            Self::NotStarted => 126,
            Self::Unknown => 1,
        };
        u8::try_from(code & 0xff).unwrap_or(1)
    }

    /// Whether it did what it was to do.
    pub(crate) fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code}"),
            Self::Signal(signal) => match name(*signal) {
                Some(name) => write!(f, "signal {signal} ({name})"),
                None => write!(f, "signal {signal}"),
            },
            Self::NotStarted => f.write_str("no start"),
            Self::Unknown => f.write_str("an unknown code"),
        }
    }
}

fn name(signal: i32) -> Option<&'static str> {
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::TERM, "SIGTERM"),
    ];
    names.iter().find(|(known, _)| known.as_raw() == signal).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_a_shell_tells_it() {
        let told = |end: End| (end.to_string(), end.exit_code(), end.is_success());
        assert_eq!(told(End::Code(0)), ("code 0".into(), 0, true));
        assert_eq!(told(End::Code(7)), ("code 7".into(), 7, false));
        assert_eq!(told(End::Signal(9)), ("signal 9 (SIGKILL)".into(), 137, false));
        assert_eq!(told(End::Signal(64)), ("signal 64".into(), 192, false));
        assert_eq!(End::NotStarted.exit_code(), 126);
        assert_eq!(End::Unknown.exit_code(), 1);
    }

    #[test]
    fn its_end_is_seen_once_and_nobody_is_signalled_afterwards() {
        let target = Target::default();
        assert!(!target.signal(Signal::TERM));
        assert_eq!(target.reap(false), None);
        let mut command = Command::new("/bin/sh");
        target.start(command.args(["-c", "kill -9 $$"])).unwrap();
        let end = std::iter::repeat_with(|| {
            std::thread::yield_now();
            target.reap(false)
        })
        .flatten()
        .next();
        assert_eq!(end, Some(End::Signal(9)));
        assert!(!target.signal(Signal::TERM));
        assert_eq!(target.reap(false), None);
    }
}
