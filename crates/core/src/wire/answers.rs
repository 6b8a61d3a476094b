//! What the platform answers, endpoint by endpoint, read with tolerance: a
//! member that is absent or of another type is a member that was not sent.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::is_safe_id;
use crate::planted::{self, Fault};
use crate::secret::Secret;
use crate::text;

/// `200` of `POST /registry/heartbeat`.
#[derive(Debug, Default)]
pub(crate) struct HeartbeatAnswer {
    pub(crate) generation: Option<u64>,
    pub(crate) inbound_secret: Option<Secret>,
}

impl HeartbeatAnswer {
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self::parse_usual(body).unwrap_or_else(|| Self::parse_any(body))
    }

    /// Most answers, read in one go.
    fn parse_usual(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Usual<'a> {
            generation: Option<u64>,
            #[serde(borrow)]
            platform_inbound_secret: Option<Cow<'a, str>>,
        }
        // Serde would take a list for a struct.
        body.strip_prefix(b"{")?;
        let usual: Usual<'_> = serde_json::from_slice(body).ok()?;
        Some(Self {
            generation: usual.generation,
            inbound_secret: usual.platform_inbound_secret.as_deref().and_then(Secret::new),
        })
    }

    fn parse_any(body: &[u8]) -> Self {
        let members = object(body).unwrap_or_default();
        Self {
            generation: members.get("generation").and_then(Value::as_u64),
            inbound_secret: secret(&members, "platform_inbound_secret"),
        }
    }
}

/// `200` of `POST /registry/register`.
#[derive(Debug, Default)]
pub(crate) struct RegisterAnswer {
    pub(crate) auth_token: Option<Secret>,
    pub(crate) inbound_secret: Option<Secret>,
}

impl RegisterAnswer {
    pub(crate) fn parse(body: &[u8]) -> Self {
        let members = object(body).unwrap_or_default();
        Self {
            auth_token: secret(&members, "auth_token"),
            inbound_secret: secret(&members, "platform_inbound_secret"),
        }
    }
}

/// `200` of `GET /workspaces/{id}`.
#[derive(Debug, Default)]
pub(crate) struct WorkspaceAnswer {
    /// Safe in a path; anything else counts as no parent.
    pub(crate) parent_id: Option<String>,
    pub(crate) name: Option<String>,
}

impl WorkspaceAnswer {
    /// `None` if the body is no JSON object.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let members = object(body)?;
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(String::from);
        Some(Self { parent_id: text("parent_id").filter(|id| is_safe_id(id)), name: text("name") })
    }
}

/// What an answer of `POST /workspaces/{id}/a2a` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SelfMessageAnswer {
    /// The agent has it, or the platform's queue has.
    Accepted,
    /// The agent did not get it.
    Refused { cause: String, retry_after_s: Option<u64> },
    /// Something failed behind the platform, perhaps after the agent had read
    /// its results.
    Doubtful { cause: String },
    /// It may have arrived.
    Unknown,
}

/// Reads an answer to a self-message.
///
/// A gateway's own time-out (408, 504, 524) says no more than the core's: the
/// platform behind it goes on. A JSON-RPC error is the agent's, so it was
/// woken. Of the other errors above 500 the platform explains a 503 and a 502
/// in its own words; one without them tells nothing of how far it came.
pub(crate) fn classify_self_message(status: u16, body: &[u8]) -> SelfMessageAnswer {
    let explained = object(body);
    let is_explained = explained.is_some();
    let members = explained.unwrap_or_default();
    match status {
        _ if is_success(status) || planted::active(Fault::AnyAnswerCounts) => {
            match members.get("error") {
                None | Some(Value::Null) => SelfMessageAnswer::Accepted,
                Some(_error) => {
                    SelfMessageAnswer::Doubtful { cause: "a JSON-RPC error of the agent".into() }
                }
            }
        }
        502 if members.get("delivery_confirmed") == Some(&Value::Bool(true)) => {
            SelfMessageAnswer::Accepted
        }
        408 | 504 | 524 => SelfMessageAnswer::Unknown,
        503 => SelfMessageAnswer::Refused {
            cause: error_text(status, body),
            retry_after_s: members.get("retry_after").and_then(Value::as_u64),
        },
        500..=599 if !(status == 502 && is_explained) => {
            SelfMessageAnswer::Doubtful { cause: error_text(status, body) }
        }
        _ => SelfMessageAnswer::Refused {
            cause: error_text(status, body),
            retry_after_s: members.get("retry_after").and_then(Value::as_u64),
        },
    }
}

/// A line on a refusal: the status and the platform's own short `error`.
///
/// A word longer than 20 characters is left out of it: an answer could repeat
/// the credential that it refuses.
pub(crate) fn error_text(status: u16, body: &[u8]) -> String {
    let members = object(body).unwrap_or_default();
    let error = members.get("error").and_then(Value::as_str).unwrap_or_default();
    let shown = |word: &str| if word.len() > 20 { "…".into() } else { String::from(word) };
    let words: Vec<String> = text::one_line(error).split(' ').map(shown).collect();
    let words = text::cut_chars(&words.join(" "), 120);
    if words.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {words}") }
}

/// Only these mean that the platform did what it was asked.
pub(crate) const fn is_success(status: u16) -> bool {
    status >= 200 && status < 300
}

fn object(body: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(body).ok()
}

fn secret(members: &Map<String, Value>, name: &str) -> Option<Secret> {
    members.get(name).and_then(Value::as_str).and_then(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROTOCOL 1.5: every answer of the endpoint.
    #[test]
    fn self_message_answers() {
        use SelfMessageAnswer::{Accepted, Doubtful, Unknown};
        let busy = br#"{"busy":true,"retry_after":30}"#;
        assert_eq!(classify_self_message(200, b"{}"), Accepted);
        assert_eq!(classify_self_message(200, b"no json"), Accepted);
        assert_eq!(classify_self_message(202, br#"{"queued":true}"#), Accepted);
        assert_eq!(classify_self_message(502, br#"{"delivery_confirmed":true}"#), Accepted);
        assert_eq!(classify_self_message(504, b""), Unknown);
        let refused = |status, body: &[u8]| match classify_self_message(status, body) {
            SelfMessageAnswer::Refused { retry_after_s, .. } => retry_after_s,
            Accepted | Doubtful { .. } | Unknown => panic!("{status} is not refused"),
        };
        assert_eq!(refused(503, busy), Some(30));
        let is_doubtful =
            |status, body: &[u8]| matches!(classify_self_message(status, body), Doubtful { .. });
        assert!(is_doubtful(200, br#"{"error":{"code":-1}}"#));
        assert!(is_doubtful(500, b"{}") && is_doubtful(502, b"<html>"));
        assert_eq!(refused(502, br#"{"delivery_confirmed":false}"#), None);
        assert_eq!(refused(401, b""), None);
    }

    #[test]
    fn an_error_does_not_repeat_a_credential() {
        let body = br#"{"error":"bad token\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
        assert_eq!(error_text(401, body), "HTTP 401: bad token …");
        assert_eq!(error_text(500, b"<html>"), "HTTP 500");
    }

    #[test]
    fn members_of_another_type_are_absent() {
        let beat = HeartbeatAnswer::parse(br#"{"generation":true,"platform_inbound_secret":1}"#);
        assert!(beat.generation.is_none() && beat.inbound_secret.is_none());
        let beat = HeartbeatAnswer::parse(br#" {"generation":1,"generation":-1,"x":[{}]}"#);
        assert!(beat.generation.is_none(), "of two members the later one counts");
        let list = HeartbeatAnswer::parse(br#"[7,"secret"]"#);
        assert!(list.generation.is_none() && list.inbound_secret.is_none());
        let own = WorkspaceAnswer::parse(br#"{"parent_id":"../x","name":null}"#).unwrap();
        assert!(own.parent_id.is_none() && own.name.is_none());
        assert!(WorkspaceAnswer::parse(b"[]").is_none());
    }
}
