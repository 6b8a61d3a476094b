//! The live page of a served platform: what it shows, and what its buttons may
//! do.
//!
//! Nothing is built and nothing comes from elsewhere: three files that are part
//! of the program, and one stream of server-sent events. The buttons use
//! `/admin`, like everybody else.

mod act;
mod feed;
mod guard;
mod readers;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, request::Parts};
use axum::response::Response;
use everbeat_platform::{Answer, Request};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::ServedPlatform;
use super::connection::Connection;
pub(crate) use act::Act;
use feed::Feed;

/// Between two looks at the platform.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Nothing but what this server itself sends; no frame around it, no form out
/// of it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const ASSETS: [(&str, &str, &str); 5] = [
    ("/ui/", "text/html; charset=utf-8", include_str!("page.html")),
    ("/ui/style.css", "text/css; charset=utf-8", include_str!("style.css")),
    ("/ui/app.js", "text/javascript; charset=utf-8", include_str!("app.js")),
    ("/ui/tables.js", "text/javascript; charset=utf-8", include_str!("tables.js")),
    ("/ui/parts.js", "text/javascript; charset=utf-8", include_str!("parts.js")),
];

/// The page's side of a server.
#[derive(Debug, Default)]
pub(crate) struct Page {
    feed: Mutex<Feed>,
    /// Who else wants to know what the administrator does.
    witness: Mutex<Option<UnboundedSender<Act>>>,
}

impl Page {
    /// Keeps the feed up to date, for as long as it is polled.
    pub(crate) async fn watch(&self, served: &ServedPlatform) -> Infallible {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.feed().look(&served.lock());
        }
    }

    /// What the administrator does from now on.
    pub(crate) fn witness(&self) -> UnboundedReceiver<Act> {
        let (send, receive) = unbounded_channel();
        *self.witness.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
        receive
    }

    /// A request of the administrator's was answered.
    pub(crate) fn acted(&self, request: &Request, answer: &Answer) {
        let Some(act) = Act::of(request, answer) else { return };
        self.feed().act(&act);
        let witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(witness) = witness.as_ref() {
            let _ = witness.send(act);
        }
    }

    /// The answer to what is not for the platform: the page itself, and what
    /// another site's page must not do with the administrator's side.
    pub(crate) fn answer(
        &self,
        served: &ServedPlatform,
        parts: &Parts,
        connection: &Connection,
    ) -> Option<Response> {
        let path = parts.uri.path();
        let is_page = path == "/" || is_under(path, "/ui");
        if !is_page && !is_under(path, "/admin") {
            return None;
        }
        if let Err(refusal) = guard::check(&parts.headers) {
            return Some(text(StatusCode::FORBIDDEN, &refusal.to_string()));
        }
        if !is_page {
            return None;
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
            set(&mut response, ALLOW, "GET, HEAD");
            return Some(response);
        }
        Some(match path {
            "/" | "/ui" => {
                let mut response = text(StatusCode::SEE_OTHER, "see /ui/");
                set(&mut response, LOCATION, "/ui/");
                response
            }
            "/ui/events" => self.events(served, parts, connection),
            _ => match ASSETS.iter().find(|(name, ..)| *name == path) {
                Some((_, kind, asset)) => with_head(StatusCode::OK, kind, Body::from(*asset)),
                None => text(StatusCode::NOT_FOUND, "no such file of the page"),
            },
        })
    }

    fn events(&self, served: &ServedPlatform, parts: &Parts, connection: &Connection) -> Response {
        let last = parts.headers.get("last-event-id").and_then(|value| value.to_str().ok());
        let mut feed = self.feed();
        // What was done just before is part of what is shown first.
        feed.look(&served.lock());
        match feed.join(last, connection) {
            Some(stream) => with_head(StatusCode::OK, "text/event-stream", Body::new(stream)),
            None => {
                let words = "too many pages are open; close one";
                let mut response = text(StatusCode::SERVICE_UNAVAILABLE, words);
                set(&mut response, RETRY_AFTER, "5");
                response
            }
        }
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn text(status: StatusCode, words: &str) -> Response {
    with_head(status, "text/plain; charset=utf-8", Body::from(format!("{words}\n")))
}

fn with_head(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        set(&mut response, name, value);
    }
    response
}

fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}
