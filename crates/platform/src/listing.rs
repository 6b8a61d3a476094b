//! `GET /workspaces/{id}/delegations`.

use serde_json::{Map, Value, json};

use crate::clock::rfc3339;
use crate::delegations::Delegation;
use crate::observe::Poll;
use crate::options::Version;
use crate::platform::{Platform, boundary_before, shortened};
use crate::request::{Answer, Request};
use crate::rows::Row;

/// Rows in a list; there is no second page.
const PAGE_ROWS: usize = 50;
/// Bytes of a result that a row shows.
const PREVIEW_BYTES: usize = 300;
/// Bytes of a task that a ledger row shows.
const TASK_BYTES: usize = 200;
/// How long the ledger gives a delegation.
const LEDGER_DEADLINE_MS: i64 = 6 * 3_600_000;

impl Platform {
    pub(crate) fn list_delegations(&mut self, id: &str, request: &Request) -> Answer {
        if let Err(refusal) = self.workspace_auth(id, request) {
            return refusal;
        }
        let rows = self.delegation_rows(id);
        let strings = |key: &str| -> Vec<String> {
            rows.iter().map(|row| row[key].as_str().unwrap_or_default().to_owned()).collect()
        };
        let (delegations, statuses) = (strings("delegation_id"), strings("status"));
        if let Some(workspace) = self.workspaces.get_mut(id) {
            workspace.polls.push(Poll { at: self.now, delegations, statuses });
        }
        Answer::json(200, &Value::Array(rows))
    }

    /// The ledger if it is used and knows any; else the log.
    fn delegation_rows(&self, id: &str) -> Vec<Value> {
        if self.options.ledger {
            let rows = self.ledger_rows(id);
            if !rows.is_empty() {
                return rows;
            }
        }
        match self.options.version {
            Version::Spring => {
                let own = self.rows.newest_first(id).filter(|row| row.is_delegation());
                own.take(PAGE_ROWS).map(log_row).collect()
            }
            Version::Summer => self.folded_rows(id),
        }
    }

    /// The log of summer: rows of this workspace and rows that name it as
    /// their source, each with its direction.
    fn folded_rows(&self, id: &str) -> Vec<Value> {
        let own = self.rows.newest_first(id).filter(|row| row.is_delegation()).take(PAGE_ROWS);
        let mut rows: Vec<&Row> = own.chain(self.rows.foreign_of(id)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.created_ms));
        let directed = |row: &&Row| {
            let mut shown = log_row(row);
            shown["direction"] = direction(row.source_id.as_deref() == Some(id));
            shown
        };
        rows.iter().take(PAGE_ROWS).map(directed).collect()
    }

    fn ledger_rows(&self, id: &str) -> Vec<Value> {
        let concerns = |have: &&Delegation| {
            have.source_id == id || have.target_id == id || have.workspace_id == id
        };
        let rows = self.delegations.newest_first().filter(concerns).take(PAGE_ROWS);
        rows.map(|delegation| ledger_row(delegation, id)).collect()
    }
}

/// A row of the log as it is shown.
fn log_row(row: &Row) -> Value {
    let mut shown = Map::new();
    shown.insert("id".into(), json!(row.id));
    shown.insert("type".into(), json!("delegation"));
    shown.insert("source_id".into(), json!(row.source_id.as_deref().unwrap_or_default()));
    shown.insert("target_id".into(), json!(row.target_id.as_deref().unwrap_or_default()));
    shown.insert("summary".into(), json!(row.summary.as_deref().unwrap_or_default()));
    shown.insert("status".into(), json!(row.status));
    shown.insert("created_at".into(), json!(rfc3339(row.created_ms)));
    let preview = row.response_body.as_ref().map(preview).unwrap_or_default();
    let optional = [
        ("delegation_id", row.delegation_id.clone().unwrap_or_default()),
        ("error", row.error.clone().unwrap_or_default()),
        ("response_preview", preview),
    ];
    insert_present(&mut shown, optional);
    Value::Object(shown)
}

fn ledger_row(delegation: &Delegation, reader: &str) -> Value {
    let mut shown = Map::new();
    shown.insert("delegation_id".into(), json!(delegation.id));
    shown.insert("source_id".into(), json!(delegation.source_id));
    shown.insert("target_id".into(), json!(delegation.target_id));
    shown.insert("summary".into(), json!(shortened(&delegation.task, TASK_BYTES)));
    shown.insert("status".into(), json!(delegation.status));
    shown.insert("created_at".into(), json!(rfc3339(delegation.created_ms)));
    shown.insert("updated_at".into(), json!(rfc3339(delegation.updated_ms)));
    shown.insert("last_heartbeat".into(), json!(rfc3339(delegation.updated_ms)));
    let deadline_ms = delegation.created_ms.saturating_add(LEDGER_DEADLINE_MS);
    shown.insert("deadline".into(), json!(rfc3339(deadline_ms)));
    shown.insert("direction".into(), direction(delegation.source_id == reader));
    shown.insert("_ledger".into(), json!(true));
    let preview = go_cut(&delegation.text, PREVIEW_BYTES);
    insert_present(
        &mut shown,
        [("error", delegation.error.clone()), ("response_preview", preview)],
    );
    Value::Object(shown)
}

fn direction(sent: bool) -> Value {
    json!(if sent { "sent" } else { "received" })
}

/// Go's `omitempty`.
fn insert_present<const N: usize>(shown: &mut Map<String, Value>, fields: [(&str, String); N]) {
    for (key, text) in fields {
        if !text.is_empty() {
            shown.insert(key.into(), text.into());
        }
    }
}

/// The `text` of a response, or else all of it as JSON text.
fn preview(body: &Value) -> String {
    match body.get("text").and_then(Value::as_str) {
        Some(text) => go_cut(text, PREVIEW_BYTES),
        None => go_cut(&body.to_string(), PREVIEW_BYTES),
    }
}

/// A cut at a byte: what is left of a character becomes U+FFFD, one for each
/// byte, as Go's encoder writes it.
fn go_cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let boundary = boundary_before(text, bytes);
    let broken = "\u{fffd}".repeat(bytes - boundary);
    format!("{}{broken}...", &text[..boundary])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_cut_at_a_byte() {
        // PROTOCOL 1.3
        assert_eq!(go_cut(&"x".repeat(300), 300), "x".repeat(300));
        assert_eq!(go_cut(&"x".repeat(301), 300), "x".repeat(300) + "...");
        let clef = "x".repeat(297) + "\u{1d11e}";
        assert_eq!(go_cut(&clef, 300), "x".repeat(297) + "\u{fffd}\u{fffd}\u{fffd}...");
    }

    #[test]
    fn a_preview_without_text_is_the_whole_body() {
        // PROTOCOL 1.3
        assert_eq!(preview(&json!({"a": 1})), r#"{"a":1}"#);
        assert_eq!(preview(&json!({"text": "t", "a": 1})), "t");
    }
}
