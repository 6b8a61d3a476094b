//! Many seeds: drawn, run, judged, counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use serde::{Deserialize, Serialize};

use crate::plan::{Act, Plan};
use crate::promises::watch::{Broken, CHECKS, Watch};
use crate::swarm;
use crate::verdict::{self, Judged};
use crate::world::{ACTION_NAMES, EVENT_NAMES, NOTICE_NAMES, notice_name};

/// Which seeds, and for how long each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// Hours of faults in each.
    pub hours: u64,
    /// Threads.
    pub jobs: usize,
}

/// What a sweep has seen. Two of them can be added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Seeds run.
    pub seeds: u64,
    /// Simulated milliseconds.
    pub simulated_ms: u64,
    /// Requests that agents sent.
    pub requests: u64,
    /// Results that stood in streams.
    pub results: u64,
    /// What the plans did, by kind.
    pub acts: BTreeMap<String, u64>,
    /// What the agents asked for, by kind.
    pub actions: BTreeMap<String, u64>,
    /// What the agents were told, by kind.
    pub events: BTreeMap<String, u64>,
    /// What the agents said, by kind.
    pub notices: BTreeMap<String, u64>,
    /// What each check had to look at.
    pub checks: BTreeMap<String, u64>,
    /// Broken promises, by the first word of what was said.
    pub violations: BTreeMap<String, u64>,
}

/// One seed that broke something.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What it was expanded to.
    pub plan: Plan,
    /// What was broken.
    pub broken: Vec<Broken>,
}

/// What is known of one seed.
struct Outcome {
    tally: Tally,
    failure: Option<Failure>,
}

impl Sweep {
    /// Runs all seeds. `progress` hears of each that is done and may end the
    /// sweep by answering false.
    pub fn run(&self, mut progress: impl FnMut(&Tally, Option<&Failure>) -> bool) -> Vec<Failure> {
        let next = AtomicU64::new(0);
        let is_over = AtomicBool::new(false);
        let (sender, receiver) = mpsc::channel();
        let mut total = Tally::default();
        let mut failures = Vec::new();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                let sender = sender.clone();
                scope.spawn(|| self.work(&next, &is_over, sender));
            }
            drop(sender);
            for outcome in receiver {
                total.add(&outcome.tally);
                let goes_on = progress(&total, outcome.failure.as_ref());
                failures.extend(outcome.failure);
                if !goes_on {
                    is_over.store(true, Ordering::Relaxed);
                }
            }
        });
        failures.sort_by_key(|failure| failure.seed);
        failures
    }

    fn work(&self, next: &AtomicU64, is_over: &AtomicBool, sender: mpsc::Sender<Outcome>) {
        while !is_over.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= self.seeds {
                return;
            }
            let seed = self.from.wrapping_add(index);
            if sender.send(run_seed(seed, self.hours)).is_err() {
                return;
            }
        }
    }
}

fn run_seed(seed: u64, hours: u64) -> Outcome {
    let (_, plan) = swarm::draw(seed, hours);
    let mut tally = Tally {
        seeds: 1,
        simulated_ms: plan.faults_end_ms.saturating_add(plan.healed_ms),
        ..Tally::default()
    };
    let broken = match verdict::judge(&plan, Watch::of_all()) {
        Ok(judged) => {
            tally.note(&judged);
            judged.broken
        }
        Err(refused) => vec![refused],
    };
    for broken in &broken {
        let promise = broken.promise().to_owned();
        *tally.violations.entry(promise).or_default() += 1;
    }
    let failure = (!broken.is_empty()).then_some(Failure { seed, plan, broken });
    Outcome { tally, failure }
}

impl Tally {
    fn note(&mut self, judged: &Judged) {
        let seen = &judged.world.seen;
        self.requests += seen.sent.len() as u64;
        self.results += judged.watch.results() as u64;
        add(&mut self.acts, seen.acts.iter());
        add(&mut self.actions, seen.actions.iter());
        add(&mut self.events, seen.events.iter());
        add(&mut self.notices, seen.notices.iter().map(|(_, notice)| (notice_name(notice), 1)));
        let looked_at = judged.watch.looked_at(&judged.world).filter(|(_, count)| *count > 0);
        add(&mut self.checks, looked_at);
    }

    /// Adds what another sweep has seen.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.simulated_ms += other.simulated_ms;
        self.requests += other.requests;
        self.results += other.results;
        for (mine, theirs) in [
            (&mut self.acts, &other.acts),
            (&mut self.actions, &other.actions),
            (&mut self.events, &other.events),
            (&mut self.notices, &other.notices),
            (&mut self.checks, &other.checks),
            (&mut self.violations, &other.violations),
        ] {
            add(mine, theirs.iter().map(|(name, count)| (name.as_str(), *count)));
        }
    }

    /// Simulated days.
    #[must_use]
    pub fn days(&self) -> f64 {
        self.simulated_ms as f64 / 86_400_000.0
    }

    /// What the sweep never met: kinds of acts, of events, of commands and of
    /// notices, and checks that never had anything to look at.
    #[must_use]
    pub fn not_met(&self) -> Vec<String> {
        let never = |names: &[&'static str], counts: &BTreeMap<String, u64>, what: &str| {
            let missing = names.iter().filter(|name| !counts.contains_key(**name));
            missing.map(|name| format!("{what} {name}")).collect::<Vec<_>>()
        };
        let checks: Vec<&'static str> = CHECKS.iter().map(|(name, _)| *name).collect();
        [
            never(&Act::NAMES, &self.acts, "act"),
            never(&EVENT_NAMES, &self.events, "event"),
            never(&ACTION_NAMES, &self.actions, "command"),
            never(NOTICE_NAMES, &self.notices, "notice"),
            never(&checks, &self.checks, "check"),
        ]
        .concat()
    }
}

fn add<'a>(counts: &mut BTreeMap<String, u64>, more: impl Iterator<Item = (&'a str, u64)>) {
    for (name, count) in more {
        if let Some(known) = counts.get_mut(name) {
            *known += count;
        } else {
            counts.insert(name.to_owned(), count);
        }
    }
}
