//! Every setting, once: flags, environment, file and `config show` are all
//! made from this table.

use std::net::SocketAddr;
use std::time::Duration;

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in the file and in `config show`.
    pub(crate) key: &'static str,
    /// The same with dashes.
    pub(crate) flag: &'static str,
    /// Environment variables, the strongest first. Empty ones count as unset.
    pub(crate) variables: &'static [&'static str],
    pub(crate) kind: Kind,
    pub(crate) default: Fallback,
    /// What it is, with its unit and bounds.
    pub(crate) help: &'static str,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Path,
    Duration,
    Count,
    Switch,
    Filter,
    Address,
    Choice(&'static [&'static str]),
}

/// What holds where nothing was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// It must be given.
    Required,
    /// Nothing.
    Unset,
    Fixed(&'static str),
    /// Found out at the start; the words are for the help.
    Computed(&'static str),
}

pub(crate) const SETTINGS: [Setting; 23] = [
    Setting {
        key: "workspace_id",
        flag: "workspace-id",
        variables: &["EVERBEAT_WORKSPACE_ID", "WORKSPACE_ID"],
        kind: Kind::Text,
        default: Fallback::Required,
        help: "This workspace's id",
    },
    Setting {
        key: "platform_url",
        flag: "platform-url",
        variables: &["EVERBEAT_PLATFORM_URL", "PLATFORM_URL"],
        kind: Kind::Text,
        default: Fallback::Computed(
            "http://localhost:8080, in a Docker container http://host.docker.internal:8080",
        ),
        help: "The platform's address; slashes at its end do not matter",
    },
    Setting {
        key: "configs_dir",
        flag: "configs-dir",
        variables: &["EVERBEAT_CONFIGS_DIR", "CONFIGS_DIR"],
        kind: Kind::Path,
        default: Fallback::Fixed("/configs"),
        help: "The folder of .auth_token and .platform_inbound_secret",
    },
    Setting {
        key: "results_file",
        flag: "results-file",
        variables: &["EVERBEAT_RESULTS_FILE", "DELEGATION_RESULTS_FILE"],
        kind: Kind::Path,
        default: Fallback::Fixed("/tmp/delegation_results.jsonl"),
        help: "The file of finished delegations, which the agent takes by renaming it",
    },
    Setting {
        key: "state_dir",
        flag: "state-dir",
        variables: &["EVERBEAT_STATE_DIR"],
        kind: Kind::Path,
        default: Fallback::Computed("<configs-dir>/everbeat"),
        help: "The folder of the journal and the lock; made if it is missing",
    },
    Setting {
        key: "control",
        flag: "control",
        variables: &["EVERBEAT_CONTROL"],
        kind: Kind::Path,
        default: Fallback::Computed("<state-dir>/control.sock"),
        help: "The socket that takes requests and tells how things stand; none for none",
    },
    Setting {
        key: "control_listen",
        flag: "control-listen",
        variables: &["EVERBEAT_CONTROL_LISTEN"],
        kind: Kind::Address,
        default: Fallback::Unset,
        help: "An address like 127.0.0.1:8765 that takes the same requests, with the token \
               in control_token_file",
    },
    Setting {
        key: "control_token_file",
        flag: "control-token-file",
        variables: &["EVERBEAT_CONTROL_TOKEN_FILE"],
        kind: Kind::Path,
        default: Fallback::Unset,
        help: "A file of mode 0600 with the token that requests to control_listen must show",
    },
    Setting {
        key: "control_listen_anywhere",
        flag: "control-listen-anywhere",
        variables: &["EVERBEAT_CONTROL_LISTEN_ANYWHERE"],
        kind: Kind::Switch,
        default: Fallback::Fixed("false"),
        help: "Allows a control_listen that other machines reach; the token goes in the clear",
    },
    Setting {
        key: "interval",
        flag: "interval",
        variables: &["EVERBEAT_INTERVAL"],
        kind: Kind::Duration,
        default: Fallback::Fixed("30s"),
        help: "Time between heartbeats, and between looks at the delegations: 5s to 5m",
    },
    Setting {
        key: "cooldown",
        flag: "cooldown",
        variables: &["EVERBEAT_COOLDOWN"],
        kind: Kind::Duration,
        default: Fallback::Fixed("60s"),
        help: "Shortest time between two messages to the agent: 1s to 1h",
    },
    Setting {
        key: "deliver",
        flag: "deliver",
        variables: &["EVERBEAT_DELIVER"],
        kind: Kind::Choice(&["all", "awaited"]),
        default: Fallback::Fixed("all"),
        help: "Which finished delegations are delivered",
    },
    Setting {
        key: "announce",
        flag: "announce",
        variables: &["EVERBEAT_ANNOUNCE"],
        kind: Kind::Choice(&["summary", "ids"]),
        default: Fallback::Fixed("summary"),
        help: "What a message to the agent says of each result",
    },
    Setting {
        key: "notify",
        flag: "notify",
        variables: &["EVERBEAT_NOTIFY"],
        kind: Kind::Choice(&["all", "failures", "none"]),
        default: Fallback::Fixed("failures"),
        help: "Which results the user is told of",
    },
    Setting {
        key: "backlog",
        flag: "backlog",
        variables: &["EVERBEAT_BACKLOG"],
        kind: Kind::Choice(&["all", "none"]),
        default: Fallback::Fixed("all"),
        help: "Whether what had finished before the very first start is told",
    },
    Setting {
        key: "agent_url",
        flag: "agent-url",
        variables: &["EVERBEAT_AGENT_URL"],
        kind: Kind::Text,
        default: Fallback::Unset,
        help: "The agent's own address; with agent_card it allows to register",
    },
    Setting {
        key: "agent_card",
        flag: "agent-card",
        variables: &["EVERBEAT_AGENT_CARD"],
        kind: Kind::Path,
        default: Fallback::Unset,
        help: "A file with the agent's card: a JSON object of at most 64 KiB",
    },
    Setting {
        key: "org_id",
        flag: "org-id",
        variables: &["EVERBEAT_ORG_ID", "MOLECULE_ORG_ID", "MOLECULE_ORGANIZATION_ID"],
        kind: Kind::Text,
        default: Fallback::Unset,
        help: "The organisation, sent as X-Molecule-Org-Id together with Origin",
    },
    Setting {
        key: "self_messages_per_hour_max",
        flag: "self-messages-per-hour-max",
        variables: &["EVERBEAT_SELF_MESSAGES_PER_HOUR_MAX"],
        kind: Kind::Count,
        default: Fallback::Fixed("60"),
        help: "Messages to the agent in any hour, whatever happens: 1 to 3600",
    },
    Setting {
        key: "reannounce_after",
        flag: "reannounce-after",
        variables: &["EVERBEAT_REANNOUNCE_AFTER"],
        kind: Kind::Duration,
        default: Fallback::Fixed("5m"),
        help: "After a message that nobody answered: how long its results may lie untaken \
               before it goes out again: 1m to 1h",
    },
    Setting {
        key: "dev_timing",
        flag: "dev-timing",
        variables: &["EVERBEAT_DEV_TIMING"],
        kind: Kind::Switch,
        default: Fallback::Fixed("false"),
        help: "For tests: allows every duration above from 10ms",
    },
    Setting {
        key: "log",
        flag: "log",
        variables: &["EVERBEAT_LOG", "RUST_LOG"],
        kind: Kind::Filter,
        default: Fallback::Fixed("info"),
        help: "What is logged: error, warn, info, debug, trace or off, or a list like \
               warn,everbeat_tokio=debug",
    },
    Setting {
        key: "log_format",
        flag: "log-format",
        variables: &["EVERBEAT_LOG_FORMAT"],
        kind: Kind::Choice(&["text", "json"]),
        default: Fallback::Fixed("text"),
        help: "How it is logged, to standard error",
    },
];

/// Other variables of this name that mean something.
pub(crate) const OTHER_VARIABLES: [&str; 1] = [CONFIG_VARIABLE];
/// Where the file is, if no flag says so.
pub(crate) const CONFIG_VARIABLE: &str = "EVERBEAT_CONFIG";

impl Kind {
    /// Checks that `text` can be such a value.
    pub(crate) fn check(self, text: &str) -> Result<(), String> {
        let fits = match self {
            Self::Text => true,
            Self::Path => !text.is_empty(),
            Self::Duration => parse_duration(text).is_some(),
            Self::Count => text.parse::<u32>().is_ok(),
            Self::Switch => parse_switch(text).is_some(),
            Self::Filter => text.parse::<tracing_subscriber::filter::Targets>().is_ok(),
            Self::Address => text.parse::<SocketAddr>().is_ok(),
            Self::Choice(choices) => choices.contains(&text),
        };
        if fits { Ok(()) } else { Err(format!("{} is not {}", quoted(text), self.expected(text))) }
    }

    fn expected(self, text: &str) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Path => "a path".into(),
            Self::Duration => "a duration like 500ms, 30s, 5m or 1h".into(),
            Self::Count => "a whole number".into(),
            Self::Switch => "true or false".into(),
            Self::Filter => "a log filter like info or warn,everbeat_tokio=debug".into(),
            Self::Address => "an address with a port like 127.0.0.1:8765".into(),
            Self::Choice(choices) => {
                let hint = suggestion(text, choices.iter().copied());
                format!("one of {}{hint}", choices.join(", "))
            }
        }
    }
}

/// A whole number and a unit; `None` for anything else.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

pub(crate) fn parse_switch(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// `; did you mean …?` if one of `known` is near.
pub(crate) fn suggestion<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known
        .map(|name| (strsim::damerau_levenshtein(text, name), name))
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 4))
        .min();
    near.map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}

/// For a message: quoted, escaped, and cut.
pub(crate) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(100).collect();
    format!("{cut:?}")
}
