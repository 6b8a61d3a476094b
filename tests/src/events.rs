//! Somebody who reads an agent's events.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::control::Control;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct SentEvent {
    /// Its id, if it has one.
    pub id: Option<u64>,
    /// Its kind.
    pub kind: String,
    /// Its data.
    pub data: Value,
}

/// An open stream of events.
#[derive(Debug)]
pub struct Events {
    lines: BufReader<UnixStream>,
}

impl Events {
    /// Listens from now on, or to what `query` asks for; `headers` are more
    /// lines of the request's head.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn listen(control: &Control, query: &str, headers: &str) -> Self {
        let mut stream = control.connect();
        let head = format!("GET /v1/events{query} HTTP/1.1\r\nHost: everbeat\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).expect("the request can be sent");
        let mut events = Self { lines: BufReader::new(stream) };
        let mut first = events.line();
        assert!(first.contains(" 200 "), "GET /v1/events{query}: {first}");
        let mut types = 0;
        while !first.trim().is_empty() {
            types += usize::from(first.to_lowercase().contains("text/event-stream"));
            first = events.line();
        }
        assert_eq!(types, 1, "it is a stream of events");
        events
    }

    /// The next line, as it came; sizes of chunks are among them.
    ///
    /// # Panics
    /// If the stream ends, or nothing comes for long.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("a line comes in time");
        assert!(read > 0, "the stream of events ended");
        line
    }

    /// The next event.
    ///
    /// # Panics
    /// If none comes.
    pub fn next_event(&mut self) -> SentEvent {
        let (mut id, mut kind) = (None, String::new());
        loop {
            let line = self.line();
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.parse().ok();
            } else if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut kind);
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data).expect("data is JSON on one line");
                return SentEvent { id, kind, data };
            } else if line.is_empty() {
                id = None;
            }
        }
    }

    /// The next event of which this holds.
    ///
    /// # Panics
    /// If none comes.
    pub fn next_that(&mut self, mut holds: impl FnMut(&SentEvent) -> bool) -> SentEvent {
        loop {
            let event = self.next_event();
            if holds(&event) {
                return event;
            }
        }
    }
}
