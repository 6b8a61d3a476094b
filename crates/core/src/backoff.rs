//! How long to wait after a failure.

use core::time::Duration;

use crate::chance::Chance;
use crate::limits::{BACKOFF_MAX, RETRY_AFTER_MAX};
use crate::planted::{self, Fault};
use crate::time::scale;

/// The shortest time between two requests of one lane that the platform, not
/// the agent, is the cause of: a sixth of the interval. The request budget
/// (S5) follows from it.
pub(crate) fn floor(interval: Duration) -> Duration {
    scale(interval, 1, 6)
}

/// Full-jitter exponential backoff after `failures` (from 1) in a row of what
/// the platform is asked: uniform from the floor to a third of the interval,
/// doubled with each failure, four thirds at least and 60 s at most.
///
/// The first waits already spread over more than an interval: agents that fail
/// together do not come back together. From a third on, the busiest second
/// after a short outage saw three times the requests of a second at rest.
pub(crate) fn delay(chance: &mut Chance, interval: Duration, failures: u32) -> Duration {
    growing(chance, interval, failures, scale(interval, 4, 3))
}

/// The same of what the machine itself is asked, its disk: nobody else waits
/// for that, so it begins with a third of the interval.
pub(crate) fn local_delay(chance: &mut Chance, interval: Duration, failures: u32) -> Duration {
    growing(chance, interval, failures, Duration::ZERO)
}

fn growing(chance: &mut Chance, interval: Duration, failures: u32, least: Duration) -> Duration {
    let is_tenth = planted::active(Fault::BusyLoopAfterTen) && failures >= 10;
    if planted::active(Fault::BusyLoop) || is_tenth {
        return Duration::from_nanos(1);
    }
    let doublings = failures.saturating_sub(1).min(20);
    let grown = scale(interval, 1, 3).saturating_mul(1 << doublings).max(least);
    let cap = if planted::active(Fault::BackoffUncapped) {
        Duration::MAX
    } else if planted::active(Fault::BackoffAboveTtl) {
        Duration::from_secs(300)
    } else {
        BACKOFF_MAX
    };
    chance.between(floor(interval), grown.min(cap))
}

/// The wait that a `Retry-After` asks for: at least the floor, at most 60 s,
/// and up to a quarter more so that not all come back at once.
pub(crate) fn retry_after(chance: &mut Chance, interval: Duration, seconds: u64) -> Duration {
    let asked = Duration::from_secs(seconds).min(RETRY_AFTER_MAX).max(floor(interval));
    if planted::active(Fault::RetryAfterUncapped) {
        return Duration::from_secs(seconds).max(floor(interval));
    }
    chance.between(asked, asked + scale(asked, 1, 4))
}
