//! What was seen of a fleet, from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use everbeat_core::{Notice, Severity, Status};

/// A result of one agent.
type Name = (u32, String, Status);

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct FleetSeen {
    /// Requests in each second, whether the platform was there or not.
    pub tried: Seconds,
    /// Those that reached a platform that was there.
    pub served: Seconds,
    /// Beats that the platform accepted.
    pub beats: u64,
    /// Self-messages sent, and those that reached their agent.
    pub self_messages: u64,
    /// Those that reached their agent.
    pub accepted_messages: u64,
    /// Processes started.
    pub starts: u64,
    /// When the platform went, and what came of it.
    pub returns: Vec<Returning>,
    /// Every result that must be told.
    pub expected: BTreeSet<Name>,
    /// Every result that was stored, with how often.
    pub stored: BTreeMap<Name, u32>,
    /// Online at the end.
    pub online: u32,
    /// Containers that the platform restarted because it heard nothing.
    pub restarts: u64,
    /// Notices that a log shows.
    pub log_lines: u64,
    /// Of these, errors.
    pub errors: u64,
    awaited: u32,
}

/// The platform was away, and the herd came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Returning {
    /// When it went.
    pub went: Duration,
    /// When it was back.
    pub back: Option<Duration>,
    /// When all agents were online again.
    pub all_online: Option<Duration>,
}

impl Returning {
    /// From the platform's return to the last agent's.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        Some(self.all_online?.saturating_sub(self.back?))
    }
}

impl FleetSeen {
    pub(super) fn request(&mut self, at: Duration, got_in: bool) {
        self.tried.count(at);
        if got_in {
            self.served.count(at);
        }
    }

    pub(super) fn said(&mut self, notice: &Notice) {
        self.log_lines += u64::from(notice.severity() >= Severity::Info);
        self.errors += u64::from(notice.severity() >= Severity::Error);
    }

    pub(super) fn platform_goes(&mut self, at: Duration) {
        self.awaited = 0;
        self.returns.push(Returning { went: at, ..Returning::default() });
    }

    pub(super) fn await_all(&mut self, at: Duration, agents: u32) {
        self.awaited = agents;
        if let Some(last) = self.returns.last_mut() {
            last.back = Some(at);
        }
    }

    pub(super) const fn is_awaiting(&self) -> bool {
        self.awaited > 0
    }

    pub(super) fn one_is_back(&mut self, at: Duration) {
        self.awaited = self.awaited.saturating_sub(1);
        if self.awaited == 0
            && let Some(last) = self.returns.last_mut()
        {
            last.all_online = Some(at);
        }
    }

    /// Results that must be told and were not stored.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.expected.iter().filter(|name| !self.stored.contains_key(*name)).count()
    }

    /// Results that were stored more than once, or never expected.
    #[must_use]
    pub fn surplus(&self) -> usize {
        let is_surplus =
            |(name, count): &(&Name, &u32)| **count > 1 || !self.expected.contains(*name);
        self.stored.iter().filter(is_surplus).count()
    }

    /// The longest time from a platform's return until all were online;
    /// `None` if they never were.
    #[must_use]
    pub fn slowest_return(&self) -> Option<Duration> {
        self.returns.iter().map(Returning::took).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

/// Counts by whole seconds from the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seconds(Vec<u32>);

impl Seconds {
    fn count(&mut self, at: Duration) {
        let second = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
        if self.0.len() <= second {
            self.0.resize(second.saturating_add(1), 0);
        }
        self.0[second] += 1;
    }

    /// One for each second, up to the last in which anything was counted.
    #[must_use]
    pub fn counts(&self) -> &[u32] {
        &self.0
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// The largest in any second of `from..to`.
    #[must_use]
    pub fn peak(&self, from: Duration, to: Duration) -> u32 {
        self.within(from, to).iter().copied().max().unwrap_or_default()
    }

    /// The mean of a second of `from..to`.
    #[must_use]
    pub fn mean(&self, from: Duration, to: Duration) -> f64 {
        let seconds = to.as_secs().saturating_sub(from.as_secs()).max(1);
        let total: u64 = self.within(from, to).iter().map(|count| u64::from(*count)).sum();
        total as f64 / seconds as f64
    }

    fn within(&self, from: Duration, to: Duration) -> &[u32] {
        let index = |at: Duration| usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
        let end = index(to).min(self.0.len());
        &self.0[index(from).min(end)..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_peaks_and_means() {
        let mut seconds = Seconds::default();
        let at = Duration::from_secs;
        for second in [1, 3, 3, 3] {
            seconds.count(at(second));
        }
        assert_eq!((seconds.total(), seconds.peak(at(0), at(9))), (4, 3));
        assert_eq!(seconds.peak(at(0), at(3)), 1);
        assert!((seconds.mean(at(0), at(8)) - 0.5).abs() < 1e-9);
    }
}
