//! `everbeat run` as a child process.

use std::ops::{Deref, DerefMut};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::home::Home;
use crate::numbers::handles;
use crate::process::{Process, everbeat};
use crate::wait;

/// Time between beats in tests. Requests have two thirds of it: enough on a
/// machine that is busy with other things.
const INTERVAL: &str = "400ms";
const COOLDOWN: &str = "200ms";

/// A running agent.
#[derive(Debug)]
pub struct Agent(Process);

impl Agent {
    /// Starts it against `url`, with more flags: a later one wins nothing,
    /// so `args` must not repeat what is set here, but for the interval and
    /// the cooldown.
    #[must_use]
    pub fn start(home: &Home, url: &str, args: &[&str]) -> Self {
        Self::spawn(home, Self::command(home, url, args))
    }

    /// What [`Agent::start`] runs.
    #[must_use]
    pub fn command(home: &Home, url: &str, args: &[&str]) -> Command {
        let mut command = everbeat(&["run", "--dev-timing", "--workspace-id", home.workspace()]);
        command.args(["--platform-url", url]);
        command.arg("--configs-dir").arg(home.configs());
        command.arg("--results-file").arg(home.results());
        for (flag, value) in [("--interval", INTERVAL), ("--cooldown", COOLDOWN)] {
            if !args.contains(&flag) {
                command.args([flag, value]);
            }
        }
        if !args.contains(&"--self-messages-per-hour-max") {
            command.args(["--self-messages-per-hour-max", "1000000"]);
        }
        command.args(args);
        command
    }

    /// Starts a command that was made ready.
    #[must_use]
    pub fn spawn(home: &Home, command: Command) -> Self {
        Self(Process::start("the agent", command, &home.log()))
    }

    /// SIGTERM, once it takes signals: one that has hardly begun dies of it, as
    /// any program. It must end well within three seconds (L6), here with some
    /// room for a machine that is busy.
    ///
    /// # Panics
    /// If it ends late or otherwise than by 0.
    pub fn stop(&mut self) {
        let pid = self.pid();
        wait::for_true("the agent to take signals", || {
            !self.is_running() || handles(pid, Signal::TERM)
        });
        self.signal(Signal::TERM);
        let status = self.ended(Duration::from_secs(6));
        assert_eq!(status.code(), Some(0), "a stopped agent exits 0: {status:?}");
    }

    /// Waits until its log holds these words.
    pub fn logs(&self, words: &str) {
        wait::for_true(&format!("{words:?} in the agent's log"), || self.log().contains(words));
    }
}

impl Deref for Agent {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}

impl DerefMut for Agent {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}
