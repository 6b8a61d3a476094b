//! Reading records in one go.
//!
//! What serde derives for a tagged enum keeps the whole record aside until it
//! has found the tag. The store writes the tag first, so a journal is read here
//! without that; a record whose tag comes later is taken all the same.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{JournalRecord, ResultKey, Snapshot, SnapshotResult, Status, StoredResult, Untold};

const TAG: &str = "type";
const TAGS: &[&str] = &[
    "began",
    "stored",
    "settled",
    "announcing",
    "refused",
    "announced",
    "notified",
    "taken",
    "forgotten",
    "awaited",
    "await_dropped",
    "snapshot",
];

/// A [`StoredResult`] as it is written: its key's members among its own.
#[derive(Deserialize)]
pub(super) struct Stored {
    delegation_id: String,
    status: Status,
    summary: String,
    #[serde(default)]
    error: String,
}

impl From<Stored> for StoredResult {
    fn from(Stored { delegation_id, status, summary, error }: Stored) -> Self {
        Self { key: ResultKey { delegation_id, status }, summary, error }
    }
}

/// A [`SnapshotResult`] as it is written: its key's members among its own.
#[derive(Deserialize)]
pub(super) struct Remembered {
    delegation_id: String,
    status: Status,
    batch: u64,
    #[serde(default)]
    untold: Option<Untold>,
    #[serde(default)]
    notified: bool,
}

impl From<Remembered> for SnapshotResult {
    fn from(read: Remembered) -> Self {
        let Remembered { delegation_id, status, batch, untold, notified } = read;
        Self { key: ResultKey { delegation_id, status }, batch, untold, notified }
    }
}

impl<'de> Deserialize<'de> for JournalRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Record)
    }
}

struct Record;

impl<'de> Visitor<'de> for Record {
    type Value = JournalRecord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a journal record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JournalRecord, A::Error> {
        let first: Option<Cow<'de, str>> = map.next_key()?;
        if first.as_deref() == Some(TAG) {
            let tag: Cow<'de, str> = map.next_value()?;
            return members(&tag, MapAccessDeserializer::new(map));
        }
        let mut rest = Map::new();
        if let Some(first) = first {
            rest.insert(first.into_owned(), map.next_value()?);
        }
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            rest.insert(name, value);
        }
        let Some(Value::String(tag)) = rest.remove(TAG) else {
            return Err(A::Error::missing_field(TAG));
        };
        members(&tag, Value::Object(rest)).map_err(A::Error::custom)
    }
}

/// The record of this tag with all members but the tag.
fn members<'de, D: Deserializer<'de>>(tag: &str, rest: D) -> Result<JournalRecord, D::Error> {
    #[derive(Deserialize)]
    struct Batch {
        batch: u64,
        length: u64,
        results: Vec<StoredResult>,
    }
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<ResultKey>,
    }
    #[derive(Deserialize)]
    struct Announcing {
        message_id: String,
        keys: Vec<ResultKey>,
    }
    #[derive(Deserialize)]
    struct Message {
        message_id: String,
    }
    #[derive(Deserialize)]
    struct Through {
        through: u64,
    }
    #[derive(Deserialize)]
    struct Delegation {
        delegation_id: String,
    }
    Ok(match tag {
        "began" => IgnoredAny::deserialize(rest).map(|_| JournalRecord::Began)?,
        "stored" => {
            let Batch { batch, length, results } = Batch::deserialize(rest)?;
            JournalRecord::Stored { batch, length, results }
        }
        "settled" => JournalRecord::Settled { keys: Keys::deserialize(rest)?.keys },
        "announcing" => {
            let Announcing { message_id, keys } = Announcing::deserialize(rest)?;
            JournalRecord::Announcing { message_id, keys }
        }
        "refused" => JournalRecord::Refused { message_id: Message::deserialize(rest)?.message_id },
        "announced" => {
            JournalRecord::Announced { message_id: Message::deserialize(rest)?.message_id }
        }
        "notified" => JournalRecord::Notified { keys: Keys::deserialize(rest)?.keys },
        "taken" => JournalRecord::Taken { through: Through::deserialize(rest)?.through },
        "forgotten" => IgnoredAny::deserialize(rest).map(|_| JournalRecord::Forgotten)?,
        "awaited" => {
            let delegation_id = Delegation::deserialize(rest)?.delegation_id;
            JournalRecord::Awaited { delegation_id }
        }
        "await_dropped" => {
            let delegation_id = Delegation::deserialize(rest)?.delegation_id;
            JournalRecord::AwaitDropped { delegation_id }
        }
        "snapshot" => JournalRecord::Snapshot(Snapshot::deserialize(rest)?),
        unknown => return Err(D::Error::unknown_variant(unknown, TAGS)),
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn every_kind() -> Vec<JournalRecord> {
        let key = ResultKey { delegation_id: "d\"1".into(), status: Status::Failed };
        let untold = Untold { summary: "s".into(), error: "e".into() };
        let remembered =
            SnapshotResult { key: key.clone(), batch: 7, untold: Some(untold), notified: true };
        let plain = SnapshotResult { untold: None, notified: false, ..remembered.clone() };
        let stored = StoredResult { key: key.clone(), summary: "s".into(), error: String::new() };
        let snapshot = Snapshot {
            began: true,
            results: vec![remembered, plain],
            awaited: vec!["a".into()],
            ..Snapshot::default()
        };
        let (id, keys) = (String::from("m"), vec![key]);
        vec![
            JournalRecord::Began,
            JournalRecord::Stored { batch: 1, length: 2, results: vec![stored] },
            JournalRecord::Settled { keys: keys.clone() },
            JournalRecord::Announcing { message_id: id.clone(), keys: keys.clone() },
            JournalRecord::Refused { message_id: id.clone() },
            JournalRecord::Announced { message_id: id.clone() },
            JournalRecord::Notified { keys },
            JournalRecord::Taken { through: 3 },
            JournalRecord::Forgotten,
            JournalRecord::Awaited { delegation_id: id.clone() },
            JournalRecord::AwaitDropped { delegation_id: id },
            JournalRecord::Snapshot(snapshot),
        ]
    }

    #[test]
    fn every_record_comes_back_wherever_its_tag_stands() {
        let records = every_kind();
        assert_eq!(records.len(), TAGS.len());
        for (record, tag) in records.into_iter().zip(TAGS) {
            let json = serde_json::to_string(&record).unwrap();
            let tagged = alloc::format!("{{\"type\":\"{tag}\"");
            assert!(json.starts_with(&tagged), "{json}");
            assert_eq!(serde_json::from_str::<JournalRecord>(&json).unwrap(), record);
            // Between members that this version does not know, the tag last.
            let members = json[tagged.len()..].trim_end_matches('}').trim_start_matches(',');
            let closed = &json[json.trim_end_matches('}').len() + 1..];
            let comma = if members.is_empty() { "" } else { "," };
            let last =
                alloc::format!("{{\"later\":[1],{members}{closed}{comma}\"type\":\"{tag}\"}}");
            assert_eq!(serde_json::from_str::<JournalRecord>(&last).unwrap(), record, "{last}");
        }
    }

    #[test]
    fn what_is_no_record_says_why() {
        for (json, why) in [
            ("{}", "missing field `type`"),
            ("{\"type\":\"later\"}", "unknown variant `later`"),
            ("{\"through\":1,\"type\":\"later\"}", "unknown variant `later`"),
            ("{\"type\":\"taken\"}", "missing field `through`"),
            ("{\"type\":7}", "invalid type"),
            ("[]", "a journal record"),
        ] {
            let error = serde_json::from_str::<JournalRecord>(json).unwrap_err().to_string();
            assert!(error.contains(why), "{json}: {error}");
        }
    }
}
