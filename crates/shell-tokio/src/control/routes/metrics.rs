//! `GET /metrics`, and the count of all requests.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use everbeat_core::OutageStatus;

use crate::control::problem::Problem;
use crate::control::{App, Control};
use crate::driver::Answer;
use crate::telemetry::exposition::{Exposition, expose};
use crate::telemetry::metrics::Levels;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let answer = app.ask().await?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Exposition::wanted(accept);
    let text = expose(app.telemetry.metrics(), &levels(&app, &answer), format);
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

fn levels(control: &Control, answer: &Answer) -> Levels {
    let Answer { now, status, .. } = answer;
    let (beat, polls) = (&status.beat.lane, &status.polls);
    let (pipeline, wake) = (&status.pipeline, &status.wake);
    let wall_s = now.wall.unix_millis() as f64 / 1_000.0;
    let since = |outage: &Option<OutageStatus>| {
        outage.as_ref().map_or(std::time::Duration::ZERO, |outage| outage.since)
    };
    Levels {
        last_accepted_beat_at: beat.last_accepted_age.map(|age| wall_s - age.as_secs_f64()),
        interval: control.facts.interval,
        failures_in_a_row: [beat.failures_in_a_row, polls.failures_in_a_row],
        outage: [since(&beat.outage), since(&polls.outage)],
        discovered: pipeline.discovered.count,
        stored: pipeline.stored.count,
        announcing: pipeline.announcing.count,
        unanswered: pipeline.unanswered.count,
        remembered: pipeline.remembered,
        is_held: pipeline.held.is_some(),
        is_store_open: pipeline.store_open,
        is_token_refused: status.beat.token_refused,
        cooldown_left: wake.cooldown_left,
        messages_last_hour: wake.sent_last_hour,
        messages_per_hour_max: wake.per_hour_max,
        tasks: status.vitals.tasks.len(),
        is_wedged: status.vitals.wedge.is_some(),
        connections: control.connections.load(Ordering::Relaxed),
    }
}

/// Counts each request by its route's template, whatever becomes of it.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "other".to_owned(), |route| route.as_str().to_owned());
    let method = method(request.method());
    let response = next.run(request).await;
    app.telemetry.metrics().control_request(method, &route, response.status().as_u16());
    response
}

fn method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "PUT", "POST", "DELETE"];
    known.into_iter().find(|known| method.as_str() == *known).unwrap_or("other")
}
