//! `GET /v1/openapi.json`: the contract for programs. It is a kept file, held
//! to the routes and their answers by a test.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::control::App;

const DOCUMENT: &str = include_str!("../../../openapi.json");

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/openapi.json", get(openapi))
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
