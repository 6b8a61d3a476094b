//! Waiting for a condition, with a deadline.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take on a machine that has other things to do.
pub const PATIENCE: Duration = Duration::from_secs(40);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `found` gives something.
///
/// # Panics
/// After [`PATIENCE`], naming `what`.
pub fn until<T>(what: &str, found: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, found)
}

/// Waits until `holds`.
///
/// # Panics
/// After [`PATIENCE`], naming `what`.
pub fn for_true(what: &str, mut holds: impl FnMut() -> bool) {
    until(what, || holds().then_some(()));
}

/// Waits until `value` is at least `least`, and gives it.
///
/// # Panics
/// After [`PATIENCE`], naming `what` and the last value.
pub fn for_least<T: PartialOrd + Debug>(what: &str, least: T, mut value: impl FnMut() -> T) -> T {
    let from = Instant::now();
    loop {
        let now = value();
        if now >= least {
            return now;
        }
        assert!(from.elapsed() < PATIENCE, "{what}: still {now:?}, not {least:?}");
        thread::sleep(LOOK_EVERY);
    }
}

/// Waits for `limit` at most.
///
/// # Panics
/// After that, naming `what`.
pub fn within<T>(limit: Duration, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let from = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(from.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(LOOK_EVERY);
    }
}
