//! What the administrator did, over HTTP.

use std::fmt;

use everbeat_platform::{Answer, Request};
use serde_json::Value;

/// A request under `/admin` that was carried out and may have changed
/// something.
#[derive(Clone)]
pub(crate) struct Act {
    /// Of its path, after `/admin`, decoded.
    segments: Vec<String>,
    /// Of the request.
    pub(crate) body: Value,
    /// Of the answer; it may hold a token.
    pub(crate) answer: Value,
}

/// Without bodies: a token may stand there.
impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Act").field("segments", &self.segments).finish_non_exhaustive()
    }
}

impl Act {
    /// `None` for what changes nothing.
    pub(super) fn of(request: &Request, answer: &Answer) -> Option<Self> {
        let path = request.path.strip_prefix("/admin/")?;
        if request.method == "GET" || answer.status >= 300 {
            return None;
        }
        let parsed = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_default();
        let segments = std::iter::once(request.method.clone().into_owned())
            .chain(path.split('/').map(decoded));
        Some(Self {
            segments: segments.collect(),
            body: parsed(&request.body),
            answer: parsed(&answer.body),
        })
    }

    /// The method, and the segments after `/admin`, decoded.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// About which workspace, and in words.
    pub(super) fn words(&self) -> (String, String) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        let (workspace, words) = match self.segments().as_slice() {
            ["POST", "workspaces"] => {
                (self.answer["id"].as_str().unwrap_or_default(), "made the workspace".into())
            }
            ["POST", "workspaces", id, "rotate-token"] => {
                (*id, "replaced the token; the old one is dead".into())
            }
            ["POST", "workspaces", id, "revoke-tokens"] => (*id, "revoked all tokens".into()),
            ["POST", "workspaces", id, "rotate-inbound-secret"] => {
                (*id, "replaced the inbound secret".into())
            }
            ["POST", "workspaces", id, "status"] => {
                (*id, format!("set the status to {}", text("status")))
            }
            ["POST", "workspaces", id, verb] => (*id, format!("changed its {verb}")),
            ["DELETE", "workspaces", id, "faults"] => (*id, "mended the network".into()),
            ["POST", "delegations"] => {
                let id = self.answer["delegation_id"].as_str().unwrap_or_default();
                (text("workspace"), format!("delegated {id} to {}", text("target")))
            }
            ["POST", "delegations", id, "finish"] => {
                ("", format!("finished {id}: {}", text("status")))
            }
            ["POST", "outage"] => match self.body["ms"].as_u64() {
                Some(0) | None => ("", "gave the platform back".into()),
                Some(ms) => ("", format!("took the platform away for {} s", ms.div_ceil(1_000))),
            },
            ["POST", "faults"] => {
                let kind = self.body["effect"]["kind"].as_str().unwrap_or_default();
                (text("workspace"), format!("broke the network: {kind}"))
            }
            ["DELETE", "faults", ..] => ("", "took faults away".into()),
            segments => ("", segments.join(" ")),
        };
        (workspace.into(), words)
    }
}

/// Percent-decoded; what is none stays as it is.
fn decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = segment.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn act(method: &str, path: &str, body: &Value, answer: &Value) -> Option<Act> {
        let request = Request {
            method: method.to_owned().into(),
            path: path.into(),
            body: body.to_string().into_bytes(),
            ..Request::default()
        };
        Act::of(&request, &Answer::json(200, answer))
    }

    #[test]
    fn an_act_is_told_without_its_token() {
        let told = act(
            "POST",
            "/admin/workspaces/a%2Fb%20%C3%BC%zz/rotate-token",
            &Value::Null,
            &json!({"token": "secret-1"}),
        );
        let told = told.unwrap();
        assert_eq!(told.words().0, "a/b ü%zz");
        assert!(!format!("{told:?}{:?}", told.words()).contains("secret-1"));
    }

    #[test]
    fn what_changes_nothing_is_none() {
        assert!(act("GET", "/admin/state", &Value::Null, &Value::Null).is_none());
        assert!(act("POST", "/registry/heartbeat", &Value::Null, &Value::Null).is_none());
        let request =
            Request { method: "POST".into(), path: "/admin/x".into(), ..Request::default() };
        assert!(Act::of(&request, &Answer::error(404, "no")).is_none());
    }

    #[test]
    fn an_outage_has_a_length_or_an_end() {
        let words = |ms: u64| {
            act("POST", "/admin/outage", &json!({"ms": ms}), &Value::Null).unwrap().words().1
        };
        assert_eq!(words(4_500), "took the platform away for 5 s");
        assert_eq!(words(0), "gave the platform back");
    }
}
