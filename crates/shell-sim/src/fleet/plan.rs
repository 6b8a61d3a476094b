//! What a fleet is and what is done to it.

use std::time::Duration;

use everbeat_platform::Options;
use serde::{Serialize, Serializer};

use super::FleetEntry;

/// What a fleet is and what is done to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FleetPlan {
    /// Decides latencies, tokens and the agents' jitter.
    pub seed: u64,
    /// How many there are.
    pub agents: u32,
    /// They are started one after the other within this time.
    #[serde(rename = "started_over_ms", serialize_with = "ms")]
    pub started_over: Duration,
    /// From beat to beat.
    #[serde(rename = "interval_ms", serialize_with = "ms")]
    pub interval: Duration,
    /// From self-message to self-message.
    #[serde(rename = "cooldown_ms", serialize_with = "ms")]
    pub cooldown: Duration,
    /// Whether they know address and card, so that they can register.
    pub registers: bool,
    /// Each way takes so long at least, in milliseconds.
    pub latency_ms: u64,
    /// And up to so much longer.
    pub jitter_ms: u64,
    /// What happens, in any order.
    pub entries: Vec<FleetEntry>,
    /// How long it goes on.
    #[serde(rename = "lasts_ms", serialize_with = "ms")]
    pub lasts: Duration,
}

/// Lean: of each workspace little is kept but what it is.
pub(super) fn options(plan: &FleetPlan) -> Options {
    Options {
        private_urls: true,
        rate_limit: None,
        workspaces_max: plan.agents as usize + 1,
        // It bounds the ledger of all delegations, too.
        rows_max: (plan.agents as usize).saturating_mul(16).max(10_000),
        observed_max: 1,
        ..Options::spring(plan.seed)
    }
}

/// Spans are written in milliseconds.
pub(super) fn ms<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
