//! Asking an agent over its control socket, or over TCP with a bearer.
//!
//! One connection a request: they are rare and local, and an agent that was
//! started anew in between is found again by itself.

pub(crate) mod sse;

use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use everbeat_core::Secret;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::place::{self, Found};
use sse::{Event, Parser};

/// How long an agent may take for an answer. It answers from memory.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A stream of events says something every 15 s; after this it is dead.
const STREAM_SILENCE_MAX: Duration = Duration::from_secs(45);
/// Results are the longest answer there is: 400 lines of 64 KiB and more.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Where an agent may be.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Tried in this order.
    Sockets(Vec<PathBuf>),
    /// Host and port, and what is sent as the bearer.
    Tcp { authority: String, token: Secret },
}

/// What was found at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) place: String,
    pub(crate) found: Found,
}

/// Why there is no answer that could be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ControlError {
    /// Nobody is there.
    #[error("no agent answers:{}", listed(.0))]
    NoAgent(Vec<Tried>),
    /// Somebody is there and says nothing.
    #[error("the agent at {place} has not answered within {} s", .within.as_secs())]
    Silent { place: String, within: Duration },
    /// The connection broke, or what came is no HTTP.
    #[error("the connection to the agent at {place} broke: {reason}")]
    Broken { place: String, reason: String },
    /// The agent refused what was asked.
    #[error("{0}")]
    Refused(Problem),
    /// Somebody else is there.
    #[error("what answers at {place} is no Everbeat ({reason})")]
    Stranger { place: String, reason: String },
}

fn listed(tried: &[Tried]) -> String {
    tried.iter().map(|Tried { place, found }| format!("\n  {place}: {found}")).collect()
}

/// An answer of `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    /// The last part of `type`, like `unknown-field`.
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
    /// When to ask again.
    pub(crate) retry_after_s: Option<u64>,
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, title, detail, .. } = self;
        match (title.is_empty(), detail.is_empty()) {
            (_, true) if !title.is_empty() => write!(f, "the agent refused: {title}")?,
            (_, true) => write!(f, "the agent refused: {status}")?,
            (_, false) => write!(f, "the agent refused: {detail}")?,
        }
        if let Some(field) = self.field.as_ref().filter(|field| !detail.contains(field.as_str())) {
            write!(f, " ({field})")?;
        }
        match self.retry_after_s {
            Some(seconds) => write!(f, "; again in {seconds} s"),
            None => Ok(()),
        }
    }
}

/// A good answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    place: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// If it is none: somebody else listens there.
    pub(crate) fn json(&self) -> Result<Value, ControlError> {
        serde_json::from_slice(&self.body).map_err(|error| self.stranger(error.to_string()))
    }

    pub(crate) fn stranger(&self, reason: impl Into<String>) -> ControlError {
        ControlError::Stranger { place: self.place.clone(), reason: reason.into() }
    }
}

/// Asks one agent.
#[derive(Clone, Debug)]
pub(crate) struct ControlClient {
    place: Place,
    within: Duration,
}

impl ControlClient {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, within: ANSWER_WITHIN }
    }

    /// With another limit for each answer.
    pub(crate) fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    /// If nobody answers in time, or by anything but a 2xx.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ControlError> {
        let answer = self.ask_any(method, path, body).await?;
        if (200..300).contains(&answer.status) { Ok(answer) } else { Err(refusal(&answer, None)) }
    }

    /// The same, but every status is an answer.
    ///
    /// # Errors
    /// If nobody answers in time.
    pub(crate) async fn ask_any(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ControlError> {
        let asking = async {
            let (place, mut sender) = self.connect().await?;
            let request = self.request(method, path, body, &[], &place)?;
            let response = send(&mut sender, request, &place).await?;
            let retry_after = retry_after(&response);
            let answer = whole(response, &place).await?;
            match retry_after {
                Some(seconds) if answer.status >= 400 => Err(refusal(&answer, Some(seconds))),
                _ => Ok(answer),
            }
        };
        timeout(self.within, asking).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Begins to follow `path`, after the event `last_id` if there is one.
    ///
    /// # Errors
    /// If nobody answers in time, or by anything but a 2xx.
    pub(crate) async fn follow(
        &self,
        path: &str,
        last_id: Option<&str>,
    ) -> Result<Following, ControlError> {
        let beginning = async {
            let (place, mut sender) = self.connect().await?;
            let mut headers = vec![(ACCEPT, "text/event-stream")];
            headers.extend(last_id.map(|id| (HeaderName::from_static("last-event-id"), id)));
            let request = self.request(Method::GET, path, None, &headers, &place)?;
            let response = send(&mut sender, request, &place).await?;
            if !response.status().is_success() {
                let retry_after = retry_after(&response);
                return Err(refusal(&whole(response, &place).await?, retry_after));
            }
            let body = response.into_body();
            Ok(Following { body, parser: Parser::default(), place, _sender: sender })
        };
        timeout(self.within, beginning).await.unwrap_or_else(|_| Err(self.silent()))
    }

    fn silent(&self) -> ControlError {
        let place = match &self.place {
            Place::Sockets(paths) => {
                paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
            }
            Place::Tcp { authority, .. } => authority.clone(),
        };
        ControlError::Silent { place, within: self.within }
    }

    async fn connect(&self) -> Result<(String, SendRequest<Full<Bytes>>), ControlError> {
        let mut tried = Vec::new();
        match &self.place {
            Place::Sockets(paths) => {
                for path in paths {
                    let place = path.display().to_string();
                    match UnixStream::connect(path).await {
                        Ok(stream) => return begin(place, TokioIo::new(stream)).await,
                        Err(error) => tried.push(Tried { place, found: found(path, &error) }),
                    }
                }
            }
            Place::Tcp { authority, .. } => {
                let place = format!("http://{authority}");
                match TcpStream::connect(authority.as_str()).await {
                    Ok(stream) => return begin(place, TokioIo::new(stream)).await,
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                        tried.push(Tried { place, found: Found::NobodyListens });
                    }
                    Err(error) => {
                        tried.push(Tried { place, found: Found::Odd(error.to_string()) });
                    }
                }
            }
        }
        Err(ControlError::NoAgent(tried))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(HeaderName, &str)],
        place: &str,
    ) -> Result<Request<Full<Bytes>>, ControlError> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "everbeat");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Place::Tcp { token, .. } = &self.place
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        request.body(Full::new(bytes)).map_err(|error| broken(place, &error))
    }
}

/// What stands there, if nobody answered.
fn found(path: &Path, error: &io::Error) -> Found {
    match place::look(path) {
        // Only now, or its queue is full.
        Found::Listening => Found::Odd(error.to_string()),
        other @ (Found::Absent | Found::NotAllowed | Found::NobodyListens | Found::Odd(_)) => other,
    }
}

async fn begin(
    place: String,
    io: impl Read + Write + Send + Unpin + 'static,
) -> Result<(String, SendRequest<Full<Bytes>>), ControlError> {
    let (sender, connection) = handshake(io).await.map_err(|error| broken(&place, &error))?;
    // What goes wrong with it shows at the request.
    tokio::spawn(connection);
    Ok((place, sender))
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    place: &str,
) -> Result<Response<Incoming>, ControlError> {
    sender.send_request(request).await.map_err(|error| {
        if error.is_parse() {
            ControlError::Stranger { place: place.into(), reason: "it speaks no HTTP".into() }
        } else {
            broken(place, &error)
        }
    })
}

async fn whole(response: Response<Incoming>, place: &str) -> Result<Answer, ControlError> {
    let status = response.status().as_u16();
    let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let body = limited
        .collect()
        .await
        .map_err(|error| ControlError::Broken { place: place.into(), reason: error.to_string() })?;
    Ok(Answer { status, body: body.to_bytes(), place: place.into() })
}

fn broken(place: &str, error: &dyn std::error::Error) -> ControlError {
    let reason = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    ControlError::Broken { place: place.into(), reason }
}

fn retry_after(response: &Response<Incoming>) -> Option<u64> {
    let value = response.headers().get(hyper::header::RETRY_AFTER)?;
    value.to_str().ok()?.trim().parse().ok()
}

fn refusal(answer: &Answer, retry_after_s: Option<u64>) -> ControlError {
    let status = answer.status;
    let Ok(value) = serde_json::from_slice::<Value>(&answer.body) else {
        return answer.stranger(format!("it answered {status}"));
    };
    // On one line: only the list of places has more.
    let text = |key| {
        let text = value.get(key).and_then(Value::as_str)?;
        Some(text.replace(['\n', '\r'], " "))
    };
    let Some(kind) = text("type") else {
        return answer.stranger(format!("it answered {status}"));
    };
    let kind = kind.rsplit(':').next().unwrap_or_default().to_owned();
    ControlError::Refused(Problem {
        status,
        kind,
        title: text("title").unwrap_or_default(),
        detail: text("detail").unwrap_or_default(),
        field: text("field"),
        retry_after_s,
    })
}

/// A stream of events under way.
#[derive(Debug)]
pub(crate) struct Following {
    body: Incoming,
    parser: Parser,
    place: String,
    /// The connection ends with it.
    _sender: SendRequest<Full<Bytes>>,
}

impl Following {
    /// The next event; `None` at the end of the stream, which is the agent's.
    ///
    /// # Errors
    /// If the connection breaks or says nothing for too long.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, ControlError> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            let frame = timeout(STREAM_SILENCE_MAX, self.body.frame()).await;
            let silent =
                |_| ControlError::Silent { place: self.place.clone(), within: STREAM_SILENCE_MAX };
            match frame.map_err(silent)? {
                Some(Ok(frame)) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    self.parser.push(&bytes).map_err(|reason| ControlError::Stranger {
                        place: self.place.clone(),
                        reason: reason.into(),
                    })?;
                }
                Some(Err(error)) => return Err(broken(&self.place, &error)),
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests;
