//! `/v1/results`: taking under a lease.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::value::{RawValue, to_raw_value};

use crate::control::App;
use crate::control::answers::{SCHEMA_VERSION, seconds};
use crate::control::fields::Fields;
use crate::control::problem::{Kind, Problem};
use crate::results::{HandedOut, LeaseError};

/// How long a lease lasts if nobody says: longer than most turns of an agent.
const LEASE: Duration = Duration::from_secs(300);
/// The longest lease, in seconds.
const LEASE_S_MAX: u32 = 3_600;

/// Fields whose values stand as they were written.
type Answer = BTreeMap<&'static str, Box<RawValue>>;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/results/take", post(take)).route("/v1/results/ack", post(acknowledge))
}

async fn take(State(app): State<App>, mut fields: Fields) -> Result<Json<Answer>, Response> {
    let lasts = fields.seconds("lease_s", 1, LEASE_S_MAX).map_err(IntoResponse::into_response)?;
    fields.finish().map_err(IntoResponse::into_response)?;
    let lasts = lasts.unwrap_or(LEASE);
    let handed_out = app.results.take(lasts).await.map_err(|error| refused(&error))?;
    answer(handed_out.as_ref(), lasts)
        .map(Json)
        .map_err(|error| Problem::new(Kind::Internal, error.to_string()).into_response())
}

fn answer(handed_out: Option<&HandedOut>, lasts: Duration) -> serde_json::Result<Answer> {
    let (results, unreadable) = handed_out.map_or_else(Default::default, |it| lines(&it.bytes));
    Ok(Answer::from([
        ("schema_version", to_raw_value(&SCHEMA_VERSION)?),
        ("lease", to_raw_value(&handed_out.map(|it| &it.lease.id))?),
        ("expires_in_s", to_raw_value(&handed_out.map(|_| seconds(lasts)))?),
        ("results", to_raw_value(&results)?),
        ("unreadable", to_raw_value(&unreadable)?),
        ("redelivered", to_raw_value(&handed_out.is_some_and(|it| it.redelivered))?),
    ]))
}

async fn acknowledge(State(app): State<App>, mut fields: Fields) -> Result<StatusCode, Response> {
    let lease = fields.needed_text("lease").map_err(IntoResponse::into_response)?;
    fields.finish().map_err(IntoResponse::into_response)?;
    app.results.acknowledge(&lease).await.map_err(|error| refused(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// The lines that are JSON objects, byte for byte, and the others as they
/// stand: somebody else may have written to the file.
fn lines(bytes: &[u8]) -> (Vec<Box<RawValue>>, Vec<String>) {
    let (mut results, mut unreadable) = (Vec::new(), Vec::new());
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice::<Box<RawValue>>(line) {
            Ok(result) if is_object(&result) => results.push(result),
            Ok(_) | Err(_) => unreadable.push(String::from_utf8_lossy(line).into_owned()),
        }
    }
    (results, unreadable)
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

fn refused(error: &LeaseError) -> Response {
    let kind = match error {
        LeaseError::Leased(_) => Kind::Conflict,
        LeaseError::NoSuchLease => Kind::NoSuchLease,
        LeaseError::File(_) => Kind::Files,
        LeaseError::Panicked => Kind::Internal,
    };
    let mut response = Problem::new(kind, error.to_string()).into_response();
    if let LeaseError::Leased(leased) = error {
        let wait = HeaderValue::from(leased.left.as_secs().saturating_add(1));
        response.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_result_is_told_apart_and_not_dropped() {
        let bytes = b"{\"z\":1.50, \"a\":\"d-1\"}\n\nnot json\n7\n\xff";
        let (results, unreadable) = lines(bytes);
        let results: Vec<_> = results.iter().map(|result| result.get()).collect();
        assert_eq!(results, ["{\"z\":1.50, \"a\":\"d-1\"}"]);
        assert_eq!(unreadable, ["not json", "7", "\u{fffd}"]);
    }
}
