//! `GET /livez` and `GET /readyz`: whether the loop turns, and whether the
//! platform knows it.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use everbeat_core::Phase;
use serde_json::{Value, json};

use crate::control::{App, Facts};
use crate::driver::Answer;
use crate::log::human;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready))
}

struct Check {
    name: &'static str,
    /// What is wrong, if something is: a word that never changes, and words
    /// for a person.
    wrong: Option<(&'static str, String)>,
}

async fn live(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    answer(query.as_deref(), &[driver_check(app.ask().await.is_ok())])
}

async fn ready(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let Ok(known) = app.ask().await else {
        return answer(query.as_deref(), &[driver_check(false)]);
    };
    let checks = [
        driver_check(true),
        beat_accepted(&app.facts, &known),
        store_open(&known),
        not_stopping(&known),
    ];
    answer(query.as_deref(), &checks)
}

fn answer(query: Option<&str>, checks: &[Check]) -> Response {
    let is_verbose =
        query.is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
    let is_ok = checks.iter().all(|check| check.wrong.is_none());
    let shown = checks.iter().filter(|check| is_verbose || check.wrong.is_some());
    let check = |check: &Check| {
        let wrong = check.wrong.as_ref();
        json!({
            "name": check.name,
            "ok": wrong.is_none(),
            "reason": wrong.map(|(reason, _)| reason),
            "detail": wrong.map(|(_, detail)| detail),
        })
    };
    let body = json!({
        "status": if is_ok { "ok" } else { "failing" },
        "checks": shown.map(check).collect::<Vec<Value>>(),
    });
    let status = if is_ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

fn driver_check(answers: bool) -> Check {
    let wrong = (!answers).then(|| ("stuck", "the driver did not answer within 2 s".into()));
    Check { name: "driver", wrong }
}

fn beat_accepted(facts: &Facts, known: &Answer) -> Check {
    let tolerated = facts.interval.saturating_mul(3);
    let wrong = match known.status.beat.lane.last_accepted_age {
        None => Some(("never", "the platform has accepted no beat yet".into())),
        Some(age) if age > tolerated => {
            let detail = format!("the last accepted beat is {} old", human(age));
            Some(("too_old", detail))
        }
        Some(_) => None,
    };
    Check { name: "beat_accepted", wrong }
}

fn store_open(known: &Answer) -> Check {
    let pipeline = &known.status.pipeline;
    let wrong = match &pipeline.outage {
        Some(outage) => Some(("failing", outage.cause.clone())),
        None if !pipeline.store_open => Some(("opening", "the journal is being opened".into())),
        None => None,
    };
    Check { name: "store_open", wrong }
}

fn not_stopping(known: &Answer) -> Check {
    let wrong = match known.status.phase {
        Phase::Running => None,
        Phase::Stopping | Phase::Stopped => Some(("stopping", "the agent is stopping".into())),
    };
    Check { name: "not_stopping", wrong }
}
