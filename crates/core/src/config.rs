//! The configuration: plain values, validated once.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::ops::Deref;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits;

/// Which finished delegations are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deliver {
    /// Every one of this workspace.
    #[default]
    All,
    /// Those that the agent said it waits for.
    Awaited,
}

/// What a self-message says of each result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Announce {
    /// Status, short id, and the peer's summary and error, cut and quoted.
    #[default]
    Summary,
    /// Status and short id: none of a peer's words.
    Ids,
}

/// Which results the user is notified of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    /// Every result.
    All,
    /// Failed ones.
    #[default]
    Failures,
    /// None.
    None,
}

/// What to do with the finished delegations that the first poll of an empty
/// journal lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backlog {
    /// Tell them.
    #[default]
    All,
    /// Settle them silently (a workspace that moves over from another loop).
    None,
}

/// Everything that can be set. [`Config::new`] fills in the defaults;
/// [`Config::validate`] turns it into what a machine accepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// 1 to 128 of `A-Z a-z 0-9 - _`, the first one a letter or digit.
    pub workspace_id: String,
    /// `http://` or `https://`, host, optional port and path; no
    /// credentials, query or fragment. Trailing slashes are ignored.
    pub platform_url: String,
    /// Sent as `X-Molecule-Org-Id`, with `Origin`: 1 to 128 visible ASCII.
    pub org_id: Option<String>,
    /// Time between beats and between polls: 5 s to 300 s.
    pub interval: Duration,
    /// Shortest time between two self-messages: 1 s to 3600 s.
    pub cooldown: Duration,
    /// Which finished delegations are delivered.
    pub deliver: Deliver,
    /// What a self-message says of each result.
    pub announce: Announce,
    /// Which results the user is notified of.
    pub notify: Notify,
    /// What happens to what was finished before the first run.
    pub backlog: Backlog,
    /// The agent's own address; with the card it allows to register.
    pub agent_url: Option<String>,
    /// The agent's card, any JSON object up to 64 KiB.
    pub agent_card: Option<Arc<Value>>,
    /// Self-messages in any hour, whatever happens: 1 to 3600.
    pub self_messages_per_hour_max: u32,
    /// How long announced results may lie untaken, after a self-message that
    /// nobody answered, before they are announced again: 60 s to 3600 s. The
    /// next tries wait twice and then always four times as long.
    pub reannounce_after: Duration,
    /// Lifts the lower bounds of `interval`, `cooldown` and
    /// `reannounce_after` to 10 ms, and the upper one of
    /// `self_messages_per_hour_max`. For tests.
    pub dev_timing: bool,
}

/// What of a [`Config`] a running machine can take anew: see
/// [`Event::Retune`](crate::Event::Retune). Bounds are those of the fields of
/// the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// See [`Config::cooldown`]. A wait that has begun is not shortened.
    pub cooldown: Duration,
    /// See [`Config::announce`].
    pub announce: Announce,
    /// See [`Config::notify`]. What waits to be told already is told.
    pub notify: Notify,
    /// See [`Config::self_messages_per_hour_max`].
    pub self_messages_per_hour_max: u32,
    /// See [`Config::reannounce_after`]. A wait that has begun stays as long
    /// as it is.
    pub reannounce_after: Duration,
}

/// A configuration value that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {value} is not allowed: {allowed}")]
pub struct ConfigError {
    /// The field's name in [`Config`].
    pub field: &'static str,
    /// The refused value, quoted and cut for display.
    pub value: String,
    /// What would be allowed.
    pub allowed: String,
}

impl Config {
    /// The defaults for one workspace.
    #[must_use]
    pub fn new(workspace_id: &str, platform_url: &str) -> Self {
        Self {
            workspace_id: workspace_id.to_string(),
            platform_url: platform_url.to_string(),
            org_id: None,
            interval: Duration::from_secs(30),
            cooldown: Duration::from_secs(60),
            deliver: Deliver::default(),
            announce: Announce::default(),
            notify: Notify::default(),
            backlog: Backlog::default(),
            agent_url: None,
            agent_card: None,
            self_messages_per_hour_max: 60,
            reannounce_after: Duration::from_secs(300),
            dev_timing: false,
        }
    }

    /// What of it a running machine can take anew.
    #[must_use]
    pub const fn tuning(&self) -> Tuning {
        Tuning {
            cooldown: self.cooldown,
            announce: self.announce,
            notify: self.notify,
            self_messages_per_hour_max: self.self_messages_per_hour_max,
            reannounce_after: self.reannounce_after,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not allowed, with its value and the range.
    pub fn validate(mut self) -> Result<ValidConfig, ConfigError> {
        check_id("workspace_id", &self.workspace_id)?;
        self.platform_url = self.platform_url.trim_end_matches('/').to_string();
        check_url("platform_url", &self.platform_url)?;
        if let Some(org_id) = &self.org_id {
            check_org_id(org_id)?;
        }
        if let Some(url) = &self.agent_url {
            check_url("agent_url", url)?;
        }
        if let Some(card) = &self.agent_card {
            check_card(card)?;
        }
        let dev = |production: u64| if self.dev_timing { 10 } else { production };
        check_duration("interval", self.interval, dev(5_000), 300_000)?;
        check_duration("cooldown", self.cooldown, dev(1_000), 3_600_000)?;
        check_duration("reannounce_after", self.reannounce_after, dev(60_000), 3_600_000)?;
        let most = if self.dev_timing { u32::MAX } else { 3_600 };
        if !(1..=most).contains(&self.self_messages_per_hour_max) {
            return Err(ConfigError {
                field: "self_messages_per_hour_max",
                value: self.self_messages_per_hour_max.to_string(),
                allowed: format!("1 to {most}"),
            });
        }
        Ok(ValidConfig(self))
    }
}

/// A [`Config`] whose every field was checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ValidConfig(Config);

impl Deref for ValidConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

impl ValidConfig {
    /// The same with another tuning.
    ///
    /// # Errors
    /// The first field of `tuning` that is not allowed.
    pub fn tuned(&self, tuning: Tuning) -> Result<Self, ConfigError> {
        let Tuning { cooldown, announce, notify, self_messages_per_hour_max, reannounce_after } =
            tuning;
        let config = Config {
            cooldown,
            announce,
            notify,
            self_messages_per_hour_max,
            reannounce_after,
            ..self.0.clone()
        };
        config.validate()
    }

    /// Whether registering is possible: address and card are both known.
    #[must_use]
    pub fn can_register(&self) -> bool {
        self.agent_url.is_some() && self.agent_card.is_some()
    }

    /// The deadline of a short request: 10 s, always under the interval.
    #[must_use]
    pub fn request_deadline(&self) -> Duration {
        limits::REQUEST_DEADLINE.min(crate::time::scale(self.interval, 2, 3))
    }
}

/// Whether `id` can stand in a URL's path, a header and a file's name as is.
#[must_use]
pub fn is_safe_id(id: &str) -> bool {
    let head = id.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    let rest = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    head && rest && id.len() <= 128
}

fn check_id(field: &'static str, id: &str) -> Result<(), ConfigError> {
    if is_safe_id(id) {
        return Ok(());
    }
    let allowed = "1 to 128 letters, digits, `-` and `_`, the first one a letter or digit";
    Err(ConfigError { field, value: shown(id), allowed: allowed.to_string() })
}

fn check_org_id(id: &str) -> Result<(), ConfigError> {
    let fits = !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(());
    }
    let allowed = "1 to 128 visible ASCII characters".to_string();
    Err(ConfigError { field: "org_id", value: shown(id), allowed })
}

fn check_url(field: &'static str, url: &str) -> Result<(), ConfigError> {
    // A refused address may hold a password: what is shown ends before it.
    let refused = |allowed: &str| {
        let head = if url.contains('@') { "an address with credentials" } else { url };
        Err(ConfigError { field, value: shown(head), allowed: allowed.to_string() })
    };
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let rest = if lower.starts_with("https://") {
        &url[8..]
    } else if lower.starts_with("http://") {
        &url[7..]
    } else {
        return refused("an address that starts with http:// or https://");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if url.contains('@') {
        return refused("an address without user name and password");
    }
    if url.contains(['?', '#', '\\']) || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refused("visible ASCII without `?`, `#` and `\\`");
    }
    if rest.split('/').any(|part| part == "." || part == "..") {
        return refused("a path without `.` and `..`");
    }
    if !is_authority(authority) {
        return refused("a host name or address, and a port from 1 to 65535 if any");
    }
    Ok(())
}

fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_v6 = authority.starts_with('[');
    let in_host = |byte: u8| {
        if is_v6 {
            byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
        } else {
            byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
        }
    };
    let port_fits = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    !host.is_empty() && host.len() <= 253 && host.bytes().all(in_host) && port_fits
}

fn check_card(card: &Value) -> Result<(), ConfigError> {
    let bytes = serde_json::to_string(card).map_or(usize::MAX, |text| text.len());
    let value = if card.is_object() { format!("{bytes} bytes") } else { "not an object".into() };
    if card.is_object() && bytes <= limits::AGENT_CARD_BYTES_MAX {
        return Ok(());
    }
    let allowed = format!("a JSON object of at most {} bytes", limits::AGENT_CARD_BYTES_MAX);
    Err(ConfigError { field: "agent_card", value, allowed })
}

fn check_duration(
    field: &'static str,
    value: Duration,
    least_ms: u64,
    most_ms: u64,
) -> Result<(), ConfigError> {
    if (Duration::from_millis(least_ms)..=Duration::from_millis(most_ms)).contains(&value) {
        return Ok(());
    }
    let allowed =
        format!("{:?} to {:?}", Duration::from_millis(least_ms), Duration::from_millis(most_ms));
    Err(ConfigError { field, value: format!("{value:?}"), allowed })
}

/// `text` quoted, without control characters, at most 100 characters of it.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(100).collect();
    format!("{cut:?}")
}
