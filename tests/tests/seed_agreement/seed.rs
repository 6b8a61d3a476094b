//! The seed's rules, restated (PROTOCOL 5, points 12 to 23): what it makes of
//! one list of delegations when nothing goes wrong.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// What the seed does with a list that it sees for the first time.
pub(crate) struct Seed {
    /// Lines of the results file, without their timestamps.
    pub(crate) lines: Vec<Value>,
    /// The message to itself.
    pub(crate) message: String,
    /// The notifications of the user.
    pub(crate) notifications: Vec<String>,
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

impl Seed {
    pub(crate) fn polls(rows: &[Value], own_id: &str, parent: &str) -> Self {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let mut seen = BTreeSet::new();
        let mut lines = Vec::new();
        for row in rows {
            let (id, status) = (text(row, "delegation_id"), text(row, "status"));
            if id.is_empty() || seen.contains(&id) {
                continue;
            }
            if !["completed", "failed"].contains(&status.as_str()) {
                continue;
            }
            seen.insert(id.clone());
            if text(row, "source_id") != own_id {
                continue;
            }
            lines.push(json!({
                "delegation_id": id,
                "target_id": text(row, "target_id"),
                "source_id": own_id,
                "status": status,
                "summary": text(row, "summary"),
                "response_preview": text(row, "response_preview"),
                "error": text(row, "error"),
            }));
        }
        let message = Self::message(&lines, parent);
        let notifications = lines.iter().map(Self::notification).collect();
        Self { lines, message, notifications }
    }

    fn message(lines: &[Value], parent: &str) -> String {
        let mut message =
            String::from("Delegation results are ready. Review them and take appropriate action:");
        for line in lines {
            let text = |name: &str| line[name].as_str().unwrap_or_default();
            let (id, summary) = (cut(text("delegation_id"), 8), cut(text("summary"), 80));
            message += &format!("\n- [{}] Delegation {id}: {summary}", text("status"));
            if !text("error").is_empty() {
                message += &format!("\n  Error: {}", cut(text("error"), 100));
            }
        }
        message
            + &match parent {
                "" => "\n\nReport results using send_message_to_user to notify the user.".into(),
                _ => format!(
                    "\n\nIMPORTANT: Report these results back to your parent '{parent}' by \
                     delegating a summary to them. Use delegate_task or delegate_task_async with \
                     a concise status report. Also use send_message_to_user to notify the user."
                ),
            }
    }

    fn notification(line: &Value) -> String {
        let text = |name: &str| line[name].as_str().unwrap_or_default();
        let mut told = format!("Delegation {}: {}", text("status"), cut(text("summary"), 100));
        if !text("response_preview").is_empty() {
            told += &format!("\nResult: {}", cut(text("response_preview"), 200));
        }
        told
    }
}
