//! L1–L8: what must come true, and by when.

use std::collections::BTreeMap;
use std::time::Duration;

use everbeat_core::{Lane, Notice, Severity, limits};

use super::messages::announcements;
use super::safety::settled_until;
use crate::plan::{Act, Plan};
use crate::world::{Request, World};

type Checked = Result<(), String>;

/// Latency of a good network, both ways, and the platform's answer.
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// While the platform answers, a heartbeat succeeds at least once every
/// interval plus its jitter. To be asked of a plan that leaves the way of the
/// beats alone.
///
/// # Errors
/// The gap.
pub fn l1_beats_on_time(world: &World) -> Checked {
    let beats = world.accepted_beats();
    let allowed = world.config().interval + jitter(world) + ROUND_TRIP;
    let mut last = None;
    for at in beats.iter().copied().chain([world.now()]) {
        let allowed = if last.is_none() { limits::FIRST_BEAT_SPREAD + ROUND_TRIP } else { allowed };
        let gap = at - last.unwrap_or_default();
        if gap > allowed {
            return Err(format!("L1: {gap:?} without a beat before {at:?}"));
        }
        last = Some(at);
    }
    Ok(())
}

/// L1 for the healed world, once the waits that were begun before are over.
///
/// # Errors
/// The gap.
pub fn l1_healed_beats_on_time(world: &World) -> Checked {
    let from = Duration::from_millis(world.plan.faults_end_ms) + grace(world);
    let allowed = world.config().interval + jitter(world) + ROUND_TRIP;
    let mut last = from;
    let beats = world.accepted_beats();
    for at in beats.into_iter().filter(|at| *at > from).chain([world.now()]) {
        // A rotation's refused beat is repeated at once, if a little later.
        if at - last > allowed + Duration::from_secs(1) {
            return Err(format!("L1: no beat between {last:?} and {at:?}"));
        }
        last = at;
    }
    Ok(())
}

/// Every finished delegation that a poll lists is stored and announced in
/// time. To be asked of a world whose platform takes messages and whose disk
/// works.
///
/// # Errors
/// The result that is late.
pub fn l2_stored_and_announced(world: &World) -> Checked {
    told_in_time(world, Duration::ZERO)
}

/// L2 for what is listed once the healed world has settled.
///
/// # Errors
/// The result that is late.
pub fn l2_healed_results_are_told(world: &World) -> Checked {
    // What was held back under faults goes first: a hundred in a message, a
    // message in a cooldown, each up to an unanswered call long.
    let settled = Duration::from_secs(300);
    told_in_time(world, Duration::from_millis(world.plan.faults_end_ms) + settled)
}

/// L2 needs lists: the healed world is polled every interval or so, whatever
/// became of the polls before.
///
/// # Errors
/// The gap.
pub fn l2_healed_polls_go_on(world: &World) -> Checked {
    let from = Duration::from_millis(world.plan.faults_end_ms) + Duration::from_secs(300);
    let allowed = world.config().interval * 2 + world.config().request_deadline();
    let polls = world.seen.sent.iter().filter(|sent| sent.what == Request::Poll);
    let mut last = from;
    for at in polls.map(|sent| sent.at).filter(|at| *at > from).chain([world.now()]) {
        if at > last + allowed {
            return Err(format!("L2: no poll between {last:?} and {at:?}"));
        }
        last = at;
    }
    Ok(())
}

fn told_in_time(world: &World, since: Duration) -> Checked {
    let config = world.config();
    let stream = world.stream()?;
    let mut told: BTreeMap<_, Duration> = BTreeMap::new();
    let mut counted = Vec::new();
    for announcement in announcements(world) {
        if announcement.counts_more {
            counted.push(announcement.at);
        }
        for name in announcement.names {
            told.entry(name).or_insert(announcement.at);
        }
    }
    // A result without text waits one poll, a sixth of an interval later.
    let twin = config.interval / 4;
    // The platform answers a message after the agent's turn: until then the
    // next one waits.
    let turn = Duration::from_millis(world.plan.setup.turn_ms).min(limits::SELF_MESSAGE_DEADLINE);
    let slack = config.request_deadline() * 2 + turn + ROUND_TRIP;
    let settled = settled_until(world);
    for (name, listed) in &world.seen.listed {
        let listed = listed.first;
        if listed < since || settled.is_some_and(|at| listed <= at) {
            continue;
        }
        let due = listed + twin + config.cooldown + config.interval + slack;
        if due > world.now() {
            continue;
        }
        if !stream.contains_key(name) {
            return Err(format!("L2: {name:?}, listed at {listed:?}, is not stored"));
        }
        let is_named = told.get(name).is_some_and(|at| *at <= due);
        let is_counted = counted.iter().any(|at| *at >= listed && *at <= due);
        if !is_named && !is_counted {
            let at = told.get(name);
            return Err(format!("L2: {name:?}, listed at {listed:?}, told {at:?}"));
        }
    }
    Ok(())
}

/// After a token rotation the next beat uses the new token. To be asked of a
/// plan without other faults.
///
/// # Errors
/// The rotation that was not followed.
pub fn l3_new_token_is_used(world: &World) -> Checked {
    tokens_are_used(world, Duration::ZERO)?;
    l3_refused_beats_are_repeated(world)
}

/// L3 for a rotation in the healed world.
///
/// # Errors
/// The rotation that was not followed.
pub fn l3_healed_token_is_used(world: &World) -> Checked {
    tokens_are_used(world, Duration::from_millis(world.plan.faults_end_ms) + grace(world))
}

fn tokens_are_used(world: &World, since: Duration) -> Checked {
    let beats = world.accepted_beats();
    let allowed = world.config().interval + jitter(world) + Duration::from_secs(1) + ROUND_TRIP;
    for (at, token) in world.seen.token_files.iter().filter(|(at, _)| *at >= since) {
        let within = |other: Duration| other > *at && other <= *at + allowed;
        let overtaken = world.plan.entries.iter().any(|entry| {
            let is_rotation = matches!(entry.act, Act::RotateToken { .. });
            is_rotation && within(Duration::from_millis(entry.at_ms))
        }) || world.seen.token_files.iter().any(|(other, _)| within(*other));
        let newest = world.seen.rotations.iter().rfind(|(rotated, _)| rotated <= at);
        let is_current = newest.is_none_or(|(_, newest)| newest == token);
        if overtaken || !is_current || *at + allowed > world.now() {
            continue;
        }
        let used = world.seen.sent.iter().any(|sent| {
            let with = matches!(&sent.what, Request::Beat { token: with } if with == token);
            with && sent.at >= *at && sent.at <= *at + allowed
        });
        let accepted = beats.iter().any(|beat| beat >= at && *beat <= *at + allowed);
        if !used || !accepted {
            return Err(format!("L3: the token written at {at:?} brought no beat in time"));
        }
    }
    Ok(())
}

/// Where the new token stands in the file at once, the refused beat is
/// repeated at once: no gap shows.
fn l3_refused_beats_are_repeated(world: &World) -> Checked {
    let late = |act: &Act| matches!(act, Act::RotateToken { file_late_ms } if *file_late_ms > 0);
    if world.plan.entries.iter().any(|entry| late(&entry.act)) {
        return Ok(());
    }
    let allowed = world.config().interval + jitter(world) + 4 * ROUND_TRIP;
    let beats = world.accepted_beats();
    let gap = beats.windows(2).find(|pair| pair[1] - pair[0] > allowed);
    gap.map_or(Ok(()), |pair| Err(format!("L3: no beat between {:?} and {:?}", pair[0], pair[1])))
}

/// After a crash at any point and a restart nothing that was settled is told
/// again, nothing discovered is lost.
///
/// # Errors
/// What was lost or told again.
pub fn l4_crashes_change_nothing(world: &World) -> Checked {
    super::safety::s4_exactly_once(world).map_err(|broken| format!("L4: {broken}"))?;
    super::safety::s3_cooldown_and_news(world).map_err(|broken| format!("L4: {broken}"))?;
    l4_nothing_waits(world)
}

/// In the end nothing waits to be stored or told.
///
/// # Errors
/// What still waits.
pub fn l4_nothing_waits(world: &World) -> Checked {
    match world.overview() {
        Some(overview) if overview.unannounced == 0 && overview.discovered == 0 => Ok(()),
        left => Err(format!("L4: something still waits: {left:?}")),
    }
}

/// During and after an outage of any length beats are tried within the capped
/// backoff; a `Retry-After` is honoured, itself capped.
///
/// # Errors
/// The silence.
pub fn l5_back_within_the_cap(world: &World) -> Checked {
    let cap = limits::BACKOFF_MAX.max(limits::RETRY_AFTER_MAX * 5 / 4).max(world.config().interval);
    let allowed = cap + world.config().request_deadline() + Duration::from_secs(2);
    let is_beat = |what: &Request| matches!(what, Request::Beat { .. });
    let tried = world.seen.sent.iter().filter(|sent| is_beat(&sent.what)).map(|sent| sent.at);
    let mut last = Duration::ZERO;
    for at in tried.chain([world.now()]) {
        if at - last > allowed {
            return Err(format!("L5: no beat was tried between {last:?} and {at:?}"));
        }
        last = at;
    }
    l5_back_after_healing(world)
}

/// The first beat after the faults comes within the capped backoff.
///
/// # Errors
/// When it came.
pub fn l5_back_after_healing(world: &World) -> Checked {
    let allowed = grace(world);
    let end = Duration::from_millis(world.plan.faults_end_ms);
    if world.now() < end + allowed {
        return Ok(());
    }
    let beats = world.accepted_beats();
    let back = beats.iter().find(|beat| **beat > end);
    back.filter(|beat| **beat <= end + allowed).map_or_else(
        || Err(format!("L5: back at {back:?}, the outage ended at {end:?}")),
        |_| Ok(()),
    )
}

/// Asked to stop, the agent ends within a stated time and leaves the journal
/// consistent.
///
/// # Errors
/// The stop that took too long, or what the next start found.
pub fn l6_stops_in_time(world: &World) -> Checked {
    l6_ends_in_time(world)?;
    let is_damage = |notice: &Notice| {
        matches!(notice, Notice::JournalCorrupt { .. } | Notice::JournalTorn { .. })
    };
    let found = world.seen.notices.iter().find(|(_, notice)| is_damage(notice));
    found.map_or(Ok(()), |(at, notice)| Err(format!("L6: at {at:?}: {notice:?}")))
}

/// Asked to stop, the process ends within the stated time.
///
/// # Errors
/// The stop that took too long.
pub fn l6_ends_in_time(world: &World) -> Checked {
    for stopping in &world.seen.stops {
        let Some(ended) = stopping.ended else {
            if stopping.asked + limits::STOP_WITHIN < world.now() {
                return Err(format!("L6: asked at {:?} and never ended", stopping.asked));
            }
            continue;
        };
        let took = ended - stopping.asked;
        // A machine that sleeps stops nothing.
        let soon = stopping.asked + limits::STOP_WITHIN;
        if world.seen.sleeps.iter().any(|at| *at >= stopping.asked && *at <= soon) {
            continue;
        }
        if took > limits::STOP_WITHIN {
            return Err(format!("L6: asked at {:?}, it took {took:?}", stopping.asked));
        }
    }
    Ok(())
}

/// After a suspend the missed beats become one, sent at once.
///
/// # Errors
/// The wake-up with no beat, or with too many.
pub fn l7_one_beat_after_sleep(world: &World) -> Checked {
    let beats: Vec<Duration> = world
        .seen
        .sent
        .iter()
        .filter(|sent| matches!(sent.what, Request::Beat { .. }))
        .map(|sent| sent.at)
        .collect();
    let soon = limits::FIRST_BEAT_SPREAD + ROUND_TRIP;
    for wake in long_sleeps(world).iter().filter(|wake| **wake + soon < world.now()) {
        let within = |end: Duration| beats.iter().filter(|at| *at >= wake && **at <= end).count();
        let slept_again = world.seen.sleeps.iter().any(|at| at >= wake && *at <= *wake + soon);
        if within(*wake + soon) == 0 && !slept_again {
            return Err(format!("L7: no beat after the wake-up at {wake:?}"));
        }
        // One for the sleep, and the next regular one may follow closely.
        if within(*wake + soon) > 2 {
            return Err(format!("L7: a burst of beats after the wake-up at {wake:?}"));
        }
    }
    Ok(())
}

/// L7 for a process that ran from before the sleep to after it.
///
/// # Errors
/// The wake-up with no beat.
pub fn l7_wakes_with_a_beat(world: &World) -> Checked {
    // A refused agent looks at its token first.
    let soon = limits::FIRST_BEAT_SPREAD + limits::TOKEN_WAIT + ROUND_TRIP;
    let seen = &world.seen;
    let near = |at: Duration, wake: Duration| at + soon >= wake && at <= wake + soon;
    for wake in long_sleeps(world).into_iter().filter(|wake| *wake + soon < world.now()) {
        let started = seen.starts.iter().rfind(|start| **start <= wake).copied();
        let mut ends = seen.kills.iter().copied().chain(seen.stops.iter().map(|stop| stop.asked));
        let ran = started.is_some_and(|start| {
            !near(start, wake) && !ends.any(|end| end >= start && end <= wake + soon)
        });
        let beat = seen.sent.iter().any(|sent| {
            let is_beat = matches!(sent.what, Request::Beat { .. });
            is_beat && sent.at >= wake && sent.at <= wake + soon
        });
        let sleeps_again = seen.sleeps.iter().any(|at| *at >= wake && *at <= wake + soon);
        if ran && !beat && !sleeps_again {
            return Err(format!("L7: no beat after the wake-up at {wake:?}"));
        }
    }
    Ok(())
}

/// When the machine woke from sleeps that no lateness explains and that its
/// clock shows.
fn long_sleeps(world: &World) -> Vec<Duration> {
    let long = world.config().interval * 3 + Duration::from_secs(10);
    let seen = &world.seen;
    let pairs = seen.sleeps.iter().zip(&seen.wakes);
    let shows = |slept: &Duration| !seen.unnoticed_sleeps.contains(slept);
    pairs
        .filter(|(slept, woke)| **woke - **slept > long && shows(slept))
        .map(|(_, woke)| *woke)
        .collect()
}

/// A step of the wall clock changes nothing but timestamps.
///
/// # Errors
/// If it changed when or what is sent.
pub fn l7_wall_steps_change_nothing(world: &World) -> Checked {
    let mut entries = world.plan.entries.clone();
    entries.retain(|entry| !matches!(entry.act, Act::WallStep { .. } | Act::WallDrift { .. }));
    let plan = Plan { entries, ..world.plan.clone() };
    let steady = World::run(&plan)?;
    if steady.seen.sent != world.seen.sent {
        let differs = steady.seen.sent.iter().zip(&world.seen.sent).find(|(a, b)| a != b);
        return Err(format!("L7: a step of the wall clock changed the requests: {differs:?}"));
    }
    Ok(())
}

/// An outage of a day says at most 30 lines.
///
/// # Errors
/// How many it said.
pub fn l8_quiet_outage(world: &World) -> Checked {
    let day = Duration::from_secs(24 * 3_600);
    let said = |notice: &Notice| notice.severity() >= Severity::Info;
    let times: Vec<Duration> =
        world.seen.notices.iter().filter(|(_, notice)| said(notice)).map(|(at, _)| *at).collect();
    let noisy = times.windows(31).find(|window| window[30] - window[0] < day);
    noisy.map_or(Ok(()), |window| Err(format!("L8: over 30 lines in the day from {:?}", window[0])))
}

/// However lanes fail and recover, that one still fails is said once a minute
/// at the most.
///
/// # Errors
/// The lane that says it more often.
pub fn l8_failures_are_said_seldom(world: &World) -> Checked {
    let mut last: BTreeMap<Lane, Duration> = BTreeMap::new();
    for (at, notice) in &world.seen.notices {
        let Notice::OutageContinues { lane, .. } = notice else {
            continue;
        };
        let since = last.insert(*lane, *at).map(|last| *at - last);
        if since.is_some_and(|since| since < Duration::from_secs(60)) {
            return Err(format!(
                "L8: at {at:?} {lane:?} is said to fail, {since:?} after the last"
            ));
        }
    }
    Ok(())
}

/// How long after healing beats may still come late: the longest wait that
/// was begun before.
fn grace(world: &World) -> Duration {
    let config = world.config();
    limits::RETRY_AFTER_MAX * 5 / 4
        + config.interval
        + config.request_deadline()
        + Duration::from_secs(3)
}

fn jitter(world: &World) -> Duration {
    (world.config().interval / 20).min(Duration::from_secs(1))
}
