//! `everbeat events` and `everbeat logs`: what the agent tells of itself, live
//! and from its ring of the newest.

mod line;

use std::collections::VecDeque;
use std::io::ErrorKind::BrokenPipe;
use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;
use tokio::time::timeout;

use super::ask::{ControlArgs, complain, prepared};
use super::pipe::{Reader, reader};
use super::signals::Signals;
use super::status;
use super::terminal::{ColorArgs, Look};
use super::{Exit, talk};
use crate::control::client::sse::Event;
use crate::control::client::{ControlClient, ControlError};
use crate::telemetry::kind::Kind;

/// Between two tries to find an agent that went away.
const AGAIN_EVERY: Duration = Duration::from_secs(1);
/// What the ring holds comes at once: after this there is no more of it.
const RING_SILENCE: Duration = Duration::from_millis(500);
/// How often it is looked whether anybody still reads.
const READER_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct EventsArgs {
    /// Goes on with what comes, until SIGINT; an agent that ends is waited for
    #[arg(short, long)]
    follow: bool,
    /// Only these: notice, beat, poll, results, wake, task, child, lost
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = kind)]
    kinds: Vec<String>,
    /// Only those after this id
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
    /// Begins with the newest N of those that the agent remembers
    #[arg(long, value_name = "N", conflicts_with = "after")]
    tail: Option<usize>,
    /// One JSON object a line: {"id", "event", "data"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    color: ColorArgs,
    #[command(flatten)]
    control: ControlArgs,
}

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct LogsArgs {
    /// Every line from now on, until SIGINT; an agent that ends is waited for.
    /// Without it: the notices that the agent remembers
    #[arg(short, long)]
    follow: bool,
    /// How much, whatever the agent's own log has
    #[arg(long, value_enum, default_value = "info")]
    level: Level,
    /// One JSON object a line: {"id", "event", "data"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    color: ColorArgs,
    #[command(flatten)]
    control: ControlArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// A name that is none would be waited for in vain.
fn kind(name: &str) -> Result<String, String> {
    let names = || Kind::ALL.map(Kind::name).join(", ");
    Kind::parse(name).map(|kind| kind.name().into()).ok_or_else(|| format!("one of {}", names()))
}

impl Level {
    const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// As an event has it, in its `severity` or `level`.
    fn of(event: &Event) -> Option<Self> {
        let data: Value = serde_json::from_str(&event.data).ok()?;
        let name = data.get("severity").or_else(|| data.get("level"))?.as_str()?;
        // A notice has the whole word.
        let name = if name == "warning" { "warn" } else { name };
        Self::ALL.into_iter().find(|level| name.eq_ignore_ascii_case(level.name()))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What is wanted, by either command.
struct Wanted {
    follow: bool,
    /// Empty for all.
    kinds: Vec<String>,
    /// Nothing that matters less; what says nothing of it is shown.
    level: Option<Level>,
    after: Option<u64>,
    tail: Option<usize>,
    /// What is remembered comes first.
    remembered: bool,
    json: bool,
}

pub(crate) fn events(args: &EventsArgs, signals: Signals) -> Exit {
    let wanted = Wanted {
        follow: args.follow,
        kinds: args.kinds.clone(),
        level: None,
        after: args.after,
        tail: args.tail,
        remembered: true,
        json: args.json,
    };
    show(&args.control, &wanted, Look::of_stdout(args.color), signals)
}

pub(crate) fn logs(args: &LogsArgs, signals: Signals) -> Exit {
    let wanted = Wanted {
        follow: args.follow,
        // Lines of the log are not remembered, notices are: the same words.
        kinds: vec![if args.follow { "log".into() } else { "notice".into() }],
        level: Some(args.level),
        after: None,
        tail: None,
        remembered: !args.follow,
        json: args.json,
    };
    show(&args.control, &wanted, Look::of_stdout(args.color), signals)
}

/// SIGINT and a reader that left are a good end.
fn show(control: &ControlArgs, wanted: &Wanted, look: Look, mut signals: Signals) -> Exit {
    let (client, runtime) = match prepared(control) {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    let show = Show { client: &client, wanted, look };
    let exit = runtime.block_on(async {
        tokio::select! {
            ended = show.run() => match ended {
                Ok(()) => Exit::Done,
                Err(Ended::Output(error)) if error.kind() == BrokenPipe => Exit::Done,
                Err(Ended::Output(error)) => {
                    talk(&format!("everbeat: standard output: {error}"));
                    Exit::Failed
                }
                Err(Ended::Agent(error)) => complain(&error),
            },
            () = gone() => Exit::Done,
            () = signals.asked() => Exit::Done,
        }
    });
    runtime.shutdown_background();
    exit
}

async fn gone() {
    while reader() == Reader::There {
        tokio::time::sleep(READER_EVERY).await;
    }
}

/// Why it did not go on.
enum Ended {
    Output(io::Error),
    Agent(ControlError),
}

impl From<ControlError> for Ended {
    fn from(error: ControlError) -> Self {
        Self::Agent(error)
    }
}

struct Show<'a> {
    client: &'a ControlClient,
    wanted: &'a Wanted,
    look: Look,
}

impl Show<'_> {
    async fn run(&self) -> Result<(), Ended> {
        // The first one must be there: whoever mistypes a path shall hear it.
        let status = status::get(self.client).await?;
        let newest = status::newest_id(&status);
        let mut last = newest;
        if self.wanted.remembered {
            last = self.ring(self.wanted.after.unwrap_or(0), newest).await?;
        }
        if !self.wanted.follow {
            return Ok(());
        }
        let mut began = status.get("started_at").cloned();
        loop {
            match self.follow(&mut last).await {
                Ok(()) | Err(Ended::Agent(ControlError::Broken { .. })) => {
                    talk("everbeat: the agent ended the stream; waiting for it");
                }
                Err(Ended::Agent(error)) if may_come_back(&error) => {
                    talk(&format!("everbeat: {error}; trying again"));
                }
                Err(other) => return Err(other),
            }
            let status = self.back().await?;
            let next = status.get("started_at").cloned();
            // Ids grow through restarts, too: what was seen last still tells.
            talk(if next == began {
                "everbeat: it answers again"
            } else {
                "everbeat: it was started anew; going on with what it tells"
            });
            began = next;
        }
    }

    /// Prints what the agent remembers between these two ids; gives the last.
    async fn ring(&self, after: u64, newest: u64) -> Result<u64, Ended> {
        if after >= newest {
            return Ok(after);
        }
        // All kinds: it is over with the newest, whatever that is.
        let mut following = self.client.follow("/v1/events", Some(&after.to_string())).await?;
        let mut last = after;
        let mut kept = VecDeque::new();
        while last < newest {
            let Ok(next) = timeout(RING_SILENCE, following.next()).await else { break };
            let Some(event) = next? else { break };
            last = event.id.parse().unwrap_or(last);
            if !self.wants(&event) {
                continue;
            }
            match self.wanted.tail {
                Some(tail) => {
                    kept.push_back(event);
                    if kept.len() > tail {
                        kept.pop_front();
                    }
                }
                None => self.print(&event)?,
            }
        }
        kept.iter().try_for_each(|event| self.print(event))?;
        Ok(last.max(newest))
    }

    /// Prints what comes after `last`, until the end of the stream.
    async fn follow(&self, last: &mut u64) -> Result<(), Ended> {
        let mut query = Vec::new();
        query.extend(self.wanted.level.map(|level| format!("level={}", level.name())));
        if !self.wanted.kinds.is_empty() {
            query.push(format!("kinds={}", self.wanted.kinds.join(",")));
        }
        let mark = if query.is_empty() { "" } else { "?" };
        let path = format!("/v1/events{mark}{}", query.join("&"));
        let mut following = self.client.follow(&path, Some(&last.to_string())).await?;
        while let Some(event) = following.next().await? {
            *last = event.id.parse().unwrap_or(*last);
            if self.wants(&event) {
                self.print(&event)?;
            }
        }
        Ok(())
    }

    /// Waits until an agent answers, the same or another.
    async fn back(&self) -> Result<Value, Ended> {
        loop {
            match status::get(self.client).await {
                Ok(status) => return Ok(status),
                Err(error) if may_come_back(&error) => tokio::time::sleep(AGAIN_EVERY).await,
                Err(other) => return Err(other.into()),
            }
        }
    }

    fn wants(&self, event: &Event) -> bool {
        // What is missing is told in any case.
        let kinds = &self.wanted.kinds;
        let is_one = kinds.is_empty() || kinds.contains(&event.kind) || event.kind == "lost";
        let matters = |most| Level::of(event).is_none_or(|level| level <= most);
        is_one && self.wanted.level.is_none_or(matters)
    }

    fn print(&self, event: &Event) -> Result<(), Ended> {
        let line = if self.wanted.json { line::json(event) } else { line::text(event, &self.look) };
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(Ended::Output)
    }
}

/// Whether an agent that was there may be so again.
fn may_come_back(error: &ControlError) -> bool {
    match error {
        ControlError::NoAgent(_) | ControlError::Silent { .. } | ControlError::Broken { .. } => {
            true
        }
        ControlError::Refused(problem) => problem.kind == "stopping",
        ControlError::Stranger { .. } => false,
    }
}
