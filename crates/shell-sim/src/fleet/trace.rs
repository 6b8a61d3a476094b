//! A fleet's run told line by line, for its first workspaces: of ten thousand
//! agents nobody reads every line.

use std::time::Duration;

use everbeat_core::{Command, Notice, Outcome};
use everbeat_platform::{Reply, Request};

use super::{Fleet, FleetPlan, agent};
use crate::wire;
use crate::world::{Party, TraceLine, action_name, notice_name};

/// What was told so far.
pub(super) struct Trace {
    /// Of so many workspaces, from the first.
    workspaces: u32,
    lines: Vec<TraceLine>,
}

impl Fleet {
    /// Runs the plan to its end and tells of its first workspaces line by line;
    /// what concerns all of them is told, too.
    ///
    /// # Errors
    /// As [`Fleet::run`].
    pub fn run_traced(plan: &FleetPlan, workspaces: u32) -> Result<(Self, Vec<TraceLine>), String> {
        let mut fleet = Self::new(plan)?;
        fleet.trace = Some(Trace { workspaces, lines: Vec::new() });
        let mut fleet = fleet.play()?;
        let trace = fleet.trace.take();
        Ok((fleet, trace.map_or_else(Vec::new, |trace| trace.lines)))
    }

    /// What concerns the whole fleet.
    pub(super) fn tell_trace(&mut self, party: Party, kind: &str, text: impl FnOnce() -> String) {
        let at = self.now;
        if let Some(trace) = &mut self.trace {
            trace.lines.push(TraceLine::new(at, party, kind, text()));
        }
    }

    /// What concerns one workspace, if it is one of those that are told of.
    fn tell_of(
        &mut self,
        number: u32,
        at: Duration,
        party: Party,
        kind: &str,
        text: impl FnOnce() -> String,
    ) {
        if let Some(trace) = self.trace.as_mut().filter(|trace| number < trace.workspaces) {
            let line = TraceLine::new(at, party, kind, text());
            trace.lines.push(TraceLine { workspace: Some(agent::name(number)), ..line });
        }
    }

    pub(super) fn tell_start(&mut self, number: u32, process: u32) {
        let text = || format!("process {process} starts");
        self.tell_of(number, self.now, Party::Machine, "start", text);
    }

    pub(super) fn tell_stop(&mut self, number: u32) {
        let text = || "the process has ended".into();
        self.tell_of(number, self.now, Party::Machine, "stop", text);
    }

    pub(super) fn tell_sleep(&mut self, number: u32, until: Duration) {
        self.tell_of(number, self.now, Party::Machine, "sleep", || "the machine sleeps".into());
        self.tell_of(number, until, Party::Machine, "wake", || "the machine wakes".into());
    }

    pub(super) fn tell_command(&mut self, number: u32, command: &Command) {
        let name = action_name(&command.action);
        let text = || serde_json::to_string(command).unwrap_or_default();
        self.tell_of(number, self.now, Party::Agent, name, text);
    }

    pub(super) fn tell_notice(&mut self, number: u32, notice: &Notice) {
        let text = || format!("{notice:?}");
        self.tell_of(number, self.now, Party::Agent, notice_name(notice), text);
    }

    pub(super) fn tell_done(&mut self, number: u32, name: &str, outcome: &Outcome) {
        self.tell_of(number, self.now, Party::Disk, name, || format!("{outcome:?}"));
    }

    pub(super) fn tell_answer(&mut self, number: u32, request: &Request, reply: &Reply) {
        let text = || wire::told(request, reply, format_args!("Answered"));
        self.tell_of(number, self.now, Party::Platform, &reply.answer.status.to_string(), text);
    }
}
