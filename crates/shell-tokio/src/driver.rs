//! The driver: one task that owns any number of machines and one timer.
//!
//! Nothing in here waits for anything but the next thing to happen: requests
//! and files are effects, tasks of their own, whose ends come back as events.
//! Since only this task touches a machine, none needs a lock.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use everbeat_core::{
    Action, AgentStatus, Command, CommandId, Event, Heartbeat, Instant, Now, Outcome, Overview,
    Phase, Report, Tuning,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{self, AbortHandle, JoinError, JoinSet};

use crate::clock::Clock;
use crate::effects::Context;
use crate::log::{self, Places};
use crate::observe::Observer;
use crate::token::TokenStatus;

/// The timer's own clock stands still while the machine sleeps: looking this
/// often makes a suspend show soon after its end.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// No fault of a machine turns the driver into a busy loop.
const SLEEP_MIN: Duration = Duration::from_millis(1);
/// Commands and notices of one machine that are taken in one turn; what is
/// left waits for the next, behind the other machines.
const TAKEN_PER_TURN_MAX: usize = 512;

/// What comes in from handles.
pub(crate) enum Input {
    Report(usize, Report),
    /// The same, and whoever said it waits to hear what became of it.
    Tell(usize, Report, oneshot::Sender<Told>),
    /// Go on with another tuning.
    Retune(usize, Tuning),
    /// Read the token's file again; the answer is what came of it.
    ReadToken(usize, oneshot::Sender<Outcome>),
    /// Somebody wants to know how things stand.
    Status(usize, oneshot::Sender<Answer>),
    Stop(usize),
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It counts.
    Taken,
    /// There was no room for it: it changed nothing.
    Full,
    /// The agent stops: nothing counts any more.
    Stopping,
}

/// How things stand.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// When that was.
    pub(crate) now: Now,
    pub(crate) status: AgentStatus,
    pub(crate) token: TokenStatus,
}

pub(crate) struct Driver {
    clock: Clock,
    machines: Vec<Machine>,
    agenda: Agenda,
    inputs: mpsc::Receiver<Input>,
    inputs_open: bool,
    effects: JoinSet<Outcome>,
    flights: HashMap<task::Id, (usize, CommandId)>,
}

/// One workspace's agent.
pub(crate) struct Machine {
    pub(crate) heartbeat: Heartbeat,
    pub(crate) context: Arc<Context>,
    pub(crate) places: Places,
    pub(crate) overview: watch::Sender<Overview>,
    /// Who watches it: its record, if it is recorded, and others.
    pub(crate) observers: Vec<Box<dyn Observer>>,
    /// Effects under way: at most one of each kind.
    pub(crate) running: Vec<(CommandId, AbortHandle)>,
}

impl Driver {
    pub(crate) fn new(clock: Clock, machines: Vec<Machine>, inputs: mpsc::Receiver<Input>) -> Self {
        let agenda = Agenda { due: BTreeSet::new(), wakeups: vec![None; machines.len()] };
        let (effects, flights) = (JoinSet::new(), HashMap::new());
        Self { clock, machines, agenda, inputs, inputs_open: true, effects, flights }
    }

    /// Runs until every machine has stopped.
    pub(crate) async fn run(mut self) {
        for index in 0..self.machines.len() {
            self.pump(index, self.clock.now());
        }
        while self.machines.iter().any(|machine| !machine.heartbeat.is_stopped()) {
            let next = self.until_next();
            tokio::select! {
                input = self.inputs.recv(), if self.inputs_open => self.take_in(input),
                Some(ended) = self.effects.join_next_with_id() => self.ended(ended),
                () = tokio::time::sleep(next) => {}
            }
            // The clock decides what is due, not the timer.
            self.tick_due();
        }
    }

    fn take_in(&mut self, input: Option<Input>) {
        match input {
            Some(Input::Report(index, report)) => self.feed(index, Event::Report(report)),
            Some(Input::Tell(index, report, told)) => {
                // Whoever has left needs no answer.
                let _ = told.send(self.tell(index, report));
            }
            Some(Input::Retune(index, tuning)) => self.feed(index, Event::Retune(tuning)),
            Some(Input::ReadToken(index, read)) => {
                if let Some(machine) = self.machines.get(index) {
                    let context = Arc::clone(&machine.context);
                    tokio::spawn(async move { read.send(context.load_token().await) });
                }
            }
            Some(Input::Status(index, asked)) => {
                if let Some(answer) = self.status(index) {
                    let _ = asked.send(answer);
                }
            }
            Some(Input::Stop(index)) => self.feed(index, Event::Stop),
            None => {
                // Nobody is left who could stop them later.
                self.inputs_open = false;
                for index in 0..self.machines.len() {
                    self.feed(index, Event::Stop);
                }
            }
        }
    }

    fn tell(&mut self, index: usize, report: Report) -> Told {
        let Some(machine) = self.machines.get(index) else { return Told::Stopping };
        if machine.heartbeat.phase() != Phase::Running {
            return Told::Stopping;
        }
        let has_room = machine.heartbeat.has_room_for(&report);
        self.feed(index, Event::Report(report));
        if has_room { Told::Taken } else { Told::Full }
    }

    /// How things stand now, and not at the last event.
    fn status(&self, index: usize) -> Option<Answer> {
        let (machine, now) = (self.machines.get(index)?, self.clock.now());
        let status = machine.heartbeat.status(now.monotonic);
        Some(Answer { now, status, token: machine.context.token.status() })
    }

    /// An effect came to its end.
    fn ended(&mut self, ended: Result<(task::Id, Outcome), JoinError>) {
        let (task, outcome) = match ended {
            Ok((task, outcome)) => (task, Some(outcome)),
            Err(error) if error.is_panic() => (error.id(), Some(Outcome::Panicked)),
            // Cancelled: nobody waits for it.
            Err(error) => (error.id(), None),
        };
        let Some((index, id)) = self.flights.remove(&task) else { return };
        if let Some(machine) = self.machines.get_mut(index) {
            machine.running.retain(|(running, _)| *running != id);
        }
        if let Some(outcome) = outcome {
            self.feed(index, Event::Completed { id, outcome });
        }
    }

    fn tick_due(&mut self) {
        let now = self.clock.monotonic();
        let due: Vec<_> = self.agenda.due.iter().take_while(|(at, _)| *at <= now).collect();
        let due: Vec<_> = due.into_iter().map(|(_, index)| *index).collect();
        for index in due {
            self.feed(index, Event::Tick);
        }
    }

    fn feed(&mut self, index: usize, event: Event) {
        if let Some(machine) = self.machines.get_mut(index) {
            let now = self.clock.now();
            let asked_for = if event == Event::Tick { self.agenda.wakeup(index) } else { None };
            let late = asked_for.map_or(Duration::ZERO, |at| now.monotonic.since(at));
            for observer in &mut machine.observers {
                observer.event(now, late, &event);
            }
            machine.heartbeat.handle(now, event);
            self.pump(index, now);
        }
    }

    /// Takes what the machine hands out, and notes when it wants to be called.
    fn pump(&mut self, index: usize, now: Now) {
        let Some(machine) = self.machines.get_mut(index) else { return };
        let mut taken = 0;
        while taken < TAKEN_PER_TURN_MAX {
            let Some(command) = machine.heartbeat.poll_command() else { break };
            for observer in &mut machine.observers {
                observer.command(now, &command);
            }
            machine.start(index, command, &mut self.effects, &mut self.flights);
            taken += 1;
        }
        while taken < TAKEN_PER_TURN_MAX {
            let Some(notice) = machine.heartbeat.poll_notice() else { break };
            let line = log::line(&machine.places, &notice);
            for observer in &mut machine.observers {
                observer.notice(now, &notice, &line);
            }
            log::tell(&machine.places, &notice, &line);
            taken += 1;
        }
        let overview = machine.heartbeat.overview();
        for observer in &mut machine.observers {
            observer.turned(now, &overview);
        }
        machine.overview.send_if_modified(|shown| {
            let changed = *shown != overview;
            *shown = overview;
            changed
        });
        let next = machine.heartbeat.next_wakeup().map(|wakeup| wakeup.at);
        let is_left = taken == TAKEN_PER_TURN_MAX;
        self.agenda.set(index, if is_left { Some(self.clock.monotonic()) } else { next });
    }

    fn until_next(&self) -> Duration {
        let now = self.clock.monotonic();
        let next = self.agenda.due.first().map_or(SLEEP_MAX, |(at, _)| at.since(now));
        next.clamp(SLEEP_MIN, SLEEP_MAX)
    }
}

impl Machine {
    fn start(
        &mut self,
        index: usize,
        command: Command,
        effects: &mut JoinSet<Outcome>,
        flights: &mut HashMap<task::Id, (usize, CommandId)>,
    ) {
        if let Action::Cancel { command } = command.action {
            if let Some((_, effect)) = self.running.iter().find(|(id, _)| *id == command) {
                effect.abort();
            }
        } else if command.action == Action::RebuildClient {
            self.context.shared.client.rebuild();
        } else {
            let effect = effects.spawn(Arc::clone(&self.context).carry_out(command.action));
            flights.insert(effect.id(), (index, command.id));
            self.running.push((command.id, effect));
        }
    }
}

/// When which machine wants to be called, in order.
struct Agenda {
    due: BTreeSet<(Instant, usize)>,
    wakeups: Vec<Option<Instant>>,
}

impl Agenda {
    fn wakeup(&self, index: usize) -> Option<Instant> {
        self.wakeups.get(index).copied().flatten()
    }

    fn set(&mut self, index: usize, at: Option<Instant>) {
        let Some(wakeup) = self.wakeups.get_mut(index) else { return };
        if *wakeup == at {
            return;
        }
        if let Some(old) = wakeup.take() {
            self.due.remove(&(old, index));
        }
        if let Some(new) = at {
            self.due.insert((new, index));
        }
        *wakeup = at;
    }
}
