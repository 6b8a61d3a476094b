//! Server-sent events, as they come in pieces.

use std::collections::VecDeque;

/// Longest line that is kept: far above what an agent sends.
const LINE_BYTES_MAX: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The last id that was given, as the stream's rules have it.
    pub(crate) id: String,
    /// `message` if nothing else is said.
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// Makes events of bytes.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    rest: Vec<u8>,
    /// Fields of the event that is not complete.
    id: String,
    kind: String,
    data: Option<String>,
    ready: VecDeque<Event>,
}

impl Parser {
    /// More of the stream.
    ///
    /// # Errors
    /// If a line is longer than any that an agent sends.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            self.line(line.trim_end_matches(['\r', '\n']));
        }
        if self.rest.len() > LINE_BYTES_MAX {
            return Err("a line of over 1 MiB");
        }
        Ok(())
    }

    /// The next complete event.
    pub(crate) fn next(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            if let Some(data) = self.data.take() {
                let kind = if kind.is_empty() { "message".into() } else { kind };
                self.ready.push_back(Event { id: self.id.clone(), kind, data });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" if !value.contains('\0') => self.id = value.into(),
            "event" => self.kind = value.into(),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.into()),
            },
            // Comments, which keep the connection, and what is not known.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nid: 1\nevent: beat\ndata: {\"a\": 1}\n\n: keep\n\n\
        id: 2\r\ndata: x\r\ndata:y\r\n\r\nevent: lost\n\nid: 3\nevent: notice\ndata\n\n";

    fn event(id: &str, kind: &str, data: &str) -> Event {
        Event { id: id.into(), kind: kind.into(), data: data.into() }
    }

    #[test]
    fn events_come_out_however_the_stream_is_cut() {
        let expected = [
            event("1", "beat", "{\"a\": 1}"),
            event("2", "message", "x\ny"),
            event("3", "notice", ""),
        ];
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for piece in STREAM.as_bytes().chunks(size) {
                parser.push(piece).unwrap();
                events.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(events, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_that_is_not_complete_is_none() {
        let mut parser = Parser::default();
        parser.push(b"id: 1\ndata: half\n").unwrap();
        assert_eq!(parser.next(), None);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; 1 << 16];
        let pushed = (0..17).map(|_| parser.push(&piece)).collect::<Vec<_>>();
        assert!(
            pushed.first().is_some_and(Result::is_ok) && pushed.last().is_some_and(Result::is_err)
        );
    }
}
