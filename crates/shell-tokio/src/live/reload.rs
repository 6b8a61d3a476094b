//! Reading the configuration again, from the same sources.
//!
//! All or nothing: what is wrong, or needs a restart, keeps everything as it
//! is. The token is no setting; it is read again in any case.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use everbeat_core::{Outcome, Report};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::LogLevel;
use crate::Reporter;
use crate::settings::Settings;
use crate::settings::layers::{Sources, blamed};
use crate::settings::schema::SETTINGS;

/// Settings that a running process takes.
const LIVE: [&str; 6] =
    ["cooldown", "announce", "notify", "self_messages_per_hour_max", "reannounce_after", "log"];

/// How long a file system may take.
const FILES_WITHIN: Duration = Duration::from_secs(5);

/// Reads the configuration again; clones share what holds.
#[derive(Clone, Debug)]
pub(crate) struct Reloader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sources: Sources,
    running: Mutex<Running>,
    agent: Reporter,
    log: LogLevel,
}

/// The configuration that holds, by what was read for each setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running(BTreeMap<&'static str, String>);

impl Running {
    /// Of these settings. The contents of files that settings name count as
    /// parts of theirs, as a number: they may be secret.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self(settings.texts.clone())
    }
}

/// What came of one setting, or of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Became {
    /// It is as it was.
    Unchanged,
    /// It holds from now on.
    Applied,
    /// It would hold after a restart; nothing was changed.
    NeedsRestart,
    /// It is not allowed; nothing was changed.
    Rejected,
}

impl Became {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Applied => "applied",
            Self::NeedsRestart => "needs_restart",
            Self::Rejected => "rejected",
        }
    }
}

/// One setting's part of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    field: String,
    became: Became,
    detail: String,
}

/// What came of it all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reloaded {
    pub(crate) became: Became,
    parts: Vec<Part>,
}

impl Reloaded {
    /// As `CONTROL.md` has it.
    pub(crate) fn to_json(&self) -> Value {
        let part = |part: &Part| json!({"field": part.field, "outcome": part.became.name(), "detail": part.detail});
        json!({
            "schema_version": 1,
            "outcome": self.became.name(),
            "fields": self.parts.iter().map(part).collect::<Vec<_>>(),
        })
    }

    /// Says it in the log.
    pub(crate) fn tell(&self) {
        for Part { field, became, detail } in &self.parts {
            match became {
                Became::Applied | Became::Unchanged => tracing::info!("{field}: {detail}"),
                Became::NeedsRestart | Became::Rejected => tracing::warn!("{field}: {detail}"),
            }
        }
        match self.became {
            Became::Unchanged => tracing::info!("the configuration was read again: as before"),
            Became::Applied => tracing::info!("the configuration was read again and holds"),
            Became::NeedsRestart => tracing::warn!(
                "the configuration was read again and left as it was: restart for the new one"
            ),
            Became::Rejected => {
                tracing::warn!("the configuration was read again and left as it was: it is wrong");
            }
        }
    }
}

impl Reloader {
    /// For an agent that runs with `running`.
    pub(crate) fn new(sources: Sources, running: Running, agent: Reporter, log: LogLevel) -> Self {
        let running = Mutex::new(running);
        Self { shared: Arc::new(Shared { sources, running, agent, log }) }
    }

    /// Reads it and takes what it can. One after the other.
    pub(crate) async fn reload(&self) -> Reloaded {
        let shared = &self.shared;
        let mut running = shared.running.lock().await;
        let sources = shared.sources.clone();
        let read = tokio::task::spawn_blocking(move || Settings::read(&sources));
        let read = match timeout(FILES_WITHIN, read).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err(vec!["reading it panicked".into()]),
            Err(_) => Err(vec![format!("its files could not be read within {FILES_WITHIN:?}")]),
        };
        let mut reloaded = match &read {
            Ok(settings) => compare(&running, &Running::of(settings)),
            Err(problems) => rejected(problems),
        };
        if let (Ok(settings), Became::Applied) = (read, reloaded.became) {
            *running = Running::of(&settings);
            shared.log.configure(settings.log);
            // An agent that has stopped needs no tuning.
            let _ = shared.agent.retune(settings.agent.core.tuning()).await;
        }
        if let Some(part) = self.read_token().await {
            if reloaded.became == Became::Unchanged {
                reloaded.became = part.became;
            }
            reloaded.parts.push(part);
        }
        reloaded.tell();
        reloaded
    }

    /// A beat at once shows whether the platform takes it.
    async fn read_token(&self) -> Option<Part> {
        let part = |became, detail| Some(Part { field: "token".into(), became, detail });
        let Ok(read) = timeout(FILES_WITHIN, self.shared.agent.read_token()).await else {
            let detail = format!("its file could not be read within {FILES_WITHIN:?}");
            return part(Became::Rejected, detail);
        };
        match read {
            Ok(Outcome::TokenLoaded { changed: true, present }) => {
                let _ = self.shared.agent.report(Report::BeatNow).await;
                let detail = if present { "a new one is in use" } else { "there is none any more" };
                part(Became::Applied, detail.into())
            }
            Ok(Outcome::FileFailed(failure)) => {
                let detail = format!(
                    "cannot {} {}: {}; the one before stays in use",
                    failure.operation, failure.path, failure.reason
                );
                part(Became::Rejected, detail)
            }
            Ok(_) | Err(_) => None,
        }
    }
}

fn rejected(problems: &[String]) -> Reloaded {
    let part = |problem: &String| Part {
        field: blamed(problem).unwrap_or("config").into(),
        became: Became::Rejected,
        detail: problem.clone(),
    };
    Reloaded { became: Became::Rejected, parts: problems.iter().map(part).collect() }
}

/// What changes, and whether it may.
fn compare(running: &Running, wanted: &Running) -> Reloaded {
    let mut parts = Vec::new();
    for key in SETTINGS.iter().map(|setting| setting.key) {
        let (old, new) = (running.0.get(key), wanted.0.get(key));
        if old != new {
            let became = if LIVE.contains(&key) { Became::Applied } else { Became::NeedsRestart };
            parts.push(Part { field: key.into(), became, detail: detail(old, new) });
        }
    }
    let became = parts.iter().map(|part| part.became).max().unwrap_or(Became::Unchanged);
    if became == Became::NeedsRestart {
        for part in parts.iter_mut().filter(|part| part.became == Became::Applied) {
            part.became = Became::NeedsRestart;
            part.detail.push_str("; it waits for the others");
        }
    }
    Reloaded { became, parts }
}

fn detail(old: Option<&String>, new: Option<&String>) -> String {
    let shown = |text: Option<&String>| {
        let text = text.map_or("unset", String::as_str);
        // What comes behind it is the sum of a file.
        text.split_once('\0').map_or(text, |(text, _)| text).to_owned()
    };
    let (old, new) = (shown(old), shown(new));
    if old == new { format!("what {new} holds is another") } else { format!("{old} became {new}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(all: &[(&'static str, &str)]) -> Running {
        Running(all.iter().map(|(key, text)| (*key, (*text).to_owned())).collect())
    }

    fn outcomes(reloaded: &Reloaded) -> Vec<(&str, &str)> {
        reloaded.parts.iter().map(|part| (part.field.as_str(), part.became.name())).collect()
    }

    #[test]
    fn what_can_be_taken_is_applied() {
        let old = running(&[("interval", "30s"), ("cooldown", "60s"), ("log", "info")]);
        let new = running(&[("interval", "30s"), ("cooldown", "5s"), ("log", "debug")]);
        let reloaded = compare(&old, &new);
        assert_eq!(reloaded.became, Became::Applied);
        assert_eq!(outcomes(&reloaded), [("cooldown", "applied"), ("log", "applied")]);
        assert_eq!(reloaded.parts[0].detail, "60s became 5s");
        assert_eq!(compare(&old, &old).became, Became::Unchanged);
    }

    #[test]
    fn one_that_needs_a_restart_holds_up_all() {
        let old = running(&[("interval", "30s"), ("cooldown", "60s")]);
        let new = running(&[("interval", "10s"), ("cooldown", "5s"), ("agent_url", "http://a")]);
        let reloaded = compare(&old, &new);
        assert_eq!(reloaded.became, Became::NeedsRestart);
        let all = [("interval"), ("cooldown"), ("agent_url")].map(|key| (key, "needs_restart"));
        assert_eq!(outcomes(&reloaded), all);
        assert_eq!(reloaded.parts[2].detail, "unset became http://a");
    }

    #[test]
    fn a_files_contents_count_and_are_not_shown() {
        let old = running(&[("agent_card", "/card.json\0abc")]);
        let new = running(&[("agent_card", "/card.json\0def")]);
        let reloaded = compare(&old, &new);
        assert_eq!(outcomes(&reloaded), [("agent_card", "needs_restart")]);
        assert_eq!(reloaded.parts[0].detail, "what /card.json holds is another");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_setting() {
        let problems = ["--cooldown: 1ms is not allowed", "/e.toml:3: \"colour\" is not a setting"];
        let reloaded = rejected(&problems.map(Into::into));
        assert_eq!(reloaded.became, Became::Rejected);
        assert_eq!(outcomes(&reloaded), [("cooldown", "rejected"), ("config", "rejected")]);
    }

    /// What the core can be told anew, and the log: no more, no less.
    #[test]
    fn the_live_settings_are_settings() {
        for key in LIVE {
            assert!(SETTINGS.iter().any(|setting| setting.key == key), "{key}");
        }
        let tuning = everbeat_core::Config::new("ws", "http://p").tuning();
        let Value::Object(fields) = serde_json::to_value(tuning).unwrap() else { panic!() };
        let tuned: Vec<_> = fields.keys().map(String::as_str).chain(["log"]).collect();
        assert!(LIVE.iter().all(|key| tuned.contains(key)) && tuned.len() == LIVE.len());
    }
}
