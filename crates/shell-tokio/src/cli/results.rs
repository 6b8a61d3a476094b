//! `everbeat results`: taking results without the file.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::ask::{ControlArgs, asking};
use super::reports::seconds;
use super::signals::Signals;
use super::status::screen::counted;
use super::terminal::{harmless, harmless_json, span};
use super::{Exit, talk};
use crate::control::client::{ControlClient, ControlError};

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct ResultsArgs {
    #[command(subcommand)]
    command: ResultsCommand,
}

#[derive(Debug, Subcommand)]
enum ResultsCommand {
    /// Takes what waits, under a lease: JSON lines on standard output, the
    /// lease on standard error. What is not acknowledged in time is handed out
    /// again
    Take(TakeArgs),
    /// Acknowledges a lease: its results are not handed out again
    Ack {
        /// As `results take` named it
        lease: String,
        #[command(flatten)]
        control: ControlArgs,
    },
}

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
struct TakeArgs {
    /// Acknowledges them once they are written to standard output
    #[arg(long)]
    ack: bool,
    /// How long they are held for you: 1s to 1h [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    lease: Option<f64>,
    /// Everything as one JSON object, the lease in it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(crate) fn results(args: &ResultsArgs, signals: Signals) -> Exit {
    match &args.command {
        ResultsCommand::Take(args) => {
            asking(&args.control, signals, async |client: &ControlClient| take(args, client).await)
        }
        ResultsCommand::Ack { lease, control } => {
            asking(control, signals, async |client: &ControlClient| {
                ack(client, lease).await.map(|()| Exit::Done)
            })
        }
    }
}

/// As far as it is used here.
struct Taken {
    lease: Option<String>,
    expires_in_s: Option<f64>,
    results: Vec<Box<RawValue>>,
    /// Lines of the file that are no results: somebody else wrote them.
    unreadable: Vec<String>,
    redelivered: bool,
}

impl Taken {
    fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        // The results as they stand, byte for byte.
        let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body)?;
        let raw = |key| fields.get(key).map_or("null", |value| value.get());
        let value = |key| serde_json::from_str::<Value>(raw(key));
        Ok(Self {
            lease: value("lease")?.as_str().map(Into::into),
            expires_in_s: value("expires_in_s")?.as_f64(),
            results: serde_json::from_str(raw("results"))?,
            unreadable: serde_json::from_str(raw("unreadable")).unwrap_or_default(),
            redelivered: value("redelivered")?.as_bool().unwrap_or(false),
        })
    }
}

async fn take(args: &TakeArgs, client: &ControlClient) -> Result<Exit, ControlError> {
    let body = match args.lease {
        Some(lease) => json!({"lease_s": lease}),
        None => json!({}),
    };
    let answer = client.ask(Method::POST, "/v1/results/take", Some(&body)).await?;
    let taken = Taken::parse(&answer.body).map_err(|error| answer.stranger(error.to_string()))?;
    let text = if args.json {
        let whole = String::from_utf8_lossy(&answer.body);
        format!("{}\n", whole.trim_end())
    } else {
        lines(&taken.results)
    };
    if let Err(error) = write_out(&text) {
        // Not acknowledged: they are handed out again.
        talk(&format!("everbeat: standard output: {error}; nothing is acknowledged"));
        return Ok(Exit::Failed);
    }
    for line in &taken.unreadable {
        talk(&format!("everbeat: no result, but in the file: {}", harmless(line)));
    }
    let Some(lease) = taken.lease else {
        if !args.json {
            talk("everbeat: no results wait");
        }
        return Ok(Exit::Done);
    };
    let count = counted(taken.results.len() as u64, "result", "results");
    let again = if taken.redelivered { ", handed out before and not acknowledged" } else { "" };
    if args.ack {
        ack(client, &lease).await?;
        talk(&format!("everbeat: {count}{again}, acknowledged"));
    } else {
        let left =
            taken.expires_in_s.map_or_else(String::new, |left| format!(" within {}", span(left)));
        talk(&format!("everbeat: {count}{again}; lease {}", harmless(&lease)));
        talk(&format!("  do: everbeat results ack {}{left}, or they come again", harmless(&lease)));
    }
    Ok(Exit::Done)
}

async fn ack(client: &ControlClient, lease: &str) -> Result<(), ControlError> {
    client.ask(Method::POST, "/v1/results/ack", Some(&json!({"lease": lease}))).await.map(drop)
}

/// Exactly the lines of the results file, however they are wrapped in the
/// answer.
fn lines(results: &[Box<RawValue>]) -> String {
    let mut text = String::new();
    for result in results {
        let raw = result.get();
        match serde_json::from_str::<String>(raw) {
            Ok(line) => text.push_str(line.trim_end_matches('\n')),
            Err(_) => text.push_str(raw),
        }
        text.push('\n');
    }
    text
}

/// Written and flushed, or an error. A terminal is spared what acts on it.
fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        out.write_all(harmless_json(text).as_bytes())?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_the_file_would_hold() {
        let answer = r#"{"lease": "l", "expires_in_s": 300.0, "redelivered": true,
            "unreadable": ["not json"],
            "results": [{"delegation_id": "d-1",  "n": 1.50}, "{\"delegation_id\": \"d-2\"}\n"]}"#;
        let taken = Taken::parse(answer.as_bytes()).unwrap();
        let expected = [r#"{"delegation_id": "d-1",  "n": 1.50}"#, r#"{"delegation_id": "d-2"}"#];
        assert_eq!(lines(&taken.results), expected.join("\n") + "\n");
        assert!(taken.redelivered && taken.lease.is_some());
        assert_eq!(taken.unreadable, ["not json"]);
    }
}
