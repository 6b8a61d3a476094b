//! `everbeat health`: for a container's health check, in an image without a
//! shell or curl. No log and no TLS are set up for it.

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::ask::{ControlArgs, asking, complain};
use super::signals::Signals;
use super::terminal::{harmless, harmless_json};
use super::{Exit, print, talk};
use crate::control::client::{ControlClient, ControlError};

/// For everything together: a health check that hangs is a failed one.
const WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  healthy
  1  not healthy, or no answer within 2 s
  2  wrong usage
  4  no agent answers at the socket")]
pub(crate) struct HealthArgs {
    /// Whether its loop turns; an outage of the platform changes nothing. For
    /// whatever starts the agent anew
    #[arg(long)]
    live: bool,
    /// Whether the platform has accepted a beat of late, and results can be
    /// stored. For whatever waits until it is ready. Neither asks for both
    #[arg(long)]
    ready: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(crate) fn health(args: &HealthArgs, signals: Signals) -> Exit {
    let both = !args.live && !args.ready;
    let mut asked = Vec::new();
    asked.extend((args.live || both).then_some(("live", "/livez?verbose")));
    asked.extend((args.ready || both).then_some(("ready", "/readyz?verbose")));
    asking(&args.control, signals, async |client: &ControlClient| {
        let client = client.clone().within(WITHIN);
        match tokio::time::timeout(WITHIN, all(&client, &asked)).await {
            Ok(Ok(answers)) => Ok(report(&answers, args.json)),
            // It is there and does not answer: that is not healthy.
            Ok(Err(error @ ControlError::Silent { .. })) => {
                complain(&error);
                Ok(Exit::Failed)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                talk(&format!("everbeat: no answer within {} s", WITHIN.as_secs()));
                Ok(Exit::Failed)
            }
        }
    })
}

async fn all(
    client: &ControlClient,
    asked: &[(&'static str, &'static str)],
) -> Result<Vec<(&'static str, Value)>, ControlError> {
    let mut answers = Vec::new();
    for (name, path) in asked {
        let answer = client.ask_any(Method::GET, path, None).await?;
        let value = answer.json()?;
        let agrees = match value.get("status").and_then(Value::as_str) {
            Some("ok") => answer.status == 200,
            Some("failing") => answer.status == 503,
            Some(_) | None => false,
        };
        if !agrees {
            return Err(answer.stranger(format!("{path} answers {}", answer.status)));
        }
        answers.push((*name, value));
    }
    Ok(answers)
}

fn report(answers: &[(&str, Value)], as_json: bool) -> Exit {
    let is_ok = |value: &Value| value.get("status").and_then(Value::as_str) == Some("ok");
    let healthy = answers.iter().all(|(_, value)| is_ok(value));
    if as_json {
        let mut all = serde_json::Map::new();
        all.insert("schema_version".into(), json!(1));
        all.insert("healthy".into(), json!(healthy));
        all.extend(answers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        print(&format!("{}\n", harmless_json(&Value::Object(all).to_string())));
    } else {
        let mut text = String::new();
        for (name, value) in answers {
            let status = value.get("status").and_then(Value::as_str).unwrap_or_default();
            let _ = writeln!(text, "{name}: {}{}", harmless(status), reasons(value));
        }
        print(&text);
    }
    if healthy { Exit::Done } else { Exit::Failed }
}

/// ` (beat_accepted: never: no beat was accepted yet)`.
fn reasons(value: &Value) -> String {
    let checks = value.get("checks").and_then(Value::as_array);
    let failing =
        checks.into_iter().flatten().filter(|check| check.get("ok") == Some(&json!(false)));
    let reasons: Vec<_> = failing
        .map(|check| {
            let parts =
                ["name", "reason", "detail"].map(|key| check.get(key).and_then(Value::as_str));
            let parts: Vec<_> =
                parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
            harmless(&parts.join(": "))
        })
        .collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}
