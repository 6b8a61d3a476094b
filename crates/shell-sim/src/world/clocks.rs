//! The clocks: the machine's two, which may step, drift and stop, and the
//! platform's own. Without a clock of their own: the world's time comes in.

use std::time::Duration;

use everbeat_core::{Instant, Now, WallTime};

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

    /// What the agent's machine shows.
    pub(super) fn agent(&self, now: Duration) -> Now {
        let wall_ms = wall_ms(now).saturating_add(self.wall_off_ms_at(now));
        Now {
            monotonic: Instant::START.plus(UP_BEFORE + now.saturating_sub(self.stood)),
            wall: WallTime::from_unix_millis(wall_ms),
        }
    }

    /// In the world's time, when the machine's monotonic clock shows `at`;
    /// what it showed before the run is its start.
    pub(super) fn when(&self, at: Instant) -> Duration {
        let up = Duration::from_nanos(at.as_nanos()).saturating_sub(UP_BEFORE);
        up.saturating_add(self.stood)
    }

    /// What the platform's wall clock shows, in Unix milliseconds.
    pub(super) fn platform_wall_ms(&self, now: Duration) -> i64 {
        wall_ms(now).saturating_add(self.platform_off_ms)
    }

    fn wall_off_ms_at(&self, now: Duration) -> i64 {
        let drifted = millis(now.saturating_sub(self.drifts_since)) / 100 * self.drift_percent;
        self.wall_off_ms.saturating_add(drifted)
    }
}

fn wall_ms(now: Duration) -> i64 {
    WALL_START_MS.saturating_add(millis(now))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn wall_off_ms(clocks: &Clocks, now: Duration) -> i64 {
        clocks.agent(now).wall.unix_millis() - wall_ms(now)
    }

    #[test]
    fn true_clocks_agree() {
        let clocks = Clocks::default();
        let shown = clocks.agent(HOUR);
        assert_eq!(shown.wall.unix_millis(), clocks.platform_wall_ms(HOUR));
        assert_eq!(clocks.when(shown.monotonic), HOUR);
        assert_eq!(clocks.when(Instant::START), Duration::ZERO);
    }

    #[test]
    fn a_step_of_the_wall_is_seen_on_the_wall_alone() {
        let mut clocks = Clocks::default();
        let before = clocks.agent(HOUR).monotonic;
        clocks.step_wall(-86_400_000);
        assert_eq!(wall_off_ms(&clocks, HOUR), -86_400_000);
        assert_eq!(clocks.agent(HOUR).monotonic, before);
        assert_eq!(clocks.platform_wall_ms(HOUR), wall_ms(HOUR));
    }

    #[test]
    fn what_has_drifted_stays_when_the_drift_ends() {
        let mut clocks = Clocks::default();
        clocks.drift_wall(HOUR, 5);
        assert_eq!(wall_off_ms(&clocks, 2 * HOUR), 180_000);
        clocks.drift_wall(2 * HOUR, 0);
        assert_eq!(wall_off_ms(&clocks, 9 * HOUR), 180_000);
        clocks.drift_wall(9 * HOUR, -1);
        assert_eq!(wall_off_ms(&clocks, 10 * HOUR), 144_000);
    }

    #[test]
    fn a_clock_that_stood_shows_less_and_wakes_later() {
        let mut clocks = Clocks::default();
        let due = clocks.agent(2 * HOUR).monotonic;
        clocks.stand(HOUR);
        assert_eq!(clocks.when(due), 3 * HOUR);
        assert_eq!(clocks.agent(3 * HOUR).monotonic, due);
        assert_eq!(wall_off_ms(&clocks, 3 * HOUR), 0);
    }

    #[test]
    fn the_platform_s_skew_is_its_own() {
        let mut clocks = Clocks::default();
        clocks.skew_platform(7_000);
        assert_eq!(clocks.platform_wall_ms(HOUR), wall_ms(HOUR) + 7_000);
        assert_eq!(wall_off_ms(&clocks, HOUR), 0);
    }
}
