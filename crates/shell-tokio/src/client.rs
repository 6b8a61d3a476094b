//! HTTP: the core's requests over one shared client.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use everbeat_core::{
    Body, HttpRequest, Method, Outcome, Response, Secret, TransportFailure, TransportFailureKind,
};
use reqwest::header::{AUTHORIZATION, DATE, HeaderValue, RETRY_AFTER};

use crate::body;
use crate::clock;
use crate::tls;

/// Longest wait for a connection: a self-message has two minutes for its
/// answer, but none of that is worth spending on a host that is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept. Beats are half a minute apart, and servers
/// drop idle connections after as little as 5 s: a request on a connection
/// that is being dropped fails, a new connection costs a millisecond, and
/// with it names are resolved anew.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Many machines may ask for new connections at the same moment.
const REBUILDS_APART: Duration = Duration::from_secs(1);

/// The HTTP client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be made: {0}")]
pub struct ClientError(String);

/// One HTTP client for all machines of a driver.
///
/// It follows no redirects (a bearer token goes to nobody but the platform),
/// takes proxies from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`,
/// and has no time-outs but that of connecting: the core has them.
#[derive(Debug)]
pub(crate) struct Client {
    tls: rustls::ClientConfig,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    client: reqwest::Client,
    made_at: Instant,
}

impl Client {
    pub(crate) fn new() -> Result<Self, ClientError> {
        let tls = tls::config().map_err(|error| ClientError(chain(&error)))?;
        let client = build(&tls)?;
        Ok(Self { tls, current: Mutex::new(Current { client, made_at: Instant::now() }) })
    }

    /// Drops all idle connections and takes new ones from now on; what is
    /// under way goes on.
    pub(crate) fn rebuild(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.made_at.elapsed() < REBUILDS_APART {
            return;
        }
        match build(&self.tls) {
            Ok(client) => *current = Current { client, made_at: Instant::now() },
            Err(error) => tracing::warn!("{error}; going on with the old one"),
        }
    }

    /// Sends `request` and reads the answer as far as it may be read. Takes
    /// as long as the other side likes: the core cancels what is overdue.
    pub(crate) async fn send(&self, request: HttpRequest, token: Option<Secret>) -> Outcome {
        let body_bytes_max = request.body_bytes_max;
        let answer = match self.prepare(request, token).send().await {
            Ok(answer) => answer,
            Err(error) => return Outcome::TransportFailed(failure(&error)),
        };
        let status = answer.status().as_u16();
        let retry_after_s = retry_after(answer.headers());
        let body::Read { body, complete } = body::read(answer, body_bytes_max).await;
        Outcome::Response(Response { status, retry_after_s, body: Body(body), complete })
    }

    /// When the other side says that it is; `None` without an answer that has
    /// a `Date`. Sent without a token.
    #[cfg(feature = "cli")]
    pub(crate) async fn date(&self, url: &str) -> Option<std::time::SystemTime> {
        let client = self.current.lock().unwrap_or_else(PoisonError::into_inner).client.clone();
        let answer = client.get(url).send().await.ok()?;
        httpdate::parse_http_date(answer.headers().get(DATE)?.to_str().ok()?).ok()
    }

    fn prepare(&self, request: HttpRequest, token: Option<Secret>) -> reqwest::RequestBuilder {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let client = self.current.lock().unwrap_or_else(PoisonError::into_inner).client.clone();
        let mut builder = client.request(method, request.url());
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        // The address is the platform's own: the core makes no other.
        if let Some(bearer) = token.and_then(|token| bearer(&token)) {
            builder = builder.header(AUTHORIZATION, bearer);
        }
        match request.method {
            Method::Get => builder,
            Method::Post => builder.body(request.body),
        }
    }
}

/// A header that no debug output shows.
fn bearer(token: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn build(tls: &rustls::ClientConfig) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .user_agent(concat!("everbeat/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls.clone())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(2)
        .http1_only()
        .build()
        .map_err(|error| ClientError(chain(&error)))
}

/// What kind of failure it is, by what the platform may have seen.
fn failure(error: &reqwest::Error) -> TransportFailure {
    let kind = if error.is_connect() || error.is_builder() {
        TransportFailureKind::NotSent
    } else if is_bad_http(error) {
        TransportFailureKind::BadAnswer
    } else {
        TransportFailureKind::NoAnswer
    };
    TransportFailure { kind, detail: chain(error) }
}

fn is_bad_http(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The innermost causes say what happened; the outer ones repeat the address,
/// which may hold a proxy's password.
fn chain(error: &dyn Error) -> String {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        // `client error (Connect)` says less than what it was caused by.
        let is_empty_talk = text.starts_with("client error (") && inner.source().is_some();
        if !is_empty_talk && !causes.contains(&text) {
            causes.push(text);
        }
        source = inner.source();
    }
    if causes.is_empty() { error.to_string() } else { causes.join(": ") }
}

/// `Retry-After` in seconds from now.
fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let now_s = clock::wall().unix_millis().max(0).unsigned_abs() / 1_000;
    parse_retry_after(text(RETRY_AFTER)?, text(DATE), now_s)
}

/// Seconds as they stand, or an HTTP date. A date is counted from the
/// answer's own `Date`, so that a wrong local clock does not matter.
fn parse_retry_after(value: &str, date: Option<&str>, now_s: u64) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    let unix = |text: &str| {
        let time = httpdate::parse_http_date(text).ok()?;
        Some(time.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    };
    let from = date.and_then(unix).unwrap_or(now_s);
    Some(unix(value)?.saturating_sub(from))
}

#[cfg(test)]
mod tests;
