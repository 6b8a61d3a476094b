//! The agent as a process of its own: `everbeat run`.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How the agent is run: where its files lie and how fast it goes.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    pub(crate) workspace: &'static str,
    pub(crate) interval: Duration,
    pub(crate) cooldown: Duration,
}

impl Home {
    pub(crate) fn configs(&self) -> PathBuf {
        self.dir.join("configs")
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.configs().join(".auth_token")
    }

    pub(crate) fn inbound_secret_file(&self) -> PathBuf {
        self.configs().join(".platform_inbound_secret")
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.dir.join("results").join("delegation_results.jsonl")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("agent.log")
    }

    /// What a person would type, but for the speed.
    fn command(&self, url: &str) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["run", "--workspace-id", self.workspace, "--platform-url", url]);
        command.arg("--configs-dir").arg(self.configs());
        command.arg("--results-file").arg(self.results());
        let millis = |duration: Duration| format!("{}ms", duration.as_millis());
        command.args(["--interval", &millis(self.interval)]);
        command.args(["--cooldown", &millis(self.cooldown)]);
        command.args(["--dev-timing", "--reannounce-after", "3s"]);
        command.args(["--self-messages-per-hour-max", "3600", "--log-format", "json"]);
        // Nothing of this shell's own settings, tokens or proxies.
        command.env_clear();
        Ok(command)
    }
}

/// A running agent. It does not outlive this value, nor this process.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    guard: Option<Guard>,
}

impl Agent {
    /// Starts it; its log is added to the one of those before it.
    pub(crate) fn start(home: &Home, url: &str) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(home.log())?;
        let mut command = home.command(url)?;
        // Ctrl-C in a terminal is meant for the demo, which ends the agent.
        command.process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn()?;
        let guard = Guard::over(child.id()).ok();
        Ok(Self { child, guard })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// `kill -9`: nothing in it can prepare for that.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.dismiss_guard();
    }

    /// Asks it to stop (SIGTERM).
    pub(crate) fn ask_to_stop(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    fn dismiss_guard(&mut self) {
        if let Some(guard) = self.guard.take() {
            guard.dismiss();
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
        self.dismiss_guard();
    }
}

/// A shell that waits for the demo's own end, however that comes, and then
/// ends the agent. Where there is no shell, there is no guard.
#[derive(Debug)]
struct Guard {
    shell: Child,
    line: ChildStdin,
}

impl Guard {
    fn over(pid: u32) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "read -r _ || kill -9 \"$1\"", "guard", &pid.to_string()]);
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = command.spawn()?;
        let line = shell.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { shell, line })
    }

    /// The agent has ended: its number may soon be another process's.
    fn dismiss(mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        drop(self.line);
    }
}

/// The agent's log as it grows.
#[derive(Debug)]
pub(crate) struct LogTail {
    path: PathBuf,
    read: u64,
    rest: Vec<u8>,
}

/// One line of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// As it stands there.
    pub(crate) raw: String,
    /// The notice's name, if it is one.
    pub(crate) notice: String,
    /// What a person reads.
    pub(crate) message: String,
}

impl LogTail {
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.into(), read: 0, rest: Vec::new() }
    }

    /// Whole lines that came since the last time.
    pub(crate) fn lines(&mut self) -> Vec<LogLine> {
        // Not there yet, or just not readable: the next time will do.
        if fs::metadata(&self.path).is_ok_and(|found| found.len() > self.read) {
            let _ = self.read_on();
        }
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        String::from_utf8_lossy(&whole).lines().map(parse).collect()
    }

    fn read_on(&mut self) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        self.read += file.read_to_end(&mut self.rest)? as u64;
        Ok(())
    }
}

fn parse(raw: &str) -> LogLine {
    let value: Value = serde_json::from_str(raw).unwrap_or_default();
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    LogLine { raw: raw.into(), notice: text("notice"), message: text("message") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;
    use std::io::Write;

    #[test]
    fn a_log_is_read_by_whole_lines() {
        let dir = TempDir::new();
        let path = dir.join("log");
        let mut tail = LogTail::of(&path);
        assert_eq!(tail.lines(), []);
        let mut file = File::create(&path).unwrap();
        file.write_all(b"{\"message\": \"up\", \"notice\": \"x\"}\n{\"mess").unwrap();
        let lines = tail.lines();
        assert_eq!(
            (lines.len(), lines[0].message.as_str(), lines[0].notice.as_str()),
            (1, "up", "x")
        );
        file.write_all(b"age\": \"on\"}\nno JSON\n").unwrap();
        let lines = tail.lines();
        assert_eq!((lines[0].message.as_str(), lines[1].raw.as_str()), ("on", "no JSON"));
    }
}
