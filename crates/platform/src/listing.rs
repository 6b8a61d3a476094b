//! `GET /workspaces/{id}/delegations`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::delegations::Delegation;
use crate::observe::Poll;
use crate::options::Version;
use crate::platform::{Platform, boundary_before};
use crate::request::{Answer, Request};
use crate::rows::Row;

/// Rows in a list; there is no second page.
const PAGE_ROWS: usize = 50;
/// Bytes of a result that a row shows.
const PREVIEW_BYTES: usize = 300;
/// Bytes of a task that a ledger row shows.
const TASK_BYTES: usize = 200;
/// A row's usual length.
const ROW_BYTES: usize = 512;
/// How long the ledger gives a delegation.
const LEDGER_DEADLINE_MS: i64 = 6 * 3_600_000;

/// A row as it is shown; what is empty or `None` is left out where Go says
/// `omitempty`.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(rename = "_ledger", skip_serializing_if = "Option::is_none")]
    ledger: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_heartbeat: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Timestamp>,
    source_id: &'a str,
    target_id: &'a str,
    summary: &'a str,
    status: &'a str,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "str::is_empty")]
    delegation_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    error: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    response_preview: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
}

/// A row that is listed; two kinds with who reads it.
enum ListedRow<'a> {
    Log(&'a Row),
    Folded(&'a Row, &'a str),
    Ledger(&'a Delegation, &'a str),
}

impl ListedRow<'_> {
    fn delegation_id(&self) -> &str {
        match self {
            Self::Log(row) | Self::Folded(row, _) => {
                row.delegation_id.as_deref().unwrap_or_default()
            }
            Self::Ledger(delegation, _) => &delegation.id,
        }
    }

    fn status(&self) -> &str {
        match self {
            Self::Log(row) | Self::Folded(row, _) => &row.status,
            Self::Ledger(delegation, _) => &delegation.status,
        }
    }
}

impl Serialize for ListedRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = match self {
            Self::Log(row) => log_row(row),
            Self::Folded(row, reader) => {
                let shown = log_row(row);
                Shown { direction: Some(direction(shown.source_id, reader)), ..shown }
            }
            Self::Ledger(delegation, reader) => ledger_row(delegation, reader),
        };
        shown.serialize(serializer)
    }
}

/// A list as it was last sent: it is not written again while nothing changes.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Whether it is the ledger's, and the versions of log and ledger.
    as_of: (bool, u64, u64),
    delegations: Arc<[String]>,
    statuses: Arc<[String]>,
    answer: Answer,
}

impl Platform {
    pub(crate) fn list_delegations(&mut self, id: &str, request: &Request) -> Answer {
        if let Err(refusal) = self.workspace_auth(id, request) {
            return refusal;
        }
        let as_of = (self.options.ledger, self.rows.version(), self.delegations.version());
        let known = self.workspaces.get(id).and_then(|workspace| workspace.listed.as_ref());
        let fresh = match known {
            Some(listed) if listed.as_of == as_of => None,
            Some(_) | None => {
                let rows = self.delegation_rows(id);
                let last = known.map(|listed| (&listed.delegations, &listed.statuses)).unzip();
                let bytes = known.map_or(0, |listed| listed.answer.body.len() + ROW_BYTES);
                Some(Listed {
                    as_of,
                    delegations: texts(last.0, rows.iter().map(ListedRow::delegation_id)),
                    statuses: texts(last.1, rows.iter().map(ListedRow::status)),
                    answer: Answer::json_sized(200, &rows, bytes),
                })
            }
        };
        let Some(workspace) = self.workspaces.get_mut(id) else {
            return fresh.map_or_else(|| Answer::json_of(200, &[(); 0]), |listed| listed.answer);
        };
        workspace.listed = fresh.or_else(|| workspace.listed.take());
        let Some(Listed { delegations, statuses, answer, .. }) = &workspace.listed else {
            return Answer::json_of(200, &[(); 0]);
        };
        let (delegations, statuses) = (Arc::clone(delegations), Arc::clone(statuses));
        workspace.polls.push(Poll { at: self.now, delegations, statuses });
        answer.clone()
    }

    /// The ledger if it is used and knows any; else the log.
    fn delegation_rows<'a>(&'a self, id: &'a str) -> Vec<ListedRow<'a>> {
        if self.options.ledger {
            let rows = self.ledger_rows(id);
            if !rows.is_empty() {
                return rows;
            }
        }
        match self.options.version {
            Version::Spring => {
                let own = self.rows.newest_first(id).filter(|row| row.is_delegation());
                own.take(PAGE_ROWS).map(ListedRow::Log).collect()
            }
            Version::Summer => self.folded_rows(id),
        }
    }

    /// The log of summer: rows of this workspace and rows that name it as
    /// their source, each with its direction.
    fn folded_rows<'a>(&'a self, id: &'a str) -> Vec<ListedRow<'a>> {
        let own = self.rows.newest_first(id).filter(|row| row.is_delegation()).take(PAGE_ROWS);
        let mut rows: Vec<&Row> = own.chain(self.rows.foreign_of(id)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.created.ms));
        rows.into_iter().take(PAGE_ROWS).map(|row| ListedRow::Folded(row, id)).collect()
    }

    fn ledger_rows<'a>(&'a self, id: &'a str) -> Vec<ListedRow<'a>> {
        let concerns = |have: &&Delegation| {
            have.source_id == id || have.target_id == id || have.workspace_id == id
        };
        let rows = self.delegations.newest_first().filter(concerns).take(PAGE_ROWS);
        rows.map(|delegation| ListedRow::Ledger(delegation, id)).collect()
    }
}

/// The texts of a column; those of the list before if they are the same.
fn texts<'a>(
    last: Option<&Arc<[String]>>,
    now: impl ExactSizeIterator<Item = &'a str> + Clone,
) -> Arc<[String]> {
    match last.filter(|last| last.iter().map(String::as_str).eq(now.clone())) {
        Some(last) => Arc::clone(last),
        None => now.map(str::to_owned).collect(),
    }
}

fn log_row(row: &Row) -> Shown<'_> {
    Shown {
        id: Some(&row.id),
        r#type: Some("delegation"),
        ledger: None,
        updated_at: None,
        last_heartbeat: None,
        deadline: None,
        source_id: row.source_id.as_deref().unwrap_or_default(),
        target_id: row.target_id.as_deref().unwrap_or_default(),
        summary: row.summary.as_deref().unwrap_or_default(),
        status: &row.status,
        created_at: row.created,
        delegation_id: row.delegation_id.as_deref().unwrap_or_default(),
        error: row.error.as_deref().unwrap_or_default(),
        response_preview: row.response_body.as_ref().map(preview).unwrap_or_default(),
        direction: None,
    }
}

fn ledger_row<'a>(delegation: &'a Delegation, reader: &str) -> Shown<'a> {
    let deadline_ms = delegation.created_ms.saturating_add(LEDGER_DEADLINE_MS);
    let updated = Timestamp::of(delegation.updated_ms);
    let task_bytes = boundary_before(&delegation.task, TASK_BYTES);
    Shown {
        id: None,
        r#type: None,
        ledger: Some(true),
        updated_at: Some(updated),
        last_heartbeat: Some(updated),
        deadline: Some(Timestamp::of(deadline_ms)),
        source_id: &delegation.source_id,
        target_id: &delegation.target_id,
        summary: &delegation.task[..task_bytes],
        status: &delegation.status,
        created_at: Timestamp::of(delegation.created_ms),
        delegation_id: &delegation.id,
        error: &delegation.error,
        response_preview: go_cut(&delegation.text, PREVIEW_BYTES),
        direction: Some(direction(&delegation.source_id, reader)),
    }
}

fn direction(source: &str, reader: &str) -> &'static str {
    if source == reader { "sent" } else { "received" }
}

/// The `text` of a response, or else all of it as JSON text.
fn preview(body: &Value) -> Cow<'_, str> {
    match body.get("text").and_then(Value::as_str) {
        Some(text) => go_cut(text, PREVIEW_BYTES),
        None => Cow::Owned(go_cut(&body.to_string(), PREVIEW_BYTES).into_owned()),
    }
}

/// A cut at a byte: what is left of a character becomes U+FFFD, one for each
/// byte, as Go's encoder writes it.
fn go_cut(text: &str, bytes: usize) -> Cow<'_, str> {
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    let boundary = boundary_before(text, bytes);
    let broken = "\u{fffd}".repeat(bytes - boundary);
    Cow::Owned([&text[..boundary], &broken, "..."].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
