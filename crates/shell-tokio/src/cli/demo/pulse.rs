//! The agent's requests as the platform saw them, held against how often they
//! should come. Times are since the platform's start.

use std::collections::VecDeque;
use std::time::Duration;

use everbeat_core::limits::{BACKOFF_MAX, FIRST_BEAT_SPREAD, REQUESTS_PER_INTERVAL_MAX};

/// Why no beat can be accepted for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excuse {
    /// The agent is not running.
    Down,
    /// The platform is away.
    Outage,
    /// The token was replaced.
    Token,
}

/// How beats came back after excuses of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recoveries {
    /// How often.
    pub(crate) count: u32,
    /// The slowest, from the end of the excuse to the first beat.
    pub(crate) slowest: Duration,
    /// What was allowed for that one.
    pub(crate) allowed: Duration,
    /// How many took longer than allowed.
    pub(crate) late: u32,
}

#[derive(Debug)]
struct Pending {
    excuse: Excuse,
    over_at: Option<Duration>,
    refused_beats: u32,
    /// Somebody else's trouble came on top of it.
    was_held: bool,
}

/// The counts.
#[derive(Debug)]
pub(crate) struct Pulse {
    interval: Duration,
    cooldown: Duration,
    pub(crate) beats: u64,
    last_beat: Option<Duration>,
    /// Between two beats without an excuse.
    pub(crate) longest_gap: Duration,
    pending: Option<Pending>,
    recoveries: [Recoveries; 3],
    /// Beats answered by 401.
    pub(crate) beats_unauthorised: u64,
    recent: VecDeque<Duration>,
    pub(crate) busiest: usize,
    /// Requests while the platform was away.
    pub(crate) refused: u64,
    pub(crate) outages: Duration,
    last_message: Option<Duration>,
    pub(crate) closest_messages: Option<Duration>,
    /// The longest that this machine kept a sleeper waiting.
    stall: Duration,
}

impl Pulse {
    /// Starts with no agent running.
    pub(crate) fn new(interval: Duration, cooldown: Duration) -> Self {
        Self {
            interval,
            cooldown,
            beats: 0,
            last_beat: None,
            longest_gap: Duration::ZERO,
            pending: None,
            recoveries: [Recoveries::default(); 3],
            beats_unauthorised: 0,
            recent: VecDeque::new(),
            busiest: 0,
            refused: 0,
            outages: Duration::ZERO,
            last_message: None,
            closest_messages: None,
            stall: Duration::ZERO,
        }
    }

    /// From now on no beat can be accepted.
    pub(crate) fn begin(&mut self, excuse: Excuse, at: Duration) {
        self.end_gap(at);
        let was_held = self.pending.as_ref().is_some_and(|pending| pending.was_held);
        self.pending = Some(Pending { excuse, over_at: None, refused_beats: 0, was_held });
    }

    /// Somebody else's trouble: at this moment no beat can be accepted,
    /// whatever else is or was over.
    pub(crate) fn hold(&mut self, excuse: Excuse, at: Duration) {
        if self.pending.is_none() {
            self.begin(excuse, at);
            self.over(at);
        }
        if let Some(pending) = &mut self.pending {
            pending.was_held = true;
            pending.over_at = pending.over_at.map(|_| at);
        }
    }

    /// From now on one can.
    pub(crate) fn over(&mut self, at: Duration) {
        if let Some(pending) = &mut self.pending {
            pending.over_at = Some(at);
        }
    }

    /// No beat is expected any more.
    pub(crate) fn close(&mut self, at: Duration) {
        self.end_gap(at);
        self.last_beat = None;
    }

    fn end_gap(&mut self, at: Duration) {
        if let (Some(last), None) = (self.last_beat, &self.pending) {
            self.longest_gap = self.longest_gap.max(at.saturating_sub(last));
        }
    }

    /// A beat was accepted. The first after an excuse: says how long after.
    pub(crate) fn beat(&mut self, at: Duration) -> Option<Duration> {
        self.beats += 1;
        self.end_gap(at);
        self.last_beat = Some(at);
        let over_at = self.pending.as_ref().and_then(|pending| pending.over_at);
        let over_at = over_at.filter(|over_at| *over_at <= at)?;
        let pending = self.pending.take()?;
        let (took, allowed) = (at - over_at, self.allowed_after(&pending));
        let kind = &mut self.recoveries[pending.excuse as usize];
        kind.count += 1;
        kind.late += u32::from(took > allowed);
        if took >= kind.slowest {
            (kind.slowest, kind.allowed) = (took, allowed);
        }
        Some(took)
    }

    /// A beat was not accepted: by a platform that was away, or by 401.
    pub(crate) fn beat_refused(&mut self, status: u16) {
        self.beats_unauthorised += u64::from(status == 401);
        if let Some(pending) = &mut self.pending {
            pending.refused_beats += 1;
        }
    }

    /// Any request of the agent.
    pub(crate) fn request(&mut self, at: Duration, while_away: bool) {
        self.refused += u64::from(while_away);
        self.recent.push_back(at);
        while self.recent.front().is_some_and(|first| *first + self.interval <= at) {
            self.recent.pop_front();
        }
        self.busiest = self.busiest.max(self.recent.len());
    }

    /// A message of the agent to itself.
    pub(crate) fn message(&mut self, at: Duration) {
        if let Some(last) = self.last_message.replace(at) {
            let distance = at.saturating_sub(last);
            self.closest_messages =
                Some(self.closest_messages.map_or(distance, |closest| closest.min(distance)));
        }
    }

    /// This machine woke a sleeper so much too late.
    pub(crate) fn stalled(&mut self, late: Duration) {
        self.stall = self.stall.max(late);
    }

    /// Whether beats are accepted, as far as was seen.
    pub(crate) const fn is_well(&self) -> bool {
        self.pending.is_none()
    }

    pub(crate) const fn recoveries(&self, excuse: Excuse) -> Recoveries {
        self.recoveries[excuse as usize]
    }

    /// What a promise's time is exceeded by without anybody's fault: the way
    /// of a request, and what this machine was seen to be late by, on both
    /// its ends.
    pub(crate) fn slack(&self) -> Duration {
        Duration::from_millis(150) + 2 * self.stall
    }

    /// Between two beats: the interval, its jitter, the slack.
    pub(crate) fn gap_allowed(&self) -> Duration {
        self.interval + self.interval / 20 + self.slack()
    }

    fn allowed_after(&self, pending: &Pending) -> Duration {
        let allowed = self.allowed_by(pending.excuse, pending.refused_beats);
        if !pending.was_held {
            return allowed;
        }
        // Of whatever kind that was, and a request without an answer first.
        let refused = pending.refused_beats.saturating_add(1);
        allowed.max(self.allowed_by(Excuse::Outage, refused) + self.interval)
    }

    fn allowed_by(&self, excuse: Excuse, refused_beats: u32) -> Duration {
        match excuse {
            // A process has to be loaded first.
            Excuse::Down => FIRST_BEAT_SPREAD + self.slack(),
            Excuse::Token => self.gap_allowed(),
            Excuse::Outage => {
                let doublings = refused_beats.saturating_sub(1).min(20);
                let backoff = (self.interval / 3).saturating_mul(1 << doublings).min(BACKOFF_MAX);
                self.gap_allowed().max(backoff + self.slack())
            }
        }
    }

    /// S5: requests in any window of one interval.
    pub(crate) const fn requests_allowed() -> usize {
        REQUESTS_PER_INTERVAL_MAX
    }

    /// S3, on the platform's clock: one message may have travelled slower
    /// than the next.
    pub(crate) fn is_cooldown_kept(&self) -> bool {
        let way = Duration::from_millis(50) + self.stall;
        self.closest_messages.is_none_or(|closest| closest + way >= self.cooldown)
    }

    pub(crate) const fn cooldown(&self) -> Duration {
        self.cooldown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn pulse() -> Pulse {
        Pulse::new(ms(600), ms(1_500))
    }

    #[test]
    fn only_gaps_without_an_excuse_count() {
        let mut pulse = pulse();
        pulse.begin(Excuse::Down, ms(0));
        pulse.over(ms(100));
        pulse.beat(ms(400));
        pulse.beat(ms(1_000));
        assert_eq!((pulse.longest_gap, pulse.is_well()), (ms(600), true));
        pulse.begin(Excuse::Outage, ms(1_100));
        // It was under way before the outage began.
        pulse.beat(ms(1_101));
        assert!(!pulse.is_well());
        pulse.over(ms(4_000));
        pulse.beat(ms(4_500));
        assert_eq!(pulse.longest_gap, ms(600));
        let back = pulse.recoveries(Excuse::Outage);
        assert_eq!((back.count, back.slowest, back.late), (1, ms(500), 0));
        pulse.close(ms(6_000));
        assert_eq!(pulse.longest_gap, ms(1_500));
    }

    #[test]
    fn after_an_outage_the_backoff_is_allowed_and_no_more() {
        let late = |refused: u32, took: u64| {
            let mut pulse = pulse();
            pulse.begin(Excuse::Outage, ms(0));
            (0..refused).for_each(|_| pulse.beat_refused(0));
            pulse.over(ms(1_000));
            pulse.beat(ms(1_000 + took));
            pulse.recoveries(Excuse::Outage).late
        };
        assert_eq!(late(4, 1_700), 0);
        assert_eq!(late(4, 1_800), 1);
        assert_eq!(late(1, 900), 1);
        assert_eq!(late(30, 60_100), 0);
    }

    #[test]
    fn trouble_by_others_is_no_gap_and_ends_when_they_end_it() {
        let mut pulse = pulse();
        pulse.hold(Excuse::Outage, ms(0));
        pulse.beat(ms(1));
        pulse.beat(ms(601));
        for at in [700, 4_000, 9_000] {
            pulse.hold(Excuse::Outage, ms(at));
            pulse.beat_refused(0);
        }
        assert!(!pulse.is_well());
        pulse.beat(ms(9_800));
        assert!(pulse.is_well());
        let back = pulse.recoveries(Excuse::Outage);
        assert_eq!((back.count, back.slowest, back.late), (2, ms(800), 0));
        assert_eq!(pulse.longest_gap, ms(600));
        // What is not over by itself is not over by that.
        pulse.begin(Excuse::Down, ms(10_000));
        pulse.hold(Excuse::Outage, ms(11_000));
        pulse.beat(ms(12_000));
        assert!(!pulse.is_well());
        pulse.over(ms(13_000));
        pulse.beat(ms(20_000));
        assert_eq!(pulse.recoveries(Excuse::Down).late, 1, "too long, in any case");
    }

    #[test]
    fn requests_are_counted_in_any_window_of_an_interval() {
        let mut pulse = pulse();
        for at in [0, 10, 20, 605, 1_300] {
            pulse.request(ms(at), at > 600);
        }
        assert_eq!((pulse.busiest, pulse.refused), (3, 2));
    }

    #[test]
    fn messages_within_the_cooldown_are_seen() {
        let mut pulse = pulse();
        pulse.message(ms(0));
        pulse.message(ms(1_500));
        assert!(pulse.is_cooldown_kept());
        pulse.message(ms(2_500));
        assert!(!pulse.is_cooldown_kept());
    }
}
