//! One table of timers; the order of [`Timer::ALL`] breaks ties.

use crate::time::Instant;

/// Everything that is due by time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A task ends by itself. Before the beat, which may follow at once.
    Task,
    /// The next beat.
    Beat,
    /// The next registration.
    Register,
    /// The next poll of the delegations.
    Poll,
    /// The store may be tried again.
    Store,
    /// The results file is to be looked at.
    Probe,
    /// An announcement may be due.
    Announce,
    /// A notification may be due.
    Notify,
    /// Stopping has taken long enough.
    Stop,
}

impl Timer {
    pub(crate) const ALL: [Self; 9] = [
        Self::Task,
        Self::Beat,
        Self::Register,
        Self::Poll,
        Self::Store,
        Self::Probe,
        Self::Announce,
        Self::Notify,
        Self::Stop,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Beat => "beat",
            Self::Register => "registration",
            Self::Poll => "poll",
            Self::Store => "store",
            Self::Probe => "look at the results file",
            Self::Announce => "announcement",
            Self::Notify => "notification",
            Self::Task => "end of a task",
            Self::Stop => "end of stopping",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    due: [Option<Instant>; Timer::ALL.len()],
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.due[timer as usize] = Some(at);
    }

    /// Sets `timer` unless it is already due earlier.
    pub(crate) fn set_no_later(&mut self, timer: Timer, at: Instant) {
        let earlier = self.get(timer).map_or(at, |due| due.min(at));
        self.set(timer, earlier);
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.due[timer as usize] = None;
    }

    pub(crate) fn clear_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.due[timer as usize]
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.get(timer).is_some()
    }

    /// Clears `timer` and says true if it is due at `now`.
    pub(crate) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        let is_due = self.get(timer).is_some_and(|due| due <= now);
        if is_due {
            self.clear(timer);
        }
        is_due
    }

    /// The earliest timer, with its name.
    pub(crate) fn next(&self) -> Option<(Instant, &'static str)> {
        let due = |timer: Timer| Some((self.get(timer)?, timer));
        let first = Timer::ALL.into_iter().filter_map(due).min_by_key(|(at, _)| *at);
        first.map(|(at, timer)| (at, timer.name()))
    }
}
