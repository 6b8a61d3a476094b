//! From the words of a scenario to a plan of a fleet.

use super::acts::{finish, times};
use super::spec::{FleetSpec, Happening, Spec};
use super::{Misfit, Report, Scenario, expect};
use crate::fleet::{Fleet, FleetAct, FleetEntry, FleetPlan, FleetSeen};
use crate::world::{Party, TraceLine};

/// A fleet that was run and told of.
#[derive(Clone, Debug)]
pub struct FleetTold {
    /// What was promised and what was counted.
    pub report: Report,
    /// What was seen of it.
    pub seen: FleetSeen,
    /// What happened; what is not as promised stands at the end.
    pub lines: Vec<TraceLine>,
}

impl Scenario {
    /// Runs a scenario's fleet and tells of so many of its workspaces.
    #[must_use]
    pub fn run_fleet(&self, plan: &FleetPlan, workspaces: u32) -> FleetTold {
        let (report, seen, mut lines) = match Fleet::run_traced(plan, workspaces) {
            Ok((fleet, lines)) => (expect::of_fleet(&self.expect, &fleet), fleet.seen, lines),
            Err(why) => (Report::of_no_end(why), FleetSeen::default(), Vec::new()),
        };
        let broken = report.rows.iter().filter(|row| !row.holds);
        lines.extend(broken.map(|row| {
            let said = format!("{}: promised {}, counted {}", row.what, row.promised, row.counted);
            TraceLine::new(plan.lasts, Party::Broken, "promised", said)
        }));
        FleetTold { report, seen, lines }
    }
}

/// More than anybody has memory for.
const AGENTS_MAX: u32 = 1_000_000;

pub(super) fn plan(spec: &Spec, fleet: &FleetSpec) -> Result<FleetPlan, Misfit> {
    let at = spec.fleet.as_ref().map_or(0, |fleet| fleet.span().start);
    if !(1..=AGENTS_MAX).contains(&fleet.agents) {
        return Err(Misfit::new(at, format!("fleet.agents: 1 to {AGENTS_MAX}")));
    }
    if spec.healed.ms() > 0 {
        return Err(Misfit::new(at, "healed: a fleet has no faults to end: leave it out"));
    }
    let mut entries = Vec::new();
    for happening in &spec.happens {
        let (at, happening) = (happening.span().start, happening.get_ref());
        for time in times(spec, happening, at)? {
            entries.push(FleetEntry { at: time, act: act(happening, at)? });
        }
    }
    Ok(FleetPlan {
        seed: spec.seed,
        agents: fleet.agents,
        started_over: fleet.started_over.0,
        interval: spec.setup.interval.0,
        cooldown: spec.setup.cooldown.0,
        registers: spec.setup.registers,
        latency_ms: fleet.latency.ms(),
        jitter_ms: fleet.jitter.ms(),
        entries,
        lasts: spec.lasts.0,
    })
}

fn act(happening: &Happening, at: usize) -> Result<FleetAct, Misfit> {
    let mut acts = Vec::new();
    if let Some(spec) = &happening.platform_restart {
        acts.push(FleetAct::Restart { away: spec.lasts.0, kind: spec.kind });
    }
    if let Some(spec) = &happening.platform_upgrade {
        acts.push(FleetAct::Upgrade { away: spec.lasts.0, kind: spec.kind });
    }
    if let Some(spec) = &happening.suspend_some {
        acts.push(FleetAct::Suspend { percent: spec.percent, lasts: spec.lasts.0 });
    }
    if let Some(over) = happening.restart_agents_over {
        acts.push(FleetAct::RestartAgents { over: over.0 });
    }
    if let Some(spec) = &happening.finish {
        acts.push(FleetAct::Finish { count: spec.count, finish: finish(spec, 0) });
    }
    match (acts.len(), acts.pop()) {
        (1, Some(act)) => Ok(act),
        _ => Err(Misfit::new(
            at,
            "happens: to a fleet exactly one of platform_restart, platform_upgrade, \
             suspend_some, restart_agents_over, finish",
        )),
    }
}
