//! `/v1/log-level` and `/v1/reload`: what a running process is told to be.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::control::App;
use crate::control::answers::seconds;
use crate::control::fields::Fields;
use crate::control::problem::Problem;
use crate::live::log_level::{LEVELS, parse};

/// How long a level is lent if nobody says.
const LENT: Duration = Duration::from_secs(600);
/// And at most: a day, in seconds.
const LENT_MAX_S: u32 = 86_400;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/log-level", put(lend).delete(restore))
        .route("/v1/reload", post(reload))
}

async fn lend(State(app): State<App>, mut fields: Fields) -> Result<Json<Value>, Problem> {
    let name = fields.needed_text("level")?;
    let Some(level) = parse(&name) else {
        return Err(fields.invalid("level", &format!("it must be one of {}", LEVELS.join(", "))));
    };
    let span = fields.seconds("for_s", 1, LENT_MAX_S)?.unwrap_or(LENT);
    fields.finish()?;
    app.log.lend(level, span);
    tracing::info!("the log is at {name} for {span:?}, as asked on the control socket");
    Ok(Json(json!({"level": name, "reverts_in_s": seconds(span)})))
}

async fn restore(State(app): State<App>) -> StatusCode {
    app.log.restore();
    StatusCode::NO_CONTENT
}

async fn reload(State(app): State<App>, fields: Fields) -> Result<Json<Value>, Problem> {
    fields.finish()?;
    Ok(Json(app.reloader.reload().await.to_json()))
}
