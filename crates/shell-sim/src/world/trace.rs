//! A run told line by line, for `--trace`, the report page and comparison.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::World;
use crate::plan::Plan;

/// The version of the lines' shape; it grows with each change.
pub const TRACE_VERSION: u32 = 2;

/// The first line of a trace: of one agent's, or of a fleet's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceHeader<P = Plan> {
    /// Always `trace`.
    pub everbeat: String,
    /// See [`TRACE_VERSION`].
    pub version: u32,
    /// What was run.
    pub plan: P,
}

impl<P> TraceHeader<P> {
    /// Of a run of this plan.
    #[must_use]
    pub fn of(plan: P) -> Self {
        Self { everbeat: "trace".into(), version: TRACE_VERSION, plan }
    }
}

/// Whose doing a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// A fault, or whatever else the plan does.
    Plan,
    /// The machine that the agent runs on: starts, kills, sleep.
    Machine,
    /// The agent: commands and notices.
    Agent,
    /// The platform: what it answered.
    Platform,
    /// The agent's files.
    Disk,
    /// Who takes the results.
    Reader,
    /// A promise that was broken.
    Broken,
}

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLine {
    /// Microseconds from the start.
    pub at_us: u64,
    /// Whose doing.
    pub party: Party,
    /// A word for it: `beat`, `poll`, `kill`, a notice's name …
    pub kind: String,
    /// For a person.
    pub text: String,
    /// Whose, in a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

impl TraceLine {
    pub(crate) fn new(at: Duration, party: Party, kind: &str, text: String) -> Self {
        let at_us = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        Self { at_us, party, kind: kind.into(), text, workspace: None }
    }
}

impl World {
    /// From now on the run is told line by line.
    pub fn begin_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// What was told so far.
    pub fn take_trace(&mut self) -> Vec<TraceLine> {
        self.trace.take().unwrap_or_default()
    }

    pub(super) fn tell_trace(&mut self, party: Party, kind: &str, text: impl FnOnce() -> String) {
        let at = self.now;
        if let Some(trace) = &mut self.trace {
            trace.push(TraceLine::new(at, party, kind, text()));
        }
    }
}
