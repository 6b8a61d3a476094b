//! What the agent asks for: of the platform, or of its own machine.

use everbeat_core::{Action, Command, HttpRequest, lower};

use super::names::sent;
use super::{By, Party, Sent, World, action_name, fingerprint};
use crate::wire;

impl World {
    pub(super) fn begin(&mut self, command: Command) {
        self.seen.actions.add(action_name(&command.action));
        self.tell_trace(Party::Agent, action_name(&command.action), || {
            serde_json::to_string(&command).unwrap_or_default()
        });
        let Some(process) = &mut self.process else {
            return;
        };
        if let Action::PostHeartbeat(body) = &command.action {
            (process.beat, self.seen.beat_taken) = (Some(command.id), None);
            if body.runtime_metadata.is_none() && process.has_told_metadata {
                self.seen.bare_beats.push(self.now);
            }
            process.has_told_metadata |= body.runtime_metadata.is_some();
        }
        match lower(&self.config, &command.action) {
            Some(lowered) => self.ask_platform(&command, lowered),
            None => self.carry_out(command),
        }
    }

    fn ask_platform(&mut self, command: &Command, lowered: HttpRequest) {
        self.note_request(command, &lowered);
        let Some(process) = &self.process else {
            return;
        };
        let (number, token) = (process.number, process.token.current());
        let fingerprint = token.map_or(0, |token| fingerprint(0, token.expose()));
        let body_bytes_max = lowered.body_bytes_max;
        let request = wire::request(lowered, token);
        if let Some(what) = sent(&command.action, fingerprint) {
            self.seen.sent.push(Sent { at: self.now, process: number, what });
        }
        self.send(number, command.id, request, body_bytes_max);
    }

    fn carry_out(&mut self, command: Command) {
        self.note_command(&command);
        let Some(process) = &mut self.process else {
            return;
        };
        let number = process.number;
        if let Action::Cancel { command } = command.action {
            process.cancelled.insert(command);
            self.way.forget(number, command);
        }
        if command.action.is_answered() {
            let name = action_name(&command.action);
            let outcome = process.carry_out(command.action);
            self.tell_trace(Party::Disk, name, || format!("{outcome:?}"));
            let at = self.now + self.disk_slow;
            self.ends_at(at, number, command.id, outcome, By::Machine);
        }
    }
}
