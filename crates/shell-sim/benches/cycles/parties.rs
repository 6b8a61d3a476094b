//! Whom a world is made of, without a world: the agent's machine, its store on
//! a virtual disk, and the platform. Each is called as soon as it is its turn.
//! What a world takes beyond this are engine, faults and checkers.

use std::time::Duration;

use everbeat_core::{
    Action, Body, Command, Event, Heartbeat, HttpRequest, Instant, Method, Now, Outcome, Response,
    ValidConfig, WallTime, lower,
};
use everbeat_platform::{NewDelegation, NewWorkspace, Options, Platform, Request};
use everbeat_sim::disk::VirtualDisk;
use everbeat_sim::plan::{Act, Entry, OWN, Plan};
use everbeat_store::{Paths, Store};

use crate::cpu_seconds;

const WALL_MS: i64 = 1_780_000_000_000;

/// Seconds a cycle.
pub(crate) fn parties(plan: &Plan) -> f64 {
    let began = cpu_seconds();
    let mut parties = Parties::of(plan);
    parties.run(&plan.entries, Duration::from_millis(plan.healed_ms));
    (cpu_seconds() - began) / parties.beats as f64
}

struct Parties {
    config: ValidConfig,
    machine: Heartbeat,
    store: Store<VirtualDisk>,
    platform: Platform,
    token: String,
    now: Duration,
    /// Those that the platform accepted.
    beats: u32,
}

impl Parties {
    fn of(plan: &Plan) -> Self {
        let config = plan.setup.config().validate().expect("the plan is valid");
        let mut platform = Platform::new(Options {
            private_urls: true,
            rate_limit: None,
            turn_ms: plan.setup.turn_ms,
            ..Options::spring(plan.seed)
        });
        platform.tick(Duration::ZERO, WALL_MS);
        let url = "http://agent:8000".into();
        let created = platform
            .create_workspace(NewWorkspace { url, ..NewWorkspace::named(OWN) })
            .expect("it is the first one");
        let disk = VirtualDisk::new();
        disk.make_folder("/configs".as_ref(), false);
        disk.make_folder("/tmp".as_ref(), true);
        let paths = Paths {
            state_dir: "/configs/everbeat".into(),
            results_file: "/tmp/delegation_results.jsonl".into(),
            workspace_id: OWN.into(),
        };
        Self {
            machine: Heartbeat::new(config.clone(), plan.seed, at(Duration::ZERO)),
            config,
            store: Store::new(disk, paths),
            platform,
            token: created.token.expect("a new workspace has a token"),
            now: Duration::ZERO,
            beats: 0,
        }
    }

    fn run(&mut self, entries: &[Entry], ends_at: Duration) {
        let mut entries = entries.iter().peekable();
        loop {
            while let Some(command) = self.machine.poll_command() {
                self.carry_out(command);
            }
            while self.machine.poll_notice().is_some() {}
            let wakeup = self.machine.next_wakeup().expect("it was not told to stop");
            let wakeup = wakeup.at.since(Instant::START);
            let act_at = entries.peek().map(|entry| Duration::from_millis(entry.at_ms));
            let next = [Some(wakeup), act_at, self.platform.next_wakeup()];
            self.now = next.into_iter().flatten().min().unwrap_or(ends_at).max(self.now);
            if self.now >= ends_at {
                return;
            }
            self.platform.tick(self.now, wall_ms(self.now));
            if act_at.is_some_and(|at| at <= self.now) {
                self.act(&entries.next().expect("it was looked at").act);
            } else if wakeup <= self.now {
                self.machine.handle(at(self.now), Event::Tick);
            }
        }
    }

    /// The plans of this bench have no others.
    fn act(&mut self, act: &Act) {
        if let Act::Report { report } = act {
            self.machine.handle(at(self.now), Event::Report(report.clone()));
        } else if let Act::Finish { first, count, finish } = act {
            for number in *first..first + count {
                let id = format!("d{number}");
                let _ = self.platform.make_delegation(NewDelegation {
                    workspace: OWN.into(),
                    target: "other".into(),
                    task: "do something".into(),
                    source: None,
                    id: Some(id.clone()),
                    recorded: false,
                    idempotency_key: None,
                });
                self.platform.finish_delegation(&id, finish).expect("it was made");
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        if !command.action.is_answered() {
            return;
        }
        let is_beat = matches!(command.action, Action::PostHeartbeat(_));
        let outcome = match lower(&self.config, &command.action) {
            Some(request) => self.ask(request),
            None if command.action.is_store() => self.store.carry_out(command.action),
            None => Outcome::SecretSaved,
        };
        let went_well = matches!(&outcome, Outcome::Response(response) if response.status < 300);
        self.beats += u32::from(is_beat && went_well);
        self.machine.handle(at(self.now), Event::Completed { id: command.id, outcome });
    }

    fn ask(&mut self, lowered: HttpRequest) -> Outcome {
        let method = match lowered.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let request = Request {
            method: method.into(),
            path: lowered.path,
            query: None,
            headers: lowered.headers.into_iter().map(|(name, it)| (name.into(), it)).collect(),
            body: lowered.body,
            peer: "10.0.0.1".into(),
        };
        let request = request.with_bearer(&self.token);
        let answer = self.platform.handle(self.now, wall_ms(self.now), &request).answer;
        Outcome::Response(Response {
            status: answer.status,
            retry_after_s: None,
            body: Body(answer.body),
            complete: true,
        })
    }
}

fn wall_ms(now: Duration) -> i64 {
    WALL_MS + i64::try_from(now.as_millis()).expect("it is days")
}

fn at(now: Duration) -> Now {
    Now { monotonic: Instant::START.plus(now), wall: WallTime::from_unix_millis(wall_ms(now)) }
}
