//! What an output is made of, as lines that can be kept: each place in a JSON
//! value and the types that were seen there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Places and their types, of all samples together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape(BTreeMap<String, BTreeSet<String>>);

impl Shape {
    /// Adds a sample at `$`.
    pub fn add(&mut self, value: &Value) {
        self.add_at("$", value);
    }

    /// Adds a sample below a name.
    pub fn add_at(&mut self, at: &str, value: &Value) {
        self.0.entry(at.to_owned()).or_default().insert(type_of(value).to_owned());
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.add_at(&format!("{at}.{key}"), value);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.add_at(&format!("{at}[]"), item);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// As it is kept: `$.beat.outage: null object`, a line a place.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (at, types) in &self.0 {
            let types: Vec<_> = types.iter().map(String::as_str).collect();
            let _ = writeln!(text, "{at}: {}", types.join(" "));
        }
        text
    }

    /// Reads what was kept; a line that is none is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (at, types) = line.rsplit_once(": ")?;
            Some((at.to_owned(), types.split(' ').map(Into::into).collect()))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// What somebody who read `kept` would stumble over in `self`, and what is
    /// new, which is to be kept.
    #[must_use]
    pub fn differences(&self, kept: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, types) in &kept.0 {
            match self.0.get(at) {
                None => found.push(format!("{at} is gone")),
                Some(seen) => {
                    let other = seen.difference(types);
                    found.extend(other.map(|other| format!("{at} may now be {other}")));
                }
            }
        }
        let new = self.0.keys().filter(|at| !kept.0.contains_key(*at));
        found.extend(new.map(|at| format!("{at} is new")));
        found
    }

    /// Compares with the kept file; with `UPDATE=1` in the environment, writes
    /// it. Types that were kept for a place that still is stay kept: not every
    /// run meets each of them.
    ///
    /// # Panics
    /// If they differ, or the file cannot be read or written.
    pub fn assert_kept(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/json");
        let path = folder.join(format!("{name}.txt"));
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            let mut kept = Self::parse(&fs::read_to_string(&path).unwrap_or_default());
            kept.0.retain(|at, _| self.0.contains_key(at));
            for (at, types) in &self.0 {
                kept.0.entry(at.clone()).or_default().extend(types.iter().cloned());
            }
            fs::write(&path, kept.to_text()).unwrap_or_else(|error| panic!("{name}: {error}"));
            return;
        }
        let kept = fs::read_to_string(&path);
        let kept = kept.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let differences = self.differences(&Self::parse(&kept)).join("\n  ");
        assert!(
            differences.is_empty(),
            "tests/testdata/json/{name}.txt\n  {differences}\nOutputs only grow: nothing goes and \
             no type changes without another schema_version. If this is right, UPDATE=1 keeps it."
        );
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape(value: &Value) -> Shape {
        let mut shape = Shape::default();
        shape.add(value);
        shape
    }

    #[test]
    fn what_goes_and_what_changes_its_type_is_found() {
        let kept = shape(&json!({"a": 1, "b": {"c": ["x"]}, "d": 0.5}));
        assert_eq!(Shape::parse(&kept.to_text()), kept);
        assert_eq!(kept.differences(&kept), Vec::<String>::new());
        let other = shape(&json!({"a": "1", "b": {"c": []}, "d": 1, "e": null}));
        let expected =
            ["$.a may now be string", "$.b.c[] is gone", "$.d may now be integer", "$.e is new"];
        assert_eq!(other.differences(&kept), expected);
    }

    #[test]
    fn a_type_that_a_sample_did_not_meet_is_not_gone() {
        let mut kept = shape(&json!({"a": null}));
        kept.add(&json!({"a": 1}));
        assert_eq!(kept.to_text(), "$: object\n$.a: integer null\n");
        assert_eq!(shape(&json!({"a": 1})).differences(&kept), Vec::<String>::new());
    }
}
