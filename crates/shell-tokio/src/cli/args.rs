//! The flags of all settings, made from their table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueHint};

use crate::settings::layers::Sources;
use crate::settings::schema::{CONFIG_VARIABLE, Fallback, Kind, SETTINGS, Setting};

/// What the flags gave, unparsed: they are read like every other layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingsArgs {
    flags: BTreeMap<&'static str, String>,
    config: Option<PathBuf>,
}

impl SettingsArgs {
    /// Together with the environment of this process.
    pub(crate) fn sources(&self) -> Sources {
        let variables = std::env::vars_os();
        let environment: BTreeMap<_, _> =
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
        let in_docker =
            environment.contains_key("DOCKER_VERSION") || Path::new("/.dockerenv").exists();
        Sources { flags: self.flags.clone(), config: self.config.clone(), environment, in_docker }
    }
}

impl Args for SettingsArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_hint(ValueHint::FilePath)
            .value_parser(ValueParser::path_buf())
            .help(format!("A TOML file with settings, named as the flags [env: {CONFIG_VARIABLE}]"))
            .long_help(format!(
                "A TOML file with settings, named as the flags but with `_` for `-`. A flag \
                 is stronger than a variable, a variable than the file. [env: {CONFIG_VARIABLE}]"
            ));
        let settings = SETTINGS.iter().map(arg);
        command.next_help_heading("Settings").args(settings).arg(config)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        Fallback::Required => "required".into(),
        Fallback::Unset => "default: none".into(),
        Fallback::Fixed(text) | Fallback::Computed(text) => format!("default: {text}"),
    };
    let choices = match setting.kind {
        Kind::Choice(choices) => format!(": {}", choices.join(", ")),
        Kind::Text
        | Kind::Path
        | Kind::Duration
        | Kind::Count
        | Kind::Switch
        | Kind::Filter
        | Kind::Address => String::new(),
    };
    let variables = setting.variables.join(", ");
    let help = format!("{}{choices} [{default}] [env: {variables}]", setting.help);
    let arg = Arg::new(setting.key).long(setting.flag).help(help);
    match setting.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL"),
        Kind::Text => arg.value_name(if setting.key.ends_with("url") { "URL" } else { "ID" }),
        Kind::Path if setting.key.ends_with("dir") => {
            arg.value_name("DIR").value_hint(ValueHint::DirPath)
        }
        Kind::Path => arg.value_name("FILE").value_hint(ValueHint::FilePath),
        Kind::Duration => arg.value_name("TIME"),
        Kind::Count => arg.value_name("N"),
        Kind::Filter => arg.value_name("FILTER"),
        Kind::Address => arg.value_name("ADDRESS"),
        Kind::Choice(_) => arg.value_name("WHICH"),
    }
}

impl FromArgMatches for SettingsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let broken = |error: clap::parser::MatchesError| {
            clap::Error::raw(ErrorKind::InvalidValue, error.to_string())
        };
        for setting in &SETTINGS {
            if let Some(text) = matches.try_get_one::<String>(setting.key).map_err(broken)? {
                self.flags.insert(setting.key, text.clone());
            }
        }
        if let Some(path) = matches.try_get_one::<PathBuf>("config").map_err(broken)? {
            self.config = Some(path.clone());
        }
        Ok(())
    }
}
