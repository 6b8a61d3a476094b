//! The body of a request, taken apart field by field, so that whatever is
//! wrong is named.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::guard::Connection;
use super::problem::{Kind, Problem};
use super::stream::RECEIVE_WITHIN;

/// Bytes of a body.
pub(crate) const BODY_BYTES_MAX: usize = 64 << 10;
/// Bytes of a field's name that is shown.
const NAME_BYTES_MAX: usize = 100;

/// The fields of a JSON object that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Fields {
    /// Where the object stands in the body: empty, or like `tasks[3].`.
    prefix: String,
    fields: Map<String, Value>,
}

impl Fields {
    pub(crate) fn new(prefix: String, value: Value) -> Result<Self, Problem> {
        let Value::Object(fields) = value else {
            let name = prefix.trim_end_matches('.').to_owned();
            return Err(wrong_type(name, "an object", &value));
        };
        Ok(Self { prefix, fields })
    }

    /// A text, if there is one.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(self.full(name), "a text", &other)),
        }
    }

    /// A text that must be there, and not be empty.
    pub(crate) fn needed_text(&mut self, name: &str) -> Result<String, Problem> {
        match self.text(name)? {
            Some(text) if text.is_empty() => Err(self.invalid(name, "it must not be empty")),
            Some(text) => Ok(text),
            None => Err(self.missing(name)),
        }
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(wrong_type(self.full(name), "true or false", &other)),
        }
    }

    /// A whole number from `least` to `most`, if there is one.
    pub(crate) fn count(
        &mut self,
        name: &str,
        least: u32,
        most: u32,
    ) -> Result<Option<u32>, Problem> {
        let value = match self.fields.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let number = whole(&value).and_then(|number| u32::try_from(number).ok());
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let expected = format!("a whole number from {least} to {most}");
                Err(wrong_type(self.full(name), &expected, &value))
            }
        }
    }

    /// Seconds, fractions allowed, from `least` to `most`, if there are any.
    pub(crate) fn seconds(
        &mut self,
        name: &str,
        least: u32,
        most: u32,
    ) -> Result<Option<Duration>, Problem> {
        let value = match self.fields.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let seconds = value.as_f64();
        match seconds.filter(|seconds| (f64::from(least)..=f64::from(most)).contains(seconds)) {
            Some(seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
            None => {
                let expected = format!("seconds from {least} to {most}");
                Err(wrong_type(self.full(name), &expected, &value))
            }
        }
    }

    /// The objects in a list that must be there.
    pub(crate) fn objects(&mut self, name: &str) -> Result<Vec<Self>, Problem> {
        let values = match self.fields.remove(name) {
            None => return Err(self.missing(name)),
            Some(Value::Array(values)) => values,
            Some(other) => return Err(wrong_type(self.full(name), "a list", &other)),
        };
        let object = |(index, value)| Self::new(format!("{}{name}[{index}].", self.prefix), value);
        values.into_iter().enumerate().map(object).collect()
    }

    /// The fields of an object, if there is one.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Problem> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Self::new(format!("{}.", self.full(name)), value).map(Some),
        }
    }

    /// The names of what nobody has taken.
    pub(crate) fn names(&self) -> Vec<String> {
        self.fields.keys().cloned().collect()
    }

    /// Nothing is left, or what is left means nothing here.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let Some(name) = self.fields.keys().next() else { return Ok(()) };
        let detail = format!("the field {:?} means nothing here", shown(name));
        Err(Problem::of(Kind::UnknownField, self.full(shown(name)), detail))
    }

    pub(crate) fn missing(&self, name: &str) -> Problem {
        let full = self.full(name);
        let detail = format!("the field {full:?} is missing");
        Problem::of(Kind::MissingField, full, detail)
    }

    pub(crate) fn invalid(&self, name: &str, detail: &str) -> Problem {
        let full = self.full(name);
        let detail = format!("{full}: {detail}");
        Problem::of(Kind::InvalidField, full, detail)
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// Reads the body of any request; an empty one is an object without fields.
impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let connection = request.extensions().get::<Connection>().cloned();
        let reading = to_bytes(request.into_body(), BODY_BYTES_MAX);
        let bytes = match timeout(RECEIVE_WITHIN, reading).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if is_too_long(&error) => {
                let detail = "a body can have 64 KiB";
                return Err(Problem::new(Kind::TooLarge, detail));
            }
            Ok(Err(_)) => return Err(Problem::new(Kind::BadJson, "the body broke off")),
            Err(_) => {
                let detail = "the body was not in within 5 s";
                return Err(Problem::new(Kind::Timeout, detail));
            }
        };
        if let Some(connection) = connection {
            connection.taken.whole();
        }
        if bytes.is_empty() {
            return Ok(Self { prefix: String::new(), fields: Map::new() });
        }
        let bad = |detail: String| Problem::new(Kind::BadJson, detail);
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self { prefix: String::new(), fields }),
            Ok(other) => Err(bad(format!("it is {}, not an object", kind(&other)))),
            Err(error) => Err(bad(error.to_string())),
        }
    }
}

/// A number without a fraction, however it is written: `5`, or `5.0`.
fn whole(value: &Value) -> Option<u64> {
    let float = || value.as_f64().filter(|it| it.fract() == 0.0 && (0.0..1e15).contains(it));
    value.as_u64().or_else(|| float().map(|number| number as u64))
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}

fn wrong_type(field: String, expected: &str, value: &Value) -> Problem {
    let detail = format!("{field}: {} stands where {expected} is needed", kind(value));
    Problem::of(Kind::InvalidField, field, detail)
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a text".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

fn shown(name: &str) -> &str {
    let end = (0..=NAME_BYTES_MAX).rev().find(|end| name.is_char_boundary(*end));
    name.get(..end.unwrap_or(0)).unwrap_or(name)
}
