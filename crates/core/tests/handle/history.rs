//! A history made of arbitrary bytes: what they say is done to a machine, and
//! after each step the machine must keep what it promises without any help.
//!
//! One reading of the bytes serves the ordinary test and the fuzz target.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use everbeat_core::{
    Action, Body, Command, CommandId, Config, Deliver, Event, FileFailure, FileFailureKind,
    Heartbeat, Instant, Notice, Notify, Now, OpenedStore, Outcome, Placement, Report, Response,
    TaskReport, TransportFailure, TransportFailureKind, Tuning, ValidConfig, WallTime, limits,
    lower,
};

const OWN: &str = "own-workspace";
/// Stands in every response text: no self-message may hold it.
const PREVIEW: &str = "PREVIEW-MARK";
/// Stands in every credential: nothing that prints may hold it.
const SECRET: &str = "SECRET-MARK-0123456789";

/// Runs the history that `bytes` tell.
///
/// # Errors
/// The promise that was broken, and the steps up to there.
pub(crate) fn run(bytes: &[u8]) -> Result<(), String> {
    let first = play(bytes)?;
    let second = play(bytes)?;
    if first == second { Ok(()) } else { Err("S8: two runs of one history differ".into()) }
}

fn play(bytes: &[u8]) -> Result<String, String> {
    let mut dice = Dice(bytes.iter().copied().collect());
    let mut run = Run::new(&mut dice);
    while !dice.0.is_empty() {
        let step = run.step(&mut dice);
        let _ = writeln!(run.steps, "{} {step}", run.now.monotonic);
        if let Err(broken) = run.check() {
            return Err(format!("{broken}\nafter these steps:\n{}", run.steps));
        }
    }
    let shown = format!("{:?}", run.machine);
    if shown.len() > 16 << 20 {
        return Err(format!("S6: the machine prints as {} bytes", shown.len()));
    }
    if shown.contains(SECRET) {
        return Err("S7: the machine prints a secret".into());
    }
    Ok(run.outputs)
}

struct Dice(VecDeque<u8>);

impl Dice {
    fn byte(&mut self) -> u8 {
        self.0.pop_front().unwrap_or_default()
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.byte() % limit.max(1)
    }

    fn take(&mut self, most: usize) -> Vec<u8> {
        let count = usize::from(self.byte()) % (most + 1);
        (0..count).map(|_| self.byte()).collect()
    }
}

struct Run {
    config: ValidConfig,
    machine: Heartbeat,
    now: Now,
    /// The latest time so far: the machine follows no clock backwards.
    latest: Instant,
    stopped: bool,
    in_flight: Vec<Command>,
    requests: VecDeque<(Instant, bool)>,
    changes: u32,
    last_self_message: Option<Instant>,
    batch: u64,
    steps: String,
    outputs: String,
    broken: Option<String>,
}

impl Run {
    fn new(dice: &mut Dice) -> Self {
        let mut config = Config::new(OWN, "http://platform");
        config.interval = Duration::from_secs([5, 30, 300][usize::from(dice.below(3))]);
        config.cooldown = Duration::from_secs([1, 60, 900][usize::from(dice.below(3))]);
        config.notify = [Notify::All, Notify::Failures, Notify::None][usize::from(dice.below(3))];
        config.deliver = [Deliver::All, Deliver::Awaited][usize::from(dice.below(2))];
        if dice.below(2) == 1 {
            config.agent_url = Some("http://agent:1".into());
            config.agent_card = Some(serde_json::json!({"name": "a"}).into());
        }
        let config = config.validate().expect("all of these are allowed");
        let now = Now {
            monotonic: Instant::from_millis(1_000_000),
            wall: WallTime::from_unix_millis(1_000),
        };
        Self {
            machine: Heartbeat::new(config.clone(), u64::from(dice.byte()), now),
            config,
            now,
            latest: now.monotonic,
            stopped: false,
            in_flight: Vec::new(),
            requests: VecDeque::new(),
            changes: 0,
            last_self_message: None,
            batch: 0,
            steps: String::new(),
            outputs: String::new(),
            broken: None,
        }
    }

    fn step(&mut self, dice: &mut Dice) -> String {
        let event = match dice.below(12) {
            0..=3 => {
                if let Some(wakeup) = self.machine.next_wakeup() {
                    self.now.monotonic = self.now.monotonic.max(wakeup.at);
                }
                Event::Tick
            }
            4..=7 => self.completion(dice),
            8 => self.pass_time(dice),
            9 => Event::Completed {
                id: CommandId(u64::from(dice.byte())),
                outcome: any_outcome(dice, self.batch),
            },
            10 => self.report(dice),
            _ if dice.below(16) == 0 => self.retune(dice),
            _ if dice.below(8) == 0 => {
                self.stopped = true;
                Event::Stop
            }
            _ => Event::Tick,
        };
        if let Event::Completed { id, .. } = &event {
            self.in_flight.retain(|flying| flying.id != *id);
        }
        self.check_recordable(&event);
        let said = format!("{event:?}");
        self.latest = self.latest.max(self.now.monotonic);
        self.machine.handle(self.now, event);
        if dice.below(8) > 0 {
            self.pump();
        }
        said
    }

    /// Another tuning, often one that is not allowed.
    fn retune(&mut self, dice: &mut Dice) -> Event {
        let ms = |dice: &mut Dice| Duration::from_millis(u64::from(dice.byte()) * 500);
        let tuning = Tuning {
            cooldown: ms(dice),
            notify: if dice.below(2) == 0 { Notify::All } else { Notify::None },
            self_messages_per_hour_max: u32::from(dice.byte()),
            reannounce_after: ms(dice),
            ..self.config.tuning()
        };
        if let Ok(config) = self.config.tuned(tuning) {
            self.config = config;
        }
        Event::Retune(tuning)
    }

    /// An outcome, often a fitting one, for a command in flight.
    fn completion(&mut self, dice: &mut Dice) -> Event {
        if self.in_flight.is_empty() {
            return Event::Tick;
        }
        let index = usize::from(dice.byte()) % self.in_flight.len();
        let command = self.in_flight.remove(index);
        let outcome = match dice.below(4) {
            0 => any_outcome(dice, self.batch),
            _ => self.fitting_outcome(dice, &command.action),
        };
        if dice.below(8) == 0 {
            self.machine
                .handle(self.now, Event::Completed { id: command.id, outcome: outcome.clone() });
        }
        Event::Completed { id: command.id, outcome }
    }

    fn fitting_outcome(&mut self, dice: &mut Dice, action: &Action) -> Outcome {
        match action {
            Action::OpenStore => Outcome::StoreOpened(OpenedStore::default()),
            Action::StoreBatch(batch) => {
                self.batch = batch.batch;
                Outcome::BatchStored { length: 9, placement: placement(dice), journal_bytes: 99 }
            }
            Action::PlaceBatch { .. } => Outcome::BatchPlaced { placement: placement(dice) },
            Action::AppendJournal { .. } | Action::CompactJournal { .. } => {
                let journal_bytes = u64::from(dice.byte()) << dice.below(24);
                Outcome::JournalWritten { journal_bytes }
            }
            Action::ProbeResults => Outcome::ResultsProbed { present: dice.below(2) == 0 },
            Action::ReloadToken => {
                Outcome::TokenLoaded { changed: dice.below(2) == 0, present: dice.below(2) == 0 }
            }
            Action::SaveToken(_) | Action::SaveInboundSecret(_) => Outcome::SecretSaved,
            Action::FetchDelegations => response(200, list(dice).into_bytes()),
            Action::PostHeartbeat(_)
            | Action::Register(_)
            | Action::FetchWorkspace { .. }
            | Action::SendSelfMessage { .. }
            | Action::Notify { .. }
            | Action::Cancel { .. }
            | Action::RebuildClient => any_response(dice),
        }
    }

    fn pass_time(&mut self, dice: &mut Dice) -> Event {
        let step = Duration::from_nanos(1 << dice.below(50));
        self.now.monotonic = match dice.below(8) {
            0 => Instant::from_nanos(self.now.monotonic.as_nanos() / 2),
            _ => self.now.monotonic.plus(step),
        };
        self.now.wall = WallTime::from_unix_millis(i64::from(dice.byte()) << dice.below(55));
        Event::Tick
    }

    fn report(&mut self, dice: &mut Dice) -> Event {
        self.changes += 1;
        let words = String::from_utf8_lossy(&dice.take(20)).into_owned();
        Event::Report(match dice.below(14) {
            0 => Report::TaskStarted { id: words.clone(), title: words, ttl: None },
            1 => Report::TaskEnded { id: words },
            2 => Report::CurrentTask { title: words.repeat(200) },
            3 => Report::Success,
            4 => Report::Error { message: words.repeat(200) },
            5 => Report::Wedged { reason: words },
            6 => Report::WedgeCleared,
            7 => Report::Awaiting { delegation_id: format!("d{}", dice.below(40)) },
            8 => Report::AwaitDropped { delegation_id: format!("d{}", dice.below(40)) },
            9 => Report::BeatNow,
            10 => Report::Outcomes { count: dice.below(3).into(), error: Some(words) },
            11 => {
                // Its end is a change, too.
                self.changes += 1;
                let ttl = Some(Duration::from_secs(dice.byte().into()));
                Report::TaskStarted { id: words.clone(), title: words, ttl }
            }
            12 => {
                let count = u16::from(dice.below(4)) * 100;
                let task =
                    |id| TaskReport { id: format!("t{id}"), title: words.clone(), ttl: None };
                Report::TaskList { tasks: (0..count).map(task).collect(), current_task: None }
            }
            _ => Report::Awaiting { delegation_id: words },
        })
    }

    fn pump(&mut self) {
        let mut commands = 0;
        while let Some(command) = self.machine.poll_command() {
            commands += 1;
            self.look_at(&command);
            if command.action.is_answered() {
                self.in_flight.push(command);
            } else if let Action::Cancel { command } = command.action {
                self.in_flight.retain(|flying| flying.id != command);
            }
        }
        if commands > 40 {
            self.broken = Some(format!("S5: {commands} commands for one event"));
        }
        while let Some(notice) = self.machine.poll_notice() {
            self.look_at_notice(&notice);
        }
    }

    /// A record gives back what went into it.
    fn check_recordable<T: Serialize + DeserializeOwned>(&mut self, value: &T) {
        let text = serde_json::to_string(value).unwrap_or_default();
        let again = serde_json::from_str::<T>(&text).ok();
        let again = again.and_then(|again| serde_json::to_string(&again).ok());
        if again.as_deref() != Some(text.as_str()) {
            self.broken = Some(format!("S8: it cannot be recorded: {text}, again {again:?}"));
        }
    }

    fn look_at(&mut self, command: &Command) {
        self.check_recordable(command);
        let shown = serde_json::to_string(command).unwrap_or_default();
        if shown.contains(SECRET) || format!("{command:?}").contains(SECRET) {
            self.broken = Some("S7: a command shows a secret".into());
        }
        self.outputs.push_str(&shown);
        self.outputs.push('\n');
        let kind = std::mem::discriminant(&command.action);
        if self.in_flight.iter().any(|flying| std::mem::discriminant(&flying.action) == kind) {
            self.broken = Some(format!("two of a kind in flight: {shown}"));
        }
        let store = |command: &&Command| command.action.is_store();
        if command.action.is_store() && self.in_flight.iter().any(|flying| store(&flying)) {
            self.broken = Some(format!("two store commands at once: {shown}"));
        }
        if lower(&self.config, &command.action).is_some() {
            let is_beat = matches!(command.action, Action::PostHeartbeat(_));
            self.requests.push_back((self.latest, is_beat));
        }
        match &command.action {
            Action::SendSelfMessage { text, .. } => self.look_at_message(text),
            Action::StoreBatch(batch) if !batch.lines.iter().all(|line| is_own(line)) => {
                self.broken = Some("S1: a foreign result is stored".into());
            }
            _ => {}
        }
    }

    fn look_at_message(&mut self, text: &str) {
        if text.contains(PREVIEW) {
            self.broken = Some(format!("S2: a self-message holds a response: {text}"));
        }
        let now = self.latest;
        let since = self.last_self_message.map(|last| now.since(last));
        if since.is_some_and(|since| since < self.config.cooldown) {
            self.broken = Some(format!("S3: {since:?} between two self-messages"));
        }
        self.last_self_message = Some(now);
    }

    fn look_at_notice(&mut self, notice: &Notice) {
        let shown = serde_json::to_string(notice).unwrap_or_default();
        if shown.contains(SECRET) {
            self.broken = Some(format!("S7: a notice shows a secret: {shown}"));
        }
        if shown.len() > 4_096 || shown.contains("\\n") {
            self.broken = Some(format!("a notice is not one short line: {shown}"));
        }
        self.outputs.push_str(&shown);
        self.outputs.push('\n');
    }

    fn check(&mut self) -> Result<(), String> {
        self.budget()?;
        self.wakeup()?;
        self.broken.take().map_or(Ok(()), Err)
    }

    fn budget(&mut self) -> Result<(), String> {
        let now = self.latest;
        let is_old = |(at, _): &(Instant, bool)| now.since(*at) >= self.config.interval;
        while self.requests.front().is_some_and(is_old) {
            self.requests.pop_front();
        }
        let beats = self.requests.iter().filter(|(_, is_beat)| *is_beat).count();
        let others = self.requests.len() - beats;
        let seconds = usize::try_from(self.config.interval.as_secs()).unwrap_or(usize::MAX);
        let changes = usize::try_from(self.changes).unwrap_or(usize::MAX).min(seconds + 1);
        // A token file that changes at each look allows one more beat and one
        // more poll for each, which no platform can bring about.
        if others > limits::REQUESTS_PER_INTERVAL_MAX
            || beats > limits::REQUESTS_PER_INTERVAL_MAX + 2 * changes
        {
            return Err(format!("S5: {beats} beats and {others} others in one interval"));
        }
        Ok(())
    }

    fn wakeup(&mut self) -> Result<(), String> {
        if self.machine.is_stopped() {
            return match self.machine.next_wakeup() {
                None => Ok(()),
                Some(_) => Err("L6: a stopped machine wants to be woken".into()),
            };
        }
        let Some(wakeup) = self.machine.next_wakeup() else {
            return Err("L1: nothing is due, ever".into());
        };
        if wakeup.at <= self.latest && !self.has_command() {
            return Err(format!("S5: {} is due at once and nothing is asked", wakeup.reason));
        }
        let within = wakeup.at.since(self.latest);
        if within > Duration::from_secs(400) && !self.stopped {
            return Err(format!("L1: nothing is due for {within:?}"));
        }
        Ok(())
    }

    fn has_command(&mut self) -> bool {
        let before = self.outputs.len();
        self.pump();
        self.outputs.len() > before
    }
}

fn is_own(line: &str) -> bool {
    line.contains(&format!("\"{OWN}\""))
}

fn placement(dice: &mut Dice) -> Placement {
    match dice.below(3) {
        0 => Placement::Placed { merged: true },
        1 => Placement::Placed { merged: false },
        _ => Placement::Held { reason: "a link\nstands there".into() },
    }
}

fn response(status: u16, body: Vec<u8>) -> Outcome {
    let body = Body(body);
    Outcome::Response(Response { status, retry_after_s: None, body, complete: true })
}

fn any_response(dice: &mut Dice) -> Outcome {
    let status = [200, 200, 202, 204, 302, 400, 401, 403, 404, 409, 429, 500, 502, 503, 599, 0]
        [usize::from(dice.below(16))];
    let body = match dice.below(6) {
        0 => dice.take(40),
        1 => format!(r#"{{"auth_token":"{SECRET}{}"}}"#, dice.below(4)).into_bytes(),
        2 => format!(r#"{{"platform_inbound_secret":"{SECRET}{}"}}"#, dice.below(4)).into_bytes(),
        3 => format!(r#"{{"error":"refused: {SECRET}{SECRET}"}}"#).into_bytes(),
        4 => br#"{"parent_id":"boss","name":"Bo'ss\n\"x","generation":7}"#.to_vec(),
        _ => br#"{"status":"ok","retry_after":30,"delivery_confirmed":true}"#.to_vec(),
    };
    let retry_after_s = match dice.below(4) {
        0 => Some(u64::from(dice.byte()) << dice.below(56)),
        _ => None,
    };
    let complete = dice.below(8) > 0;
    Outcome::Response(Response { status, retry_after_s, body: Body(body), complete })
}

/// A list with twins, foreign rows, malformed rows and garbage.
fn list(dice: &mut Dice) -> String {
    if dice.below(16) == 0 {
        return String::from_utf8_lossy(&dice.take(60)).into_owned();
    }
    let rows: Vec<String> = (0..dice.below(60)).map(|_| row(dice)).collect();
    format!("[{}]", rows.join(","))
}

fn row(dice: &mut Dice) -> String {
    let id = dice.byte();
    let status = ["completed", "failed", "pending", "queued"][usize::from(dice.below(4))];
    let source = if dice.below(8) == 0 { "another" } else { OWN };
    let text = match dice.below(3) {
        0 => format!(r#","response_preview":"{PREVIEW}""#),
        1 => r#","error":"bad \n \" thing"#.to_string() + "\"",
        _ => String::new(),
    };
    if dice.below(32) == 0 {
        return ["null", "[]", "7", r#"{"delegation_id":1}"#][usize::from(dice.below(4))].into();
    }
    format!(
        r#"{{"delegation_id":"d{id}","source_id":"{source}","status":"{status}","summary":"did \u0007{id}"{text}}}"#
    )
}

fn any_outcome(dice: &mut Dice, batch: u64) -> Outcome {
    match dice.below(12) {
        0..=3 => any_response(dice),
        4 => Outcome::TransportFailed(TransportFailure {
            kind: [
                TransportFailureKind::NotSent,
                TransportFailureKind::NoAnswer,
                TransportFailureKind::BadAnswer,
            ][usize::from(dice.below(3))],
            detail: String::from_utf8_lossy(&dice.take(30)).into_owned(),
        }),
        5 => Outcome::Panicked,
        6 => Outcome::FileFailed(FileFailure {
            operation: "write".into(),
            path: "/configs/everbeat\n".into(),
            kind: FileFailureKind::Full,
            reason: String::from_utf8_lossy(&dice.take(30)).into_owned(),
        }),
        7 => Outcome::BatchStored {
            length: batch,
            placement: placement(dice),
            journal_bytes: u64::MAX,
        },
        8 => Outcome::JournalWritten { journal_bytes: u64::MAX },
        9 => Outcome::ResultsProbed { present: false },
        10 => Outcome::TokenLoaded { changed: true, present: true },
        _ => Outcome::SecretSaved,
    }
}
