//! The machine and all that is around it, done by hand.

use std::collections::VecDeque;
use std::time::Duration;

use everbeat_core::{
    Action, Command, CommandId, Config, Event, FileFailureKind, Heartbeat, Instant, Now, Outcome,
    Report, Response, TransportFailure, WallTime,
};

use super::given::{config, failure, file_failure, list, response, span_of, token};
use super::words;
use crate::fleet::store::MemoryStore;

/// Wall time at the start, in Unix milliseconds.
const WALL_START_MS: i64 = 1_775_000_000_000;
/// The machine's clock does not begin at zero.
const UP_BEFORE: Duration = Duration::from_secs(1_000);

/// A machine that is driven by hand.
#[derive(Default)]
pub struct Stage {
    machine: Option<Heartbeat>,
    config: Option<Config>,
    now: Duration,
    processes: u64,
    store: MemoryStore,
    store_is_auto: bool,
    platform_is_auto: bool,
    /// What a platform that answers by itself lists.
    listed: Option<String>,
    /// Commands that wait for an answer, oldest first.
    open: VecDeque<Command>,
    /// Commands that the machine gave up on, newest last.
    given_up: Vec<Command>,
    output: Vec<String>,
}

impl Stage {
    /// Does what a line says; answers what came of it.
    ///
    /// # Errors
    /// If the line is not understood.
    pub fn act(&mut self, line: &str, input: &[String]) -> Result<Vec<String>, String> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        match (verb, words.as_slice()) {
            ("start", words) => {
                *self = Self::default();
                self.config = Some(config(words)?);
                self.start()?;
            }
            ("restart", []) => self.start()?,
            ("advance", [span]) => self.advance(span_of(span)?),
            ("suspend", [span]) => {
                self.now += span_of(span)?;
                self.tell(Event::Tick);
            }
            ("answer", [what, words @ ..]) => {
                let command = self.take_open(what)?;
                self.complete(command, Outcome::Response(response(what, words, input)?));
            }
            ("late", [what, words @ ..]) => {
                let given_up =
                    self.given_up.iter().rposition(|have| words::verb(&have.action) == *what);
                let command = given_up.map(|index| self.given_up.remove(index));
                let command = command.ok_or_else(|| format!("no {what} was given up"))?;
                self.complete(command, Outcome::Response(response(what, words, input)?));
            }
            ("fail", [what, how]) => {
                let kind = failure(how)?;
                let command = self.take_open(what)?;
                let detail = (*how).into();
                self.complete(command, Outcome::TransportFailed(TransportFailure { kind, detail }));
            }
            ("store", how) => self.store(how)?,
            ("platform", ["auto"]) => {
                self.platform_is_auto = true;
                for command in std::mem::take(&mut self.open) {
                    match self.answer_of_itself(&command.action) {
                        Some(outcome) => self.complete(command, outcome),
                        None => self.open.push_back(command),
                    }
                }
            }
            ("platform", ["manual"]) => self.platform_is_auto = false,
            ("lists", []) => self.listed = Some(list(input)?),
            ("reader", ["takes"]) => self.store.take(),
            ("token", [how]) => {
                let outcome = token(how)?;
                let command = self.take_open("token")?;
                self.complete(command, outcome);
            }
            ("saved", [how @ ("ok" | "fails")]) => {
                let command = self.take_open("saved")?;
                let failed = || Outcome::FileFailed(file_failure(FileFailureKind::Other));
                let outcome = if *how == "ok" { Outcome::SecretSaved } else { failed() };
                self.complete(command, outcome);
            }
            ("report", [_, ..]) => {
                let text = line.trim_start_matches("report").trim();
                let report: Report =
                    serde_json::from_str(text).map_err(|error| format!("report: {error}"))?;
                self.tell(Event::Report(report));
            }
            ("retune", words) => self.tell(Event::Retune(config(words)?.tuning())),
            ("stop", []) => self.tell(Event::Stop),
            ("overview", []) => self.overview(),
            ("status", []) => self.status(),
            _ => return Err(format!("{line:?} is not understood")),
        }
        if !matches!(verb, "overview" | "status") {
            self.say_next();
        }
        Ok(std::mem::take(&mut self.output))
    }

    fn start(&mut self) -> Result<(), String> {
        let config = self.config.clone().ok_or("nothing was started yet")?;
        let config = config.validate().map_err(|error| error.to_string())?;
        self.processes += 1;
        self.open.clear();
        self.given_up.clear();
        self.machine = Some(Heartbeat::new(config, self.processes, self.clock()));
        self.pump();
        Ok(())
    }

    fn clock(&self) -> Now {
        let ms = i64::try_from(self.now.as_millis()).unwrap_or(i64::MAX);
        Now {
            monotonic: Instant::START.plus(UP_BEFORE + self.now),
            wall: WallTime::from_unix_millis(WALL_START_MS.saturating_add(ms)),
        }
    }

    /// Wakes the machine whenever it asks for that, up to `span` from now.
    fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.wakeup_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.tell(Event::Tick);
        }
        self.now = end;
        self.tell(Event::Tick);
    }

    fn wakeup_at(&self) -> Option<Duration> {
        let wakeup = self.machine.as_ref()?.next_wakeup()?;
        Some(Duration::from_nanos(wakeup.at.as_nanos()).saturating_sub(UP_BEFORE))
    }

    fn tell(&mut self, event: Event) {
        let now = self.clock();
        if let Some(machine) = &mut self.machine {
            machine.handle(now, event);
        }
        self.pump();
    }

    fn complete(&mut self, command: Command, outcome: Outcome) {
        self.tell(Event::Completed { id: command.id, outcome });
    }

    /// Writes down what the machine puts out.
    fn pump(&mut self) {
        loop {
            let Some(machine) = &mut self.machine else {
                return;
            };
            if let Some(command) = machine.poll_command() {
                self.begin(command);
            } else if let Some(notice) = machine.poll_notice() {
                self.say(&words::notice(&notice));
            } else {
                return;
            }
        }
    }

    fn begin(&mut self, command: Command) {
        let CommandId(id) = command.id;
        let lines = words::action(&command.action);
        for (index, line) in lines.iter().enumerate() {
            match index {
                0 => self.say(&format!("#{id} {line}")),
                _ => self.output.push(format!("{:10}{line}", "")),
            }
        }
        if let Action::Cancel { command } = command.action {
            let index = self.open.iter().position(|open| open.id == command);
            self.given_up.extend(index.and_then(|index| self.open.remove(index)));
        }
        if !command.action.is_answered() {
            return;
        }
        if self.store_is_auto && command.action.is_store() {
            self.carry_out(command);
        } else if let Some(outcome) = self.answer_of_itself(&command.action) {
            self.land(command.id, outcome);
        } else {
            self.open.push_back(command);
        }
    }

    /// What a platform that is well answers by itself: all but messages.
    fn answer_of_itself(&self, action: &Action) -> Option<Outcome> {
        let (status, body) = match words::verb(action) {
            "beat" | "register" => (200, "{}"),
            "poll" => (200, self.listed.as_deref().unwrap_or("[]")),
            "lookup" => (404, "{}"),
            _ => return None,
        };
        let response = Response { status, retry_after_s: None, body: body.into(), complete: true };
        self.platform_is_auto.then_some(Outcome::Response(response))
    }

    fn carry_out(&mut self, command: Command) {
        if let Some(outcome) = self.store.carry_out(command.action) {
            self.land(command.id, outcome);
        }
    }

    /// Tells the machine what became of a command; `pump` goes on.
    fn land(&mut self, id: CommandId, outcome: Outcome) {
        let now = self.clock();
        if let Some(machine) = &mut self.machine {
            machine.handle(now, Event::Completed { id, outcome });
        }
    }

    fn take_open(&mut self, what: &str) -> Result<Command, String> {
        let index = self.open.iter().position(|open| words::verb(&open.action) == what);
        let command = index.and_then(|index| self.open.remove(index));
        command.ok_or_else(|| format!("no {what} waits for an answer"))
    }

    fn store(&mut self, how: &[&str]) -> Result<(), String> {
        match how {
            ["ok"] => {
                let command = self.take_open("store")?;
                self.carry_out(command);
                self.pump();
            }
            ["auto"] => {
                self.store_is_auto = true;
                while let Ok(command) = self.take_open("store") {
                    self.carry_out(command);
                    self.pump();
                }
            }
            ["manual"] => self.store_is_auto = false,
            ["held"] => self.store.hold(Some("/tmp/results is a folder: move it away".into())),
            ["free"] => self.store.hold(None),
            ["fails", kind] => {
                let kind = match *kind {
                    "full" => FileFailureKind::Full,
                    "read-only" => FileFailureKind::ReadOnly,
                    "denied" => FileFailureKind::Denied,
                    "other" => FileFailureKind::Other,
                    kind => return Err(format!("{kind:?} is no way to fail")),
                };
                let command = self.take_open("store")?;
                self.complete(command, Outcome::FileFailed(file_failure(kind)));
            }
            how => return Err(format!("a store does not {}", how.join(" "))),
        }
        Ok(())
    }

    fn overview(&mut self) {
        let Some(machine) = &self.machine else {
            return;
        };
        let value = serde_json::to_value(machine.overview()).unwrap_or_default();
        let fields = value.as_object().into_iter().flatten();
        for (name, value) in fields.filter(|(name, _)| *name != "last_accepted_beat") {
            self.output.push(format!("{name} = {value}"));
        }
    }

    fn status(&mut self) {
        let now = self.clock().monotonic;
        let status = self.machine.as_ref().map(|machine| machine.status(now));
        let value = serde_json::to_value(status).unwrap_or_default();
        words::members("", &value, &mut self.output);
    }

    fn say(&mut self, what: &str) {
        self.output.push(format!("{:>8}  {what}", words::seconds(self.now)));
    }

    fn say_next(&mut self) {
        let wakeup = self.machine.as_ref().and_then(Heartbeat::next_wakeup);
        let line = match (wakeup, self.wakeup_at()) {
            (Some(wakeup), Some(at)) => {
                format!("next: {} at {}", wakeup.reason, words::seconds(at))
            }
            _ => "next: nothing".into(),
        };
        self.output.push(line);
    }
}
