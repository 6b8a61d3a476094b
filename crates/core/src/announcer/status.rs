//! What can be asked of the announcer.

use super::{Announcer, HOUR, Stage};
use crate::config::ValidConfig;
use crate::effects::{Effects, Slot};
use crate::journal::ResultKey;
use crate::status::{StageStatus, WakeStatus};
use crate::time::Instant;

impl Announcer {
    pub(crate) const fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn is_under_way(&self, id: &str) -> bool {
        let is_sending = match &self.stage {
            Stage::Idle | Stage::LookingUp => false,
            Stage::Journalling(message) | Stage::Sending(message) => message.id == id,
        };
        is_sending || self.unanswered.iter().any(|unanswered| unanswered.message.id == id)
    }

    pub(crate) fn status(&self, config: &ValidConfig, fx: &Effects, now: Instant) -> WakeStatus {
        let last = self.last_accepted.as_ref();
        let in_last_hour = |sent: &&Instant| sent.plus(HOUR) > now;
        WakeStatus {
            last_accepted_age: last.map(|(at, _)| now.since(*at)),
            last_message_id: last.map(|(_, message)| message.id.clone()),
            last_results: last.map_or_else(StageStatus::default, |(_, message)| {
                StageStatus::of(message.keys.iter().map(|key| &key.delegation_id))
            }),
            cooldown: config.cooldown,
            cooldown_left: self.not_before.since(now),
            sent_last_hour: self.sent.iter().filter(in_last_hour).count(),
            per_hour_max: config.self_messages_per_hour_max,
            accepted: self.accepted,
            in_flight: fx.is_busy(Slot::SelfMessage),
            outage: self.outage.status(now),
        }
    }

    /// The results in the message that is on its way.
    pub(crate) fn announcing(&self) -> &[ResultKey] {
        match &self.stage {
            Stage::Idle | Stage::LookingUp => &[],
            Stage::Journalling(message) | Stage::Sending(message) => &message.keys,
        }
    }

    /// The results in messages that nobody answered.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = &ResultKey> {
        self.unanswered.iter().flat_map(|unanswered| &unanswered.message.keys)
    }
}
