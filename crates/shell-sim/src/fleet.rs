//! The fleet: many agents on one platform, in one queue of events.
//!
//! What a single [`World`](crate::world::World) cannot ask: whether a herd of
//! agents tramples the platform when it comes back, how long until all of
//! them are online again, and what so many of them cost. The agents are the
//! production machines and the platform is the whole platform; each agent's
//! store is a stand-in in memory, and the way between them only takes time.

mod acts;
mod agent;
mod plan;
mod seen;
pub(crate) mod store;
mod trace;

use std::time::Duration;

use everbeat_core::{
    Action, Command, CommandId, Event, Instant, Now, Outcome, Secret, TransportFailureKind,
    WallTime, lower,
};
use everbeat_platform::{NewWorkspace, Platform, Request, Route, Status as Presence};

use crate::agenda::Agenda;
use crate::dice::Dice;
use crate::wire;
use crate::world::{Party, action_name};
pub use acts::{FleetAct, FleetEntry};
use agent::Agent;
pub use plan::FleetPlan;
use plan::options;
pub use seen::{FleetSeen, Returning, Seconds};

/// Wall time at the start, in Unix milliseconds.
const WALL_START_MS: i64 = 1_775_000_000_000;
/// The agents' monotonic clock does not begin at zero.
const UP_BEFORE: Duration = Duration::from_secs(1_000);
/// From the end of a process to the next one's start.
const RESTART: Duration = Duration::from_secs(1);
/// No honest agent makes more events than this in a simulated second.
const EVENTS_PER_AGENT_SECOND_MAX: u64 = 20;

/// One run.
pub struct Fleet {
    /// What was seen.
    pub seen: FleetSeen,
    plan: FleetPlan,
    platform: Platform,
    agents: Vec<Agent>,
    agenda: Agenda<Happening>,
    now: Duration,
    dice: Dice,
    /// Grows when the platform's process ends: what it was about to answer
    /// goes with it.
    platform_process: u32,
    next_delegation: u32,
    trace: Option<trace::Trace>,
}

enum Happening {
    Act(FleetAct),
    Starts { agent: u32 },
    Wakes { agent: u32 },
    Stops { agent: u32 },
    Arrives { agent: u32, process: u32, command: CommandId, request: Request, bytes_max: usize },
    Ends { agent: u32, process: u32, command: CommandId, outcome: Outcome, by: u32 },
    PlatformIsBack,
}

impl Fleet {
    /// Runs the plan to its end.
    ///
    /// # Errors
    /// If the configuration is not valid, or the run does not come to its end.
    pub fn run(plan: &FleetPlan) -> Result<Self, String> {
        Self::new(plan)?.play()
    }

    fn play(mut self) -> Result<Self, String> {
        let FleetPlan { agents, lasts, .. } = self.plan;
        let agent_seconds = u64::from(agents).saturating_mul(lasts.as_secs() + 60);
        let events_max = agent_seconds.saturating_mul(EVENTS_PER_AGENT_SECOND_MAX);
        for _ in 0..events_max {
            let next = [self.agenda.next_at(), self.platform.next_wakeup()];
            let Some(at) = next.into_iter().flatten().min().filter(|at| *at <= lasts) else {
                self.now = lasts;
                self.count_presence();
                return Ok(self);
            };
            self.now = self.now.max(at);
            let wall_ms = self.wall_ms();
            self.platform.tick(self.now, wall_ms);
            if let Some((_, happening)) = self.agenda.take_due(self.now) {
                self.happen(happening);
            }
        }
        Err(format!("more than {events_max} events by {:?}: a busy loop", self.now))
    }

    fn new(plan: &FleetPlan) -> Result<Self, String> {
        let platform = Platform::new(options(plan));
        let mut fleet = Self {
            seen: FleetSeen::default(),
            plan: plan.clone(),
            platform,
            agents: Vec::new(),
            agenda: Agenda::default(),
            now: Duration::ZERO,
            dice: Dice::new(plan.seed),
            platform_process: 0,
            next_delegation: 0,
            trace: None,
        };
        let wall_ms = fleet.wall_ms();
        fleet.platform.tick(fleet.now, wall_ms);
        for (number, token) in (0..plan.agents).zip(fleet.make_workspaces()?) {
            let config = agent::config(plan, number).map_err(|error| error.to_string())?;
            fleet.agents.push(Agent::new(config, token));
        }
        let starts = (0..plan.agents).map(|agent| {
            let share = f64::from(agent) / f64::from(plan.agents.max(1));
            (plan.started_over.mul_f64(share), Happening::Starts { agent })
        });
        let acts = plan.entries.iter().map(|entry| (entry.at, Happening::Act(entry.act.clone())));
        fleet.agenda = Agenda::of(starts.chain(acts));
        Ok(fleet)
    }

    /// Makes every workspace; the same seed gives the same tokens.
    fn make_workspaces(&mut self) -> Result<Vec<Secret>, String> {
        let mut tokens = Vec::new();
        for number in 0..self.plan.agents {
            let new = NewWorkspace::named(&agent::name(number));
            let created = self.platform.create_workspace(new).map_err(|error| error.to_string())?;
            let token = created.token.as_deref().and_then(Secret::new);
            tokens.push(token.ok_or("the platform issued no token")?);
        }
        Ok(tokens)
    }

    /// The plan that was run.
    #[must_use]
    pub const fn plan(&self) -> &FleetPlan {
        &self.plan
    }

    /// How many requests of a route the platform got since it was made.
    #[must_use]
    pub fn requests(&self, route: Route) -> u64 {
        self.platform.request_count(route)
    }

    fn wall_ms(&self) -> i64 {
        WALL_START_MS.saturating_add(i64::try_from(self.now.as_millis()).unwrap_or(i64::MAX))
    }

    fn agent_now(&self) -> Now {
        Now {
            monotonic: Instant::START.plus(UP_BEFORE + self.now),
            wall: WallTime::from_unix_millis(self.wall_ms()),
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Act(act) => self.act(&act),
            Happening::Starts { agent } => self.start(agent),
            Happening::Wakes { agent } => self.wake(agent),
            Happening::Stops { agent } => self.stop(agent),
            Happening::Arrives { agent, process, command, request, bytes_max } => {
                self.arrives(agent, process, command, &request, bytes_max);
            }
            Happening::Ends { agent, process, command, outcome, by } => {
                self.ends(agent, process, command, outcome, by);
            }
            Happening::PlatformIsBack => self.platform_is_back(),
        }
    }

    fn start(&mut self, number: u32) {
        let (now, seed) = (self.agent_now(), self.dice.next_u64());
        if let Some(agent) = self.agents.get_mut(number as usize) {
            self.seen.starts += 1;
            agent.start(seed, now);
            let process = agent.process;
            self.tell_start(number, process);
            self.pump(number);
        }
    }

    /// A planned wake-up has come; a stale one changes nothing.
    fn wake(&mut self, number: u32) {
        let now = self.now;
        let Some(agent) = self.agents.get_mut(number as usize) else {
            return;
        };
        if agent.planned == Some(now) {
            agent.planned = None;
            self.tell(number, Event::Tick);
        }
    }

    fn ends(&mut self, number: u32, process: u32, command: CommandId, outcome: Outcome, by: u32) {
        let Some(agent) = self.agents.get(number as usize) else {
            return;
        };
        if agent.asleep_until > self.now {
            let ends = Happening::Ends { agent: number, process, command, outcome, by };
            self.agenda.put(agent.asleep_until, ends);
        } else if agent.process == process {
            let is_lost = by != self.platform_process;
            let lost = || wire::failed(TransportFailureKind::NoAnswer);
            let outcome = if is_lost { lost() } else { outcome };
            self.tell(number, Event::Completed { id: command, outcome });
        }
    }

    fn tell(&mut self, number: u32, event: Event) {
        let now = self.agent_now();
        if let Some(machine) =
            self.agents.get_mut(number as usize).and_then(|agent| agent.machine.as_mut())
        {
            machine.handle(now, event);
            self.pump(number);
        }
    }

    /// Takes what the machine puts out; the store's answers go back at once.
    fn pump(&mut self, number: u32) {
        let now = self.agent_now();
        loop {
            let Some(agent) = self.agents.get_mut(number as usize) else {
                return;
            };
            let Some(machine) = agent.machine.as_mut() else {
                return;
            };
            if let Some(notice) = machine.poll_notice() {
                self.seen.said(&notice);
                self.tell_notice(number, &notice);
                continue;
            }
            let Some(command) = machine.poll_command() else {
                break;
            };
            let (id, name) = (command.id, action_name(&command.action));
            self.tell_command(number, &command);
            let Some(outcome) = self.begin(number, command) else {
                continue;
            };
            self.tell_done(number, name, &outcome);
            let agent = self.agents.get_mut(number as usize);
            if let Some(machine) = agent.and_then(|agent| agent.machine.as_mut()) {
                machine.handle(now, Event::Completed { id, outcome });
            }
        }
        self.plan_next(number);
    }

    fn plan_next(&mut self, number: u32) {
        let now = self.now;
        let Some(agent) = self.agents.get_mut(number as usize) else {
            return;
        };
        if agent.machine.as_ref().is_some_and(everbeat_core::Heartbeat::is_stopped) {
            agent.machine = None;
            self.agenda.put(now + RESTART, Happening::Starts { agent: number });
            self.tell_stop(number);
            return;
        }
        let Some(at) = agent.wakeup_at(UP_BEFORE) else {
            return;
        };
        let at = at.max(now).max(agent.asleep_until);
        if agent.planned.is_none_or(|planned| at < planned || planned < now) {
            agent.planned = Some(at);
            self.agenda.put(at, Happening::Wakes { agent: number });
        }
    }

    /// Begins a command; answers what is answered at once.
    fn begin(&mut self, number: u32, command: Command) -> Option<Outcome> {
        let agent = self.agents.get_mut(number as usize)?;
        if let Some(lowered) = lower(&agent.config, &command.action) {
            let bytes_max = lowered.body_bytes_max;
            let request = wire::request(lowered, agent.token.as_ref());
            let process = agent.process;
            if matches!(command.action, Action::SendSelfMessage { .. }) {
                self.seen.self_messages += 1;
            }
            let arrives = Happening::Arrives {
                agent: number,
                process,
                command: command.id,
                request,
                bytes_max,
            };
            let at = self.now + self.one_way();
            self.agenda.put(at, arrives);
            return None;
        }
        match command.action {
            Action::ReloadToken => Some(Outcome::TokenLoaded { changed: false, present: true }),
            Action::SaveToken(token) => {
                agent.token = Some(token);
                Some(Outcome::SecretSaved)
            }
            Action::SaveInboundSecret(_) => Some(Outcome::SecretSaved),
            Action::StoreBatch(batch) => {
                for key in store::names(&batch) {
                    let name = (number, key.delegation_id.clone(), key.status);
                    *self.seen.stored.entry(name).or_default() += 1;
                }
                let stored = agent.store.carry_out(Action::StoreBatch(batch));
                agent.store.take();
                stored
            }
            action @ (Action::OpenStore
            | Action::PlaceBatch { .. }
            | Action::AppendJournal { .. }
            | Action::CompactJournal { .. }
            | Action::ProbeResults) => agent.store.carry_out(action),
            // Requests went their way above; the others have no answer.
            Action::PostHeartbeat(_)
            | Action::Register(_)
            | Action::FetchDelegations
            | Action::FetchWorkspace { .. }
            | Action::SendSelfMessage { .. }
            | Action::Notify { .. }
            | Action::Cancel { .. }
            | Action::RebuildClient => None,
        }
    }

    fn one_way(&mut self) -> Duration {
        let FleetPlan { latency_ms, jitter_ms, .. } = self.plan;
        self.dice.between_ms(latency_ms, latency_ms + jitter_ms)
    }

    fn arrives(
        &mut self,
        number: u32,
        process: u32,
        command: CommandId,
        request: &Request,
        bytes_max: usize,
    ) {
        let wall_ms = self.wall_ms();
        let reply = self.platform.handle(self.now, wall_ms, request);
        self.tell_answer(number, request, &reply);
        let is_accepted = reply.answer.status == 200;
        let is_beat = request.path == "/registry/heartbeat";
        let is_sign = is_beat || request.path == "/registry/register";
        let answered = wire::outcome(reply, bytes_max);
        let got_in = answered.as_ref().is_some_and(
            |(_, outcome)| matches!(outcome, Outcome::Response(response) if response.status != 502),
        );
        self.seen.request(self.now, got_in);
        self.seen.beats += u64::from(is_beat && is_accepted && got_in);
        if is_sign && is_accepted && got_in {
            self.note_sign_of_life(number);
        }
        if let Some((after, outcome)) = answered {
            let (at, by) = (self.now + after + self.one_way(), self.platform_process);
            self.agenda.put(at, Happening::Ends { agent: number, process, command, outcome, by });
        }
    }

    /// While the platform waits for its herd: is this one back?
    fn note_sign_of_life(&mut self, number: u32) {
        if !self.seen.is_awaiting() {
            return;
        }
        let workspace = self.platform.workspace(&agent::name(number));
        let is_online = workspace.is_some_and(|have| have.status == Presence::Online);
        if let Some(agent) = self.agents.get_mut(number as usize)
            && is_online
            && !std::mem::replace(&mut agent.is_back, true)
        {
            self.seen.one_is_back(self.now);
            if !self.seen.is_awaiting() {
                let text = || "every agent is online again".into();
                self.tell_trace(Party::Plan, "all_online", text);
            }
        }
    }

    fn platform_is_back(&mut self) {
        for agent in &mut self.agents {
            agent.is_back = false;
        }
        self.seen.await_all(self.now, self.plan.agents);
        self.tell_trace(Party::Plan, "platform_back", || "the platform is back".into());
    }

    /// How many are online, for the end of the run.
    fn count_presence(&mut self) {
        let online = self.platform.workspaces().filter(|have| have.status == Presence::Online);
        self.seen.online = u32::try_from(online.count()).unwrap_or(u32::MAX);
        self.seen.restarts = self.platform.workspaces().map(|have| have.restarts).sum();
        let delivered = self.platform.workspaces().map(|have| have.delivered.total());
        self.seen.accepted_messages = delivered.sum();
    }
}
