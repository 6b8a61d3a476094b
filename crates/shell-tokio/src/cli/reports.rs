//! What an agent reports of itself: `task`, `wedge`, `outcome`, `await`,
//! `beat`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Map, Value, json};

use super::ask::{ControlArgs, asking};
use super::signals::Signals;
use super::{Exit, task_run};
use crate::control::client::ControlClient;
use crate::settings::schema::parse_duration;

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct TaskArgs {
    #[command(subcommand)]
    command: TaskCommand,
}

#[derive(Debug, Subcommand)]
enum TaskCommand {
    /// Begins a task, or renews it
    Start {
        /// Its id, of your choice; the same id is the same task
        id: String,
        /// What it is, for people
        #[arg(long)]
        title: Option<String>,
        /// It ends by itself unless it is renewed in time: 1s to 24h
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        ttl: Option<f64>,
        #[command(flatten)]
        control: ControlArgs,
    },
    /// Runs a command, with a task for as long as it runs; ends as it ends
    Run(task_run::RunArgs),
    /// Ends a task; one that does not run is ended already
    End {
        /// Its id
        id: String,
        #[command(flatten)]
        control: ControlArgs,
    },
}

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct WedgeArgs {
    #[command(subcommand)]
    command: WedgeCommand,
}

#[derive(Debug, Subcommand)]
enum WedgeCommand {
    /// Reports that the agent is stuck; the beats say so until it is cleared
    Set {
        /// Why, for people
        reason: String,
        #[command(flatten)]
        control: ControlArgs,
    },
    /// Reports that it works again
    Clear {
        #[command(flatten)]
        control: ControlArgs,
    },
}

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["success", "error"])))]
pub(crate) struct OutcomeArgs {
    /// Something went well
    #[arg(long)]
    success: bool,
    /// Something failed: what
    #[arg(long, value_name = "WHAT")]
    error: Option<String>,
    /// How often: 1 to 1000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    count: Option<u32>,
    #[command(flatten)]
    control: ControlArgs,
}

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct AwaitArgs {
    /// The delegation whose result is awaited
    delegation: String,
    /// It is awaited no longer
    #[arg(long)]
    cancel: bool,
    #[command(flatten)]
    control: ControlArgs,
}

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct BeatArgs {
    #[command(flatten)]
    control: ControlArgs,
}

pub(crate) fn task(args: &TaskArgs, signals: Signals) -> ExitCode {
    match &args.command {
        TaskCommand::Run(args) => return task_run::run(args, signals),
        TaskCommand::Start { id, title, ttl, control } => {
            let mut body = Map::new();
            body.extend(title.as_ref().map(|title| ("title".to_owned(), json!(title))));
            body.extend(ttl.map(|ttl| ("ttl_s".to_owned(), json!(ttl))));
            tell(control, signals, Method::PUT, &path("tasks", id), Some(body.into()))
        }
        TaskCommand::End { id, control } => {
            tell(control, signals, Method::DELETE, &path("tasks", id), None)
        }
    }
    .into()
}

pub(crate) fn wedge(args: &WedgeArgs, signals: Signals) -> Exit {
    match &args.command {
        WedgeCommand::Set { reason, control } => {
            let body = json!({"reason": reason});
            tell(control, signals, Method::PUT, "/v1/wedge", Some(body))
        }
        WedgeCommand::Clear { control } => {
            tell(control, signals, Method::DELETE, "/v1/wedge", None)
        }
    }
}

pub(crate) fn outcome(args: &OutcomeArgs, signals: Signals) -> Exit {
    let mut body = Map::new();
    match &args.error {
        Some(error) => body.insert("error".into(), json!(error)),
        None => body.insert("success".into(), json!(true)),
    };
    body.extend(args.count.map(|count| ("count".to_owned(), json!(count))));
    tell(&args.control, signals, Method::POST, "/v1/outcomes", Some(body.into()))
}

pub(crate) fn awaiting(args: &AwaitArgs, signals: Signals) -> Exit {
    let method = if args.cancel { Method::DELETE } else { Method::PUT };
    tell(&args.control, signals, method, &path("awaits", &args.delegation), None)
}

pub(crate) fn beat(args: &BeatArgs, signals: Signals) -> Exit {
    tell(&args.control, signals, Method::POST, "/v1/beat", None)
}

/// One request whose answer says nothing that was not known.
fn tell(
    control: &ControlArgs,
    signals: Signals,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Exit {
    asking(control, signals, async |client: &ControlClient| {
        client.ask(method, path, body.as_ref()).await.map(|_| Exit::Done)
    })
}

pub(crate) fn path(resource: &str, id: &str) -> String {
    format!("/v1/{resource}/{}", segment(id))
}

/// One segment of a path, whatever stands in it.
pub(crate) fn segment(id: &str) -> String {
    let mut segment = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    // A dot alone would be taken for a step in the path.
    match segment.as_str() {
        "." => "%2E".into(),
        ".." => "%2E%2E".into(),
        _ => segment,
    }
}

/// A duration as everywhere else, in seconds.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let duration = parse_duration(text);
    duration.map(|it| it.as_secs_f64()).ok_or("a duration like 500ms, 30s, 5m or 1h".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment() {
        assert_eq!(segment("d-1_a.b~c"), "d-1_a.b~c");
        assert_eq!(segment("a/../b?c#d e%é"), "a%2F..%2Fb%3Fc%23d%20e%25%C3%A9");
        assert_eq!([segment("."), segment("..")], ["%2E", "%2E%2E"]);
    }

    #[test]
    fn durations_are_seconds() {
        assert_eq!(seconds("1500ms"), Ok(1.5));
        assert_eq!(seconds("2m"), Ok(120.0));
        assert!(seconds("60").is_err());
    }
}
