//! `GET /v1/status`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;

use crate::control::problem::Problem;
use crate::control::{App, answers};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/status", get(status))
}

async fn status(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let answer = app.ask().await?;
    Ok(Json(answers::status(&app, &answer)))
}
