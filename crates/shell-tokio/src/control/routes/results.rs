//! `/v1/results`: taking under a lease.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::control::App;
use crate::control::answers::{SCHEMA_VERSION, seconds};
use crate::control::fields::Fields;
use crate::control::problem::{Kind, Problem};
use crate::results::{HandedOut, LeaseError};

/// How long a lease lasts if nobody says: longer than most turns of an agent.
const LEASE: Duration = Duration::from_secs(300);
/// The longest lease, in seconds.
const LEASE_S_MAX: u32 = 3_600;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/results/take", post(take)).route("/v1/results/ack", post(acknowledge))
}

async fn take(State(app): State<App>, mut fields: Fields) -> Result<Json<Value>, Response> {
    let lasts = fields.seconds("lease_s", 1, LEASE_S_MAX).map_err(IntoResponse::into_response)?;
    fields.finish().map_err(IntoResponse::into_response)?;
    let lasts = lasts.unwrap_or(LEASE);
    let handed_out = app.results.take(lasts).await.map_err(|error| refused(&error))?;
    let Some(HandedOut { lease, bytes, redelivered }) = handed_out else {
        return Ok(Json(json!({
            "schema_version": SCHEMA_VERSION,
            "lease": null,
            "expires_in_s": null,
            "results": [],
            "unreadable": [],
            "redelivered": false,
        })));
    };
    let (results, unreadable) = lines(&bytes);
    Ok(Json(json!({
        "schema_version": SCHEMA_VERSION,
        "lease": lease.id,
        "expires_in_s": seconds(lasts),
        "results": results,
        "unreadable": unreadable,
        "redelivered": redelivered,
    })))
}

async fn acknowledge(State(app): State<App>, mut fields: Fields) -> Result<StatusCode, Response> {
    let lease = fields.needed_text("lease").map_err(IntoResponse::into_response)?;
    fields.finish().map_err(IntoResponse::into_response)?;
    app.results.acknowledge(&lease).await.map_err(|error| refused(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// The lines that are JSON objects, and the others as they stand: somebody
/// else may have written to the file.
fn lines(bytes: &[u8]) -> (Vec<Value>, Vec<String>) {
    let (mut results, mut unreadable) = (Vec::new(), Vec::new());
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(result @ Value::Object(_)) => results.push(result),
            Ok(_) | Err(_) => unreadable.push(String::from_utf8_lossy(line).into_owned()),
        }
    }
    (results, unreadable)
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
        let bytes = b"{\"delegation_id\":\"d-1\"}\n\nnot json\n7\n\xff";
        let (results, unreadable) = lines(bytes);
        assert_eq!(results, [json!({"delegation_id": "d-1"})]);
        assert_eq!(unreadable, ["not json", "7", "\u{fffd}"]);
    }
}
