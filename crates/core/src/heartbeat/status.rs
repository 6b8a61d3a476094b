//! What can be asked of the machine.

use alloc::collections::BTreeSet;
use alloc::string::String;

use super::Heartbeat;
use crate::journal::ResultKey;
use crate::status::{AgentStatus, Phase, PipelineStatus, StageStatus};
use crate::time::Instant;
use crate::vitals::Report;

/// What is going on, for status pages and tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Overview {
    /// When the platform last accepted a beat.
    pub last_accepted_beat: Option<Instant>,
    /// Beats accepted since the start.
    pub beats_accepted: u64,
    /// Failed beats in a row.
    pub beat_failures: u32,
    /// Polls answered well since the start.
    pub polls_accepted: u64,
    /// Results discovered but not stored yet.
    pub discovered: usize,
    /// Results stored but not announced yet.
    pub unannounced: usize,
    /// Results remembered.
    pub remembered: usize,
    /// Self-messages accepted since the start.
    pub self_messages_accepted: u64,
    /// Whether the journal is open.
    pub store_open: bool,
    /// Whether the last batch could not be placed yet.
    pub held: bool,
    /// Whether the machine has stopped.
    pub stopped: bool,
}

impl Heartbeat {
    /// What is going on.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let memory = &self.store.memory;
        Overview {
            last_accepted_beat: self.alive.last_accepted(),
            beats_accepted: self.alive.accepted(),
            beat_failures: self.alive.failures(),
            polls_accepted: self.delegations.accepted(),
            discovered: self.store.discovered(),
            unannounced: memory.untold_len(),
            remembered: memory.len(),
            self_messages_accepted: self.announcer.accepted(),
            store_open: self.store.is_open(),
            held: self.store.is_held(),
            stopped: self.is_stopped(),
        }
    }

    /// All that is known of what is going on, for a person. Ages and waits
    /// are those at `now`, which changes nothing.
    #[must_use]
    pub fn status(&self, now: Instant) -> AgentStatus {
        let (fx, store, now) = (&self.fx, &self.store, now.max(self.fx.at()));
        let memory = &store.memory;
        let announcing = self.announcer.announcing();
        let unanswered: BTreeSet<&ResultKey> = self.announcer.unanswered().collect();
        let in_message = |key: &ResultKey| announcing.contains(key) || unanswered.contains(key);
        let stored = memory.untold().map(|(key, _)| key).filter(|key| !in_message(key));
        AgentStatus {
            phase: self.phase,
            beat: self.alive.status(fx, now),
            polls: self.delegations.status(fx, now),
            pipeline: PipelineStatus {
                discovered: StageStatus::of(store.discovered_ids()),
                stored: StageStatus::of(stored.map(id)),
                announcing: StageStatus::of(announcing.iter().map(id)),
                unanswered: StageStatus::of(unanswered.into_iter().map(id)),
                remembered: memory.len(),
                awaited: memory.awaited_len(),
                held: store.held().map(Into::into),
                store_open: store.is_open(),
                outage: store.outage(now),
            },
            wake: self.announcer.status(&self.config, fx, now),
            registration: self.registration.outage(now),
            vitals: self.vitals.status(now),
        }
    }

    /// Whether it runs, stops, or is over.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether there is room for what `report` says. One for which there is
    /// none changes nothing but a [`Notice`](crate::Notice).
    #[must_use]
    pub fn has_room_for(&self, report: &Report) -> bool {
        self.vitals.takes(report)
    }
}

fn id(key: &ResultKey) -> &String {
    &key.delegation_id
}
