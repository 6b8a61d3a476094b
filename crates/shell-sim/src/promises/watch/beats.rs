//! L1, L5 and L7: beats come in time.

use std::time::Duration;

use everbeat_core::limits;

use super::{Checked, Promise, Turn, View};
use crate::world::{Request, Sent, World};

/// Latency of a good network, both ways, and the platform's answer.
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(50);

/// How long after healing beats may still come late: the longest wait that
/// was begun before.
pub(super) fn grace(world: &World) -> Duration {
    let config = world.config();
    limits::RETRY_AFTER_MAX * 5 / 4
        + config.interval
        + config.request_deadline()
        + Duration::from_secs(3)
}

/// An interval and its jitter.
pub(super) fn regular(world: &World) -> Duration {
    let interval = world.config().interval;
    interval + (interval / 20).min(Duration::from_secs(1)) + ROUND_TRIP
}

const fn is_beat(sent: &Sent) -> bool {
    matches!(sent.what, Request::Beat { .. })
}

/// L1: a heartbeat succeeds at least once every interval plus its jitter.
#[derive(Default)]
pub(super) struct BeatsOnTime {
    /// Whether the whole run is asked, or the healed world once the waits that
    /// were begun before are over. The former is for a plan that leaves the
    /// way of the beats alone.
    always: bool,
    beats: u64,
    due: Option<Duration>,
}

impl BeatsOnTime {
    pub(super) fn always() -> Self {
        Self { always: true, ..Self::default() }
    }

    fn due_after(&self, view: &View<'_>, last: Duration) -> Duration {
        if self.always {
            return last + regular(view.world);
        }
        // A rotation's refused beat is repeated at once, if a little later.
        let last = last.max(view.healed() + grace(view.world));
        last + regular(view.world) + Duration::from_secs(1)
    }
}

impl Promise for BeatsOnTime {
    fn turned(&mut self, view: &View<'_>, _: Turn) -> Checked {
        let first = limits::FIRST_BEAT_SPREAD + ROUND_TRIP;
        let first = if self.always { first } else { self.due_after(view, Duration::ZERO) };
        self.due.get_or_insert(first);
        Ok(())
    }

    fn beat_accepted(&mut self, view: &View<'_>) -> Checked {
        self.beats += u64::from(self.always || view.now() > view.healed() + grace(view.world));
        self.due = Some(self.due_after(view, view.now()));
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.due
    }

    fn overdue(&mut self, _: &View<'_>) -> Checked {
        Err("L1: no beat for an interval and its jitter".into())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.beats
    }
}

/// L5: the first beat after the faults comes within the capped backoff.
#[derive(Default)]
pub(super) struct BackAfterHealing {
    is_back: bool,
    due: Option<Duration>,
}

impl Promise for BackAfterHealing {
    fn turned(&mut self, view: &View<'_>, _: Turn) -> Checked {
        if !self.is_back {
            self.due = Some(view.healed() + grace(view.world));
        }
        Ok(())
    }

    fn beat_accepted(&mut self, view: &View<'_>) -> Checked {
        if view.now() > view.healed() {
            (self.is_back, self.due) = (true, None);
        }
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.due
    }

    fn overdue(&mut self, view: &View<'_>) -> Checked {
        Err(format!("L5: no beat since the outage ended at {:?}", view.healed()))
    }

    fn looked_at(&self, view: &View<'_>) -> u64 {
        let acts = view.world.seen.acts.iter();
        let outages = acts.filter(|(name, _)| name.starts_with("outage"));
        outages.map(|(_, count)| count).sum()
    }
}

/// L1 and L5 while faults go on: as long as a process runs, a beat that
/// succeeded is followed by the next within an interval and its jitter, any
/// other within the capped backoff.
#[derive(Default)]
pub(super) struct NextBeatComes {
    beats: u64,
    waits: Option<Wait>,
}

/// For the beat after this one.
struct Wait {
    since: Duration,
    /// How long the machine slept since.
    slept: Duration,
    within: Duration,
    /// Whether the last beat failed, or there is none.
    is_in_trouble: bool,
}

impl Promise for NextBeatComes {
    fn turned(&mut self, view: &View<'_>, turn: Turn) -> Checked {
        match turn {
            // One that is killed at once has done nothing.
            Turn::Starts if !view.world.is_running() => {}
            Turn::Starts => {
                let within = limits::FIRST_BEAT_SPREAD + ROUND_TRIP;
                let (since, slept) = (view.now(), Duration::ZERO);
                self.waits = Some(Wait { since, slept, within, is_in_trouble: true });
            }
            Turn::Killed | Turn::AskedToStop => self.waits = None,
            Turn::Sleeps => {
                let seen = &view.world.seen;
                if let (Some(wait), Some(slept), Some(woke)) =
                    (&mut self.waits, seen.sleeps.last(), seen.wakes.last())
                {
                    // What was missed comes a little after the wake-up.
                    wait.slept += *woke - *slept + limits::FIRST_BEAT_SPREAD;
                }
            }
            Turn::TokenWritten => {}
        }
        Ok(())
    }

    fn sent(&mut self, view: &View<'_>, sent: &Sent) -> Checked {
        if is_beat(sent) && self.waits.is_some() {
            self.beats += 1;
            let (within, slept) = (regular(view.world), Duration::ZERO);
            self.waits = Some(Wait { since: sent.at, slept, within, is_in_trouble: false });
        }
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.waits.as_ref().map(|wait| wait.since + wait.slept + wait.within)
    }

    fn overdue(&mut self, view: &View<'_>) -> Checked {
        let Some(wait) = &mut self.waits else {
            return Ok(());
        };
        if wait.is_in_trouble {
            return Err(format!("L5: no beat is tried since {:?}", wait.since));
        }
        let Some(taken) = view.world.seen.beat_taken else {
            (wait.within, wait.is_in_trouble) = (tried_within(view.world), true);
            return Ok(());
        };
        // The next point of the grid is left out while the beat is under way.
        let within = taken - wait.since + regular(view.world);
        if wait.within >= within {
            return Err(format!("L1: no beat follows the one that was accepted at {taken:?}"));
        }
        wait.within = within;
        Ok(())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.beats
    }
}

/// How soon a beat follows one that failed, at the latest.
fn tried_within(world: &World) -> Duration {
    let config = world.config();
    let cap = limits::BACKOFF_MAX.max(limits::RETRY_AFTER_MAX * 5 / 4).max(config.interval);
    cap + config.request_deadline() + Duration::from_secs(2)
}

/// L5: during and after an outage of any length beats are tried within the
/// capped backoff; a `Retry-After` is honoured, itself capped.
#[derive(Default)]
pub(super) struct TriedWithinTheCap {
    tries: u64,
    due: Option<Duration>,
}

impl Promise for TriedWithinTheCap {
    fn sent(&mut self, view: &View<'_>, sent: &Sent) -> Checked {
        if is_beat(sent) {
            self.tries += 1;
            self.due = Some(sent.at + tried_within(view.world));
        }
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.due
    }

    fn overdue(&mut self, _: &View<'_>) -> Checked {
        Err("L5: no beat is tried within the capped backoff".into())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.tries
    }
}

/// A wake-up from a sleep that no lateness explains and that the clock shows.
struct Wake {
    at: Duration,
    due: Duration,
    beats: usize,
}

impl Wake {
    /// The one that ends the sleep which has just begun, if it is a long one.
    fn of_last_sleep(view: &View<'_>, within: Duration) -> Option<Self> {
        let seen = &view.world.seen;
        let (slept, woke) = (*seen.sleeps.last()?, *seen.wakes.last()?);
        // An agent that waits for the platform to come back misses nothing
        // until its wait is over.
        let long = view.world.config().interval * 3 + limits::RETRY_AFTER_MAX * 5 / 4;
        let shows = seen.unnoticed_sleeps.last() != Some(&slept);
        (shows && woke - slept > long).then_some(Self { at: woke, due: woke + within, beats: 0 })
    }

    fn hears(&mut self, sent: &Sent) {
        self.beats += usize::from(is_beat(sent) && sent.at >= self.at);
    }

    fn sleeps_again(&self, view: &View<'_>) -> bool {
        view.world
            .seen
            .sleeps
            .iter()
            .rev()
            .take_while(|at| **at >= self.at)
            .any(|at| *at <= self.due)
    }
}

/// L7: a process that ran from before a long sleep to after it sends a beat at
/// once.
#[derive(Default)]
pub(super) struct WakesWithABeat {
    sleeps: u64,
    wake: Option<Wake>,
}

impl Promise for WakesWithABeat {
    fn turned(&mut self, view: &View<'_>, turn: Turn) -> Checked {
        if turn == Turn::Sleeps {
            // A refused agent looks at its token first.
            let soon = limits::FIRST_BEAT_SPREAD + limits::TOKEN_WAIT + ROUND_TRIP;
            self.wake = Wake::of_last_sleep(view, soon);
            self.sleeps += u64::from(self.wake.is_some());
        }
        Ok(())
    }

    fn sent(&mut self, _: &View<'_>, sent: &Sent) -> Checked {
        if let Some(wake) = &mut self.wake {
            wake.hears(sent);
        }
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.wake.as_ref().map(|wake| wake.due)
    }

    fn overdue(&mut self, view: &View<'_>) -> Checked {
        let Some(wake) = self.wake.take().filter(|wake| wake.beats == 0) else {
            return Ok(());
        };
        let seen = &view.world.seen;
        let soon = wake.due - wake.at;
        let started = seen.starts.iter().rfind(|start| **start <= wake.at);
        let asked = seen.stops.iter().map(|stop| stop.asked);
        let ran = started.is_some_and(|start| {
            let mut ends = seen.kills.iter().copied().chain(asked);
            *start + soon < wake.at && !ends.any(|end| end >= *start)
        });
        if ran {
            return Err(format!("L7: no beat after the wake-up at {:?}", wake.at));
        }
        Ok(())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.sleeps
    }
}

/// L7: the missed beats become one. For a plan that does nothing else to the
/// beats.
#[derive(Default)]
pub(super) struct OneBeatAfterSleep {
    sleeps: u64,
    wake: Option<Wake>,
}

impl Promise for OneBeatAfterSleep {
    fn turned(&mut self, view: &View<'_>, turn: Turn) -> Checked {
        if turn == Turn::Sleeps {
            self.wake = Wake::of_last_sleep(view, limits::FIRST_BEAT_SPREAD + ROUND_TRIP);
            self.sleeps += u64::from(self.wake.is_some());
        }
        Ok(())
    }

    fn sent(&mut self, _: &View<'_>, sent: &Sent) -> Checked {
        let Some(wake) = &mut self.wake else {
            return Ok(());
        };
        wake.hears(sent);
        // One for the sleep, and the next regular one may follow closely.
        if wake.beats > 2 {
            return Err(format!("L7: a burst of beats after the wake-up at {:?}", wake.at));
        }
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.wake.as_ref().map(|wake| wake.due)
    }

    fn overdue(&mut self, view: &View<'_>) -> Checked {
        match self.wake.take() {
            Some(wake) if wake.beats == 0 && !wake.sleeps_again(view) => {
                Err(format!("L7: no beat after the wake-up at {:?}", wake.at))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.sleeps
    }
}
