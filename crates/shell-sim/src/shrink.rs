//! Delta debugging: the shortest plan that breaks the same promise.

use crate::plan::{Act, Entry, Plan, Setup};
use crate::promises::watch::Watch;
use crate::verdict;

/// Runs at the most.
const RUNS_MAX: u32 = 4_000;

/// The first promise that a plan breaks, as its number (`S4`, `L1`, `panic`).
#[must_use]
pub fn broken_promise(plan: &Plan) -> Option<String> {
    let broken = match verdict::judge(plan, Watch::of_all()) {
        Ok(judged) => judged.broken.into_iter().next()?,
        Err(refused) => refused,
    };
    Some(broken.promise().to_owned())
}

/// The shortest plan found that still breaks `promise`. `progress` hears after
/// each run how many entries are left, and may end it by answering false.
pub fn shrink(plan: &Plan, promise: &str, progress: impl FnMut(usize) -> bool) -> Plan {
    let breaks = |plan: &Plan| broken_promise(plan).as_deref() == Some(promise);
    Shrinker { best: plan.clone(), runs: 0, breaks, progress }.shortest()
}

struct Shrinker<B, F> {
    best: Plan,
    runs: u32,
    breaks: B,
    progress: F,
}

impl<B: Fn(&Plan) -> bool, F: FnMut(usize) -> bool> Shrinker<B, F> {
    fn shortest(mut self) -> Plan {
        loop {
            let before = self.best.clone();
            // What takes most away comes first: each run is shorter then.
            self.shorten();
            self.drop_kinds();
            self.drop_entries();
            self.simplify_entries();
            self.simplify_setup();
            if self.best == before || self.runs >= RUNS_MAX {
                return self.best;
            }
        }
    }

    /// Takes `plan` if it breaks the same promise.
    fn try_plan(&mut self, plan: Plan) -> bool {
        if self.runs >= RUNS_MAX || plan == self.best {
            return false;
        }
        self.runs += 1;
        let breaks = (self.breaks)(&plan);
        if breaks {
            self.best = plan;
        }
        if !(self.progress)(self.best.entries.len()) {
            self.runs = RUNS_MAX;
        }
        breaks
    }

    /// All entries of a kind are left out.
    fn drop_kinds(&mut self) {
        for name in Act::NAMES {
            let mut plan = self.best.clone();
            plan.entries.retain(|entry| entry.act.name() != name);
            self.try_plan(plan);
        }
    }

    /// Halves, quarters, … single entries are left out.
    fn drop_entries(&mut self) {
        let mut size = self.best.entries.len().div_ceil(2);
        while size > 0 {
            let mut from = 0;
            while from < self.best.entries.len() {
                let mut plan = self.best.clone();
                let end = (from + size).min(plan.entries.len());
                plan.entries.drain(from..end);
                if !self.try_plan(plan) {
                    from += size;
                }
            }
            size /= 2;
        }
    }

    fn simplify_entries(&mut self) {
        for index in 0..self.best.entries.len() {
            for simpler in simpler_entries(&self.best.entries[index]) {
                let mut plan = self.best.clone();
                plan.entries[index] = simpler;
                self.try_plan(plan);
            }
        }
    }

    fn simplify_setup(&mut self) {
        let plain = Setup::default();
        let setup = self.best.setup.clone();
        for simpler in [
            plain.clone(),
            Setup { later_platform: plain.later_platform, ..setup.clone() },
            Setup { registers: plain.registers, ..setup.clone() },
            Setup { turn_ms: plain.turn_ms, ..setup.clone() },
            Setup { notify: plain.notify, announce: plain.announce, ..setup.clone() },
            Setup { interval_ms: plain.interval_ms, ..setup.clone() },
            Setup { cooldown_ms: plain.cooldown_ms, ..setup },
        ] {
            let plan = Plan { setup: simpler, ..self.best.clone() };
            self.try_plan(plan);
        }
    }

    /// The faults end earlier, and the healed world follows sooner.
    fn shorten(&mut self) {
        for (numerator, denominator) in [(1, 2), (3, 4), (9, 10)] {
            let mut plan = self.best.clone();
            let old_end = plan.faults_end_ms;
            let end = old_end * numerator / denominator;
            plan.entries.retain(|entry| entry.at_ms < end || entry.at_ms >= old_end);
            for entry in plan.entries.iter_mut().filter(|entry| entry.at_ms >= old_end) {
                entry.at_ms -= old_end - end;
            }
            plan.faults_end_ms = end;
            self.try_plan(plan);
        }
    }
}

/// The same entry with smaller numbers.
fn simpler_entries(entry: &Entry) -> Vec<Entry> {
    let with = |act: Act| Entry { at_ms: entry.at_ms, act };
    let mut simpler: Vec<Entry> = match &entry.act {
        Act::Finish { first, count, finish } if *count > 1 => [1, count / 2]
            .into_iter()
            .map(|count| with(Act::Finish { first: *first, count, finish: finish.clone() }))
            .collect(),
        Act::Kill { after_calls, down_ms } => vec![
            with(Act::Kill { after_calls: *after_calls, down_ms: 0 }),
            with(Act::Kill { after_calls: 0, down_ms: *down_ms }),
        ],
        Act::Suspend { ms, clock_stops } => {
            vec![with(Act::Suspend { ms: ms / 2, clock_stops: *clock_stops })]
        }
        Act::PlatformRestart { away_ms, kind } => {
            vec![with(Act::PlatformRestart { away_ms: away_ms / 2, kind: *kind })]
        }
        Act::PlatformUpgrade { away_ms, kind } => vec![
            with(Act::PlatformUpgrade { away_ms: 0, kind: *kind }),
            with(Act::PlatformRestart { away_ms: *away_ms, kind: *kind }),
        ],
        Act::Partition { ms, lost } => vec![with(Act::Partition { ms: ms / 2, lost: *lost })],
        Act::SlowDns { takes_ms, ms } => {
            vec![with(Act::SlowDns { takes_ms: *takes_ms, ms: ms / 2 })]
        }
        Act::SecondStart { .. } => vec![with(Act::SecondStart { after_calls: 0 })],
        Act::FolderGone { which, ms } => {
            vec![with(Act::FolderGone { which: *which, ms: ms / 2 })]
        }
        Act::RateLimit { per_minute, ms } => {
            vec![with(Act::RateLimit { per_minute: *per_minute, ms: ms / 2 })]
        }
        Act::Chatter { times, every_ms } => {
            vec![with(Act::Chatter { times: times.div_ceil(2), every_ms: *every_ms })]
        }
        Act::RemountReadOnly { ms } => vec![with(Act::RemountReadOnly { ms: ms / 2 })],
        Act::Outage { ms, kind } => vec![with(Act::Outage { ms: ms / 2, kind: *kind })],
        Act::DiskSlow { ms } => vec![with(Act::DiskSlow { ms: ms / 2 })],
        Act::Fault { route, times, effect } => vec![with(Act::Fault {
            route: *route,
            times: times.map(|times| times.div_ceil(2)),
            effect: effect.clone(),
        })],
        Act::Finish { .. }
        | Act::FinishForeign { .. }
        | Act::LongList { .. }
        | Act::HostileList { .. }
        | Act::RotateToken { .. }
        | Act::RevokeTokens
        | Act::Network { .. }
        | Act::AgentMode { .. }
        | Act::Report { .. }
        | Act::PowerLoss { .. }
        | Act::WipeFolder
        | Act::OddResults { .. }
        | Act::SpoilJournal
        | Act::Stop { .. }
        | Act::WallStep { .. }
        | Act::WallDrift { .. }
        | Act::PlatformSkew { .. }
        | Act::DiskError { .. }
        | Act::Read
        | Act::Lease { .. }
        | Act::Retune { .. }
        | Act::DiskFails { .. } => Vec::new(),
    };
    let rounded = entry.at_ms - entry.at_ms % 10_000;
    simpler.push(Entry { at_ms: rounded, act: entry.act.clone() });
    simpler
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::swarm;

    fn breaks(plan: &Plan) -> bool {
        let does = |name: &str| plan.entries.iter().any(|entry| entry.act.name() == name);
        does("kill") && does("suspend")
    }

    /// The first plan of many entries that does both.
    fn long_plan() -> Plan {
        let mut plans = (0..).map(|seed| swarm::draw(seed, 24).1);
        plans.find(|plan| plan.entries.len() > 1_000 && breaks(plan)).unwrap_or_else(|| panic!())
    }

    fn shrunk(progress: impl FnMut(usize) -> bool) -> Plan {
        Shrinker { best: long_plan(), runs: 0, breaks, progress }.shortest()
    }

    #[test]
    fn two_entries_of_a_thousand_are_found_in_few_runs() {
        let runs = Cell::new(0);
        let plan = shrunk(|_| {
            runs.set(runs.get() + 1);
            true
        });
        assert_eq!(plan.entries.len(), 2);
        assert!(runs.get() < 300, "{}", runs.get());
    }

    #[test]
    fn what_was_found_until_it_is_ended_still_breaks() {
        let mut runs = 0;
        let plan = shrunk(|_| {
            runs += 1;
            runs < 10
        });
        assert_eq!(runs, 10);
        assert!(breaks(&plan) && plan.entries.len() < long_plan().entries.len());
    }
}
