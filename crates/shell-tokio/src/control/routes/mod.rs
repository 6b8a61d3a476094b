//! The routes: one line here for each part.

mod changes;
mod events;
mod health;
mod id;
mod metrics;
mod openapi;
mod reports;
mod results;
mod status;
mod tasks;

use axum::Router;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;

pub(super) use tasks::full;

use super::problem::{Kind, Problem};
use super::{App, guard};

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .merge(status::routes())
        .merge(health::routes())
        .merge(tasks::routes())
        .merge(reports::routes())
        .merge(results::routes())
        .merge(events::routes())
        .merge(metrics::routes())
        .merge(changes::routes())
        .merge(openapi::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(App::clone(&app), guard::check))
        .layer(from_fn_with_state(App::clone(&app), metrics::count))
        .with_state(app)
}

async fn not_found(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(100).collect();
    Problem::new(Kind::NotFound, format!("{path:?} is nothing here; see /v1/openapi.json"))
}

async fn method_not_allowed(method: axum::http::Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(100).collect();
    Problem::new(Kind::MethodNotAllowed, format!("{path:?} does not take {method}"))
}
