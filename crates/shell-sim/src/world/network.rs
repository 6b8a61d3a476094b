//! The way between agent and platform: what it does to a request and to its
//! answer, and what becomes of both when the platform's process ends.

use std::time::Duration;

use everbeat_core::{CommandId, TransportFailureKind};
use everbeat_platform::{OutageKind, Request as PlatformRequest};

use super::{By, Happening, Party, World};
use crate::plan::{Lost, Network};
use crate::wire;

/// What the network does to a request beyond its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    Doubled,
    AnswerLost,
    Reset,
    Cut,
}

/// The way, as it is now.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) network: Network,
    /// Parted until then.
    partition: Option<(Duration, Lost)>,
    /// Names are resolved slowly until then; never if `None`.
    slow_dns: Option<(Duration, Option<Duration>)>,
    /// The platform's process: what an earlier one was about to answer went
    /// with it.
    platform_process: u64,
    /// Requests that the platform holds open, by the agent's process.
    open: Vec<(u64, CommandId)>,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            network: Network::GOOD,
            partition: None,
            slow_dns: None,
            platform_process: 0,
            open: Vec::new(),
        }
    }
}

impl Way {
    /// Whatever is wrong with it is over.
    pub(super) fn heal(&mut self) {
        self.network = Network::GOOD;
        self.partition = None;
        self.slow_dns = None;
    }

    pub(super) const fn part(&mut self, until: Duration, lost: Lost) {
        self.partition = Some((until, lost));
    }

    pub(super) const fn slow_names(&mut self, until: Duration, takes: Option<Duration>) {
        self.slow_dns = Some((until, takes));
    }

    /// The agent closed the connection.
    pub(super) fn forget(&mut self, process: u64, command: CommandId) {
        self.open.retain(|open| *open != (process, command));
    }

    fn loses(&self, now: Duration) -> Option<Lost> {
        self.partition.filter(|(until, _)| *until > now).map(|(_, lost)| lost)
    }
}

impl World {
    pub(super) fn send(
        &mut self,
        process: u64,
        command: CommandId,
        request: PlatformRequest,
        most: usize,
    ) {
        match self.way.slow_dns.filter(|(until, _)| *until > self.now) {
            None => self.leaves(process, command, request, most),
            Some((_, Some(takes))) => {
                let at = self.now + takes;
                let body_bytes_max = most;
                let resolved = Happening::Resolved { process, command, request, body_bytes_max };
                self.agenda.put(at, resolved);
            }
            // The agent gives up by itself.
            Some((_, None)) => {}
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

    fn leaves(&mut self, process: u64, command: CommandId, request: PlatformRequest, most: usize) {
        if self.way.loses(self.now).is_some_and(Lost::loses_requests) {
            return;
        }
        let network = self.way.network;
        let roll = self.dice.below(100);
        let mut shares = 0;
        let mut falls = |share: u8| {
            shares += u64::from(share);
            roll < shares
        };
        if falls(network.refused) {
            let outcome = wire::failed(TransportFailureKind::NotSent);
            let at = self.now + Duration::from_millis(network.latency_ms);
            self.ends_at(at, process, command, outcome, By::Machine);
            return;
        }
        if falls(network.lost) {
            return;
        }
        let fate = if falls(network.answer_lost) {
            Fate::AnswerLost
        } else if falls(network.reset) {
            Fate::Reset
        } else if falls(network.cut) {
            Fate::Cut
        } else if falls(network.doubled) {
            Fate::Doubled
        } else {
            Fate::Answered
        };
        let at = self.now + self.one_way();
        let body_bytes_max = most;
        self.agenda.put(at, Happening::Arrives { process, command, request, body_bytes_max, fate });
    }

    fn one_way(&mut self) -> Duration {
        let Network { latency_ms, jitter_ms, .. } = self.way.network;
        self.dice.between_ms(latency_ms, latency_ms + jitter_ms)
    }

    pub(super) fn arrives(
        &mut self,
        process: u64,
        command: CommandId,
        request: &PlatformRequest,
        body_bytes_max: usize,
        fate: Fate,
    ) {
        let wall_ms = self.platform_wall_ms();
        if fate == Fate::Doubled {
            let _ = self.platform.handle(self.now, wall_ms, request);
        }
        let reply = self.platform.handle(self.now, wall_ms, request);
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
            self.way.open.push((process, command));
        }
        if let Some((after, outcome)) = answered {
            let at = self.now + after + self.one_way();
            let by = By::Platform(self.way.platform_process);
            self.ends_at(at, process, command, outcome, by);
        }
    }

    /// Whether what ends a command gets to the agent's machine: an answer may
    /// be lost on its way, or with the process that was to give it.
    pub(super) fn reaches_the_machine(&mut self, process: u64, command: CommandId, by: By) -> bool {
        let By::Platform(number) = by else {
            return true;
        };
        self.way.forget(process, command);
        let is_lost = self.way.loses(self.now).is_some_and(Lost::loses_answers);
        number == self.way.platform_process && !is_lost
    }

    /// The platform's process ends: connections that it held are reset.
    pub(super) fn platform_goes(&mut self, away: Duration, kind: OutageKind, is_upgrade: bool) {
        if is_upgrade {
            self.platform.upgrade(away, kind);
        } else {
            self.platform.restart(away, kind);
        }
        self.way.platform_process += 1;
        let by = By::Platform(self.way.platform_process);
        for (process, command) in std::mem::take(&mut self.way.open) {
            let at = self.now + self.one_way();
            let reset = wire::failed(TransportFailureKind::NoAnswer);
            self.ends_at(at, process, command, reset, by);
        }
    }
}
