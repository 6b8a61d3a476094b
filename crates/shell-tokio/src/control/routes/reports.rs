//! What else the agent says of itself: outcomes, that it cannot go on, what
//! it can do, what it waits for; and a beat that somebody wants.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{post, put};
use everbeat_core::{Report, RuntimeMetadata};

use super::id::Id;
use crate::control::App;
use crate::control::fields::Fields;
use crate::control::problem::Problem;

/// Outcomes that one request counts.
const COUNT_MAX: u32 = 1_000;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/outcomes", post(outcome))
        .route("/v1/wedge", put(wedge).delete(clear_wedge))
        .route("/v1/metadata", put(metadata))
        .route("/v1/awaits/{delegation_id}", put(awaits).delete(drop_await))
        .route("/v1/beat", post(beat))
}

type Taken = Result<StatusCode, Problem>;

async fn outcome(State(app): State<App>, mut fields: Fields) -> Taken {
    let success = fields.boolean("success")?;
    let error = fields.text("error")?;
    let count = fields.count("count", 0, COUNT_MAX)?.unwrap_or(1);
    match (success, &error) {
        (Some(true), None) | (None, Some(_)) => {}
        (Some(true), Some(_)) => {
            return Err(fields.invalid("error", "it cannot stand beside a success"));
        }
        (Some(false), _) => {
            let detail = "it can only be true; for a failure say what failed in error";
            return Err(fields.invalid("success", detail));
        }
        (None, None) => return Err(fields.missing("success")),
    }
    fields.finish()?;
    app.tell(Report::Outcomes { count, error }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn wedge(State(app): State<App>, mut fields: Fields) -> Taken {
    let reason = fields.needed_text("reason")?;
    fields.finish()?;
    app.tell(Report::Wedged { reason }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_wedge(State(app): State<App>) -> Taken {
    app.tell(Report::WedgeCleared).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn metadata(State(app): State<App>, mut fields: Fields) -> Taken {
    let mut capabilities = BTreeMap::new();
    if let Some(mut named) = fields.object("capabilities")? {
        for name in named.names() {
            if let Some(has) = named.boolean(&name)? {
                capabilities.insert(name, has);
            }
        }
        named.finish()?;
    }
    let most = i32::MAX.unsigned_abs();
    let idle_timeout_seconds = fields.count("idle_timeout_seconds", 1, most)?;
    fields.finish()?;
    let metadata = RuntimeMetadata { capabilities, idle_timeout_seconds };
    app.tell(Report::Metadata(metadata)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn awaits(State(app): State<App>, Id(delegation_id): Id, fields: Fields) -> Taken {
    fields.finish()?;
    app.tell(Report::Awaiting { delegation_id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn drop_await(State(app): State<App>, Id(delegation_id): Id) -> Taken {
    app.tell(Report::AwaitDropped { delegation_id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn beat(State(app): State<App>, fields: Fields) -> Taken {
    fields.finish()?;
    app.tell(Report::BeatNow).await?;
    Ok(StatusCode::ACCEPTED)
}
