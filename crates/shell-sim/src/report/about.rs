//! What a page says of its run beside the lines.

use serde::Serialize;

use crate::fleet::{FleetPlan, FleetSeen};
use crate::plan::Plan;
use crate::world::TraceHeader;

/// A run, as its page presents it.
#[derive(Clone, Debug)]
pub struct About {
    /// Of the trace.
    pub(super) version: u32,
    pub(super) seed: u64,
    /// As JSON, to be saved as it is.
    pub(super) plan: String,
    /// When the plan ends.
    pub(super) end_us: u64,
    pub(super) load: Option<Load>,
}

/// Requests of a whole fleet in each second, also of the workspaces that have
/// no lane.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Load {
    agents: u32,
    /// Whether the platform was there or not.
    tried: Vec<u32>,
    /// Those that a platform answered.
    served: Vec<u32>,
}

impl About {
    /// One agent's run.
    #[must_use]
    pub fn world(header: &TraceHeader) -> Self {
        let Plan { faults_end_ms, healed_ms, .. } = header.plan;
        let end_us = faults_end_ms.saturating_add(healed_ms).saturating_mul(1_000);
        Self::new(header, header.plan.seed, end_us, None)
    }

    /// A fleet's run, with what was seen of it.
    #[must_use]
    pub fn fleet(header: &TraceHeader<FleetPlan>, seen: &FleetSeen) -> Self {
        let end_us = u64::try_from(header.plan.lasts.as_micros()).unwrap_or(u64::MAX);
        let load = Load {
            agents: header.plan.agents,
            tried: seen.tried.counts().to_vec(),
            served: seen.served.counts().to_vec(),
        };
        Self::new(header, header.plan.seed, end_us, Some(load))
    }

    fn new(
        header: &TraceHeader<impl Serialize>,
        seed: u64,
        end_us: u64,
        load: Option<Load>,
    ) -> Self {
        let plan = serde_json::to_string_pretty(&header.plan).unwrap_or_default();
        Self { version: header.version, seed, plan, end_us, load }
    }
}
