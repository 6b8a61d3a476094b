//! `GET /workspaces/{id}/delegations`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
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
/// How long the ledger gives a delegation.
const LEDGER_DEADLINE_MS: i64 = 6 * 3_600_000;

/// A row as it is shown; what is empty or `None` is left out where Go says
/// `omitempty`.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    kind: Kind<'a>,
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

/// A list as it was last sent: it is not written again while nothing changes.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Whether it is the ledger's, and the versions of log and ledger.
    as_of: (bool, u64, u64),
    delegations: Arc<[String]>,
    statuses: Arc<[String]>,
    answer: Answer,
}

/// Where a row comes from, and what it has for that.
#[derive(Serialize)]
#[serde(untagged)]
enum Kind<'a> {
    Log { id: &'a str, r#type: &'static str },
    Ledger { _ledger: bool, updated_at: Timestamp, last_heartbeat: Timestamp, deadline: Timestamp },
}

impl Platform {
    pub(crate) fn list_delegations(&mut self, id: &str, request: &Request) -> Answer {
        if let Err(refusal) = self.workspace_auth(id, request) {
            return refusal;
        }
        let as_of = (self.options.ledger, self.rows.version(), self.delegations.version());
        let known = self.workspaces.get(id).and_then(|workspace| workspace.listed.as_ref());
        let fresh = match known.filter(|listed| listed.as_of == as_of) {
            Some(_) => None,
            None => {
                let rows = self.delegation_rows(id);
                Some(Listed {
                    as_of,
                    delegations: rows.iter().map(|row| row.delegation_id.into()).collect(),
                    statuses: rows.iter().map(|row| row.status.into()).collect(),
                    answer: Answer::json_of(200, &rows),
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
    fn delegation_rows<'a>(&'a self, id: &'a str) -> Vec<Shown<'a>> {
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
    fn folded_rows<'a>(&'a self, id: &'a str) -> Vec<Shown<'a>> {
        let own = self.rows.newest_first(id).filter(|row| row.is_delegation()).take(PAGE_ROWS);
        let mut rows: Vec<&Row> = own.chain(self.rows.foreign_of(id)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.created_ms));
        let directed = |row| {
            let shown = log_row(row);
            Shown { direction: Some(direction(shown.source_id, id)), ..shown }
        };
        rows.into_iter().take(PAGE_ROWS).map(directed).collect()
    }

    fn ledger_rows<'a>(&'a self, id: &'a str) -> Vec<Shown<'a>> {
        let concerns = |have: &&Delegation| {
            have.source_id == id || have.target_id == id || have.workspace_id == id
        };
        let rows = self.delegations.newest_first().filter(concerns).take(PAGE_ROWS);
        rows.map(|delegation| ledger_row(delegation, id)).collect()
    }
}

fn log_row(row: &Row) -> Shown<'_> {
    Shown {
        kind: Kind::Log { id: &row.id, r#type: "delegation" },
        source_id: row.source_id.as_deref().unwrap_or_default(),
        target_id: row.target_id.as_deref().unwrap_or_default(),
        summary: row.summary.as_deref().unwrap_or_default(),
        status: &row.status,
        created_at: Timestamp(row.created_ms),
        delegation_id: row.delegation_id.as_deref().unwrap_or_default(),
        error: row.error.as_deref().unwrap_or_default(),
        response_preview: row.response_body.as_ref().map(preview).unwrap_or_default(),
        direction: None,
    }
}

fn ledger_row<'a>(delegation: &'a Delegation, reader: &str) -> Shown<'a> {
    let deadline_ms = delegation.created_ms.saturating_add(LEDGER_DEADLINE_MS);
    let task_bytes = boundary_before(&delegation.task, TASK_BYTES);
    Shown {
        kind: Kind::Ledger {
            _ledger: true,
            updated_at: Timestamp(delegation.updated_ms),
            last_heartbeat: Timestamp(delegation.updated_ms),
            deadline: Timestamp(deadline_ms),
        },
        source_id: &delegation.source_id,
        target_id: &delegation.target_id,
        summary: &delegation.task[..task_bytes],
        status: &delegation.status,
        created_at: Timestamp(delegation.created_ms),
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
