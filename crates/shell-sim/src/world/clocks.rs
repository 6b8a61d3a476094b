//! The clocks: the machine's two, which may step, drift and stop, and the
//! platform's own.

use std::time::Duration;

use everbeat_core::{Instant, Now, WallTime};

use super::World;

/// Wall time at the start of every run, in Unix milliseconds.
const WALL_START_MS: i64 = 1_775_000_000_000;
/// The agent's monotonic clock does not begin at zero.
const UP_BEFORE: Duration = Duration::from_secs(1_000);

/// How wrong they are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    /// How far the machine's wall clock is off, when its drift began.
    wall_off_ms: i64,
    drift_percent: i64,
    drifts_since: Duration,
    /// How long the machine's monotonic clock has stood still in all.
    stood: Duration,
    /// How far the platform's wall clock is off.
    platform_off_ms: i64,
}

impl Clocks {
    pub(super) const fn step_wall(&mut self, ms: i64) {
        self.wall_off_ms = self.wall_off_ms.saturating_add(ms);
    }

    pub(super) fn drift_wall(&mut self, now: Duration, percent: i8) {
        self.wall_off_ms = self.wall_off_ms_at(now);
        self.drift_percent = i64::from(percent);
        self.drifts_since = now;
    }

    pub(super) const fn skew_platform(&mut self, ms: i64) {
        self.platform_off_ms = ms;
    }

    /// The monotonic clock stands still for so long. Nothing may read it
    /// before that has passed.
    pub(super) const fn stand(&mut self, length: Duration) {
        self.stood = self.stood.saturating_add(length);
    }

    fn wall_off_ms_at(&self, now: Duration) -> i64 {
        let drifted = millis(now.saturating_sub(self.drifts_since)) / 100 * self.drift_percent;
        self.wall_off_ms.saturating_add(drifted)
    }
}

impl World {
    /// When the process wants to be woken, in the world's time.
    pub(super) fn wakeup_at(&self) -> Option<Duration> {
        let wakeup = self.process.as_ref()?.machine.next_wakeup()?;
        let up = Duration::from_nanos(wakeup.at.as_nanos()).saturating_sub(UP_BEFORE);
        let at = up.saturating_add(self.clocks.stood);
        Some(at.max(self.asleep_until.unwrap_or_default()))
    }

    pub(super) fn agent_now(&self) -> Now {
        let up = self.now.saturating_sub(self.clocks.stood);
        let wall_ms = self.wall_ms().saturating_add(self.clocks.wall_off_ms_at(self.now));
        Now {
            monotonic: Instant::START.plus(UP_BEFORE + up),
            wall: WallTime::from_unix_millis(wall_ms),
        }
    }

    pub(super) fn platform_wall_ms(&self) -> i64 {
        self.wall_ms().saturating_add(self.clocks.platform_off_ms)
    }

    fn wall_ms(&self) -> i64 {
        WALL_START_MS.saturating_add(millis(self.now))
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
