//! Commands that ask a running agent, and those that go on until they are
//! ended.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::home::Home;
use crate::process::everbeat;
use crate::wait;

/// Runs it to its end: exit code, standard output, standard error.
///
/// # Panics
/// If it cannot be started.
pub fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it can be run");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

/// The program, so that it finds the agent of `home` by its state folder.
#[must_use]
pub fn asks(home: &Home, args: &[&str]) -> Command {
    let mut command = everbeat(args);
    command.env("EVERBEAT_STATE_DIR", home.state());
    command
}

/// The same, run to its end.
#[must_use]
pub fn ask(home: &Home, args: &[&str]) -> (Option<i32>, String, String) {
    output(&mut asks(home, args))
}

/// One that must go well; gives its standard output.
///
/// # Panics
/// If it does not.
pub fn told(home: &Home, args: &[&str]) -> String {
    let (code, out, err) = ask(home, args);
    assert_eq!(code, Some(0), "{args:?}: {out}{err}");
    out
}

/// A command that goes on; it ends with this value.
#[derive(Debug)]
pub struct Live {
    child: Child,
    lines: Receiver<String>,
    talk: Receiver<String>,
}

impl Live {
    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it can be started");
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let lines = lines_of(out.expect("its standard output"));
        let talk = lines_of(err.expect("its standard error"));
        Self { child, lines, talk }
    }

    /// The next line of its standard output that holds `words`.
    ///
    /// # Panics
    /// If none comes in time.
    pub fn line(&self, words: &str) -> String {
        find(&self.lines, words)
    }

    /// The same of its standard error.
    ///
    /// # Panics
    /// If none comes in time.
    pub fn says(&self, words: &str) -> String {
        find(&self.talk, words)
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If it does not run any more.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("its id"), signal).expect("it still runs");
    }

    /// Waits for its end; its exit code.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn ended(&mut self) -> Option<i32> {
        let child = &mut self.child;
        wait::until("the command ends", || child.try_wait().ok().flatten()).code()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn find(lines: &Receiver<String>, words: &str) -> String {
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(wait::PATIENCE) {
            Ok(line) if line.contains(words) => return line,
            Ok(line) => seen.push(line),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                panic!("{words:?} did not come, but: {seen:#?}")
            }
        }
    }
}
