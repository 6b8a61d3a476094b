//! `everbeat run -- COMMAND`: the agent's own process, started, watched and
//! started again. Its death is told in the beat: an agent that is dead is
//! never shown busy.
//!
//! **This process starts no other child** while a command is supervised, and
//! nothing but [`Target::reap`] waits for one: as the first process of a
//! container it must take away orphans of others too, and whoever waits for
//! any child takes every end.

mod child;
mod job;
mod restart;
mod shown;
mod stopping;
mod tie;

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use everbeat_core::{DueWhy, Report};
use rustix::process::getpid;
use serde_json::json;
use tokio::signal::unix::{self, SignalKind};
use tokio::time::{Instant, sleep, timeout};

use crate::Reporter;
use crate::clock;
use crate::control::place;
use crate::log::human;
use crate::telemetry::kind::Kind;
use crate::telemetry::{Fields, Telemetry};

pub(crate) use child::{End, Target};
pub(crate) use job::Job;
pub(crate) use restart::Restart;
pub(crate) use shown::Shown;
pub(crate) use tie::become_command;

use restart::Backoff;
use shown::State;

/// How long the driver may take to hear of something.
const TELL_WITHIN: Duration = Duration::from_secs(2);
/// How long the last beat after an end for good may take, its wait for the
/// one before included.
const LAST_BEAT_WITHIN: Duration = Duration::from_secs(4);
/// Between two looks whether that beat was accepted.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// SIGCHLD says when to look; should it be blocked, this does.
const REAP_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// Variables by which a service manager speaks to this process alone.
const OWN_VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// How the end was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// By SIGTERM.
    Terminate,
    /// By SIGINT.
    Interrupt,
    /// By the end of standard input, or of another process.
    Gone,
    /// By a fault in this program.
    Fault,
}

/// What is supervised, and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) restart: Restart,
    /// The first wait before a restart.
    pub(crate) restart_delay: Duration,
    /// From the passed-on signal to SIGKILL.
    pub(crate) stop_within: Duration,
    /// The control socket, if there is one.
    pub(crate) control: Option<PathBuf>,
}

/// Takes away what has ended: the supervised process and, where this is the
/// first process or is asked to, orphans.
#[derive(Debug)]
pub(crate) struct Reaper {
    target: Target,
    adopts: bool,
    ended: unix::Signal,
}

impl Reaper {
    /// With `adopts`, orphans below this process become its own; to the first
    /// process they do so anyway.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn new(target: Target, adopts: bool) -> io::Result<Self> {
        let is_first = getpid().is_init();
        if adopts && !is_first {
            adopt()?;
        }
        let ended = unix::signal(SignalKind::child())?;
        Ok(Self { target, adopts: adopts || is_first, ended })
    }

    /// Waits for the end of the supervised process. May be dropped and called
    /// again: no end is lost.
    async fn end(&mut self) -> End {
        loop {
            if let Some(end) = self.target.reap(self.adopts) {
                return end;
            }
            let _ = timeout(REAP_AT_LEAST_EVERY, self.ended.recv()).await;
        }
    }

    /// Takes away orphans, if there can be any. Never ends.
    pub(crate) async fn run(&mut self) -> Infallible {
        if !self.adopts {
            return std::future::pending().await;
        }
        loop {
            self.end().await;
        }
    }
}

/// Keeps a command running.
#[derive(Debug)]
pub(crate) struct Supervisor {
    plan: Plan,
    agent: Reporter,
    telemetry: Arc<Telemetry>,
    shown: Shown,
    reaper: Reaper,
    passed: stopping::Passed,
    backoff: Backoff,
    /// What the wedge says, if it is one of ours.
    told: Option<String>,
}

impl Supervisor {
    /// Of an agent that runs.
    ///
    /// # Errors
    /// If signals cannot be handled.
    pub(crate) fn new(
        plan: Plan,
        agent: Reporter,
        telemetry: Arc<Telemetry>,
        shown: Shown,
        reaper: Reaper,
    ) -> io::Result<Self> {
        let passed = stopping::Passed::new()?;
        let backoff = Backoff::new(plan.restart_delay);
        Ok(Self { plan, agent, telemetry, shown, reaper, passed, backoff, told: None })
    }

    /// Runs the command until it has ended for good, or until `asked` and it
    /// has ended; gives its exit code.
    pub(crate) async fn run(mut self, asked: impl Future<Output = Asked>) -> u8 {
        let mut asked = std::pin::pin!(asked);
        tokio::select! {
            biased;
            // Before it was started: there is nothing to end.
            _ = &mut asked => return 0,
            () = std::future::ready(()) => {}
        }
        loop {
            let from = Instant::now();
            let end = if self.start() {
                let how = tokio::select! {
                    end = self.live() => Err(end),
                    how = &mut asked => Ok(how),
                };
                match how {
                    Ok(how) => return self.stop(how, from).await,
                    Err(end) => end,
                }
            } else {
                End::NotStarted
            };
            if !self.plan.restart.applies(end) {
                return self.ended_for_good(end, from).await;
            }
            let delay = self.backoff.next(from.elapsed());
            self.note_end(end, State::Waiting, from, Some(delay));
            let words = format!("{}; it starts again in {}", sentence(end), human(delay));
            tracing::warn!("{words}");
            self.tell_death(words).await;
            let is_asked = tokio::select! {
                () = sleep(delay) => false,
                never = self.reaper.run() => match never {},
                _ = &mut asked => true,
            };
            if is_asked {
                self.shown.becomes(State::Ended);
                return end.exit_code();
            }
        }
    }

    /// Starts it: with this process's own environment and the way to the
    /// control socket, and nothing else.
    fn start(&mut self) -> bool {
        let mut command = tie::tied(&self.plan.program, &self.plan.arguments);
        let control = self.plan.control.as_deref().unwrap_or(Path::new(place::NONE));
        command.env(place::VARIABLE, control);
        for name in OWN_VARIABLES {
            command.env_remove(name);
        }
        match self.reaper.target.start(&mut command) {
            Ok(pid) => {
                self.shown.started(pid);
                let program = self.plan.program.display();
                let pid = pid.as_raw_nonzero().get();
                tracing::info!("the agent's process {pid} is started: {program}");
                self.publish("started", Some(pid), &[]);
                true
            }
            Err(error) => {
                let program = self.plan.program.display();
                tracing::error!("the agent's process cannot be started: {program}: {error}");
                false
            }
        }
    }

    /// Waits for its end; meanwhile signals are passed on, and once it has
    /// lived a moment it is well again.
    async fn live(&mut self) -> End {
        let settled = sleep(self.plan.restart_delay);
        let mut settled = std::pin::pin!(settled);
        loop {
            tokio::select! {
                end = self.reaper.end() => return end,
                signal = self.passed.next() => stopping::pass_on(&self.reaper.target, signal),
                () = &mut settled, if self.told.is_some() => {
                    self.told = None;
                    self.tell(Report::WedgeCleared).await;
                }
            }
        }
    }

    /// Passes the wish on and waits.
    async fn stop(&mut self, how: Asked, from: Instant) -> u8 {
        self.shown.becomes(State::Stopping);
        let (reaper, passed) = (&mut self.reaper, &mut self.passed);
        let end = stopping::stop(reaper, passed, how, self.plan.stop_within).await;
        tracing::info!("{}", sentence(end));
        self.note_end(end, State::Ended, from, None);
        self.tell(no_tasks()).await;
        end.exit_code()
    }

    /// A last beat says so.
    async fn ended_for_good(&mut self, end: End, from: Instant) -> u8 {
        self.note_end(end, State::Ended, from, None);
        let words = format!("{} and is not started again", sentence(end));
        tracing::warn!("{words}");
        self.tell_death(words).await;
        if timeout(LAST_BEAT_WITHIN, self.last_beat()).await.is_err() {
            tracing::warn!("no beat told the platform in time that the agent's process has ended");
        }
        end.exit_code()
    }

    /// Waits until a beat has carried all that was reported, or failed.
    async fn last_beat(&self) {
        while let Ok(answer) = self.agent.ask().await {
            let beat = &answer.status.beat;
            let is_told = beat.lane.accepted > 0
                && !beat.lane.in_flight
                && beat.next_due_why != DueWhy::Change;
            if is_told || beat.lane.failures_in_a_row > 0 {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// No task runs any more, and nothing can be done.
    async fn tell_death(&mut self, words: String) {
        // The first reason stays until it is cleared, and what the process
        // said of itself died with it.
        let asked = timeout(TELL_WITHIN, self.agent.ask()).await;
        if let Ok(Ok(answer)) = asked
            && answer.status.vitals.wedge.is_some()
        {
            self.tell(Report::WedgeCleared).await;
        }
        self.tell(no_tasks()).await;
        self.tell(Report::Wedged { reason: words.clone() }).await;
        self.told = Some(words);
    }

    async fn tell(&self, report: Report) {
        // An agent that has stopped, or a driver that hangs, hears nothing.
        let _ = timeout(TELL_WITHIN, self.agent.report(report)).await;
    }

    fn note_end(&self, end: End, state: State, from: Instant, again_in: Option<Duration>) {
        self.shown.ended(end, state);
        let fields = [
            ("exit", json!(end.to_string())),
            ("exit_code", json!(end.exit_code())),
            ("lived_s", json!(from.elapsed().as_secs_f64())),
            ("again_in_s", json!(again_in.map(|delay| delay.as_secs_f64()))),
        ];
        self.publish("ended", None, &fields);
    }

    fn publish(&self, what: &str, pid: Option<i32>, more: &[(&str, serde_json::Value)]) {
        let mut fields = Fields::new();
        fields.insert("child".into(), what.into());
        fields.extend(pid.map(|pid| ("pid".into(), pid.into())));
        fields.extend(more.iter().map(|(name, value)| ((*name).into(), value.clone())));
        self.telemetry.publish(clock::wall(), Kind::Child, fields);
    }
}

/// Orphans below this process become its own.
#[cfg(target_os = "linux")]
fn adopt() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(getpid()))?)
}

#[cfg(not(target_os = "linux"))]
fn adopt() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn no_tasks() -> Report {
    Report::TaskList { tasks: Vec::new(), current_task: Some(String::new()) }
}

fn sentence(end: End) -> String {
    match end {
        End::Code(_) | End::Signal(_) | End::Unknown => {
            format!("the agent's process ended with {end}")
        }
        End::NotStarted => "the agent's process could not be started".into(),
    }
}
