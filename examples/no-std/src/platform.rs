//! A platform that lists one finished delegation from the tenth minute on.

use alloc::format;

use everbeat_core::{Body, HttpRequest, Instant, Response};

const FINISHED_AT: Instant = Instant::from_millis(600_000);

/// Which endpoint a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Heartbeat,
    Delegations,
    SelfMessage,
    Other,
}

pub(crate) fn answer(request: &HttpRequest, now: Instant, workspace: &str) -> (Endpoint, Response) {
    let (endpoint, body) = match request.path.rsplit('/').next() {
        Some("heartbeat") => (Endpoint::Heartbeat, Body::from(r#"{"status": "ok"}"#)),
        Some("delegations") if now >= FINISHED_AT => (Endpoint::Delegations, list(workspace)),
        Some("delegations") => (Endpoint::Delegations, Body::from("[]")),
        Some("a2a") => (Endpoint::SelfMessage, Body::from(r#"{"result": {}}"#)),
        Some(_) | None => (Endpoint::Other, Body::from("{}")),
    };
    (endpoint, Response { status: 200, retry_after_s: None, body, complete: true })
}

fn list(workspace: &str) -> Body {
    let row = format!(
        r#"[{{"delegation_id": "d-0001", "source_id": "{workspace}", "target_id": "peer",
            "status": "completed", "summary": "Done", "response_preview": "forty-two"}}]"#
    );
    Body::from(row.as_str())
}
