//! From the words of a scenario to a plan of one agent.

use std::time::Duration;

use everbeat_platform::Finish;

use super::Misfit;
use super::spec::{FinishSpec, Happening, SetupSpec, Spec};
use super::time::shown;
use crate::dice::Dice;
use crate::plan::{Act, Entry, Network, Plan, Setup, completed, failed};

/// More repetitions than anybody means.
const TIMES_MAX: usize = 200_000;

pub(super) fn plan(spec: &Spec) -> Result<Plan, Misfit> {
    let setup = setup(&spec.setup);
    let wrong = |error: everbeat_core::ConfigError| {
        Misfit::new(
            0,
            format!("setup.{}: {} is not allowed: {}", error.field, error.value, error.allowed),
        )
    };
    setup.config().validate().map_err(wrong)?;
    let mut entries = Vec::new();
    let mut numbers = Numbers::default();
    for happening in &spec.happens {
        let (at, happening) = (happening.span().start, happening.get_ref());
        for time in times(spec, happening, at)? {
            let act = act(happening, &mut numbers, at)?;
            entries.push(Entry { at_ms: ms(time), act });
        }
    }
    entries.sort_by_key(|entry| entry.at_ms);
    let (faults_end_ms, healed_ms) = (spec.lasts.ms(), spec.healed.ms());
    Ok(Plan { seed: spec.seed, setup, entries, faults_end_ms, healed_ms })
}

fn setup(spec: &SetupSpec) -> Setup {
    Setup {
        interval_ms: spec.interval.ms(),
        cooldown_ms: spec.cooldown.ms(),
        deliver: spec.deliver,
        announce: spec.announce,
        notify: spec.notify,
        backlog: spec.backlog,
        registers: spec.registers,
        later_platform: spec.later_platform,
        turn_ms: spec.turn.ms(),
        reads: spec.reads,
        leases: spec.leases,
    }
}

/// When it happens, each time.
pub(super) fn times(
    spec: &Spec,
    happening: &Happening,
    at: usize,
) -> Result<Vec<Duration>, Misfit> {
    let end = Duration::from_millis(spec.lasts.ms().saturating_add(spec.healed.ms()));
    let until = happening.until.map_or(spec.lasts.0, |until| until.0);
    let every = happening.every.map(|every| every.0);
    if happening.at.0 > end || until > end {
        let end = shown(end);
        return Err(Misfit::new(at, format!("happens: `at` or `until` is after the end, {end}")));
    }
    if every.is_some_and(|every| every.is_zero()) || (every.is_none() && happening.until.is_some())
    {
        return Err(Misfit::new(at, "happens: `until` and `every` make sense together only"));
    }
    let mut dice = Dice::new(spec.seed ^ at as u64);
    let mut times = Vec::new();
    let mut time = happening.at.0;
    loop {
        let later = dice.between_ms(0, happening.within.ms());
        times.push(time + later);
        let Some(every) = every.filter(|every| time + *every <= until) else {
            return Ok(times);
        };
        time += every;
        if times.len() >= TIMES_MAX {
            return Err(Misfit::new(at, format!("happens: more than {TIMES_MAX} times")));
        }
    }
}

/// Numbers for delegations that no other has.
#[derive(Default)]
struct Numbers {
    own: u32,
    foreign: u32,
    listed: u32,
}

fn take(number: &mut u32, count: u32) -> u32 {
    let first = *number;
    *number = number.saturating_add(count);
    first
}

pub(super) fn finish(spec: &FinishSpec, number: u32) -> Finish {
    let finish = if spec.failed { failed(number) } else { completed(number) };
    Finish {
        style: spec.style,
        twin_late_ms: spec.twin_late.map(super::time::Span::ms),
        missing_id: spec.missing_id,
        no_result_row: spec.no_result_row,
        ..finish
    }
}

fn act(happening: &Happening, numbers: &mut Numbers, at: usize) -> Result<Act, Misfit> {
    let acts = [
        told(happening, numbers),
        at_the_platform(happening),
        on_the_way(happening),
        at_the_machine(happening),
        at_the_disk(happening),
    ];
    let mut acts = acts.into_iter().flatten();
    match (acts.next(), acts.next()) {
        (Some(act), None) if !is_for_fleets(happening) => Ok(act),
        (None, None) if is_for_fleets(happening) => {
            Err(Misfit::new(at, "happens: that is for a fleet, and there is no [fleet]"))
        }
        _ => Err(Misfit::new(at, "happens: name exactly one thing that happens")),
    }
}

const fn is_for_fleets(happening: &Happening) -> bool {
    happening.suspend_some.is_some() || happening.restart_agents_over.is_some()
}

/// What of delegations there is to be told.
fn told(happening: &Happening, numbers: &mut Numbers) -> Vec<Act> {
    let mut acts = Vec::new();
    if let Some(spec) = &happening.finish {
        let first = spec.first.unwrap_or_else(|| take(&mut numbers.own, spec.count));
        acts.push(Act::Finish { first, count: spec.count, finish: finish(spec, first) });
    }
    if happening.finish_foreign.is_some() {
        acts.push(Act::FinishForeign { number: take(&mut numbers.foreign, 1) });
    }
    if let Some(rows) = happening.long_list {
        acts.push(Act::LongList { first: take(&mut numbers.listed, rows), rows });
    }
    if let Some(spec) = &happening.hostile_list {
        acts.push(Act::HostileList { body: spec.body.clone(), times: spec.polls });
    }
    acts
}

fn at_the_platform(happening: &Happening) -> Vec<Act> {
    let mut acts = Vec::new();
    if let Some(spec) = &happening.rotate_token {
        acts.push(Act::RotateToken { file_late_ms: spec.file_late.ms() });
    }
    if happening.revoke_tokens.is_some() {
        acts.push(Act::RevokeTokens);
    }
    if let Some(spec) = &happening.fault {
        let effect = spec.effect.clone();
        acts.push(Act::Fault { route: spec.on, times: spec.times, effect });
    }
    if let Some(spec) = &happening.outage {
        acts.push(Act::Outage { ms: spec.lasts.ms(), kind: spec.kind });
    }
    if let Some(spec) = &happening.platform_restart {
        acts.push(Act::PlatformRestart { away_ms: spec.lasts.ms(), kind: spec.kind });
    }
    if let Some(spec) = &happening.platform_upgrade {
        acts.push(Act::PlatformUpgrade { away_ms: spec.lasts.ms(), kind: spec.kind });
    }
    if let Some(spec) = &happening.rate_limit {
        acts.push(Act::RateLimit { per_minute: spec.per_minute, ms: spec.lasts.ms() });
    }
    if let Some(step) = happening.platform_skew {
        acts.push(Act::PlatformSkew { ms: step.0 });
    }
    if let Some(spec) = &happening.agent {
        acts.push(Act::AgentMode { mode: spec.answers.clone(), turn_ms: spec.turn.ms() });
    }
    acts
}

fn on_the_way(happening: &Happening) -> Vec<Act> {
    let mut acts = Vec::new();
    if let Some(spec) = &happening.network {
        let network = Network {
            latency_ms: spec.latency.ms(),
            jitter_ms: spec.jitter.ms(),
            tail: spec.tail,
            tail_ms: spec.tail_to.ms(),
            refused: spec.refused,
            lost: spec.lost,
            answer_lost: spec.answer_lost,
            reset: spec.reset,
            cut: spec.cut,
            doubled: spec.doubled,
        };
        acts.push(Act::Network { network });
    }
    if let Some(spec) = &happening.partition {
        acts.push(Act::Partition { ms: spec.lasts.ms(), lost: spec.lost });
    }
    if let Some(spec) = &happening.slow_dns {
        let takes_ms = spec.takes.map(super::time::Span::ms);
        acts.push(Act::SlowDns { takes_ms, ms: spec.lasts.ms() });
    }
    acts
}

fn at_the_machine(happening: &Happening) -> Vec<Act> {
    let mut acts = Vec::new();
    if let Some(spec) = &happening.report {
        acts.push(Act::Report { report: spec.into() });
    }
    if let Some(spec) = &happening.chatter {
        acts.push(Act::Chatter { times: spec.times, every_ms: spec.every.ms() });
    }
    if let Some(spec) = &happening.kill {
        acts.push(Act::Kill { after_calls: spec.after_calls, down_ms: spec.down.ms() });
    }
    if let Some(spec) = &happening.power_loss {
        acts.push(Act::PowerLoss { down_ms: spec.down.ms(), names: spec.names });
    }
    if let Some(spec) = &happening.stop {
        acts.push(Act::Stop { down_ms: spec.down.ms() });
    }
    if let Some(spec) = &happening.second_start {
        acts.push(Act::SecondStart { after_calls: spec.after_calls });
    }
    if let Some(span) = happening.suspend {
        acts.push(Act::Suspend { ms: span.ms(), clock_stops: false });
    }
    if let Some(span) = happening.suspend_clock_stops {
        acts.push(Act::Suspend { ms: span.ms(), clock_stops: true });
    }
    if let Some(percent) = happening.wall_drift {
        acts.push(Act::WallDrift { percent });
    }
    if let Some(step) = happening.wall_step {
        acts.push(Act::WallStep { ms: step.0 });
    }
    acts
}

fn at_the_disk(happening: &Happening) -> Vec<Act> {
    let mut acts = Vec::new();
    if happening.wipe_folder.is_some() {
        acts.push(Act::WipeFolder);
    }
    if let Some(spec) = &happening.folder_gone {
        acts.push(Act::FolderGone { which: spec.which, ms: spec.lasts.ms() });
    }
    if let Some(spec) = &happening.odd_results {
        acts.push(Act::OddResults { what: spec.what, ms: spec.lasts.ms() });
    }
    if happening.spoil_journal.is_some() {
        acts.push(Act::SpoilJournal);
    }
    if happening.read.is_some() {
        acts.push(Act::Read);
    }
    if let Some(spec) = &happening.disk_fails {
        acts.push(Act::DiskFails { how: spec.how, calls: spec.calls });
    }
    if let Some(spec) = &happening.disk_error {
        acts.push(Act::DiskError { after_calls: spec.after_calls });
    }
    if let Some(span) = happening.remount_read_only {
        acts.push(Act::RemountReadOnly { ms: span.ms() });
    }
    if let Some(span) = happening.disk_slow {
        acts.push(Act::DiskSlow { ms: span.ms() });
    }
    acts
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
