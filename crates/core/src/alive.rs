//! The alive lane: beats on a fixed grid, whatever else goes on.

use alloc::string::String;
use core::time::Duration;

use crate::backoff;
use crate::chance;
use crate::command::Action;
use crate::config::ValidConfig;
use crate::effects::{Effects, Slot};
use crate::event::{Outcome, Response};
use crate::limits::{
    CHANGE_BEAT_GAP, FAILURES_BEFORE_REBUILD, FIRST_BEAT_SPREAD, LIVENESS_TTL, TOKEN_WAIT,
};
use crate::notice::{Lane, Notice};
use crate::outage::Outage;
use crate::planted::{self, Fault};
use crate::secret::Secret;
use crate::status::{BeatStatus, DueWhy, LaneStatus};
use crate::time::{Instant, scale};
use crate::timers::Timer;
use crate::vitals::{Counters, Vitals};
use crate::wire::answers::{self, HeartbeatAnswer, is_success};

#[derive(Debug)]
pub(crate) struct AliveLane {
    started_at: Instant,
    /// This workspace's place in the interval.
    phase: Duration,
    outage: Outage,
    in_flight: Option<Counters>,
    last_sent: Option<Instant>,
    /// What the beat's timer was last set to, and why.
    due_at: Instant,
    due_why: DueWhy,
    /// How long after it was due the last beat was sent.
    lateness: Duration,
    last_accepted: Option<Instant>,
    accepted: u64,
    /// Something changed that the platform should know soon.
    change_pending: bool,
    /// Somebody wants a beat now.
    asked: bool,
    /// The last answer refused the token.
    refused: bool,
    /// This turn's one retry with a changed token was used.
    retried: bool,
    /// A beat that is due waits for the token to be read, but not for long.
    waits_for_token: bool,
    generation: u64,
    saved_inbound: Option<Secret>,
}

/// What an answer to a beat means for the other lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// Nothing.
    None,
    /// Accepted after a gap in which the platform may have forgotten us.
    AcceptedAfterGap,
}

impl AliveLane {
    pub(crate) fn new(config: &ValidConfig, fx: &mut Effects) -> Self {
        let interval = u64::try_from(config.interval.as_nanos()).unwrap_or(u64::MAX);
        let hash = chance::fnv1a(config.workspace_id.as_bytes());
        let spread = FIRST_BEAT_SPREAD.min(scale(config.interval, 1, 4));
        let first = fx.at().plus(fx.chance.below(spread));
        fx.timers.set(Timer::Beat, first);
        Self {
            started_at: fx.at(),
            phase: Duration::from_nanos(hash % interval.max(1)),
            outage: Outage::new(Lane::Alive),
            in_flight: None,
            last_sent: None,
            due_at: first,
            due_why: DueWhy::Start,
            lateness: Duration::ZERO,
            last_accepted: None,
            accepted: 0,
            change_pending: false,
            asked: false,
            refused: false,
            retried: false,
            waits_for_token: false,
            generation: 0,
            saved_inbound: None,
        }
    }

    pub(crate) const fn last_accepted(&self) -> Option<Instant> {
        self.last_accepted
    }

    pub(crate) const fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(crate) fn failures(&self) -> u32 {
        self.outage.failures()
    }

    /// Whether the last answer refused the token.
    pub(crate) const fn is_refused(&self) -> bool {
        self.refused
    }

    /// Whether the platform takes beats, as far as is known.
    pub(crate) fn is_well(&self) -> bool {
        self.last_accepted.is_some() && self.outage.failures() == 0
    }

    /// The first point after now of this workspace's grid, moved by `offset`.
    pub(crate) fn next_on_grid(
        &self,
        config: &ValidConfig,
        fx: &Effects,
        offset: Duration,
    ) -> Instant {
        let interval = u64::try_from(config.interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let place = self.started_at.plus(self.phase).plus(offset).as_nanos() % interval;
        let now = fx.at().as_nanos();
        let in_this_round = (now - now % interval).saturating_add(place);
        let next = if in_this_round > now {
            in_this_round
        } else {
            in_this_round.saturating_add(interval)
        };
        Instant::from_nanos(next)
    }

    /// The timer of the beat is due.
    pub(crate) fn due(&mut self, config: &ValidConfig, vitals: &Vitals, fx: &mut Effects) {
        if fx.is_busy(Slot::Beat) {
            self.schedule_regular(config, fx);
            return;
        }
        let others_busy = fx.is_busy(Slot::Poll) || fx.is_busy(Slot::SelfMessage);
        if planted::active(Fault::LanesCoupled) && others_busy {
            fx.set_in(Timer::Beat, Duration::from_millis(100));
            return;
        }
        let has_waited = core::mem::take(&mut self.waits_for_token);
        self.retried = false;
        if self.refused && !has_waited && !planted::active(Fault::TokenKept) {
            self.waits_for_token = true;
            let at = fx.at().plus(TOKEN_WAIT.min(scale(config.interval, 1, 3)));
            self.schedule(fx, at, DueWhy::Token);
            reload_token(fx);
        } else {
            self.send(config, vitals, fx);
        }
    }

    fn send(&mut self, config: &ValidConfig, vitals: &Vitals, fx: &mut Effects) {
        let uptime = fx.at().since(self.started_at);
        let (mut body, counters) = vitals.body(config, uptime, self.generation);
        if planted::active(Fault::RetryWithoutMetadata) && self.retried {
            body.runtime_metadata = None;
        }
        let mut within = Some(config.request_deadline());
        if planted::active(Fault::BeatWithoutDeadline) {
            within = None;
        }
        self.in_flight = Some(counters);
        self.last_sent = Some(fx.at());
        self.change_pending = false;
        self.asked = false;
        self.lateness = fx.at().since(self.due_at);
        self.schedule_regular(config, fx);
        fx.start(Slot::Beat, within, Action::PostHeartbeat(body));
    }

    /// The agent's state changed: beat soon, but not while the platform is
    /// away, and at most one extra beat a second.
    pub(crate) fn changed(&mut self, fx: &mut Effects) {
        self.change_pending = true;
        self.schedule_change(fx);
    }

    /// Somebody wants a beat now, however the platform does: at most one a
    /// second, after the one that is under way.
    pub(crate) fn asked(&mut self, fx: &mut Effects) {
        self.asked = true;
        self.schedule_change(fx);
    }

    fn schedule_change(&mut self, fx: &mut Effects) {
        let is_due = self.asked || (self.change_pending && self.outage.failures() == 0);
        if is_due && !fx.is_busy(Slot::Beat) {
            let at = self.last_sent.map_or(fx.at(), |sent| sent.plus(CHANGE_BEAT_GAP));
            let at = at.max(fx.at());
            if fx.timers.get(Timer::Beat).is_none_or(|due| at < due) {
                let why = if self.asked { DueWhy::Asked } else { DueWhy::Change };
                self.schedule(fx, at, why);
            }
        }
    }

    fn schedule(&mut self, fx: &mut Effects, at: Instant, why: DueWhy) {
        fx.timers.set(Timer::Beat, at);
        (self.due_at, self.due_why) = (at, why);
    }

    fn schedule_regular(&mut self, config: &ValidConfig, fx: &mut Effects) {
        let mut jitter = fx.chance.below(jitter_max(config));
        if planted::active(Fault::Undetermined) {
            let address = core::ptr::from_ref(self).addr();
            jitter = Duration::from_nanos(u64::try_from(address).unwrap_or_default() % 1_000_000);
        }
        let at = self.next_on_grid(config, fx, Duration::ZERO).plus(jitter);
        self.schedule(fx, at, DueWhy::Interval);
    }

    /// A beat came to its end.
    pub(crate) fn landed(
        &mut self,
        config: &ValidConfig,
        vitals: &mut Vitals,
        fx: &mut Effects,
        outcome: Outcome,
    ) -> Consequence {
        let counters = self.in_flight.take().unwrap_or_default();
        match outcome.into_response() {
            Ok(response)
                if is_success(response.status) || planted::active(Fault::AnyAnswerCounts) =>
            {
                vitals.accepted(counters);
                self.take_answer(&response, fx);
                self.succeeded(fx)
            }
            Ok(response) if matches!(response.status, 401 | 403) => {
                self.refused = true;
                self.failed(fx, answers::error_text(response.status, &response.body.0));
                self.schedule_regular(config, fx);
                self.schedule_change(fx);
                if !self.retried && !planted::active(Fault::TokenKept) {
                    reload_token(fx);
                }
                Consequence::None
            }
            Ok(response) => {
                self.failed(fx, answers::error_text(response.status, &response.body.0));
                self.schedule_retry(config, fx, response.retry_after_s);
                Consequence::None
            }
            Err(failure) => {
                self.failed(fx, failure.cause);
                self.schedule_retry(config, fx, None);
                Consequence::None
            }
        }
    }

    fn take_answer(&mut self, response: &Response, fx: &mut Effects) {
        if !response.complete {
            return;
        }
        let answer = HeartbeatAnswer::parse(&response.body.0);
        if let Some(generation) = answer.generation {
            self.generation = generation;
        }
        if let Some(secret) = answer.inbound_secret {
            self.save_inbound(secret, fx);
        }
    }

    /// Saves the platform's inbound secret when it is new; a failure leaves
    /// it to the next answer that carries it.
    pub(crate) fn save_inbound(&mut self, secret: Secret, fx: &mut Effects) {
        let is_new = self.saved_inbound.as_ref() != Some(&secret);
        if is_new && !fx.is_busy(Slot::SaveInbound) {
            if planted::active(Fault::SecretInNotice) {
                let problem = String::from(secret.expose());
                fx.notice(Notice::BadAnswer { lane: Lane::Alive, problem });
            }
            self.saved_inbound = Some(secret.clone());
            fx.start(Slot::SaveInbound, None, Action::SaveInboundSecret(secret));
        }
    }

    /// The inbound secret could not be saved.
    pub(crate) fn inbound_not_saved(&mut self) {
        self.saved_inbound = None;
    }

    fn succeeded(&mut self, fx: &mut Effects) -> Consequence {
        if let Some(notice) = self.outage.ended(fx.at()) {
            fx.notice(notice);
        }
        let previous = self.last_accepted.replace(fx.at());
        self.accepted = self.accepted.saturating_add(1);
        self.refused = false;
        self.retried = false;
        self.schedule_change(fx);
        if planted::active(Fault::MissedBeatsSent)
            && let Some(next) = previous.map(|at| at.plus(Duration::from_secs(30)))
            && next.plus(Duration::from_secs(30)) < fx.at()
        {
            self.last_accepted = Some(next);
            fx.timers.set(Timer::Beat, fx.at());
        }
        let gap = previous.map_or(Duration::ZERO, |previous| fx.at().since(previous));
        if gap > LIVENESS_TTL { Consequence::AcceptedAfterGap } else { Consequence::None }
    }

    fn failed(&mut self, fx: &mut Effects, cause: String) {
        if let Some(notice) = self.outage.failed(fx.at(), cause) {
            fx.notice(notice);
        }
        let failures = self.outage.failures();
        if failures.is_multiple_of(FAILURES_BEFORE_REBUILD) {
            fx.tell_shell(Action::RebuildClient);
            fx.notice(Notice::ClientRebuilt { failures });
        }
    }

    fn schedule_retry(
        &mut self,
        config: &ValidConfig,
        fx: &mut Effects,
        retry_after_s: Option<u64>,
    ) {
        let failures = self.outage.failures();
        let (delay, why) = match retry_after_s {
            Some(seconds) => {
                let delay = backoff::retry_after(&mut fx.chance, config.interval, seconds);
                (delay, DueWhy::RetryAfter)
            }
            None => (backoff::delay(&mut fx.chance, config.interval, failures), DueWhy::Backoff),
        };
        let at = fx.at().plus(delay);
        self.schedule(fx, at, why);
        self.schedule_change(fx);
    }

    /// The token was read, or could not be.
    pub(crate) fn token_read(
        &mut self,
        config: &ValidConfig,
        vitals: &Vitals,
        fx: &mut Effects,
        changed: bool,
    ) {
        let waited = core::mem::take(&mut self.waits_for_token);
        let answers_refusal = self.refused && changed && !self.retried && self.last_sent.is_some();
        if (waited || answers_refusal) && !fx.is_busy(Slot::Beat) {
            self.retried |= answers_refusal;
            self.send(config, vitals, fx);
        }
    }

    /// The machine slept: what was missed becomes one beat.
    pub(crate) fn resumed(&mut self, config: &ValidConfig, fx: &mut Effects) {
        self.in_flight = None;
        self.waits_for_token = false;
        let spread = FIRST_BEAT_SPREAD.min(scale(config.interval, 1, 4));
        let at = fx.at().plus(fx.chance.below(spread));
        self.schedule(fx, at, DueWhy::Resume);
    }

    pub(crate) fn status(&self, fx: &Effects, now: Instant) -> BeatStatus {
        BeatStatus {
            lane: LaneStatus {
                last_accepted_age: self.last_accepted.map(|at| now.since(at)),
                next_due_in: fx.timers.get(Timer::Beat).map(|at| at.since(now)),
                accepted: self.accepted,
                failures_in_a_row: self.outage.failures(),
                in_flight: fx.is_busy(Slot::Beat),
                outage: self.outage.status(now),
            },
            next_due_why: self.due_why,
            lateness: self.last_sent.map(|_| self.lateness),
            token_refused: self.refused,
        }
    }

    /// A last beat if the platform does not know the last state yet.
    pub(crate) fn stop(&mut self, config: &ValidConfig, vitals: &Vitals, fx: &mut Effects) {
        if self.change_pending && self.is_well() && !fx.is_busy(Slot::Beat) {
            self.send(config, vitals, fx);
        }
        fx.timers.clear(Timer::Beat);
    }
}

/// Asks for the token, unless that is under way: like any file, it is waited
/// for however long the disk takes.
pub(crate) fn reload_token(fx: &mut Effects) {
    if !fx.is_busy(Slot::Token) {
        fx.start(Slot::Token, None, Action::ReloadToken);
    }
}

/// Beats of the same interval stay within a twentieth of it, a second at most.
pub(crate) fn jitter_max(config: &ValidConfig) -> Duration {
    scale(config.interval, 1, 20).min(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::time::Now;

    #[test]
    fn a_point_of_the_grid_that_has_come_is_over() {
        let config = Config::new("ws", "http://p").validate().unwrap();
        let started = Now { monotonic: Instant::from_millis(1_234), ..Now::default() };
        let mut fx = Effects::new(1, started);
        let lane = AliveLane::new(&config, &mut fx);
        let mut next = |now: Instant| {
            fx.now.monotonic = now;
            lane.next_on_grid(&config, &fx, Duration::ZERO)
        };
        let first = next(started.monotonic);
        assert!(first.since(started.monotonic) <= config.interval && first > started.monotonic);
        let second = first.plus(config.interval);
        let just_before = Instant::from_nanos(first.as_nanos() - 1);
        assert_eq!(
            [next(just_before), next(first), next(second)],
            [first, second, second.plus(config.interval)]
        );
    }
}
