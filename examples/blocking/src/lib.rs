//! A second shell for Everbeat's core: std threads, a blocking HTTP client.
//!
//! One thread owns the machine and waits on one channel. Whatever may block
//! has a thread of its own and comes back as an event. It passes the tests of
//! the tokio shell: `tests/tests/conformance_blocking.rs`.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use std::{env, fs, io, process, thread};

use everbeat_core::TransportFailureKind::{BadAnswer, NoAnswer, NotSent};
use everbeat_core::{
    Action, Body, Command, CommandId, Config, Event, FileFailureKind, Heartbeat, HttpRequest,
    Instant, Method, Now, Outcome, Response, Severity, TransportFailure, ValidConfig, WallTime,
    lower,
};
use everbeat_store::{Paths, RealDisk, Store, TokenInUse, read_secret, write_issued, write_secret};
use rustix::time::{ClockId, Timespec, clock_gettime};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use ureq::{Agent, Error, Timeout};

/// The channel's clock stands still while the machine sleeps: looking this
/// often makes a suspend show soon after its end.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// Lines that wait for the log, and commands for a disk: no more are taken.
const WAITING_MAX: usize = 256;

type Token = Arc<Mutex<TokenInUse>>;

/// Runs until SIGTERM or SIGINT, with the container's environment. Exits with
/// 2 if that is wrong, with 3 if another process works in the state folder.
pub fn main() {
    let (config, configs_dir, paths) = settings().unwrap_or_else(|wrong| leave(2, &wrong));
    if let Err(error) = run(&config, configs_dir, paths) {
        leave(1, &format!("a thread cannot be started: {error}"));
    }
}

fn run(config: &ValidConfig, configs_dir: PathBuf, paths: Paths) -> io::Result<()> {
    let (events, inbox) = mpsc::channel();
    watch_signals(events.clone())?;
    let (agent, token) = (http_agent(), Token::default());
    let log = queue(|line: String| drop(writeln!(io::stderr(), "{line}")))?;
    let (mut files, to) = (Store::new(RealDisk, paths), events.clone());
    let store = queue(move |Command { id, action, .. }| {
        answer(&to, id, || store_action(&mut files, action));
    })?;
    let (held, to) = (Arc::clone(&token), events.clone());
    let secrets = queue(move |Command { id, action, .. }| {
        answer(&to, id, || secret_action(&configs_dir, &held, action));
    })?;
    // Read before the machine asks for it. It awaits no answer to this one.
    let (id, deadline, action) = (CommandId(0), None, Action::ReloadToken);
    let _ = secrets.try_send(Command { id, deadline, action });
    let mut heartbeat = Heartbeat::new(config.clone(), RandomState::new().hash_one(0), now());
    loop {
        // 1. Start every command; nothing in here waits.
        while let Some(command) = heartbeat.poll_command() {
            let Command { id, deadline, ref action } = command;
            let started = if let Some(request) = lower(config, action) {
                let (agent, token, events) = (agent.clone(), Arc::clone(&token), events.clone());
                let within = deadline.map(|at| at.since(now().monotonic));
                let work = move || answer(&events, id, || send(&agent, &token, request, within));
                thread::Builder::new().spawn(work).is_ok()
            } else if action.is_store() {
                store.try_send(command).is_ok()
            } else if action.is_answered() {
                secrets.try_send(command).is_ok()
            } else {
                // `Cancel`: a request ends at its deadline by itself.
                // `RebuildClient`: each request has a connection of its own.
                true
            };
            if !started {
                answer(&events, id, || Outcome::Panicked);
            }
        }
        // 2. Say what is worth saying.
        while let Some(notice) = heartbeat.poll_notice() {
            if notice.severity() > Severity::Debug {
                let _ = log.try_send(format!("{notice:?}"));
            }
        }
        // 3. Wait for what comes, or for the time that is due.
        let Some(wakeup) = heartbeat.next_wakeup() else { return Ok(()) };
        let wait = wakeup.at.since(now().monotonic).min(SLEEP_MAX);
        let event = inbox.recv_timeout(wait).unwrap_or(Event::Tick);
        heartbeat.handle(now(), event);
    }
}

/// One completion, whatever becomes of `work`.
fn answer(events: &Sender<Event>, id: CommandId, work: impl FnOnce() -> Outcome) {
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Outcome::Panicked);
    let _ = events.send(Event::Completed { id, outcome });
}

/// A thread that takes one thing after the other, so that nothing else waits.
fn queue<T: Send + 'static>(take: impl FnMut(T) + Send + 'static) -> io::Result<SyncSender<T>> {
    let (sender, waiting) = mpsc::sync_channel(WAITING_MAX);
    thread::Builder::new().spawn(move || waiting.into_iter().for_each(take)).map(|_| sender)
}

fn store_action(store: &mut Store<RealDisk>, action: Action) -> Outcome {
    let outcome = store.carry_out(action);
    if let Outcome::FileFailed(failed) = &outcome
        && failed.kind == FileFailureKind::Locked
    {
        leave(3, &format!("{}: {}", failed.path, failed.reason));
    }
    outcome
}

fn secret_action(dir: &Path, token: &Token, action: Action) -> Outcome {
    let file = dir.join(".auth_token");
    let lock = || token.lock().unwrap_or_else(PoisonError::into_inner);
    if let Action::SaveToken(issued) = action {
        let known = lock().in_file().cloned();
        let written = write_issued(&RealDisk, &file, known.as_ref(), &issued);
        lock().issued(issued, written)
    } else if let Action::SaveInboundSecret(secret) = action {
        let file = dir.join(".platform_inbound_secret");
        let written = write_secret(&RealDisk, &file, &secret);
        written.map_or_else(Outcome::FileFailed, |()| Outcome::SecretSaved)
    } else {
        let read = read_secret(&RealDisk, &file);
        lock().read(read, true)
    }
}

/// It follows no redirect, so that the bearer goes to nobody but the platform,
/// and keeps no connection: beats are further apart than servers keep theirs.
fn http_agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
    let config = config.max_redirects_will_error(false).max_idle_connections(0);
    config
        .timeout_connect(Some(Duration::from_secs(10)))
        .user_agent("everbeat-blocking")
        .build()
        .into()
}

fn send(agent: &Agent, token: &Token, to: HttpRequest, within: Option<Duration>) -> Outcome {
    let mut request = match to.method {
        Method::Get => agent.get(to.url()).force_send_body(),
        Method::Post => agent.post(to.url()),
    };
    for (name, value) in to.headers {
        request = request.header(name, value);
    }
    if let Some(token) = token.lock().unwrap_or_else(PoisonError::into_inner).current() {
        request = request.header("Authorization", format!("Bearer {}", token.expose()));
    }
    let (head, body) = match request.config().timeout_global(within).build().send(&to.body) {
        Ok(answer) => answer.into_parts(),
        Err(error) => return Outcome::TransportFailed(failure(&error)),
    };
    let mut bytes = Vec::new();
    let read = body.into_reader().take(to.body_bytes_max as u64 + 1).read_to_end(&mut bytes);
    let complete = read.is_ok() && bytes.len() <= to.body_bytes_max;
    bytes.truncate(to.body_bytes_max);
    let retry_after = head.headers.get("Retry-After").and_then(|value| value.to_str().ok());
    let (status, retry_after_s) = (head.status.as_u16(), retry_after.and_then(seconds));
    Outcome::Response(Response { status, retry_after_s, body: Body(bytes), complete })
}

/// What is not known to have failed before it was sent may have been seen.
#[expect(clippy::wildcard_enum_match_arm, reason = "ureq's errors are not exhaustive")]
fn failure(error: &Error) -> TransportFailure {
    let detail = error.to_string();
    let kind = match error {
        Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => NotSent,
        Error::Io(_) if detail.contains("failed to lookup") => NotSent,
        Error::HostNotFound | Error::Timeout(Timeout::Resolve | Timeout::Connect) => NotSent,
        Error::Protocol(_) => BadAnswer,
        _ => NoAnswer,
    };
    TransportFailure { kind, detail }
}

/// `Retry-After`: seconds as they stand, or a date.
fn seconds(retry_after: &str) -> Option<u64> {
    let left = |at: SystemTime| at.duration_since(SystemTime::now()).unwrap_or_default().as_secs();
    retry_after.parse().ok().or_else(|| httpdate::parse_http_date(retry_after).ok().map(left))
}

/// A clock that goes on while the machine sleeps, and the wall's.
fn now() -> Now {
    let millis = |time: Timespec| time.tv_sec * 1_000 + time.tv_nsec / 1_000_000;
    let monotonic = millis(clock_gettime(ClockId::Boottime)).unsigned_abs();
    let wall = WallTime::from_unix_millis(millis(clock_gettime(ClockId::Realtime)));
    Now { monotonic: Instant::from_millis(monotonic), wall }
}

/// The first signal asks for the end, the second is the end.
fn watch_signals(events: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let stop = move |(count, _)| match count {
        0 => events.send(Event::Stop).unwrap_or_default(),
        _ => process::exit(1),
    };
    let watch = move || signals.forever().enumerate().for_each(stop);
    thread::Builder::new().spawn(watch).map(drop)
}

fn leave(code: i32, problem: &str) -> ! {
    let _ = writeln!(io::stderr(), "everbeat-blocking: {problem}");
    process::exit(code)
}

/// The container's environment, and some settings of `everbeat run`.
fn settings() -> Result<(ValidConfig, PathBuf, Paths), String> {
    let or = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.into());
    let platform_url = or("PLATFORM_URL", "http://localhost:8080");
    let mut core = Config::new(&or("WORKSPACE_ID", ""), &platform_url);
    core.dev_timing = or("EVERBEAT_DEV_TIMING", "") == "true";
    for (name, duration) in [("INTERVAL", &mut core.interval), ("COOLDOWN", &mut core.cooldown)] {
        let text = or(&format!("EVERBEAT_{name}"), &format!("{}ms", duration.as_millis()));
        let millis = text.strip_suffix("ms").and_then(|millis| millis.parse().ok());
        let wrong = || format!("EVERBEAT_{name}: {text:?} is not like 30000ms");
        *duration = millis.map(Duration::from_millis).ok_or_else(wrong)?;
    }
    core.agent_url = env::var("EVERBEAT_AGENT_URL").ok();
    if let Ok(path) = env::var("EVERBEAT_AGENT_CARD") {
        let card = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        core.agent_card = Some(serde_json::from_str(&card).map_err(|error| error.to_string())?);
    }
    let core = core.validate().map_err(|error| error.to_string())?;
    let configs_dir = PathBuf::from(or("CONFIGS_DIR", "/configs"));
    let results_file = or("DELEGATION_RESULTS_FILE", "/tmp/delegation_results.jsonl").into();
    let (state_dir, workspace_id) = (configs_dir.join("everbeat"), core.workspace_id.clone());
    Ok((core, configs_dir, Paths { state_dir, results_file, workspace_id }))
}
