//! From commands to HTTP requests: one pure function for every shell.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::json;

use crate::command::Action;
use crate::config::ValidConfig;
use crate::limits::{ANSWER_BYTES_MAX, LIST_BYTES_MAX};

/// The method of a [`HttpRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`, with a JSON body.
    Post,
}

/// A request without its credentials.
///
/// The shell adds `Authorization: Bearer <token>` where it has one, follows
/// no redirect, and reads at most `body_bytes_max` bytes of the decoded body.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The platform's address without a trailing slash.
    pub base: String,
    /// The path, from its slash; never a query.
    pub path: String,
    /// Headers beside `Authorization`, `Host` and those of the transport, their
    /// names in lower case; `content-type: application/json` is among them where
    /// there is a body.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body of a `POST`; empty for a `GET`.
    pub body: Vec<u8>,
    /// A longer body is cut there: [`Response::complete`](crate::Response).
    pub body_bytes_max: usize,
}

impl HttpRequest {
    /// The whole address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.base, self.path)
    }
}

/// The request that carries out `action`; `None` if it is none.
#[must_use]
pub fn lower(config: &ValidConfig, action: &Action) -> Option<HttpRequest> {
    let own = &config.workspace_id;
    match action {
        Action::PostHeartbeat(body) => {
            Some(post(config, "/registry/heartbeat".into(), to_json(body)))
        }
        Action::Register(body) => Some(post(config, "/registry/register".into(), to_json(body))),
        Action::FetchDelegations => {
            let request = get(config, format!("/workspaces/{own}/delegations"));
            Some(HttpRequest { body_bytes_max: LIST_BYTES_MAX, ..request })
        }
        Action::FetchWorkspace { workspace_id } => {
            Some(get(config, format!("/workspaces/{workspace_id}")))
        }
        Action::SendSelfMessage { message_id, text } => {
            let body = self_message(message_id, text);
            let mut request = post(config, format!("/workspaces/{own}/a2a"), to_json(&body));
            request.headers.push(("x-workspace-id", own.clone()));
            Some(request)
        }
        Action::Notify { message } => {
            let body = json!({"message": message, "type": "delegation_result"});
            Some(post(config, format!("/workspaces/{own}/notify"), to_json(&body)))
        }
        Action::OpenStore
        | Action::StoreBatch(_)
        | Action::PlaceBatch { .. }
        | Action::AppendJournal { .. }
        | Action::CompactJournal { .. }
        | Action::ProbeResults
        | Action::ReloadToken
        | Action::SaveToken(_)
        | Action::SaveInboundSecret(_)
        | Action::Cancel { .. }
        | Action::RebuildClient => None,
    }
}

/// Both spellings of a text part: `type` (the seed's platform) and `kind`
/// (later ones).
fn self_message(message_id: &str, text: &str) -> serde_json::Value {
    json!({
        "method": "message/send",
        "params": {
            "message": {
                "role": "user",
                "messageId": message_id,
                "parts": [{"kind": "text", "type": "text", "text": text}],
            },
        },
    })
}

fn get(config: &ValidConfig, path: String) -> HttpRequest {
    request(config, Method::Get, path, Vec::new())
}

fn post(config: &ValidConfig, path: String, body: Vec<u8>) -> HttpRequest {
    request(config, Method::Post, path, body)
}

fn request(config: &ValidConfig, method: Method, path: String, body: Vec<u8>) -> HttpRequest {
    let mut headers = Vec::with_capacity(4);
    if method == Method::Post {
        headers.push(("content-type", "application/json".to_string()));
    }
    if let Some(org_id) = &config.org_id {
        headers.push(("x-molecule-org-id", org_id.clone()));
        headers.push(("origin", origin(&config.platform_url)));
    }
    let base = config.platform_url.clone();
    HttpRequest { method, base, path, headers, body, body_bytes_max: ANSWER_BYTES_MAX }
}

/// Scheme, host and port of a validated address.
fn origin(url: &str) -> String {
    let authority_at = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority_at..].find('/').map_or(url.len(), |at| authority_at + at);
    url[..end].to_string()
}

fn to_json<T: serde::Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}
