//! The two clocks that everything is told by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use everbeat_core::{Instant, Now, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// Linux has a clock that goes on while the machine sleeps, so that a suspend
/// shows as a gap. Elsewhere the monotonic clock has to do.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Counts from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started_at: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started_at: read() }
    }

    pub(crate) fn now(self) -> Now {
        Now { monotonic: self.monotonic(), wall: wall() }
    }

    pub(crate) fn monotonic(self) -> Instant {
        let nanos = read().saturating_sub(self.started_at).as_nanos();
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The wall clock; the epoch itself if it stands before that.
pub(crate) fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn read() -> Duration {
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos.min(999_999_999))
}
