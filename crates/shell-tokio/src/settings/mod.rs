//! What can be set, from where, and what comes of it.

mod control;
pub(crate) mod file;
pub(crate) mod layers;
pub(crate) mod schema;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use everbeat_core::limits::AGENT_CARD_BYTES_MAX;
use everbeat_core::{Announce, Backlog, Config, Deliver, Notify, Secret, ValidConfig};
use serde_json::Value;
use tracing_subscriber::filter::Targets;

use crate::AgentConfig;
use crate::control::ControlSettings;
use layers::{Effective, Sources};
use schema::{Fallback, SETTINGS, parse_duration, parse_switch};

/// The one secret that may come from the environment.
pub(crate) const TOKEN_VARIABLE: &str = "MOLECULE_WORKSPACE_TOKEN";

/// Settings that can be run with.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) agent: AgentConfig,
    pub(crate) control: ControlSettings,
    pub(crate) log: Targets,
    pub(crate) log_format: LogFormat,
    pub(crate) warnings: Vec<String>,
    /// What was given for each, by key. Behind a zero byte stands the sum of
    /// the file that it names, where its contents are part of it.
    pub(crate) texts: BTreeMap<&'static str, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Settings {
    /// Reads all layers and checks everything.
    ///
    /// # Errors
    /// Every problem that was found, each a whole sentence.
    pub(crate) fn read(sources: &Sources) -> Result<Self, Vec<String>> {
        let mut effective = Effective::read(sources);
        let token = environment_token(sources, &mut effective);
        let core = core(&mut effective);
        let control = control::settings(&mut effective);
        let (Some(core), true) = (core, effective.problems.is_empty()) else {
            return Err(effective.problems);
        };
        let path = |key| PathBuf::from(effective.text(key).unwrap_or_default());
        let agent = AgentConfig {
            core,
            configs_dir: path("configs_dir"),
            state_dir: path("state_dir"),
            results_file: path("results_file"),
            environment_token: token,
            record: None,
        };
        let log = effective.text("log").and_then(|text| text.parse().ok()).unwrap_or_default();
        let is_json = effective.text("log_format") == Some("json");
        let log_format = if is_json { LogFormat::Json } else { LogFormat::Text };
        let mut texts = effective.texts();
        let card = agent.core.agent_card.as_ref().map(ToString::to_string);
        let token = control.port.as_ref().map(|port| port.token.expose().to_owned());
        for (key, contents) in [("agent_card", card), ("control_token_file", token)] {
            if let (Some(text), Some(contents)) = (texts.get_mut(key), contents) {
                let _ = write!(text, "\0{}", sum(&contents));
            }
        }
        Ok(Self { agent, control, log, log_format, warnings: effective.warnings, texts })
    }
}

/// The same for the same contents, in this process only.
fn sum(contents: &str) -> u64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    KEY.get_or_init(RandomState::new).hash_one(contents)
}

/// The core's own configuration; `None` if something is wrong with it.
fn core(effective: &mut Effective) -> Option<ValidConfig> {
    for setting in SETTINGS.iter().filter(|setting| setting.default == Fallback::Required) {
        if effective.get(setting.key).is_none() {
            let variable = setting.variables.last().copied().unwrap_or_default();
            let (key, flag) = (setting.key, setting.flag);
            let problem = format!("{key} is not set: give --{flag} or {variable}");
            effective.problems.push(problem);
        }
    }
    if effective.text("results_file").is_some_and(|path| Path::new(path).file_name().is_none()) {
        effective.blame("results_file", "it must end in a file's name");
    }
    let card = agent_card(effective);
    if !effective.problems.is_empty() {
        return None;
    }
    let text = |key| effective.text(key);
    let duration = |key| text(key).and_then(parse_duration).unwrap_or_default();
    let config = Config {
        org_id: text("org_id").map(Into::into),
        interval: duration("interval"),
        cooldown: duration("cooldown"),
        reannounce_after: duration("reannounce_after"),
        deliver: match text("deliver") {
            Some("awaited") => Deliver::Awaited,
            _ => Deliver::All,
        },
        announce: match text("announce") {
            Some("ids") => Announce::Ids,
            _ => Announce::Summary,
        },
        notify: match text("notify") {
            Some("all") => Notify::All,
            Some("none") => Notify::None,
            _ => Notify::Failures,
        },
        backlog: match text("backlog") {
            Some("none") => Backlog::None,
            _ => Backlog::All,
        },
        agent_url: text("agent_url").map(Into::into),
        agent_card: card.map(Into::into),
        self_messages_per_hour_max: text("self_messages_per_hour_max")
            .and_then(|text| text.parse().ok())
            .unwrap_or_default(),
        dev_timing: text("dev_timing").and_then(parse_switch).unwrap_or_default(),
        ..Config::new(
            text("workspace_id").unwrap_or_default(),
            text("platform_url").unwrap_or_default(),
        )
    };
    config
        .validate()
        .map_err(|error| {
            let problem = format!("{} is not allowed: {}", error.value, error.allowed);
            effective.blame(error.field, &problem);
        })
        .ok()
}

fn agent_card(effective: &mut Effective) -> Option<Value> {
    let path = PathBuf::from(effective.text("agent_card")?);
    match read_card(&path) {
        Ok(card) => Some(card),
        Err(problem) => {
            effective.blame("agent_card", &format!("{}: {problem}", path.display()));
            None
        }
    }
}

fn read_card(path: &Path) -> Result<Value, String> {
    let mut bytes = Vec::new();
    // As JSON without spaces it may still fit: that is the core's to say.
    let bytes_max = 4 * AGENT_CARD_BYTES_MAX as u64;
    File::open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err("too long for an agent card".into());
    }
    serde_json::from_slice(&bytes).map_err(|error| format!("not JSON: {error}"))
}

/// What is wrong with it is told without it.
fn environment_token(sources: &Sources, effective: &mut Effective) -> Option<Secret> {
    let value = sources.environment.get(TOKEN_VARIABLE).filter(|value| !value.is_empty())?;
    let token = value.to_str().and_then(|text| Secret::new(text.trim()));
    if token.is_none() {
        let problem = "it is set, but not to one word of at most 4096 visible ASCII characters";
        effective.problems.push(format!("{TOKEN_VARIABLE}: {problem}"));
    }
    token
}

#[cfg(test)]
mod tests;
