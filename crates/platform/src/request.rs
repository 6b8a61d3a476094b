//! What goes in and what comes out: requests and answers as values.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// One HTTP request, already read to its end.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `DELETE`; upper case.
    pub method: Cow<'static, str>,
    /// The path as sent, from its slash, without the query.
    pub path: String,
    /// What stood behind the question mark.
    pub query: Option<String>,
    /// Names in lower case; of a repeated name the first counts.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body; its content type does not matter.
    pub body: Vec<u8>,
    /// The client's address without its port: what the rate limit counts.
    pub peer: Cow<'static, str>,
}

impl Request {
    /// A `GET` without headers.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self { method: "GET".into(), path: path.into(), ..Self::default() }
    }

    /// A `POST` of a JSON body.
    #[must_use]
    pub fn post(path: &str, body: &Value) -> Self {
        Self {
            method: "POST".into(),
            path: path.into(),
            body: body.to_string().into_bytes(),
            ..Self::default()
        }
    }

    /// The same with one header more; `name` in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with `Authorization: Bearer <token>`.
    #[must_use]
    pub fn with_bearer(self, token: &str) -> Self {
        self.with_header("authorization", ["Bearer ", token].concat())
    }

    /// The first value of the header `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The bearer token: the prefix is case-sensitive, the rest trimmed.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let token = self.header("authorization")?.strip_prefix("Bearer ")?.trim();
        (!token.is_empty()).then_some(token)
    }

    /// The first value of the query parameter `name`, decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.as_deref()?.split('&');
        let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .find(|(key, _)| decode(key) == name)
            .map(|(_, value)| decode(&value.replace('+', " ")))
    }
}

/// Without the bearer and without the body.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("header_names", &names)
            .field("body_bytes", &self.body.len())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// One HTTP answer. `Content-Length` is left to the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// As sent, `Content-Type` among them where there is a body.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::json_of(status, body)
    }

    /// The same of anything that serde can write.
    pub(crate) fn json_of<T: Serialize + ?Sized>(status: u16, body: &T) -> Self {
        Self::json_sized(status, body, 128)
    }

    /// The same of a body that will be about so many bytes long.
    pub(crate) fn json_sized<T: Serialize + ?Sized>(status: u16, body: &T, bytes: usize) -> Self {
        let content_type = ("Content-Type".into(), "application/json; charset=utf-8".into());
        let mut written = Vec::with_capacity(bytes);
        // Only maps with other keys than texts fail, and there are none.
        if serde_json::to_writer(&mut written, body).is_err() {
            written.clear();
        }
        Self { status, headers: vec![content_type], body: written }
    }

    /// `{"error": text}`.
    #[must_use]
    pub fn error(status: u16, text: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": text }))
    }

    /// An answer in plain text.
    #[must_use]
    pub fn text(status: u16, body: &str) -> Self {
        let content_type = ("Content-Type".into(), "text/plain".into());
        Self { status, headers: vec![content_type], body: body.as_bytes().to_vec() }
    }

    /// An answer without a body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// The same with one header more.
    #[must_use]
    pub fn with_header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    /// The body as JSON; `Null` if it is none.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// An answer and the way it reaches the client.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What is answered.
    pub answer: Answer,
    /// How it is sent.
    pub delivery: Delivery,
}

impl From<Answer> for Reply {
    /// Sent at once.
    fn from(answer: Answer) -> Self {
        Self { answer, delivery: Delivery::After(Duration::ZERO) }
    }
}

/// How an [`Answer`] is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Whole, after this long.
    After(Duration),
    /// Never; the connection stays open.
    Hang,
    /// Never; the connection is closed at once and the platform saw nothing
    /// (in memory: a refused connection).
    Refuse,
    /// The head and so many bytes of the body, then the connection closes.
    /// `Content-Length` is that of the whole body.
    Cut {
        /// From the request to the head.
        after: Duration,
        /// Bytes of the body that are sent.
        bytes: usize,
    },
    /// The head at once, then one byte of the body per period.
    Trickle {
        /// Between two bytes.
        period: Duration,
    },
}

/// Percent-decoding; what is not valid stays as it is.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let code = hex.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(code)) => {
                out.push(code);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
