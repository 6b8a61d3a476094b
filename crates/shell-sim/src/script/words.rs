//! Commands and notices in short words.

use std::time::Duration;

use everbeat_core::{Action, Batch, JournalRecord, Notice, ResultKey};
use serde_json::Value;

use crate::world::notice_name;

/// A command in a line, perhaps with lines below it.
pub(super) fn action(action: &Action) -> Vec<String> {
    let (first, more) = match action {
        Action::PostHeartbeat(body) => {
            let mut text = format!("beat tasks={}", body.active_tasks);
            let mut add = |name: &str, value: &str| {
                if !value.is_empty() {
                    text += &format!(" {name}={value:?}");
                }
            };
            add("doing", &body.current_task);
            add("error", &body.sample_error);
            add("state", body.runtime_state.as_deref().unwrap_or_default());
            let metadata = body.runtime_metadata.as_ref();
            add("metadata", metadata.map_or("", |_| "of the adapter"));
            if body.error_rate > 0.0 {
                text += &format!(" error_rate={:.2}", body.error_rate);
            }
            if body.observed_generation > 0 {
                text += &format!(" generation={}", body.observed_generation);
            }
            (text, Vec::new())
        }
        Action::Register(_) => ("register".into(), Vec::new()),
        Action::FetchDelegations => ("poll".into(), Vec::new()),
        Action::FetchWorkspace { workspace_id } => (format!("look up {workspace_id}"), Vec::new()),
        Action::SendSelfMessage { message_id, text } => {
            (format!("self-message {message_id}"), text.lines().map(str::to_owned).collect())
        }
        Action::Notify { message } => {
            ("notify the user".into(), message.lines().map(str::to_owned).collect())
        }
        Action::OpenStore => ("open the store".into(), Vec::new()),
        Action::StoreBatch(Batch { batch, results, .. }) => (
            format!("store batch {batch}: {}", keys(results.iter().map(|have| &have.key))),
            Vec::new(),
        ),
        Action::PlaceBatch { batch } => (format!("place batch {batch}"), Vec::new()),
        Action::AppendJournal { records } => {
            (format!("journal: {}", all(records.iter().map(record))), Vec::new())
        }
        Action::CompactJournal { .. } => ("compact the journal".into(), Vec::new()),
        Action::ProbeResults => ("look at the results file".into(), Vec::new()),
        Action::ReloadToken => ("read the token again".into(), Vec::new()),
        Action::SaveToken(_) => ("save the new token".into(), Vec::new()),
        Action::SaveInboundSecret(_) => ("save the inbound secret".into(), Vec::new()),
        Action::Cancel { command } => (format!("give up on #{}", command.0), Vec::new()),
        Action::RebuildClient => ("make all connections anew".into(), Vec::new()),
    };
    let below = more.into_iter().map(|line| format!("  | {line}").trim_end().to_owned());
    std::iter::once(first).chain(below).collect()
}

/// The verb that answers a request in a case; empty for what is no request.
pub(super) const fn verb(action: &Action) -> &'static str {
    match action {
        Action::PostHeartbeat(_) => "beat",
        Action::Register(_) => "register",
        Action::FetchDelegations => "poll",
        Action::FetchWorkspace { .. } => "lookup",
        Action::SendSelfMessage { .. } => "message",
        Action::Notify { .. } => "notify",
        Action::ReloadToken => "token",
        Action::SaveToken(_) | Action::SaveInboundSecret(_) => "saved",
        Action::OpenStore
        | Action::StoreBatch(_)
        | Action::PlaceBatch { .. }
        | Action::AppendJournal { .. }
        | Action::CompactJournal { .. }
        | Action::ProbeResults => "store",
        Action::Cancel { .. } | Action::RebuildClient => "",
    }
}

fn record(record: &JournalRecord) -> String {
    match record {
        JournalRecord::Began => "began".into(),
        JournalRecord::Stored { batch, results, .. } => {
            format!("stored {batch} ({})", keys(results.iter().map(|have| &have.key)))
        }
        JournalRecord::Settled { keys: settled } => format!("settled ({})", keys(settled)),
        JournalRecord::Announcing { message_id, keys: named } => {
            format!("announcing {message_id} ({})", keys(named))
        }
        JournalRecord::Refused { message_id } => format!("refused {message_id}"),
        JournalRecord::Announced { message_id } => format!("announced {message_id}"),
        JournalRecord::Notified { keys: named } => format!("notified ({})", keys(named)),
        JournalRecord::Taken { through } => format!("taken through {through}"),
        JournalRecord::Forgotten => "forgotten".into(),
        JournalRecord::Awaited { delegation_id } => format!("awaits {delegation_id}"),
        JournalRecord::AwaitDropped { delegation_id } => format!("drops {delegation_id}"),
        JournalRecord::Snapshot(_) => "snapshot".into(),
    }
}

/// Up to three by name, more by their ends and number.
fn keys<'a>(keys: impl IntoIterator<Item = &'a ResultKey>) -> String {
    let name = |key: &ResultKey| format!("{} {}", key.delegation_id, key.status.as_str());
    let names: Vec<String> = keys.into_iter().map(name).collect();
    match names.as_slice() {
        [] => "none".into(),
        [first, _, _, .., last] => format!("{first} to {last}, {} in all", names.len()),
        few => few.join(", "),
    }
}

fn all(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// A notice: its severity, its name and its fields.
pub(super) fn notice(notice: &Notice) -> String {
    let value = serde_json::to_value(notice).unwrap_or_default();
    let fields = value.as_object().into_iter().flatten();
    let shown = fields.filter(|(name, _)| *name != "type").map(|(name, value)| match span(value) {
        Some(span) => format!(" {name}={}", seconds(span)),
        None => format!(" {name}={value}"),
    });
    let severity = format!("{:?}", notice.severity()).to_lowercase();
    format!("{severity}: {}{}", notice_name(notice), shown.collect::<String>())
}

/// A line for each member that says something, objects within objects with the
/// way to them.
pub(super) fn members(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let way = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match span(value) {
                    Some(span) => lines.push(format!("{way} = {}", seconds(span))),
                    None => members(&way, value, lines),
                }
            }
        }
        Value::Null => {}
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            lines.push(format!("{path} = {value}"));
        }
    }
}

/// A duration as it is serialised.
fn span(value: &Value) -> Option<Duration> {
    let (secs, nanos) = (value.get("secs")?.as_u64()?, value.get("nanos")?.as_u64()?);
    Some(Duration::new(secs, u32::try_from(nanos).ok()?))
}

/// Seconds with three places, as all times in a case.
pub(super) fn seconds(span: Duration) -> String {
    format!("{}.{:03}s", span.as_secs(), span.subsec_millis())
}
