//! The machine: takes events, asks the lanes, hands out what they want.

mod status;

use core::time::Duration;

use crate::alive::{self, AliveLane, Consequence};
use crate::announcer::Announcer;
use crate::command::{Action, Command};
use crate::config::ValidConfig;
use crate::delegation_lane::DelegationLane;
use crate::effects::{Effects, Slot};
use crate::event::{Event, Outcome, TransportFailure, TransportFailureKind};
use crate::limits::STOP_WITHIN;
use crate::notice::{Lane, Notice};
use crate::notifier::Notifier;
use crate::planted::{self, Fault};
use crate::registration::{Brought, Registration};
use crate::secret::Secret;
use crate::status::Phase;
use crate::store_lane::{StoreEvent, StoreLane};
use crate::time::{Instant, Now};
use crate::timers::Timer;
use crate::vitals::{self, Report, Vitals};

pub use status::Overview;

/// When the machine wants to be called again, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// Not before this is anything due.
    pub at: Instant,
    /// What is due then.
    pub reason: &'static str,
}

/// One workspace's heartbeat agent.
#[derive(Debug)]
pub struct Heartbeat {
    config: ValidConfig,
    fx: Effects,
    vitals: Vitals,
    alive: AliveLane,
    registration: Registration,
    delegations: DelegationLane,
    store: StoreLane,
    announcer: Announcer,
    notifier: Notifier,
    store_was_open: bool,
    phase: Phase,
    /// As the last event left it.
    wakeup: Option<Wakeup>,
}

impl Heartbeat {
    /// A machine that starts at `now`; `seed` decides all its jitter.
    #[must_use]
    pub fn new(config: ValidConfig, seed: u64, now: Now) -> Self {
        let mut fx = Effects::new(seed, now);
        let alive = AliveLane::new(&config, &mut fx);
        let registration = Registration::new(&config, &mut fx);
        let store = StoreLane::new(&mut fx);
        let announcer = Announcer::new(&fx);
        let mut heartbeat = Self {
            config,
            fx,
            vitals: Vitals::default(),
            alive,
            registration,
            delegations: DelegationLane::new(),
            store,
            announcer,
            notifier: Notifier::new(),
            store_was_open: false,
            phase: Phase::Running,
            wakeup: None,
        };
        heartbeat.handle(now, Event::Tick);
        heartbeat
    }

    /// Takes one event. Never fails, never panics, whatever comes; a time
    /// before the last one counts as the last one.
    pub fn handle(&mut self, now: Now, event: Event) {
        if self.phase == Phase::Stopped {
            return;
        }
        let slept = self.take_time(now);
        match event {
            Event::Tick => {}
            Event::Completed { id, outcome } => match self.fx.land(id) {
                Some(slot) => self.landed(slot, outcome),
                None => self.fx.notice(Notice::LateCompletion),
            },
            Event::Report(report) => self.report(report),
            Event::Retune(tuning) => {
                if let Ok(config) = self.config.tuned(tuning) {
                    self.config = config;
                    self.announcer.retuned(&self.config);
                }
            }
            Event::Stop => self.stop(),
        }
        if let Some(gap) = slept {
            self.resumed(gap);
        }
        while let Some(slot) = self.fx.expire() {
            self.landed(slot, overdue());
        }
        for timer in Timer::ALL {
            if self.fx.timers.take_due(timer, self.fx.at()) {
                self.due(timer);
            }
        }
        self.advance();
        self.wakeup = self.wakeup_by_now();
    }

    /// The next command to carry out. Call until `None` after each
    /// [`Heartbeat::handle`] and after [`Heartbeat::new`]; only these two
    /// make new ones.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<Command> {
        self.fx.poll_command()
    }

    /// The next notice. Only [`Heartbeat::handle`] makes new ones.
    #[must_use]
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.fx.poll_notice()
    }

    /// When to call [`Heartbeat::handle`] with a tick at the latest; `None`
    /// once stopped. Changes only in `handle`, and is then later than its
    /// `now` unless a command waits to be polled.
    #[must_use]
    pub const fn next_wakeup(&self) -> Option<Wakeup> {
        self.wakeup
    }

    fn wakeup_by_now(&self) -> Option<Wakeup> {
        if self.phase == Phase::Stopped {
            return None;
        }
        let next = [self.fx.timers.next(), self.fx.next_deadline()];
        let (at, reason) = next.into_iter().flatten().min_by_key(|(at, _)| *at)?;
        Some(Wakeup { at, reason })
    }

    /// Whether everything is over after [`Event::Stop`].
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }

    /// Notes the time; says how long the machine slept past what it had
    /// asked for, if that is more than lateness.
    fn take_time(&mut self, now: Now) -> Option<Duration> {
        let asked_for = self.next_wakeup().map_or(now.monotonic, |wakeup| wakeup.at);
        self.fx.now.wall = now.wall;
        self.fx.now.monotonic = self.fx.now.monotonic.max(now.monotonic);
        let late = self.fx.at().since(asked_for);
        let tolerated = self.config.interval.saturating_mul(2).max(Duration::from_secs(10));
        (late > tolerated).then_some(late)
    }

    /// What was in flight before the sleep is void; what was missed becomes
    /// one beat and one poll.
    fn resumed(&mut self, gap: Duration) {
        self.fx.notice(Notice::Resumed { gap });
        if self.phase != Phase::Running {
            return;
        }
        for slot in [Slot::Beat, Slot::Poll, Slot::Token] {
            self.fx.abandon(slot);
        }
        self.fx.tell_shell(Action::RebuildClient);
        self.alive.resumed(&self.config, &mut self.fx);
        if self.store.is_open() {
            self.delegations.store_opened(&self.config, &mut self.fx);
        }
    }

    fn report(&mut self, report: Report) {
        let fx = &mut self.fx;
        let is_running = self.phase == Phase::Running;
        match report {
            Report::Awaiting { delegation_id } => {
                self.store.await_delegation(delegation_id, fx);
                self.delegations.has_room_again();
            }
            Report::AwaitDropped { delegation_id } => self.store.drop_await(delegation_id),
            Report::BeatNow if is_running => self.alive.asked(fx),
            Report::BeatNow => {}
            report @ (Report::TaskStarted { .. }
            | Report::TaskList { .. }
            | Report::TaskEnded { .. }
            | Report::CurrentTask { .. }
            | Report::Success
            | Report::Error { .. }
            | Report::Outcomes { .. }
            | Report::Wedged { .. }
            | Report::WedgeCleared
            | Report::Metadata(_)) => match self.vitals.take_in(report, fx.at()) {
                vitals::Effect::Later => {}
                vitals::Effect::Soon if is_running => self.alive.changed(fx),
                vitals::Effect::Soon => {}
                vitals::Effect::Ignored => fx.notice(Notice::TasksOverflow),
            },
        }
        self.watch_tasks();
    }

    /// Sets the timer to when the next task ends by itself.
    fn watch_tasks(&mut self) {
        let next = self.vitals.next_expiry().filter(|_| self.phase == Phase::Running);
        match next {
            Some(at) => self.fx.timers.set(Timer::Task, at),
            None => self.fx.timers.clear(Timer::Task),
        }
    }

    fn tasks_expired(&mut self) {
        for id in self.vitals.expire(self.fx.at()) {
            let id = crate::text::cut_chars(&crate::text::one_line(&id), 200);
            self.fx.notice(Notice::TaskExpired { id });
            self.alive.changed(&mut self.fx);
        }
        self.watch_tasks();
    }

    /// A timer has come.
    fn due(&mut self, timer: Timer) {
        let (config, fx) = (&self.config, &mut self.fx);
        match timer {
            Timer::Beat => self.alive.due(config, &self.vitals, fx),
            Timer::Register => self.registration.due(config, fx),
            Timer::Poll => self.delegations.due(config, &self.alive, &self.store, fx),
            Timer::Probe => self.store.probe(),
            // These only open a gate that `advance` looks at.
            Timer::Store | Timer::Announce | Timer::Notify => {}
            Timer::Task => self.tasks_expired(),
            Timer::Stop => self.stopped(),
        }
    }

    /// A command came to its end, or its deadline did.
    fn landed(&mut self, slot: Slot, outcome: Outcome) {
        if outcome == Outcome::Panicked {
            self.fx.notice(Notice::EffectPanicked { lane: lane_of(slot) });
        }
        let (config, fx) = (&self.config, &mut self.fx);
        match slot {
            Slot::Beat => {
                let held = self.registration.beat_landed(outcome.status());
                let consequence = self.alive.landed(config, &mut self.vitals, fx, outcome);
                self.beat_landed(consequence);
                if let Some(token) = held {
                    self.save_token(token);
                }
            }
            Slot::Poll => {
                let refused = self.delegations.landed(config, &mut self.store, fx, outcome);
                self.token_refused_if(refused);
            }
            Slot::Register => {
                let brought = self.registration.landed(config, fx, outcome);
                self.registered(brought);
            }
            Slot::Parent => self.announcer.parent_landed(config, &mut self.store, fx, outcome),
            Slot::SelfMessage => {
                let refused = self.announcer.landed(config, &mut self.store, fx, outcome);
                self.token_refused_if(refused);
            }
            Slot::Notify => {
                let refused = self.notifier.landed(fx, outcome);
                self.token_refused_if(refused);
            }
            Slot::Store => {
                let event = self.store.landed(config, fx, outcome);
                self.store_landed(event);
            }
            Slot::Token => self.token_read(outcome),
            Slot::SaveToken => {
                if outcome == Outcome::SecretSaved {
                    self.token_changed();
                } else {
                    self.file_trouble(outcome);
                }
            }
            Slot::SaveInbound => {
                if outcome != Outcome::SecretSaved {
                    self.alive.inbound_not_saved();
                    self.file_trouble(outcome);
                }
            }
        }
    }

    fn beat_landed(&mut self, consequence: Consequence) {
        match consequence {
            Consequence::None => {}
            Consequence::AcceptedAfterGap => self.registration.needed(&self.config, &mut self.fx),
        }
    }

    fn registered(&mut self, brought: Brought) {
        if let Some(inbound) = brought.inbound {
            self.alive.save_inbound(inbound, &mut self.fx);
        }
        if let Some(token) = brought.token {
            match self.registration.take_issued(token, &self.fx) {
                Some(token) => self.save_token(token),
                None => self.alive.asked(&mut self.fx),
            }
        }
        self.token_refused_if(brought.refused);
    }

    fn save_token(&mut self, token: Secret) {
        self.fx.start(Slot::SaveToken, None, Action::SaveToken(token));
    }

    fn token_refused_if(&mut self, refused: bool) {
        if refused && !planted::active(Fault::TokenKept) {
            alive::reload_token(&mut self.fx);
        }
    }

    fn token_read(&mut self, outcome: Outcome) {
        let (changed, present) = if let Outcome::TokenLoaded { changed, present } = outcome {
            (changed, present)
        } else {
            self.file_trouble(outcome);
            (false, true)
        };
        let is_refused = self.alive.is_refused();
        if changed {
            if present {
                self.registration.token_came();
            }
            self.token_changed();
        } else {
            self.alive.token_read(&self.config, &self.vitals, &mut self.fx, false);
            if is_refused {
                self.fx.notice(Notice::TokenRefused { present });
                self.registration.needed(&self.config, &mut self.fx);
            }
        }
    }

    fn token_changed(&mut self) {
        self.fx.notice(Notice::TokenChanged);
        self.alive.token_read(&self.config, &self.vitals, &mut self.fx, true);
        self.delegations.token_changed(&self.config, &mut self.fx);
    }

    fn file_trouble(&mut self, outcome: Outcome) {
        if let Outcome::FileFailed(failure) = outcome {
            let line = |words: &str| crate::text::cut_chars(&crate::text::one_line(words), 300);
            self.fx.notice(Notice::FileTrouble {
                operation: line(&failure.operation),
                path: line(&failure.path),
                reason: line(&failure.reason),
            });
        }
    }

    fn store_landed(&mut self, event: StoreEvent) {
        let (config, fx) = (&self.config, &mut self.fx);
        match event {
            StoreEvent::None => {}
            StoreEvent::Opened => {
                let is_first = !core::mem::replace(&mut self.store_was_open, true);
                self.announcer.store_opened(config, &mut self.store, fx, is_first);
                self.notifier.store_opened(config, &self.store);
                if self.phase == Phase::Running {
                    self.delegations.store_opened(config, fx);
                }
            }
            StoreEvent::Stored(results) => {
                self.notifier.stored(config, &results);
                self.delegations.has_room_again();
                self.announcer.taken(&mut self.store, fx);
            }
            StoreEvent::Journalled(records) => {
                for record in &records {
                    self.delegations.journalled(record);
                    if self.phase == Phase::Running {
                        self.announcer.journalled(config, &self.store, fx, record);
                        self.notifier.journalled(config, fx, record);
                    }
                }
            }
            StoreEvent::Taken => self.announcer.taken(&mut self.store, fx),
        }
    }

    /// Lets every lane take what steps it can.
    fn advance(&mut self) {
        let (config, fx) = (&self.config, &mut self.fx);
        if self.phase == Phase::Running {
            self.announcer.advance(config, &mut self.store, fx);
            let is_well = self.alive.is_well();
            self.notifier.advance(&mut self.store, is_well, fx);
            let untaken = self.store.memory.last_batch > self.store.memory.taken_through;
            if untaken && !fx.timers.is_set(Timer::Probe) {
                fx.set_in(Timer::Probe, config.interval);
            }
        }
        self.store.advance(fx, self.phase != Phase::Running);
        if self.phase == Phase::Stopping && !self.is_finishing() {
            self.stopped();
        }
    }

    fn stop(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Stopping;
        let fx = &mut self.fx;
        let last_state_is_due = fx.timers.is_set(Timer::Beat);
        fx.timers.clear_all();
        if planted::active(Fault::StopWaits) {
            return;
        }
        fx.set_in(Timer::Stop, STOP_WITHIN);
        for slot in [Slot::Register, Slot::Poll, Slot::Notify, Slot::Token] {
            fx.abandon(slot);
        }
        self.announcer.stop(fx);
        if last_state_is_due {
            self.alive.stop(&self.config, &self.vitals, fx);
        }
    }

    /// Whether stopping still waits for something: a last beat, a file
    /// command, or records that the journal should have.
    fn is_finishing(&self) -> bool {
        let waits = |slot: Slot| self.fx.is_busy(slot);
        if planted::active(Fault::StopWaits) {
            return Slot::ALL.into_iter().any(waits);
        }
        [Slot::Beat, Slot::Store, Slot::SaveToken, Slot::SaveInbound].into_iter().any(waits)
    }

    fn stopped(&mut self) {
        for slot in Slot::ALL {
            self.fx.abandon(slot);
        }
        self.fx.timers.clear_all();
        self.fx.notice(Notice::Stopped);
        self.phase = Phase::Stopped;
    }
}

/// What the core makes of a command that was not answered in time.
fn overdue() -> Outcome {
    Outcome::TransportFailed(TransportFailure {
        kind: TransportFailureKind::NoAnswer,
        detail: "no answer within the deadline".into(),
    })
}

const fn lane_of(slot: Slot) -> Lane {
    match slot {
        Slot::Beat | Slot::Token | Slot::SaveToken | Slot::SaveInbound => Lane::Alive,
        Slot::Register => Lane::Register,
        Slot::Poll => Lane::Delegations,
        Slot::Parent | Slot::SelfMessage => Lane::Announce,
        Slot::Notify => Lane::Notify,
        Slot::Store => Lane::Store,
    }
}
