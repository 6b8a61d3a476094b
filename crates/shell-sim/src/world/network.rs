//! The way between agent and platform: what it does to a request and to its
//! answer.

use std::time::Duration;

use everbeat_core::{Body, CommandId, TransportFailureKind};
use everbeat_platform::Request as PlatformRequest;

use super::{Happening, Party, World};
use crate::plan::Network;
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

impl World {
    pub(super) fn send(
        &mut self,
        process: u64,
        command: CommandId,
        request: PlatformRequest,
        most: usize,
    ) {
        let network = self.network;
        let roll = self.dice.below(100);
        let mut shares = 0;
        let mut falls = |share: u8| {
            shares += u64::from(share);
            roll < shares
        };
        if falls(network.refused) {
            let outcome = wire::failed(TransportFailureKind::NotSent);
            let at = self.now + Duration::from_millis(network.latency_ms);
            self.agenda.put(at, Happening::Ends { process, command, outcome });
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
        let Network { latency_ms, jitter_ms, .. } = self.network;
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
        let wall_ms = self.wall_ms();
        if fate == Fate::Doubled {
            let _ = self.platform.handle(self.now, wall_ms, request);
        }
        let reply = self.platform.handle(self.now, wall_ms, request);
        self.tell_trace(Party::Platform, &reply.answer.status.to_string(), || {
            let delivery = reply.delivery;
            // As a record shows it: credentials are fingerprints.
            let body = serde_json::to_string(&Body(reply.answer.body.clone()));
            let body: String = body.unwrap_or_default().chars().take(200).collect();
            format!("{} {} {delivery:?} {fate:?} {body}", request.method, request.path)
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
        if let Some((after, outcome)) = answered {
            let at = self.now + after + self.one_way();
            self.agenda.put(at, Happening::Ends { process, command, outcome });
        }
    }
}
