//! `everbeat status`.

pub(crate) mod screen;
mod watch;

use clap::Args;
use hyper::Method;
use serde_json::Value;

use super::ask::{ControlArgs, asking};
use super::signals::Signals;
use super::terminal::{ColorArgs, Look, harmless_json};
use super::{Exit, print};
use crate::control::client::{ControlClient, ControlError};

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  all is well, or something is wrong that it deals with by itself
  1  it fails: the lines below say what to do
  2  wrong usage
  4  no agent answers at the socket")]
pub(crate) struct StatusArgs {
    /// As JSON; with --watch one object a line for each change
    #[arg(long)]
    json: bool,
    /// Goes on until SIGINT: redrawn on a terminal, elsewhere printed for each
    /// change
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    color: ColorArgs,
    #[command(flatten)]
    control: ControlArgs,
}

pub(crate) fn status(args: &StatusArgs, signals: Signals) -> Exit {
    if args.watch {
        return watch::watch(args, signals);
    }
    asking(&args.control, signals, async |client: &ControlClient| {
        let status = get(client).await?;
        if args.json {
            print(&format!("{}\n", harmless_json(&format!("{status:#}"))));
        } else {
            print(&screen::render(&status, &Look::of_stdout(args.color)));
        }
        Ok(exit(&status))
    })
}

/// The agent's status: an object.
pub(crate) async fn get(client: &ControlClient) -> Result<Value, ControlError> {
    let answer = client.ask(Method::GET, "/v1/status", None).await?;
    let status = answer.json()?;
    if status.get("schema_version").is_none() {
        return Err(answer.stranger("its status is none"));
    }
    Ok(status)
}

fn exit(status: &Value) -> Exit {
    let level = status.get("verdict").and_then(|verdict| verdict.get("level"));
    if level.and_then(Value::as_str) == Some("failing") { Exit::Failed } else { Exit::Done }
}

/// The id of the newest event; 0 if there is none.
pub(crate) fn newest_id(status: &Value) -> u64 {
    let events = status.get("events").and_then(|events| events.get("last_id"));
    events.and_then(Value::as_u64).unwrap_or(0)
}
