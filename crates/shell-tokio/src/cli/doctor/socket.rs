//! The running agent, if there is one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::Value;

use super::Checked;
use crate::cli::ask::{ControlArgs, advice};
use crate::cli::check::{Status, finding};
use crate::cli::status;
use crate::control::client::{ControlClient, ControlError, Tried};
use crate::control::place::{self, Found};
use crate::settings::layers::{Effective, Sources};

/// What the agent was found to be.
pub(super) struct Asked {
    /// To ask for more.
    pub(super) client: Option<ControlClient>,
    pub(super) status: Value,
}

pub(super) async fn check(sources: &Sources, checks: &mut Vec<Checked>) -> Asked {
    let from = Instant::now();
    let Some(control) = control(&Effective::read(sources)) else {
        let found = finding("socket", Status::Ok, "there is to be none (--control none)");
        checks.push(Checked::new(found, from.elapsed()));
        return Asked { client: None, status: Value::Null };
    };
    let client = match control.client() {
        Ok(client) => client,
        Err(problem) => {
            let checked = Checked::new(finding("socket", Status::Error, problem), from.elapsed());
            checks.push(checked.with("give --control a path, or an address with a token file"));
            return Asked { client: None, status: Value::Null };
        }
    };
    match client.ask_any(Method::GET, "/livez", None).await {
        Ok(answer) if answer.status == 200 => {
            let found = finding("socket", Status::Ok, "the agent answers, and its loop turns");
            checks.push(Checked::new(found, from.elapsed()));
        }
        Ok(answer) => {
            let detail =
                format!("the agent answers, but its loop does not turn ({})", answer.status);
            checks.push(
                Checked::new(finding("socket", Status::Error, detail), from.elapsed())
                    .with("see its log, then start it anew"),
            );
        }
        Err(error) => {
            checks.push(unanswered(&error, from.elapsed()));
            return Asked { client: None, status: Value::Null };
        }
    }
    let from = Instant::now();
    match status::get(&client).await {
        Ok(status) => {
            agent(&status, from.elapsed(), checks);
            Asked { client: Some(client), status }
        }
        Err(error) => {
            checks.push(unanswered(&error, from.elapsed()));
            Asked { client: None, status: Value::Null }
        }
    }
}

/// Where the configuration has it; a port if there is to be no socket.
fn control(effective: &Effective) -> Option<ControlArgs> {
    let text = |key| effective.text(key).map(str::to_owned);
    let socket = text("control").filter(|path| path != place::NONE);
    let control = socket.or_else(|| Some(format!("http://{}", text("control_listen")?)))?;
    let control_token_file = text("control_token_file").map(PathBuf::from);
    Some(ControlArgs { control: Some(control), control_token_file })
}

fn unanswered(error: &ControlError, took: Duration) -> Checked {
    let is_forbidden = |tried: &[Tried]| tried.iter().any(|tried| tried.found == Found::NotAllowed);
    let status = match error {
        // Not every time somebody asks, one shall run.
        ControlError::NoAgent(tried) if !is_forbidden(tried) => Status::Warning,
        ControlError::NoAgent(_)
        | ControlError::Silent { .. }
        | ControlError::Broken { .. }
        | ControlError::Refused(_)
        | ControlError::Stranger { .. } => Status::Error,
    };
    let detail = error.to_string().replace("\n  ", " ");
    let checked = Checked::new(finding("socket", status, detail), took);
    match advice(error) {
        Some(advice) => checked.with(advice),
        None => checked,
    }
}

/// What the agent itself says is wrong.
fn agent(status: &Value, took: Duration, checks: &mut Vec<Checked>) {
    let text = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (running, own) = (text(status, "version"), env!("CARGO_PKG_VERSION"));
    if running != own {
        let detail = format!("the agent is {running}, this program is {own}");
        checks.push(
            Checked::new(finding("version", Status::Warning, detail), Duration::ZERO)
                .with("start the agent anew, so that it is the installed one"),
        );
    }
    let verdict = status.get("verdict").unwrap_or(&Value::Null);
    let level = match text(verdict, "level").as_str() {
        "failing" => Status::Error,
        "ok" => Status::Ok,
        _ => Status::Warning,
    };
    let lines = verdict.get("lines").and_then(Value::as_array);
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    if lines.is_empty() {
        let pid = status.get("pid").and_then(Value::as_u64).unwrap_or(0);
        let detail = format!("{running}, process {pid}: {}", text(verdict, "level"));
        checks.push(Checked::new(finding("agent", level, detail), took));
    }
    for line in lines {
        let checked = Checked::new(finding("agent", level, text(line, "what")), took);
        let advice = text(line, "do");
        checks.push(if advice.is_empty() { checked } else { checked.with(advice) });
    }
}
