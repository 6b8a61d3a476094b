//! What stands in the stream: everything that the reader took and all that
//! still lies there.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use super::{ResultName, World};

/// Results of a stream, counted; or the first line that is none.
type Counted = Result<Rc<BTreeMap<ResultName, u32>>, String>;

/// A stream as it was read: many checks ask for the same.
#[derive(Debug)]
pub(super) struct ReadStream {
    bytes: Vec<u8>,
    counted: Counted,
    with_text: Rc<BTreeSet<ResultName>>,
}

impl Default for ReadStream {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl ReadStream {
    fn of(bytes: Vec<u8>) -> Self {
        let mut counts = BTreeMap::new();
        let mut with_text = BTreeSet::new();
        let mut torn = None;
        let text = String::from_utf8_lossy(&bytes);
        for line in text.split_inclusive('\n') {
            let value: Value = serde_json::from_str(line).unwrap_or_default();
            let member = |name: &str| value.get(name).and_then(Value::as_str);
            let name = member("delegation_id").zip(member("status"));
            let Some(name) = name.map(|(id, status)| (id.to_owned(), status.to_owned())) else {
                torn = torn.or_else(|| Some(line.to_owned()));
                continue;
            };
            if !line.ends_with('\n') {
                torn = torn.or_else(|| Some(line.to_owned()));
            }
            if member("response_preview").is_some_and(|preview| !preview.is_empty()) {
                with_text.insert(name.clone());
            }
            *counts.entry(name).or_default() += 1;
        }
        let counted = match torn {
            Some(line) => Err(format!("S4: a torn line in the stream: {line:?}")),
            None => Ok(Rc::new(counts)),
        };
        Self { counted, with_text: Rc::new(with_text), bytes }
    }
}

impl World {
    /// The results in everything that the reader took and all that still lies
    /// there, counted.
    ///
    /// # Errors
    /// The first line that is no result.
    pub fn stream(&self) -> Counted {
        self.read_stream();
        self.stream.borrow().counted.clone()
    }

    /// The results of the stream that hold a response's text.
    #[must_use]
    pub fn with_text(&self) -> Rc<BTreeSet<ResultName>> {
        self.read_stream();
        Rc::clone(&self.stream.borrow().with_text)
    }

    fn read_stream(&self) {
        let bytes = self.files.stream();
        let is_known = self.stream.borrow().bytes == bytes;
        if !is_known {
            *self.stream.borrow_mut() = ReadStream::of(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, preview: &str) -> String {
        let line = serde_json::json!({"delegation_id": id, "status": "completed",
            "response_preview": preview});
        format!("{line}\n")
    }

    fn name(id: &str) -> ResultName {
        (id.into(), "completed".into())
    }

    #[test]
    fn results_are_counted_and_those_with_text_are_known() {
        let read = ReadStream::of((line("a", "") + &line("b", "x") + &line("a", "")).into_bytes());
        let counted = read.counted.unwrap();
        assert_eq!(counted.iter().collect::<Vec<_>>(), [(&name("a"), &2), (&name("b"), &1)]);
        assert_eq!(read.with_text.iter().collect::<Vec<_>>(), [&name("b")]);
    }

    #[test]
    fn the_first_line_that_is_no_result_is_told() {
        let good = line("a", "x");
        for bad in ["{\n", "{\"delegation_id\":\"b\"}\n", "7\n", "\n", good.trim_end()] {
            let read = ReadStream::of(format!("{good}{bad}").into_bytes());
            let broken = read.counted.unwrap_err();
            assert!(broken.contains(&format!("{bad:?}")), "{bad}: {broken}");
            assert_eq!(read.with_text.len(), 1, "{bad}");
        }
    }
}
