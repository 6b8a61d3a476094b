//! The world: one workspace's agent, the platform, the way between them, the
//! disk, the clocks, and the reader of the results.

mod acts;
mod clocks;
mod commands;
mod counts;
mod files;
mod holder;
mod names;
mod network;
mod process;
mod secrets;
mod seen;
mod stream;
mod trace;
mod way;

use std::rc::Rc;
use std::time::Duration;

use everbeat_core::{CommandId, Event, Outcome, ValidConfig};
use everbeat_platform::{NewWorkspace, Options, Platform, Request as PlatformRequest, Route};

use crate::agenda::Agenda;
use crate::dice::Dice;
use crate::disk::VirtualDisk;
use crate::lists::{Named, ReadList};
use crate::plan::{Act, OWN, Plan};
use crate::promises::watch::{Broken, Watch};
use clocks::Clocks;
use files::Files;
use holder::Holder;
use process::Process;
use secrets::Secrets;
use way::{Fate, Way};

pub use counts::Counts;
pub use files::StreamParts;
pub use names::{ACTION_NAMES, EVENT_NAMES, NOTICE_NAMES, action_name, event_name, notice_name};
pub use seen::{Request, ResultName, Seen, Sent, Stopping, fingerprint};
pub use trace::{Party, TRACE_VERSION, TraceHeader, TraceLine};

/// More events than any honest agent needs in one interval, whatever the plan
/// does to it meanwhile: a busy loop ends here.
const EVENTS_PER_INTERVAL_MAX: u64 = 20_000;
/// And so many for each delegation that the plan ends, all at once perhaps.
const EVENTS_PER_DELEGATION: u64 = 10;
/// What the platform keeps of each kind to be looked at: more than one event
/// brings.
const OBSERVED_MAX: usize = 256;

/// One run.
pub struct World {
    /// What was seen.
    pub seen: Seen,
    /// The platform.
    pub platform: Platform,
    /// Everything decided.
    pub plan: Rc<Plan>,
    outruns_memory: bool,
    config: ValidConfig,
    files: Files,
    holder: Holder,
    now: Duration,
    clocks: Clocks,
    agenda: Agenda<Happening>,
    process: Option<Process<VirtualDisk>>,
    processes: u64,
    /// No process runs until then.
    asleep_until: Option<Duration>,
    /// Once the process has ended, it is started after so long.
    down: Duration,
    way: Way,
    disk_slow: Duration,
    dice: Dice,
    delivered_seen: u64,
    beats_seen: u64,
    last_list: Option<ReadList>,
    /// Every token that the platform ever issued, and every inbound secret.
    secrets: Secrets,
    /// The newest of the latter; empty before the first.
    inbound_secret: String,
    /// What is being searched for secrets; kept for its memory.
    shown: Vec<u8>,
    /// Told line by line, if asked for.
    trace: Option<Vec<TraceLine>>,
}

#[derive(Debug)]
enum Happening {
    /// The plan's entry in this place.
    Planned(usize),
    /// What another act brings.
    Act(Act),
    /// A request reaches the platform.
    Arrives {
        process: u64,
        command: CommandId,
        request: PlatformRequest,
        body_bytes_max: usize,
        fate: Fate,
    },
    /// The platform's name is resolved for a request.
    Resolved { process: u64, command: CommandId, request: PlatformRequest, body_bytes_max: usize },
    /// A command comes to its end in the agent.
    Ends { process: u64, command: CommandId, outcome: Outcome, by: By },
    /// A process is started.
    Starts,
    /// A new token stands in the file.
    TokenFile { token: String },
    /// What lasted is over.
    IsOver(Lasting),
    /// The agent's turn has come to reading its results.
    Reads,
    /// The agent is done with what it was handed under a lease.
    Acknowledges { lease: String },
}

/// What an act began and time ends.
#[derive(Clone, Copy, Debug)]
enum Lasting {
    /// Something odd in the results file's place.
    Odd,
    ReadOnly,
    FolderGone,
    RateLimit,
}

impl Happening {
    /// Whether the platform may have something new to show after it.
    const fn is_for_platform(&self) -> bool {
        match self {
            Self::Planned(_) | Self::Act(_) | Self::Arrives { .. } => true,
            Self::Resolved { .. }
            | Self::Ends { .. }
            | Self::Starts
            | Self::TokenFile { .. }
            | Self::IsOver(_)
            | Self::Reads
            | Self::Acknowledges { .. } => false,
        }
    }
}

/// Who ends a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The machine itself: its disk, its network's stack.
    Machine,
    /// The platform's process of this number.
    Platform(u64),
}

impl World {
    /// A world that has not begun.
    ///
    /// # Errors
    /// If the plan's setup is no valid configuration.
    pub fn new(plan: &Plan) -> Result<Self, everbeat_core::ConfigError> {
        let config = plan.setup.config().validate()?;
        let options = if plan.setup.later_platform { Options::summer } else { Options::spring };
        let options = Options {
            private_urls: true,
            rate_limit: None,
            observed_max: OBSERVED_MAX,
            turn_ms: plan.setup.turn_ms,
            ..options(plan.seed)
        };
        let mut world = Self {
            seen: Seen::default(),
            platform: Platform::new(options),
            plan: Rc::new(plan.clone()),
            outruns_memory: plan.outruns_memory(),
            config,
            files: Files::new(plan.seed),
            holder: Holder::default(),
            now: Duration::ZERO,
            clocks: Clocks::default(),
            agenda: Agenda::default(),
            process: None,
            processes: 0,
            asleep_until: None,
            down: Duration::ZERO,
            way: Way::default(),
            disk_slow: Duration::ZERO,
            dice: Dice::new(plan.seed),
            delivered_seen: 0,
            beats_seen: 0,
            last_list: None,
            secrets: Secrets::default(),
            inbound_secret: String::new(),
            shown: Vec::new(),
            trace: None,
        };
        world.furnish();
        Ok(world)
    }

    /// Runs the plan to its end, whatever it breaks.
    ///
    /// # Errors
    /// If the run does not come to its end: a busy loop.
    pub fn run(plan: &Plan) -> Result<Self, String> {
        let mut world = Self::new(plan).map_err(|error| error.to_string())?;
        world.play(&mut Watch::default()).map_err(|broken| broken.said)?;
        Ok(world)
    }

    /// Goes through the faults, then the healed world, and shows itself to
    /// `watch` after each event.
    ///
    /// # Errors
    /// If the run does not come to its end: a busy loop. What `watch` saw, it
    /// says itself.
    pub fn play(&mut self, watch: &mut Watch) -> Result<(), Broken> {
        let Plan { faults_end_ms, healed_ms, .. } = *self.plan;
        let healed_at = Duration::from_millis(faults_end_ms);
        let ends_at = healed_at + Duration::from_millis(healed_ms);
        if self.run_until(healed_at, watch)? {
            self.tell_trace(Party::Plan, "healed", || "all faults are off".into());
            self.heal();
            self.run_until(ends_at, watch)?;
        }
        watch.ends(self);
        Ok(())
    }

    /// When it is now, from the start.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// The agent's configuration.
    #[must_use]
    pub const fn config(&self) -> &ValidConfig {
        &self.config
    }

    fn furnish(&mut self) {
        self.platform.tick(self.now, self.clocks.platform_wall_ms(self.now));
        let created = self.platform.create_workspace(NewWorkspace {
            url: "http://agent:8000".into(),
            parent_id: Some("boss".into()),
            ..NewWorkspace::named(OWN)
        });
        let boss = self.platform.create_workspace(NewWorkspace::named("boss"));
        if let (Ok(created), Ok(_)) = (created, boss)
            && let Some(token) = created.token
        {
            self.write_token(&token);
        }
        let planned =
            self.plan.entries.iter().enumerate().map(|(place, entry)| {
                (Duration::from_millis(entry.at_ms), Happening::Planned(place))
            });
        self.agenda = Agenda::of(planned);
        self.agenda.put(Duration::ZERO, Happening::Starts);
    }

    /// Says whether `watch` lets the run go on.
    fn run_until(&mut self, end: Duration, watch: &mut Watch) -> Result<bool, Broken> {
        let most = self.events_per_interval_max();
        let (mut events, mut interval_ends) = (0, self.now + self.config.interval);
        loop {
            let wakeup = self.wakeup();
            let platform_due = self.platform.next_wakeup();
            let next = [self.agenda.next_at(), wakeup, platform_due];
            let Some(at) = next.into_iter().flatten().min().filter(|at| *at <= end) else {
                self.now = end;
                return Ok(watch.look(self));
            };
            self.now = self.now.max(at);
            if self.now >= interval_ends {
                (events, interval_ends) = (0, self.now + self.config.interval);
            }
            events += 1;
            if events > most {
                let said = format!("S5: over {most} events in an interval");
                return Err(Broken { at: self.now, said });
            }
            // Nothing else can have brought a message or a beat.
            let mut is_platform_new = platform_due.is_some_and(|at| at <= self.now);
            self.platform.tick(self.now, self.clocks.platform_wall_ms(self.now));
            if let Some((_, happening)) = self.agenda.take_due(self.now) {
                is_platform_new |= happening.is_for_platform();
                self.happen(happening);
            } else if wakeup.is_some_and(|wakeup| wakeup <= self.now) {
                self.tell(Event::Tick);
            }
            if is_platform_new {
                self.look_at_messages();
            }
            if !watch.look(self) {
                return Ok(false);
            }
        }
    }

    /// When the process wants to be woken, in the world's time.
    fn wakeup(&self) -> Option<Duration> {
        let wakeup = self.process.as_ref()?.machine.next_wakeup()?;
        Some(self.clocks.when(wakeup.at).max(self.asleep_until.unwrap_or_default()))
    }

    fn events_per_interval_max(&self) -> u64 {
        let ended = |act: &Act| if let Act::Finish { count, .. } = act { *count } else { 1 };
        let ended = self.plan.entries.iter().map(|entry| u64::from(ended(&entry.act)));
        let more = ended.fold(0, u64::saturating_add).saturating_mul(EVENTS_PER_DELEGATION);
        more.saturating_add(EVENTS_PER_INTERVAL_MAX)
    }

    /// The results that the last list named, and of each whether any row
    /// showed the text of a completed one.
    pub(crate) fn last_list(&self) -> &[Named] {
        self.last_list.as_ref().map_or(&[], |list| &list.names)
    }

    /// The disk.
    #[must_use]
    pub const fn disk(&self) -> &VirtualDisk {
        &self.files.disk
    }

    /// The running machine as it prints itself; empty if none runs.
    #[must_use]
    pub fn printed_machine(&self) -> String {
        self.process.as_ref().map(|process| format!("{:?}", process.machine)).unwrap_or_default()
    }

    /// What the running machine says of itself.
    #[must_use]
    pub fn overview(&self) -> Option<everbeat_core::Overview> {
        self.process.as_ref().map(|process| process.machine.overview())
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Planned(place) => self.act(&Rc::clone(&self.plan).entries[place].act),
            Happening::Act(act) => self.act(&act),
            Happening::Arrives { process, command, request, body_bytes_max, fate } => {
                self.arrives(process, command, &request, body_bytes_max, fate);
            }
            Happening::Resolved { process, command, request, body_bytes_max } => {
                self.resolved(process, command, request, body_bytes_max);
            }
            Happening::Ends { process, command, outcome, by } => {
                self.ends(process, command, outcome, by);
            }
            Happening::Starts => self.start(),
            Happening::TokenFile { token } => {
                // A token that was replaced meanwhile is not provisioned.
                let newest = self.seen.rotations.last();
                if newest.is_some_and(|(_, newest)| *newest == fingerprint(0, &token)) {
                    self.write_token(&token);
                }
            }
            Happening::Reads => self.turn_comes(),
            Happening::Acknowledges { lease } => self.acknowledges(&lease),
            Happening::IsOver(lasting) => self.is_over(lasting),
        }
    }

    fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        if let Some(until) = self.wakes_at() {
            self.agenda.put(until, Happening::Starts);
            return;
        }
        self.processes += 1;
        self.seen.starts.push(self.now);
        let number = self.processes;
        self.tell_trace(Party::Machine, "start", || format!("process {number} starts"));
        let seed = self.dice.next_u64();
        self.files.disk.start();
        let disk = self.files.disk.clone();
        let config = self.config.clone();
        self.process =
            Some(Process::start(disk, config, self.processes, seed, self.clocks.agent(self.now)));
        self.pump();
    }

    /// The process is gone, whatever it was doing.
    fn kill(&mut self) {
        if self.process.take().is_some() {
            self.seen.kills.push(self.now);
            self.tell_trace(Party::Machine, "kill", || "the process is killed".into());
            self.note_end();
            self.files.disk.kill();
            self.agenda.put(self.now + self.down, Happening::Starts);
        }
    }

    /// Kills the process if a call on files was its last one; says so.
    fn kill_if_dead(&mut self) -> bool {
        let is_dead = self.files.disk.is_dead();
        if is_dead {
            self.kill();
        }
        is_dead
    }

    fn note_end(&mut self) {
        for stopping in &mut self.seen.stops {
            stopping.ended.get_or_insert(self.now);
        }
    }

    fn tell(&mut self, event: Event) {
        let now = self.clocks.agent(self.now);
        if let Some(process) = &mut self.process {
            self.seen.events.add(event_name(&event));
            process.machine.handle(now, event);
        }
        self.pump();
    }

    /// Takes what the machine puts out, and notices if it has ended.
    fn pump(&mut self) {
        while let Some(command) =
            self.process.as_mut().and_then(|process| process.machine.poll_command())
        {
            self.begin(command);
            if self.kill_if_dead() {
                return;
            }
        }
        while let Some(notice) =
            self.process.as_mut().and_then(|process| process.machine.poll_notice())
        {
            self.note_notice(&notice);
            self.tell_trace(Party::Agent, notice_name(&notice), || format!("{notice:?}"));
            self.seen.notices.push((self.now, notice));
        }
        if self.process.as_ref().is_some_and(|process| process.machine.is_stopped()) {
            self.process = None;
            self.tell_trace(Party::Machine, "stop", || "the process has ended".into());
            self.files.disk.kill();
            self.note_end();
            self.agenda.put(self.now + self.down, Happening::Starts);
        }
    }

    fn ends_at(
        &mut self,
        at: Duration,
        process: u64,
        command: CommandId,
        outcome: Outcome,
        by: By,
    ) {
        self.agenda.put(at, Happening::Ends { process, command, outcome, by });
    }

    fn ends(&mut self, process: u64, command: CommandId, outcome: Outcome, by: By) {
        if !self.reaches_the_machine(process, command, by) {
            return;
        }
        if let Some(until) = self.wakes_at() {
            self.ends_at(until, process, command, outcome, By::Machine);
            return;
        }
        let awaits = self.process.as_mut().is_some_and(|running| {
            running.number == process && !running.cancelled.remove(&command)
        });
        if awaits {
            self.note_outcome(command, &outcome);
            self.tell(Event::Completed { id: command, outcome });
        }
    }

    /// The agent's turns: each delivered message makes it read its results.
    fn look_at_messages(&mut self) {
        let Some(workspace) = self.platform.workspace(OWN) else {
            return;
        };
        let turn = Duration::from_millis(self.plan.setup.turn_ms / 2);
        for delivered in workspace.delivered.since(self.delivered_seen) {
            let id = delivered.message_id.clone();
            self.seen.accepted_messages.push((delivered.at, id));
            if self.plan.setup.reads {
                self.agenda.put(self.now + turn, Happening::Reads);
            }
        }
        self.delivered_seen = workspace.delivered.total();
        self.seen.calls = workspace.messages.total();
        self.seen.accepted_beats.extend(workspace.beats.since(self.beats_seen).map(|beat| beat.at));
        self.beats_seen = workspace.beats.total();
    }

    /// How many requests of a route the platform got.
    #[must_use]
    pub fn requests(&self, route: Route) -> u64 {
        self.platform.request_count(route)
    }
}
