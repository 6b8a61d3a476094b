//! Everything that somebody who helps wants to see, in one file: no secret,
//! readable by its owner only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use everbeat_core::Secret;
use everbeat_store::{Disk, DiskErrorKind, read_secret};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::disk;
use super::socket::Asked;
use crate::RealDisk;
use crate::cli::{config_show, status};
use crate::control::client::ControlClient;
use crate::settings::TOKEN_VARIABLE;
use crate::settings::layers::{Effective, Sources};

/// What the agent remembers comes at once.
const RING_SILENCE: Duration = Duration::from_millis(500);
const EVENTS_MAX: usize = 1_024;

/// Writes a new file; one that stands there is left alone.
///
/// # Errors
/// A few words on what cannot be done.
pub(super) async fn write(
    path: &Path,
    sources: &Sources,
    doctor: Value,
    asked: Asked,
) -> Result<(), String> {
    let effective = Effective::read(sources);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let events = match &asked.client {
        Some(client) => events(client, status::newest_id(&asked.status)).await,
        None => Vec::new(),
    };
    let bundle = json!({
        "schema_version": 1,
        "made_at": crate::telemetry::stamp::rfc3339(crate::clock::wall()),
        "version": env!("CARGO_PKG_VERSION"),
        "system": {
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "kernel": kernel.trim(),
            "in_docker": sources.in_docker,
        },
        "config": config_show::shown(sources, &effective),
        "config_problems": effective.problems,
        "doctor": doctor,
        "status": asked.status,
        "events": events,
    });
    let text = redacted(format!("{bundle:#}\n"), &secrets(sources, &effective).await);
    let mut file = RealDisk.create(path).map_err(|error| {
        let stands = error.kind == DiskErrorKind::Exists;
        if stands { "it stands there already; name another file".into() } else { error.reason }
    })?;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let written = RealDisk.write(&mut file, rest).map_err(|error| error.reason)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// What the agent remembers up to the newest, oldest first.
async fn events(client: &ControlClient, newest: u64) -> Vec<Value> {
    let mut events = Vec::new();
    let Ok(mut following) = client.follow("/v1/events", Some("0")).await else { return events };
    while let Ok(Ok(Some(event))) = timeout(RING_SILENCE, following.next()).await {
        let is_newest = event.id.parse::<u64>().is_ok_and(|id| id >= newest);
        let data = serde_json::from_str(&event.data).unwrap_or(Value::String(event.data));
        events.push(json!({"id": event.id, "event": event.kind, "data": data}));
        if is_newest || events.len() >= EVENTS_MAX {
            break;
        }
    }
    events
}

/// All that this machine knows of: nothing in the bundle should hold one, and
/// so nothing is lost by looking for them.
async fn secrets(sources: &Sources, effective: &Effective) -> Vec<Secret> {
    let configs_dir = PathBuf::from(effective.text("configs_dir").unwrap_or_default());
    let own = [".auth_token", ".platform_inbound_secret"].map(|name| configs_dir.join(name));
    let mut files = own.to_vec();
    files.extend(effective.text("control_token_file").map(PathBuf::from));
    let in_files = disk::look("secrets", &configs_dir, move || {
        let in_file = |file: &PathBuf| read_secret(&RealDisk, file).ok().flatten();
        files.iter().filter_map(in_file).collect::<Vec<_>>()
    });
    let in_files = in_files.await.map(|(found, _)| found).unwrap_or_default();
    let variable = sources.environment.get(TOKEN_VARIABLE).and_then(|value| value.to_str());
    let in_environment = variable.and_then(|text| Secret::new(text.trim()));
    in_files.into_iter().chain(in_environment).collect()
}

fn redacted(mut text: String, secrets: &[Secret]) -> String {
    for secret in secrets {
        text = text.replace(secret.expose(), "[redacted]");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_slipped_in_is_taken_out() {
        let secret = Secret::new("tok-very-secret").unwrap();
        let text = redacted("a tok-very-secret b".into(), &[secret]);
        assert_eq!(text, "a [redacted] b");
    }
}
