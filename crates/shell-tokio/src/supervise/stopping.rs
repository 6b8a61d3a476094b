//! Signals that are passed on, and the end that is asked for.

use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::process::{Signal, getpgrp};
use rustix::termios::tcgetpgrp;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::child::{End, Target};
use super::{Asked, Reaper};
use crate::log::human;

/// What SIGKILL does not end by then hangs in the system.
const KILLED_WITHIN: Duration = Duration::from_secs(2);

/// Signals that mean nothing to this program and something to the command.
/// SIGHUP is none of them: it reads this program's configuration again.
#[derive(Debug)]
pub(super) struct Passed {
    quit: unix::Signal,
    user1: unix::Signal,
    user2: unix::Signal,
    window: unix::Signal,
}

impl Passed {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            quit: signal(SignalKind::quit())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            window: signal(SignalKind::window_change())?,
        })
    }

    /// The next one. May be dropped: none is lost.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.quit.recv() => Signal::QUIT,
            _ = self.user1.recv() => Signal::USR1,
            _ = self.user2.recv() => Signal::USR2,
            _ = self.window.recv() => Signal::WINCH,
        }
    }
}

/// Passes a signal on, unless the terminal has done so.
pub(super) fn pass_on(target: &Target, signal: Signal) {
    let is_from_keys = signal == Signal::QUIT || signal == Signal::WINCH;
    if !(is_from_keys && is_in_foreground()) {
        target.signal(signal);
    }
}

/// Asks the process to end: by the signal that asked this one, after half of
/// the time by SIGTERM in any case, at last by SIGKILL. Waits for its end.
pub(super) async fn stop(
    reaper: &mut Reaper,
    passed: &mut Passed,
    how: Asked,
    within: Duration,
) -> End {
    let target = reaper.target.clone();
    let (is_interrupt, words) = match how {
        Asked::Terminate => (false, "asked to stop"),
        Asked::Interrupt => (true, "interrupted"),
        Asked::Gone => (false, "to end with another"),
        Asked::Fault => (false, "going down"),
    };
    tracing::info!(
        "{words}: the agent's process is asked to end, and killed after {}; a second signal kills \
         it at once",
        human(within)
    );
    if !is_interrupt {
        ask(&target, Signal::TERM);
    } else if !is_in_foreground() {
        ask(&target, Signal::INT);
    }
    let from = Instant::now();
    let (again, kill, give_up) = (from + within / 2, from + within, from + within + KILLED_WITHIN);
    let mut is_asked_again = !is_interrupt;
    let mut is_killed = false;
    loop {
        tokio::select! {
            end = reaper.end() => return end,
            signal = passed.next() => pass_on(&target, signal),
            () = sleep_until(again), if !is_asked_again => {
                is_asked_again = true;
                ask(&target, Signal::TERM);
            }
            () = sleep_until(kill), if !is_killed => {
                is_killed = true;
                tracing::warn!(
                    "the agent's process did not end within {}: it is killed", human(within)
                );
                target.signal(Signal::KILL);
            }
            () = sleep_until(give_up) => {
                tracing::error!("the agent's process does not end though it was killed");
                return End::Unknown;
            }
        }
    }
}

/// One that is stopped hears nothing until it goes on.
fn ask(target: &Target, signal: Signal) {
    target.signal(signal);
    target.signal(Signal::CONT);
}

/// Whether keys of a terminal reach the command, too: it is in this process's
/// group.
fn is_in_foreground() -> bool {
    let terminal = File::open("/dev/tty").ok();
    terminal.and_then(|terminal| tcgetpgrp(terminal).ok()) == Some(getpgrp())
}
