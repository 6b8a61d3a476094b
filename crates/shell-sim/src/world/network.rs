//! What the agent asks of the platform on its way there and back.

use std::time::Duration;

use everbeat_core::{CommandId, TransportFailureKind};
use everbeat_platform::{OutageKind, Request as PlatformRequest};

use super::way::{Fate, Leg, Name};
use super::{By, Happening, Party, World};
use crate::wire;

impl World {
    pub(super) fn send(
        &mut self,
        process: u64,
        command: CommandId,
        request: PlatformRequest,
        body_bytes_max: usize,
    ) {
        match self.way.name(self.now) {
            Name::Known => self.leaves(process, command, request, body_bytes_max),
            Name::KnownAfter(takes) => {
                let resolved = Happening::Resolved { process, command, request, body_bytes_max };
                self.agenda.put(self.now + takes, resolved);
            }
            // The agent gives up by itself.
            Name::Never => {}
        }
    }

    /// The name is known: the request leaves if anybody still wants it.
    pub(super) fn resolved(
        &mut self,
        process: u64,
        command: CommandId,
        request: PlatformRequest,
        body_bytes_max: usize,
    ) {
        if let Some(until) = self.wakes_at() {
            let resolved = Happening::Resolved { process, command, request, body_bytes_max };
            self.agenda.put(until, resolved);
            return;
        }
        let is_wanted = self.process.as_mut().is_some_and(|running| {
            running.number == process && !running.cancelled.remove(&command)
        });
        if is_wanted {
            self.leaves(process, command, request, body_bytes_max);
        }
    }

    fn leaves(
        &mut self,
        process: u64,
        command: CommandId,
        request: PlatformRequest,
        body_bytes_max: usize,
    ) {
        match self.way.request(self.now, &mut self.dice) {
            Leg::Refused { after } => {
                let outcome = wire::failed(TransportFailureKind::NotSent);
                self.ends_at(self.now + after, process, command, outcome, By::Machine);
            }
            Leg::Lost => {}
            Leg::Arrives { after, fate } => {
                let arrives =
                    Happening::Arrives { process, command, request, body_bytes_max, fate };
                self.agenda.put(self.now + after, arrives);
            }
        }
    }

    pub(super) fn arrives(
        &mut self,
        process: u64,
        command: CommandId,
        request: &PlatformRequest,
        body_bytes_max: usize,
        fate: Fate,
    ) {
        let wall_ms = self.clocks.platform_wall_ms(self.now);
        let first = (fate == Fate::Doubled)
            .then(|| self.platform.handle(self.now, wall_ms, request).answer.status);
        let reply = self.platform.handle(self.now, wall_ms, request);
        // The agent hears of the second try alone: that nothing came of it.
        let second = reply.answer.status;
        if first.is_some_and(|first| first != second) && second >= 300 {
            self.seen.denied.extend(wire::message_id(request));
        }
        self.tell_trace(Party::Platform, &reply.answer.status.to_string(), || {
            wire::told(request, &reply, fate)
        });
        let answered = match fate {
            Fate::AnswerLost => None,
            Fate::Reset => Some((Duration::ZERO, wire::failed(TransportFailureKind::NoAnswer))),
            Fate::Cut => {
                let half = reply.answer.body.len() / 2;
                wire::outcome(reply, half)
            }
            Fate::Answered | Fate::Doubled => wire::outcome(reply, body_bytes_max),
        };
        if fate != Fate::AnswerLost {
            self.way.hold(process, command);
        }
        if let Some((after, outcome)) = answered {
            let at = self.now + after + self.way.takes(&mut self.dice);
            let by = By::Platform(self.way.platform_process());
            self.ends_at(at, process, command, outcome, by);
        }
    }

    /// Whether what ends a command gets to the agent's machine: an answer may
    /// be lost on its way, or with the process that was to give it.
    pub(super) fn reaches_the_machine(&mut self, process: u64, command: CommandId, by: By) -> bool {
        match by {
            By::Machine => true,
            By::Platform(number) => self.way.brings(self.now, (process, command), number),
        }
    }

    /// The platform's process ends: connections that it held are reset.
    pub(super) fn platform_goes(&mut self, away: Duration, kind: OutageKind, is_upgrade: bool) {
        if is_upgrade {
            self.platform.upgrade(away, kind);
        } else {
            self.platform.restart(away, kind);
        }
        for (process, command) in self.way.platform_goes() {
            let at = self.now + self.way.takes(&mut self.dice);
            let by = By::Platform(self.way.platform_process());
            let reset = wire::failed(TransportFailureKind::NoAnswer);
            self.ends_at(at, process, command, reset, by);
        }
    }
}
