//! Replaying a record: the events of a production history are fed to the
//! core, and what comes out is compared with what came out then.

use std::collections::VecDeque;
use std::io::BufRead;

use everbeat_core::{Heartbeat, RECORD_VERSION, RecordHeader, RecordLine};

/// Lines before a difference that are shown with it.
const CONTEXT: usize = 6;

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Events fed.
    pub events: u64,
    /// Commands and notices compared.
    pub outputs: u64,
    /// The first difference; nothing after it was compared.
    pub difference: Option<Difference>,
}

/// Where then and now part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The record's line, from 1.
    pub line: u64,
    /// What stands there; empty at the record's end.
    pub then: String,
    /// What came out now; empty if nothing did.
    pub now: String,
    /// The lines before it.
    pub before: Vec<String>,
}

/// Why a record could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A line could not be read.
    #[error("line {line}: {reason}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it: field, expected, version.
        reason: String,
    },
}

/// Feeds a record's events and compares its commands and notices.
///
/// # Errors
/// With the line if the record is of another version, holds something else,
/// or has fields that are not known. A last line that was cut is left out.
pub fn replay(record: impl BufRead) -> Result<Replayed, ReplayError> {
    let mut lines = record.lines().zip(1_u64..);
    let header = lines.next().ok_or_else(|| bad(1, "the record is empty"))?;
    let header = read_header(header)?;
    let config = header.config.validate().map_err(|error| bad(1, error))?;
    let mut replay = Replay {
        machine: Heartbeat::new(config, header.seed, header.at),
        before: VecDeque::new(),
        found: Replayed::default(),
    };
    let mut unread: Option<ReplayError> = None;
    for (text, line) in lines {
        // Only the very last line may have been cut by a crash.
        if let Some(error) = unread {
            return Err(error);
        }
        let text = text.map_err(|error| bad(line, error))?;
        match serde_json::from_str(&text) {
            Ok(read) => {
                if !replay.take(line, &text, read) {
                    return Ok(replay.found);
                }
            }
            Err(error) => unread = Some(bad(line, error)),
        }
    }
    Ok(replay.found)
}

fn read_header(first: (std::io::Result<String>, u64)) -> Result<RecordHeader, ReplayError> {
    let text = first.0.map_err(|error| bad(1, error))?;
    let head: serde_json::Value = serde_json::from_str(&text).map_err(|error| bad(1, error))?;
    if head.get("everbeat").and_then(|kind| kind.as_str()) != Some("record") {
        return Err(bad(1, "it is no record: `everbeat` is not \"record\""));
    }
    let version = head.get("version").and_then(serde_json::Value::as_u64);
    if version != Some(RECORD_VERSION.into()) {
        let found = version.map_or("none".into(), |version| version.to_string());
        return Err(bad(1, format!("version {found}, this program reads {RECORD_VERSION}")));
    }
    serde_json::from_value(head).map_err(|error| bad(1, error))
}

fn bad(line: u64, reason: impl std::fmt::Display) -> ReplayError {
    ReplayError::Line { line, reason: reason.to_string() }
}

struct Replay {
    machine: Heartbeat,
    before: VecDeque<String>,
    found: Replayed,
}

impl Replay {
    /// Takes one line; false once it is over.
    fn take(&mut self, line: u64, text: &str, read: RecordLine) -> bool {
        let goes_on = match read {
            RecordLine::Event { now, event } => {
                self.found.events += 1;
                // A shell takes a bounded share of the commands in a turn, so
                // what is left may still stand before later lines.
                self.machine.handle(now, event);
                true
            }
            RecordLine::Command(_) => {
                let came = self.machine.poll_command().map(RecordLine::Command);
                self.compare(line, text, came.as_ref())
            }
            RecordLine::Notice(_) => {
                let came = self.machine.poll_notice().map(RecordLine::Notice);
                self.compare(line, text, came.as_ref())
            }
            RecordLine::Ended { .. } => false,
        };
        if self.before.len() == CONTEXT {
            self.before.pop_front();
        }
        self.before.push_back(text.to_owned());
        goes_on
    }

    fn compare(&mut self, line: u64, then: &str, came: Option<&RecordLine>) -> bool {
        let now = came.and_then(|came| serde_json::to_string(came).ok()).unwrap_or_default();
        self.found.outputs += 1;
        if now == then {
            return true;
        }
        self.found.difference = Some(Difference {
            line,
            then: then.to_owned(),
            now,
            before: self.before.iter().cloned().collect(),
        });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use everbeat_core::{
        Action, Body, Config, Event, Instant, Now, OpenedStore, Outcome, Response, WallTime,
    };

    /// A record of some minutes in which every answer is the same.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other commands are requests")]
    fn record() -> Vec<String> {
        let config = Config::new("w", "http://platform");
        let mut now =
            Now { monotonic: Instant::from_millis(5_000), wall: WallTime::from_unix_millis(7) };
        let valid = config.clone().validate().unwrap();
        let mut machine = Heartbeat::new(valid, 3, now);
        let mut lines = vec![serde_json::to_string(&RecordHeader::new(config, 3, now)).unwrap()];
        let mut put = |line: &RecordLine| lines.push(serde_json::to_string(line).unwrap());
        for _ in 0..60 {
            let mut commands = Vec::new();
            while let Some(command) = machine.poll_command() {
                put(&RecordLine::Command(command.clone()));
                commands.push(command);
            }
            while let Some(notice) = machine.poll_notice() {
                put(&RecordLine::Notice(notice));
            }
            let mut events = Vec::new();
            for command in commands {
                let outcome = match command.action {
                    Action::OpenStore => Outcome::StoreOpened(OpenedStore::default()),
                    Action::AppendJournal { .. } => Outcome::JournalWritten { journal_bytes: 1 },
                    _ => Outcome::Response(Response {
                        status: 503,
                        retry_after_s: None,
                        body: Body::from("{\"platform_inbound_secret\":\"very-secret\"}"),
                        complete: true,
                    }),
                };
                events.push(Event::Completed { id: command.id, outcome });
            }
            if events.is_empty() {
                now.monotonic = machine.next_wakeup().unwrap().at;
                events.push(Event::Tick);
            }
            for event in events {
                put(&RecordLine::Event { now, event: event.clone() });
                machine.handle(now, event);
            }
        }
        lines
    }

    #[test]
    fn a_history_replays_as_it_was() {
        let lines = record();
        assert!(!lines.concat().contains("very-secret"));
        let found = replay(lines.join("\n").as_bytes()).unwrap();
        assert!(found.difference.is_none(), "{found:?}");
        assert!(found.events > 50 && found.outputs > 20, "{found:?}");
    }

    #[test]
    fn the_first_difference_is_shown_with_its_line() {
        let mut lines = record();
        let index = lines.iter().rposition(|line| line.contains("post_heartbeat")).unwrap();
        lines[index] = lines[index].replace("\"uptime_seconds\":", "\"uptime_seconds\":9");
        let difference = replay(lines.join("\n").as_bytes()).unwrap().difference.unwrap();
        assert_eq!(difference.line, index as u64 + 1);
        assert_eq!(difference.before.len(), CONTEXT);
    }

    #[test]
    fn bad_records_are_refused_with_their_line() {
        let refusal = |text: &str| replay(text.as_bytes()).unwrap_err().to_string();
        assert!(refusal("").contains("line 1"));
        assert!(refusal("{\"everbeat\":\"plan\"}").contains("no record"));
        assert!(refusal("{\"everbeat\":\"record\",\"version\":7}").contains("version 7"));
        let mut lines = record();
        lines[2] = "{\"event\":{\"now\":0}}".into();
        assert!(refusal(&lines.join("\n")).contains("line 3"));
        // What a crash cut off is no fault of the record.
        let mut lines = record();
        let last = lines.last_mut().unwrap();
        last.truncate(last.len() / 2);
        assert!(replay(lines.join("\n").as_bytes()).is_ok());
    }
}
