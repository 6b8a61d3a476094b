//! The words of a case, as what they stand for.

use std::time::Duration;

use everbeat_core::{
    Body, Config, FileFailure, FileFailureKind, Outcome, Response, TransportFailureKind,
};
use serde::Deserialize;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde_json::Value;

use crate::scenario::parse_duration;

/// The workspace of every case.
const OWN: &str = "ws-1";

pub(super) fn span_of(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is no time"))
}

pub(super) fn config(words: &[&str]) -> Result<Config, String> {
    let mut config = Config::new(OWN, "http://platform");
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("interval", span) => config.interval = span_of(span)?,
            ("cooldown", span) => config.cooldown = span_of(span)?,
            ("reannounce-after", span) => config.reannounce_after = span_of(span)?,
            ("deliver", word) => config.deliver = one_of(word)?,
            ("announce", word) => config.announce = one_of(word)?,
            ("notify", word) => config.notify = one_of(word)?,
            ("backlog", word) => config.backlog = one_of(word)?,
            ("messages-per-hour", most) => {
                config.self_messages_per_hour_max =
                    most.parse().map_err(|_| format!("{most:?} is no number"))?;
            }
            ("registers", "") => {
                config.agent_url = Some("http://agent:8000".into());
                config.agent_card = Some(serde_json::json!({"name": "own"}).into());
            }
            _ => return Err(format!("start: {word:?} is not understood")),
        }
    }
    Ok(config)
}

fn one_of<'a, T: Deserialize<'a>>(word: &'a str) -> Result<T, String> {
    let deserializer: StrDeserializer<'a, WordError> =
        serde::de::IntoDeserializer::into_deserializer(word);
    T::deserialize(deserializer).map_err(|error| error.to_string())
}

pub(super) fn response(what: &str, words: &[&str], input: &[String]) -> Result<Response, String> {
    let (mut status, mut retry_after_s, mut complete) = (200, None, true);
    for word in words {
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{word:?} is no number"));
        match word.split_once('=') {
            Some(("retry-after", seconds)) => retry_after_s = Some(number(seconds)?),
            Some(_) => return Err(format!("answer: {word:?} is not understood")),
            None if *word == "cut" => complete = false,
            None => status = u16::try_from(number(word)?).map_err(|error| error.to_string())?,
        }
    }
    let body = match (what, status) {
        ("poll", 200) if input.first().is_none_or(|line| !line.starts_with("body ")) => {
            list(input)?
        }
        ("poll", 200) => input.join("\n").trim_start_matches("body ").into(),
        _ if input.is_empty() => "{}".into(),
        _ => input.join("\n"),
    };
    Ok(Response { status, retry_after_s, body: Body(body.into_bytes()), complete })
}

/// A list with a row in each line; `rows d1..d50` stands for as many failed
/// ones.
pub(super) fn list(input: &[String]) -> Result<String, String> {
    let mut rows = Vec::new();
    for line in input {
        if let Some(range) = line.strip_prefix("rows ") {
            let numbers = range.strip_prefix('d').and_then(|range| range.split_once("..d"));
            let ends = numbers.and_then(|(a, b)| Some((a.parse().ok()?, b.parse::<u32>().ok()?)));
            let (first, last) = ends.ok_or_else(|| format!("{line:?} is not like rows d1..d50"))?;
            rows.extend((first..=last).rev().map(|number: u32| {
                serde_json::json!({"delegation_id": format!("d{number}"), "status": "failed",
                    "source_id": OWN, "error": "no"})
            }));
            continue;
        }
        let mut row: Value =
            serde_json::from_str(line).map_err(|error| format!("row {line}: {error}"))?;
        if let Some(members) = row.as_object_mut() {
            members.entry("source_id").or_insert_with(|| OWN.into());
        }
        rows.push(row);
    }
    Ok(Value::from(rows).to_string())
}

pub(super) fn failure(how: &str) -> Result<TransportFailureKind, String> {
    match how {
        "not-sent" => Ok(TransportFailureKind::NotSent),
        "no-answer" => Ok(TransportFailureKind::NoAnswer),
        "bad-answer" => Ok(TransportFailureKind::BadAnswer),
        how => Err(format!("{how:?} is no way to fail")),
    }
}

pub(super) fn token(how: &str) -> Result<Outcome, String> {
    match how {
        "changed" => Ok(Outcome::TokenLoaded { changed: true, present: true }),
        "same" => Ok(Outcome::TokenLoaded { changed: false, present: true }),
        "missing" => Ok(Outcome::TokenLoaded { changed: false, present: false }),
        "fails" => Ok(Outcome::FileFailed(file_failure(FileFailureKind::Denied))),
        how => Err(format!("{how:?} is nothing that a token file is")),
    }
}

pub(super) fn file_failure(kind: FileFailureKind) -> FileFailure {
    let reason = match kind {
        FileFailureKind::Full => "no space left on device",
        FileFailureKind::ReadOnly => "read-only file system",
        FileFailureKind::Denied => "permission denied",
        FileFailureKind::Missing
        | FileFailureKind::Locked
        | FileFailureKind::Odd
        | FileFailureKind::Other => "input/output error",
    };
    FileFailure { operation: "write".into(), path: "a file".into(), kind, reason: reason.into() }
}
