//! `everbeat run --check`: what would be wrong, without doing anything.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use everbeat_core::{Action, Outcome, Response, Secret, lower};
use everbeat_store::{Disk, FileKind, RealDisk, read_secret};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use serde_json::{Value, json};

use super::run::CheckMode;
use super::signals::Signals;
use super::{Exit, print, runtime};
use crate::AgentConfig;
use crate::client::Client;
use crate::control::{self, BindError, SocketPlace};
use crate::settings::Settings;

/// What the platform is asked: for this workspace, and for its delegations.
pub(crate) const PROBES: [&str; 2] = ["platform", "delegations"];
/// How long the platform may take for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Warning,
    Error,
}

impl Status {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) status: Status,
    pub(crate) detail: String,
}

pub(crate) fn finding(check: &'static str, status: Status, detail: impl Into<String>) -> Finding {
    Finding { check, status, detail: detail.into() }
}

pub(crate) fn check(
    settings: Result<Settings, Vec<String>>,
    mode: CheckMode,
    as_json: bool,
    signals: Signals,
) -> Exit {
    let settings = match settings {
        Ok(settings) => settings,
        Err(problems) => {
            let error = |problem| finding("configuration", Status::Error, problem);
            let findings: Vec<_> = problems.into_iter().map(error).collect();
            report(&findings, as_json);
            return Exit::Usage;
        }
    };
    let config = &settings.agent;
    let mut findings = vec![finding("configuration", Status::Ok, "every value is allowed")];
    let warning = |text: &String| finding("configuration", Status::Warning, text);
    findings.extend(settings.warnings.iter().map(warning));
    findings.extend(check_configs_dir(config));
    let (token, token_finding) = check_token(config);
    findings.push(token_finding);
    findings.push(check_state_dir(&config.state_dir));
    findings.push(check_results(&config.results_file));
    findings.extend(settings.control.socket.as_ref().map(check_control));
    findings.extend(check_registration(config));
    if mode == CheckMode::Online {
        match ask(config, token, signals) {
            Ok(found) => findings.extend(found),
            Err(exit) => return exit,
        }
    }
    report(&findings, as_json);
    let is_bad = findings.iter().any(|finding| finding.status == Status::Error);
    if is_bad { Exit::Failed } else { Exit::Done }
}

fn report(findings: &[Finding], as_json: bool) {
    let mut text = String::new();
    if as_json {
        let to_json = |finding: &Finding| {
            let Finding { check, status, detail } = finding;
            json!({"check": check, "status": status.name(), "detail": detail})
        };
        let ok = findings.iter().all(|finding| finding.status != Status::Error);
        let checks: Vec<_> = findings.iter().map(to_json).collect();
        let _ = writeln!(text, "{:#}", json!({"schema_version": 1, "ok": ok, "checks": checks}));
    } else {
        for Finding { check, status, detail } in findings {
            let _ = writeln!(text, "{:7}  {check}: {detail}", status.name());
        }
    }
    print(&text);
}

pub(crate) fn check_configs_dir(config: &AgentConfig) -> Option<Finding> {
    let detail = || format!("{} does not exist yet", config.configs_dir.display());
    let is_missing = !config.configs_dir.is_dir();
    is_missing.then(|| finding("configs folder", Status::Warning, detail()))
}

pub(crate) fn check_registration(config: &AgentConfig) -> Option<Finding> {
    let detail = "agent_url and agent_card are not both set: if the platform forgets this \
                  workspace, it cannot register again";
    let can = config.core.can_register();
    (!can).then(|| finding("registration", Status::Warning, detail))
}

pub(crate) fn check_token(config: &AgentConfig) -> (Option<Secret>, Finding) {
    let file = config.token_file();
    let shown = file.display();
    let file_first = config.configs_dir == Path::new("/configs");
    let environment = config.environment_token.clone();
    match read_secret(&RealDisk, &file) {
        Ok(Some(token)) if file_first || environment.is_none() => {
            (Some(token), finding("token", Status::Ok, format!("set in {shown}")))
        }
        Ok(_) if environment.is_some() => {
            let detail = format!("set in the environment ({})", crate::settings::TOKEN_VARIABLE);
            (environment, finding("token", Status::Ok, detail))
        }
        Ok(_) => {
            let detail = format!("none in {shown}: fine only if the platform has issued none");
            (None, finding("token", Status::Warning, detail))
        }
        Err(failure) => {
            let detail = format!("cannot {} {shown}: {}", failure.operation, failure.reason);
            (environment, finding("token", Status::Error, detail))
        }
    }
}

/// What an agent that runs already has is nothing wrong with the settings.
fn check_control(place: &SocketPlace) -> Finding {
    let check = "control socket";
    let shown = place.path.display();
    let folder = place.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // The state folder has a check of its own, and is made if it is missing.
    if place.is_given
        && let Err(problem) = writable(folder)
    {
        return finding(check, Status::Error, format!("{}: {problem}", folder.display()));
    }
    match control::examine(&place.path) {
        Ok(()) => finding(check, Status::Ok, format!("{shown}: can be made")),
        Err(BindError::Living(_)) => {
            finding(check, Status::Warning, format!("{shown}: a running agent answers there"))
        }
        Err(error) if place.is_given => finding(check, Status::Error, error.to_string()),
        Err(error) => {
            finding(check, Status::Warning, format!("{error}; beats would go on without it"))
        }
    }
}

pub(crate) fn check_state_dir(folder: &Path) -> Finding {
    let check = "state folder";
    let shown = folder.display();
    // What is missing would be made in the next folder that exists.
    let standing = folder.ancestors().find(|folder| folder.symlink_metadata().is_ok());
    let standing = standing.unwrap_or(Path::new("."));
    if !standing.is_dir() {
        return finding(check, Status::Error, format!("{} is not a folder", standing.display()));
    }
    match writable(standing) {
        Ok(()) if standing == folder => finding(check, Status::Ok, format!("{shown}: writable")),
        Ok(()) => finding(check, Status::Ok, format!("{shown}: will be made at the start")),
        Err(problem) => finding(
            check,
            Status::Error,
            format!("{}: {problem}; beats would go on, results would wait", standing.display()),
        ),
    }
}

pub(crate) fn check_results(file: &Path) -> Finding {
    let check = "results file";
    let shown = file.display();
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if let Err(problem) = writable(folder) {
        let detail = format!("{}: {problem}; results would wait", folder.display());
        return finding(check, Status::Error, detail);
    }
    match RealDisk.metadata(file) {
        Ok(None) => finding(check, Status::Ok, format!("{shown}: nothing there yet")),
        Ok(Some(metadata)) if metadata.is_own_file() => {
            finding(check, Status::Ok, format!("{shown}: results wait there for the reader"))
        }
        Ok(Some(metadata)) => {
            let what = match metadata.kind {
                FileKind::File => "another user's file",
                FileKind::Folder => "a folder",
                FileKind::Link => "a link, which is not followed",
                FileKind::Other => "no regular file",
            };
            let detail = format!("{shown} is {what}: results would wait beside it");
            finding(check, Status::Error, detail)
        }
        Err(error) => finding(check, Status::Error, format!("{shown}: {error}")),
    }
}

fn writable(folder: &Path) -> Result<(), String> {
    let access = Access::EXISTS | Access::WRITE_OK | Access::EXEC_OK;
    accessat(CWD, folder, access, AtFlags::EACCESS)
        .map_err(|errno| format!("not writable: {}", std::io::Error::from(errno)))
}

/// Two requests that change nothing.
fn ask(
    config: &AgentConfig,
    token: Option<Secret>,
    mut signals: Signals,
) -> Result<Vec<Finding>, Exit> {
    let failed = |error: &dyn std::fmt::Display| {
        eprintln!("everbeat: {error}");
        Exit::Failed
    };
    let runtime = runtime().map_err(|error| failed(&error))?;
    let client = Client::new().map_err(|error| failed(&error))?;
    let found = runtime.block_on(async {
        tokio::select! {
            found = probe(&client, config, token) => Ok(found),
            () = signals.asked() => Err(Exit::Failed),
        }
    });
    runtime.shutdown_background();
    found
}

async fn probe(client: &Client, config: &AgentConfig, token: Option<Secret>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in PROBES {
        findings.extend(probe_one(client, config, token.clone(), check).await);
    }
    findings
}

/// One request that changes nothing; `check` is one of [`PROBES`].
pub(crate) async fn probe_one(
    client: &Client,
    config: &AgentConfig,
    token: Option<Secret>,
    check: &'static str,
) -> Option<Finding> {
    let action = if check == "delegations" {
        Action::FetchDelegations
    } else {
        Action::FetchWorkspace { workspace_id: config.core.workspace_id.clone() }
    };
    let request = lower(&config.core, &action)?;
    let url = request.url();
    let sent = tokio::time::timeout(ANSWER_WITHIN, client.send(request, token)).await;
    let (status, detail) = match sent {
        Ok(Outcome::Response(response)) => describe(check, &response),
        Ok(Outcome::TransportFailed(failure)) => {
            (Status::Error, format!("no answer: {}", failure.detail))
        }
        Ok(_) | Err(_) => (Status::Error, "no answer within 10 s".into()),
    };
    Some(finding(check, status, format!("GET {url}: {detail}")))
}

fn describe(check: &str, response: &Response) -> (Status, String) {
    let status = response.status;
    match status {
        200..=299 => {
            let value = serde_json::from_slice(&response.body.0).unwrap_or(Value::Null);
            match (check, value) {
                ("delegations", Value::Array(rows)) => {
                    (Status::Ok, format!("{status}, {} rows", rows.len()))
                }
                ("platform", Value::Object(_)) => {
                    (Status::Ok, format!("{status}, it knows this workspace"))
                }
                _ => (
                    Status::Error,
                    format!("{status}, but not what the platform gives; is something before it?"),
                ),
            }
        }
        401 | 403 => (Status::Error, format!("{status}: the token is refused")),
        404 => (
            Status::Error,
            format!("{status}: no such workspace, or this is not the platform's address"),
        ),
        _ => (Status::Error, format!("{status}")),
    }
}
