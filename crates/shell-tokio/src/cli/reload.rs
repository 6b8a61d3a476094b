//! `everbeat reload`, and the level of the log for a while.

use std::fmt::Write;

use clap::{Args, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use super::ask::{ControlArgs, asking};
use super::reports::seconds;
use super::signals::Signals;
use super::terminal::{harmless, harmless_json, span};
use super::{Exit, print, talk};
use crate::control::client::{ControlClient, ControlError};

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  applied, or nothing had changed
  1  nothing was applied: a value that changed needs a restart
  2  nothing was applied: the new configuration is wrong
  4  no agent answers at the socket")]
pub(crate) struct ReloadArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(crate) fn reload(args: &ReloadArgs, signals: Signals) -> Exit {
    asking(&args.control, signals, async |client: &ControlClient| {
        let answer = client.ask(Method::POST, "/v1/reload", None).await?;
        let value = answer.json()?;
        let text = |value: &Value, key| {
            value.get(key).and_then(Value::as_str).map(harmless).unwrap_or_default()
        };
        let outcome = text(&value, "outcome");
        let exit = match outcome.as_str() {
            "applied" | "unchanged" => Exit::Done,
            "needs_restart" => Exit::Failed,
            "rejected" => Exit::Usage,
            _ => return Err(answer.stranger(format!("the outcome {outcome:?} is unknown"))),
        };
        if args.json {
            print(&format!("{}\n", harmless_json(&value.to_string())));
            return Ok(exit);
        }
        let mut out = format!("{}\n", outcome.replace('_', " "));
        let fields = value.get("fields").and_then(Value::as_array);
        for field in fields.into_iter().flatten() {
            let outcome = text(field, "outcome").replace('_', " ");
            let _ = write!(out, "  {}: {outcome}", text(field, "field"));
            let detail = text(field, "detail");
            let _ = if detail.is_empty() { writeln!(out) } else { writeln!(out, ": {detail}") };
        }
        print(&out);
        match exit {
            Exit::Failed => talk("everbeat: nothing was applied; restart the agent"),
            Exit::Usage => talk("everbeat: nothing was applied; it goes on as before"),
            Exit::Done | Exit::Running | Exit::NoAgent => {}
        }
        Ok(exit)
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
    /// As configured.
    Reset,
}

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct LogLevelArgs {
    /// From now on; `reset` is as configured
    #[arg(value_enum)]
    level: Level,
    /// Until then; afterwards it is as configured, at most 24h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, default_value = "10m")]
    period: f64,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(crate) fn log_level(args: &LogLevelArgs, signals: Signals) -> Exit {
    asking(&args.control, signals, async |client: &ControlClient| set_level(args, client).await)
}

async fn set_level(args: &LogLevelArgs, client: &ControlClient) -> Result<Exit, ControlError> {
    let level = match args.level {
        Level::Reset => {
            client.ask(Method::DELETE, "/v1/log-level", None).await?;
            return Ok(Exit::Done);
        }
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let body = json!({"level": level, "for_s": args.period});
    let value = client.ask(Method::PUT, "/v1/log-level", Some(&body)).await?.json()?;
    if args.json {
        print(&format!("{}\n", harmless_json(&value.to_string())));
    } else {
        let left = value.get("reverts_in_s").and_then(Value::as_f64).unwrap_or(args.period);
        print(&format!("{level}, as configured again in {}\n", span(left)));
    }
    Ok(Exit::Done)
}
