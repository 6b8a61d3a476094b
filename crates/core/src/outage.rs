//! A lane's outage as a story: its start, its course by time, its end.

use alloc::string::String;
use core::time::Duration;

use crate::notice::{Lane, Notice};
use crate::planted::{self, Fault};
use crate::status::OutageStatus;
use crate::time::Instant;

/// After so long it is said again; after the last, once a day.
const STEPS: [Duration; 3] =
    [Duration::from_secs(300), Duration::from_secs(3_600), Duration::from_secs(6 * 3_600)];
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// A lane that fails again this soon after it was said to fail is flapping:
/// nothing is said until it lasts a minute.
const FLAP: Duration = Duration::from_secs(600);
const FLAP_LASTS: Duration = Duration::from_secs(60);
/// That it still fails is said so seldom, however late it was said last.
const SAID_APART: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Outage {
    lane: Lane,
    current: Option<Current>,
    last_said_start: Option<Instant>,
}

#[derive(Debug)]
struct Current {
    since: Instant,
    failures: u32,
    cause: String,
    said: bool,
    next_say: Duration,
}

impl Outage {
    pub(crate) const fn new(lane: Lane) -> Self {
        Self { lane, current: None, last_said_start: None }
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.current.as_ref().map_or(0, |current| current.failures)
    }

    /// The outage as it stands.
    pub(crate) fn status(&self, now: Instant) -> Option<OutageStatus> {
        let Current { since, failures, cause, .. } = self.current.as_ref()?;
        let (since, failures) = (now.since(*since), *failures);
        Some(OutageStatus { since, failures, cause: cause.clone() })
    }

    /// One more failure; what is to be said about it, if anything.
    pub(crate) fn failed(&mut self, now: Instant, cause: String) -> Option<Notice> {
        let lane = self.lane;
        let Some(current) = &mut self.current else {
            let flaps = self.last_said_start.is_some_and(|at| now.since(at) < FLAP);
            let next_say = if flaps { FLAP_LASTS } else { STEPS[0] };
            let (since, said) = (now, !flaps);
            self.current =
                Some(Current { since, failures: 1, cause: cause.clone(), said, next_say });
            if flaps {
                return None;
            }
            self.last_said_start = Some(now);
            return Some(Notice::OutageStarted { lane, cause });
        };
        current.failures = current.failures.saturating_add(1);
        current.cause.clone_from(&cause);
        let lasted = now.since(current.since);
        if lasted < current.next_say && !planted::active(Fault::NoisyOutage) {
            return None;
        }
        current.said = true;
        current.next_say = next_step(lasted);
        Some(Notice::OutageContinues { lane, cause, lasted, failures: current.failures })
    }

    /// It works; what is to be said about it, if anything.
    pub(crate) fn ended(&mut self, now: Instant) -> Option<Notice> {
        let current = self.current.take()?;
        let lasted = now.since(current.since);
        let (lane, failures) = (self.lane, current.failures);
        current.said.then_some(Notice::OutageEnded { lane, lasted, failures })
    }
}

/// What was said late, after a sleep for instance, is not said again at once.
fn next_step(lasted: Duration) -> Duration {
    let step = STEPS.into_iter().find(|step| *step >= lasted.saturating_add(SAID_APART));
    step.unwrap_or_else(|| lasted.saturating_add(DAY))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// A lane that flaps, and a machine that slept: the minute after which it is
    /// said comes late, just before the next step.
    #[test]
    fn what_is_said_late_is_not_said_again_within_a_minute() {
        let at = |seconds: u64| Instant::from_millis(seconds * 1_000);
        let mut outage = Outage::new(Lane::Delegations);
        assert!(outage.failed(at(1_000), "away".into()).is_some());
        assert!(outage.ended(at(1_010)).is_some());
        assert_eq!(outage.failed(at(1_020), "away".into()), None);

        let said = outage.failed(at(1_282), "away".into());
        assert!(matches!(said, Some(Notice::OutageContinues { .. })), "{said:?}");
        assert_eq!(outage.failed(at(1_331), "away".into()), None);
        let said = outage.failed(at(1_020 + 3_600), "away".into());
        assert!(matches!(said, Some(Notice::OutageContinues { .. })), "{said:?}");
    }

    #[test]
    fn that_it_lasts_is_said_after_five_minutes_an_hour_six_and_then_daily() {
        let mut outage = Outage::new(Lane::Alive);
        let minutes = |minutes: u64| Instant::from_millis(minutes * 60_000);
        let said: Vec<u64> = (0..=3 * 24 * 60)
            .filter(|minute| outage.failed(minutes(*minute), "away".into()).is_some())
            .collect();
        assert_eq!(said, [0, 5, 60, 6 * 60, (6 + 24) * 60, (6 + 48) * 60]);
        let ended = outage.ended(minutes(5_000));
        let lasted = Duration::from_secs(5_000 * 60);
        let failures = 3 * 24 * 60 + 1;
        assert_eq!(ended, Some(Notice::OutageEnded { lane: Lane::Alive, lasted, failures }));
    }

    #[test]
    fn a_lane_flaps_that_fails_again_within_ten_minutes() {
        let second_is_said = |after: Duration| {
            let mut outage = Outage::new(Lane::Alive);
            assert!(outage.failed(Instant::START, "away".into()).is_some());
            assert!(outage.ended(Instant::START).is_some());
            outage.failed(Instant::START.plus(after), "away".into()).is_some()
        };
        assert!(second_is_said(FLAP));
        assert!(!second_is_said(FLAP - Duration::from_nanos(1)));
    }
}
