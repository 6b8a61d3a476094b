//! `everbeat doctor`: what is wrong, and what to do about it. Every check has
//! a verdict, advice where it is not good, and how long it took.

mod advice;
mod bundle;
mod disk;
mod network;
mod socket;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueHint};
use everbeat_core::Secret;
use serde_json::{Value, json};

use super::args::SettingsArgs;
use super::check::{self, Finding, Status, finding};
use super::signals::Signals;
use super::terminal::{ColorArgs, Look, Paint, harmless, harmless_json};
use super::{Exit, print, runtime, talk};
use crate::AgentConfig;
use crate::settings::Settings;
use crate::settings::layers::Sources;

/// For whatever may hang: a disk, a name server, a host.
const EACH_WITHIN: Duration = Duration::from_secs(5);
/// Columns of a check's name.
const NAME: usize = 14;

#[derive(Debug, Args)]
#[command(after_help = "\
It makes and removes a small file in the state folder and beside the results
file, and asks the platform twice; nothing is changed.

Exit codes:
  0  nothing is wrong, or only what a warning says
  1  something is wrong
  2  wrong usage or configuration")]
pub(crate) struct DoctorArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Nothing leaves this machine
    #[arg(long)]
    offline: bool,
    /// Writes all of it, the configuration, and the agent's status and events
    /// into a new file (JSON, 0600): without secrets, but with peers' words
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    color: ColorArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// One check that was made.
struct Checked {
    finding: Finding,
    /// What to do; `None` where all is well.
    advice: Option<String>,
    took: Duration,
}

impl Checked {
    fn new(finding: Finding, took: Duration) -> Self {
        let advice = advice::of(&finding);
        Self { finding, advice, took }
    }

    fn with(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

pub(crate) fn doctor(args: &DoctorArgs, mut signals: Signals) -> Exit {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            talk(&format!("everbeat: the runtime cannot be started: {error}"));
            return Exit::Failed;
        }
    };
    let sources = args.settings.sources();
    let exit = runtime.block_on(async {
        tokio::select! {
            exit = examine(args, &sources) => exit,
            () = signals.asked() => Exit::Failed,
        }
    });
    // A name server or a disk that hangs must not hold up the end.
    runtime.shutdown_background();
    exit
}

async fn examine(args: &DoctorArgs, sources: &Sources) -> Exit {
    let settings = timed_settings(sources);
    let mut checks = Vec::new();
    let mut exit = Exit::Done;
    match &settings {
        (Ok(settings), took) => {
            let good = finding("configuration", Status::Ok, "every value is allowed");
            checks.push(Checked::new(good, *took));
            let warning = |text: &String| {
                Checked::new(finding("configuration", Status::Warning, text), Duration::ZERO)
            };
            checks.extend(settings.warnings.iter().map(warning));
            let token = local(&settings.agent, &mut checks).await;
            if !args.offline {
                network::check(&settings.agent, token, &mut checks).await;
            }
        }
        (Err(problems), took) => {
            exit = Exit::Usage;
            let error = |problem: &String| {
                Checked::new(finding("configuration", Status::Error, problem), *took)
            };
            checks.extend(problems.iter().map(error));
        }
    }
    let asked = socket::check(sources, &mut checks).await;
    let is_bad = checks.iter().any(|checked| checked.finding.status == Status::Error);
    if is_bad && exit == Exit::Done {
        exit = Exit::Failed;
    }
    let report = report(&checks);
    if args.json {
        print(&format!("{}\n", harmless_json(&format!("{report:#}"))));
    } else {
        print(&text(&checks, &Look::of_stdout(args.color)));
    }
    if let Some(path) = &args.bundle
        && let Err(problem) = bundle::write(path, sources, report, asked).await
    {
        talk(&format!("everbeat: {}: {problem}", path.display()));
        return Exit::Failed;
    }
    exit
}

fn timed_settings(sources: &Sources) -> (Result<Settings, Vec<String>>, Duration) {
    let from = Instant::now();
    let settings = Settings::read(sources);
    (settings, from.elapsed())
}

/// What this machine alone can tell, and the token that it found. Every look
/// at a file is one at a file system that may hang.
async fn local(config: &AgentConfig, checks: &mut Vec<Checked>) -> Option<Secret> {
    let config = Arc::new(config.clone());
    checks.extend(
        check::check_registration(&config).map(|found| Checked::new(found, Duration::ZERO)),
    );
    let its = Arc::clone(&config);
    let found =
        disk::look("configs folder", &config.configs_dir, move || check::check_configs_dir(&its));
    checks.extend(match found.await {
        Ok((found, took)) => found.map(|found| Checked::new(found, took)),
        Err(hangs) => Some(hangs),
    });
    let (its, file) = (Arc::clone(&config), config.token_file());
    let found = disk::look("token", &file, move || check::check_token(&its));
    let token = match found.await {
        Ok(((token, found), took)) => {
            checks.push(Checked::new(found, took));
            token
        }
        Err(hangs) => {
            checks.push(hangs);
            config.environment_token.clone()
        }
    };
    let results_file = &config.results_file;
    let folder = results_file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    for (name, space, trial, folder, file) in [
        ("state folder", "state space", "state disk", config.state_dir.as_path(), None),
        ("results file", "results space", "results disk", folder, Some(results_file.clone())),
    ] {
        let at = folder.to_owned();
        let found = disk::look(name, folder, move || match file {
            Some(file) => check::check_results(&file),
            None => check::check_state_dir(&at),
        });
        checks.push(match found.await {
            Ok((found, took)) => Checked::new(found, took),
            // So would all that follows.
            Err(hangs) => {
                checks.push(hangs);
                continue;
            }
        });
        checks.push(disk::space(space, folder).await);
        checks.extend(disk::trial(trial, folder).await);
    }
    token
}

fn report(checks: &[Checked]) -> Value {
    let to_json = |checked: &Checked| {
        let Finding { check, status, detail } = &checked.finding;
        json!({
            "check": check,
            "status": status.name(),
            "detail": detail,
            "advice": checked.advice,
            "took_s": checked.took.as_secs_f64(),
        })
    };
    let ok = checks.iter().all(|checked| checked.finding.status != Status::Error);
    let checks: Vec<_> = checks.iter().map(to_json).collect();
    json!({"schema_version": 1, "ok": ok, "checks": checks})
}

fn text(checks: &[Checked], look: &Look) -> String {
    let mut text = String::new();
    let indent = 9 + NAME + 2;
    for Checked { finding, advice, took } in checks {
        let status = format!("{:7}", finding.status.name());
        let status = match finding.status {
            Status::Ok => look.paint(Paint::Good, &status),
            Status::Warning => look.paint(Paint::Warn, &status),
            Status::Error => look.paint(Paint::Bad, &status),
        };
        let says = harmless(&finding.detail);
        let says = format!("{says} [{}ms]", took.as_millis());
        for (index, line) in look.wrapped(indent, &says).into_iter().enumerate() {
            let _ = if index == 0 {
                writeln!(text, "{status}  {:NAME$}  {line}", finding.check)
            } else {
                writeln!(text, "{:indent$}{line}", "")
            };
        }
        let advice = advice.as_ref().map(|advice| format!("do: {}", harmless(advice)));
        for line in advice.iter().flat_map(|advice| look.wrapped(indent, advice)) {
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_verdict_name_words_and_time_and_advice_below() {
        let took = Duration::from_millis(3);
        let checks = [
            Checked::new(finding("dns", Status::Ok, "platform is 10.0.0.3"), took),
            Checked::new(finding("clock", Status::Error, "70 s\u{1b}[31m late"), took)
                .with("set the clock of this machine, or let it be set, as by NTP or the host"),
        ];
        let look = Look { color: false, width: 80, height: None };
        let expected = "\
ok       dns             platform is 10.0.0.3 [3ms]
error    clock           70 s\\u{1b}[31m late [3ms]
                         do: set the clock of this machine, or let it be set, as
                         by NTP or the host
";
        assert_eq!(text(&checks, &look), expected);
        let report = report(&checks);
        assert_eq!(report["ok"], false);
        assert_eq!(report["checks"][0]["advice"], Value::Null);
        assert_eq!(report["checks"][1]["took_s"], 0.003);
    }
}
