//! Flags over environment over file over defaults: what holds, and where it
//! came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::file;
use super::schema::{
    CONFIG_VARIABLE, Fallback, OTHER_VARIABLES, SETTINGS, Setting, quoted, suggestion,
};
use crate::control::place;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File { path: PathBuf, line: usize },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(variable) => f.write_str(variable),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

/// Everything that settings are read from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// By key.
    pub(crate) flags: BTreeMap<&'static str, String>,
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    pub(crate) environment: BTreeMap<String, OsString>,
    pub(crate) in_docker: bool,
}

/// What holds, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Effective {
    values: BTreeMap<&'static str, Given>,
    pub(crate) config: Option<PathBuf>,
    /// Each a whole sentence that names the origin.
    pub(crate) problems: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl Effective {
    /// Reads all layers. Every value that was given is checked, even one that
    /// a stronger layer overrides.
    pub(crate) fn read(sources: &Sources) -> Self {
        let mut effective = Self::default();
        effective.add_defaults(sources.in_docker);
        effective.config = sources.config.clone().or_else(|| {
            let path = sources.environment.get(CONFIG_VARIABLE).filter(|path| !path.is_empty());
            path.map(PathBuf::from)
        });
        if let Some(path) = effective.config.clone() {
            effective.add_file(&path);
        }
        effective.add_environment(&sources.environment);
        for setting in &SETTINGS {
            if let Some(text) = sources.flags.get(setting.key) {
                effective.add(setting, text.clone(), Origin::Flag(setting.flag));
            }
        }
        effective.compute_state_dir();
        effective.compute_control();
        effective
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Given> {
        self.values.get(key)
    }

    /// The value's text, if there is one.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).map(|given| given.text.as_str())
    }

    /// Names a problem with the value of `key`, by where it came from.
    pub(crate) fn blame(&mut self, key: &str, problem: &str) {
        let problem = match self.get(key).map(|given| &given.origin) {
            Some(Origin::Default) | None => format!("{key}: {problem}"),
            Some(origin @ (Origin::Flag(_) | Origin::Variable(_))) => {
                format!("{origin}: {problem}")
            }
            Some(origin @ Origin::File { .. }) => format!("{origin}: {key}: {problem}"),
        };
        self.problems.push(problem);
    }

    /// Each setting's text.
    pub(crate) fn texts(&self) -> BTreeMap<&'static str, String> {
        self.values.iter().map(|(key, given)| (*key, given.text.clone())).collect()
    }

    fn add(&mut self, setting: &'static Setting, text: String, origin: Origin) {
        let checked = setting.kind.check(&text);
        self.values.insert(setting.key, Given { text, origin });
        if let Err(problem) = checked {
            self.blame(setting.key, &problem);
        }
    }

    fn add_defaults(&mut self, in_docker: bool) {
        for setting in &SETTINGS {
            let text = match setting.default {
                Fallback::Fixed(text) => text,
                Fallback::Computed(_) if setting.key == "platform_url" && in_docker => {
                    "http://host.docker.internal:8080"
                }
                Fallback::Computed(_) if setting.key == "platform_url" => "http://localhost:8080",
                Fallback::Computed(_) | Fallback::Required | Fallback::Unset => continue,
            };
            self.add(setting, text.into(), Origin::Default);
        }
    }

    fn add_file(&mut self, path: &Path) {
        let entries = match file::read(path) {
            Ok(entries) => entries,
            Err(problem) => {
                self.problems.push(problem);
                return;
            }
        };
        for entry in entries {
            let line = entry.line;
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == entry.key) else {
                let hint = suggestion(&entry.key, SETTINGS.iter().map(|setting| setting.key));
                let key = quoted(&entry.key);
                let path = path.display();
                self.problems.push(format!("{path}:{line}: {key} is not a setting{hint}"));
                continue;
            };
            match entry.value.into_text(setting.kind) {
                Ok(text) => self.add(setting, text, Origin::File { path: path.into(), line }),
                Err(problem) => self.problems.push(format!(
                    "{}:{line}: {}: {problem}",
                    path.display(),
                    setting.key
                )),
            }
        }
    }

    fn add_environment(&mut self, environment: &BTreeMap<String, OsString>) {
        for setting in &SETTINGS {
            // The weakest first, so that the strongest stays.
            for variable in setting.variables.iter().copied().rev() {
                let Some(value) = environment.get(variable).filter(|value| !value.is_empty())
                else {
                    continue;
                };
                match value.to_str() {
                    Some(text) => self.add(setting, text.into(), Origin::Variable(variable)),
                    None => self.problems.push(format!("{variable}: the value is not UTF-8")),
                }
            }
        }
        let known = || {
            let of_settings = SETTINGS.iter().flat_map(|setting| setting.variables);
            of_settings.chain(&OTHER_VARIABLES).copied()
        };
        for name in environment.keys().filter(|name| name.starts_with("EVERBEAT_")) {
            if !known().any(|known| known == name) {
                let hint = suggestion(name, known());
                self.warnings.push(format!("the variable {name} means nothing here{hint}"));
            }
        }
    }

    fn compute_control(&mut self) {
        if self.get("control").is_none()
            && let Some(state_dir) = self.text("state_dir")
        {
            let text = Path::new(state_dir).join(place::FILE_NAME).display().to_string();
            self.values.insert("control", Given { text, origin: Origin::Default });
        }
    }

    fn compute_state_dir(&mut self) {
        if self.get("state_dir").is_none()
            && let Some(configs_dir) = self.text("configs_dir")
        {
            let text = Path::new(configs_dir).join("everbeat").display().to_string();
            self.values.insert("state_dir", Given { text, origin: Origin::Default });
        }
    }
}

/// The setting that a problem is about, by how [`Effective::blame`] begins it.
pub(crate) fn blamed(problem: &str) -> Option<&'static str> {
    let mut parts = problem.split(": ");
    let origin = parts.next()?;
    let is_flag = |setting: &&Setting| origin.strip_prefix("--") == Some(setting.flag);
    let is_named = |setting: &&Setting| {
        setting.key == origin || setting.variables.contains(&origin) || is_flag(setting)
    };
    let of_origin = SETTINGS.iter().find(is_named);
    let in_file = || parts.next().and_then(|key| SETTINGS.iter().find(|it| it.key == key));
    of_origin.or_else(in_file).map(|setting| setting.key)
}
