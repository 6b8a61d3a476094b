//! Between the core's requests and the platform's: what HTTP would do.

use std::fmt;
use std::time::Duration;

use everbeat_core::{
    Body, HttpRequest, Method, Outcome, Response, Secret, TransportFailure, TransportFailureKind,
};
use everbeat_platform::{Answer, Delivery, Reply, Request};
use serde_json::Value;

/// Of a body, no more is told.
const TOLD_CHARS_MAX: usize = 200;

/// The request as the platform gets it.
pub(crate) fn request(lowered: HttpRequest, token: Option<&Secret>) -> Request {
    let method = match lowered.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let mut headers = Vec::with_capacity(lowered.headers.len() + 1);
    headers.extend(lowered.headers.into_iter().map(|(name, value)| (name.into(), value)));
    let request = Request {
        method: method.into(),
        path: lowered.path,
        query: None,
        headers,
        body: lowered.body,
        peer: "10.0.0.1".into(),
    };
    match token {
        Some(token) => request.with_bearer(token.expose()),
        None => request,
    }
}

/// The id of the message that a request carries, if it carries one.
pub(crate) fn message_id(request: &Request) -> Option<String> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    Some(body.pointer("/params/message/messageId")?.as_str()?.to_owned())
}

/// A reply for a person, with what became of it on its way: credentials are
/// fingerprints, as a record shows them.
pub(crate) fn told(request: &Request, reply: &Reply, fate: impl fmt::Debug) -> String {
    let Reply { answer, delivery } = reply;
    let body = serde_json::to_string(&Body(answer.body.clone())).unwrap_or_default();
    let body: String = body.chars().take(TOLD_CHARS_MAX).collect();
    format!("{} {} {delivery:?} {fate:?} {body}", request.method, request.path)
}

/// What the client makes of a reply, and how long after the platform had the
/// request; `None` if nothing ever comes.
pub(crate) fn outcome(reply: Reply, body_bytes_max: usize) -> Option<(Duration, Outcome)> {
    let Reply { answer, delivery } = reply;
    match delivery {
        Delivery::After(after) => Some((after, response(answer, body_bytes_max, None))),
        Delivery::Hang => None,
        Delivery::Refuse => Some((Duration::ZERO, failed(TransportFailureKind::NotSent))),
        Delivery::Cut { after, bytes } => {
            Some((after, response(answer, body_bytes_max, Some(bytes))))
        }
        Delivery::Trickle { period } => {
            let bytes = u32::try_from(answer.body.len()).unwrap_or(u32::MAX);
            Some((period.saturating_mul(bytes), response(answer, body_bytes_max, None)))
        }
    }
}

/// A request that ended without an answer.
pub(crate) fn failed(kind: TransportFailureKind) -> Outcome {
    let detail = match kind {
        TransportFailureKind::NotSent => "connection refused",
        TransportFailureKind::NoAnswer => "connection reset by peer",
        TransportFailureKind::BadAnswer => "not HTTP",
    };
    Outcome::TransportFailed(TransportFailure { kind, detail: detail.into() })
}

fn response(answer: Answer, body_bytes_max: usize, cut: Option<usize>) -> Outcome {
    let retry_after_s = answer.header("retry-after").and_then(|value| value.parse().ok());
    let whole = answer.body.len();
    let kept = whole.min(body_bytes_max).min(cut.unwrap_or(usize::MAX));
    let mut body = answer.body;
    body.truncate(kept);
    Outcome::Response(Response {
        status: answer.status,
        retry_after_s,
        body: Body(body),
        complete: kept == whole,
    })
}
