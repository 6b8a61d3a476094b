//! Request bodies, bound as the reference's Go server binds them.
//!
//! The first JSON value of the body counts, whatever follows it. Unknown
//! fields are ignored, names match whatever their case, null is the zero
//! value, an integer written as `1.0` is refused.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The body does not fit. Every endpoint has words of its own for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misfit;

/// A body's fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn of_body(body: &[u8]) -> Result<Self, Misfit> {
        let text = String::from_utf8_lossy(body);
        let mut reader = serde_json::Deserializer::from_str(&text);
        Self::of_value(Value::deserialize(&mut reader).map_err(|_| Misfit)?)
    }

    fn of_value(value: Value) -> Result<Self, Misfit> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            Value::Null => Ok(Self::default()),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(Misfit),
        }
    }

    /// Present, null included.
    pub(crate) fn raw(&self, name: &str) -> Option<&Value> {
        let folded = || self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        self.0.get(name).or_else(|| folded().map(|(_, value)| value))
    }

    /// Present and not null.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.raw(name).filter(|value| !value.is_null())
    }

    /// Empty if absent.
    pub(crate) fn text(&self, name: &str) -> Result<String, Misfit> {
        match self.value(name) {
            None => Ok(String::new()),
            Some(value) => value.as_str().map(str::to_owned).ok_or(Misfit),
        }
    }

    /// Not empty.
    pub(crate) fn required(&self, name: &str) -> Result<String, Misfit> {
        self.text(name).and_then(|text| if text.is_empty() { Err(Misfit) } else { Ok(text) })
    }

    /// `None` if absent.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<String>, Misfit> {
        self.text(name).map(|text| (!text.is_empty()).then_some(text))
    }

    /// Zero if absent.
    pub(crate) fn integer(&self, name: &str) -> Result<i64, Misfit> {
        self.value(name).map_or(Ok(0), |value| value.as_i64().ok_or(Misfit))
    }

    /// Zero if absent.
    pub(crate) fn number(&self, name: &str) -> Result<f64, Misfit> {
        self.value(name).map_or(Ok(0.0), |value| value.as_f64().ok_or(Misfit))
    }

    /// `None` if absent.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Misfit> {
        self.value(name).map(|value| Self::of_value(value.clone())).transpose()
    }

    /// Every field and its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }

    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Whether a U+0000 stands anywhere in it, which the database refuses.
pub(crate) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => {
            fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Result<Fields, Misfit> {
        Fields::of_body(body.as_bytes())
    }

    #[test]
    fn as_go_binds() {
        // PROTOCOL 1: ShouldBindJSON.
        let body = fields(r#"{"A": 1, "b": null, "c": 1.0, "d": "", "e": "x"} trailing"#).unwrap();
        assert_eq!(body.integer("a"), Ok(1), "names match whatever their case");
        assert_eq!((body.integer("b"), body.text("b")), (Ok(0), Ok(String::new())));
        assert_eq!(body.integer("c"), Err(Misfit));
        assert_eq!(body.number("c"), Ok(1.0));
        assert_eq!(body.required("d"), Err(Misfit));
        assert_eq!(body.integer("e"), Err(Misfit));
        assert_eq!(body.integer("missing"), Ok(0));
    }

    #[test]
    fn what_is_no_object() {
        for bad in ["", "[]", "1", "\"x\"", "{", "{\"a\":}", "nul"] {
            assert!(fields(bad).is_err(), "{bad}");
        }
        assert!(fields("null").is_ok(), "null is the zero value");
    }
}
