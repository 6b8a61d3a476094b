//! A child process that does not outlive its test.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// Lines of a process's log that a failing test shows.
const SHOWN_LINES: usize = 60;

/// The program under test, with an environment that holds nothing of ours.
#[must_use]
pub fn everbeat(args: &[&str]) -> Command {
    let mut command = bare(&program("everbeat-under-test"));
    command.args(args);
    command
}

/// A program with an environment that holds nothing of ours.
pub(crate) fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

/// Cargo puts a package's binaries beside the folder of its tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it lies");
    let folder = test.ancestors().nth(2).expect("a test lies in target/<profile>/deps");
    let told = ["CARGO", "NEXTEST"].map(|by| format!("{by}_BIN_EXE_{name}"));
    let told = told.iter().find_map(std::env::var_os).map(PathBuf::from);
    told.filter(|path| path.exists()).unwrap_or_else(|| folder.join(name))
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it writes to standard error is added to `log`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(name: &'static str, mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("a log file");
        let child = command.stdout(Stdio::piped()).stderr(file).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name, child, log: log.into() }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it logged so far, and those before it with the same log.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The first line of its standard output.
    ///
    /// # Panics
    /// If it gives none in time.
    pub fn first_line(&mut self) -> String {
        let out = self.child.stdout.take().expect("asked for once");
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(out).lines();
            let _ = send.send(lines.next());
            // The pipe stays open, so that later lines harm nobody.
            lines.for_each(drop);
        });
        match receive.recv_timeout(wait::PATIENCE) {
            Ok(Some(Ok(line))) => line,
            other => panic!("{} said nothing: {other:?}\n{}", self.name, self.log()),
        }
    }

    /// `kill -9`, and waits for the end.
    pub fn kill_nine(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// If the system does not know.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let (name, child) = (self.name, &mut self.child);
        wait::within(limit, &format!("{name} ends"), || child.try_wait().ok().flatten())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_nine();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let shown = lines.split_at(lines.len().saturating_sub(SHOWN_LINES)).1;
            println!("--- the end of the log of {} ---\n{}", self.name, shown.join("\n"));
        }
    }
}
