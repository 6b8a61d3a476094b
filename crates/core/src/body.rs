//! A response body: bytes that do not print.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The bytes of an answer.
///
/// `Debug` shows the length only. Serialised (in a recorded history) it is a
/// JSON string where the bytes are UTF-8, else an array of numbers, and the
/// values of `auth_token` and `platform_inbound_secret` are replaced by a
/// fingerprint: a replay sees when they change, not what they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(pub Vec<u8>);

/// Members of an answer whose value is a credential.
const SECRET_MEMBERS: [&str; 2] = ["\"auth_token\"", "\"platform_inbound_secret\""];

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match core::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(&redact(text)),
            Err(_) => serializer.collect_seq(redact_bytes(&self.0)),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Recorded {
    Text(String),
    Bytes(Vec<u8>),
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Recorded::deserialize(deserializer)? {
            Recorded::Text(text) => Self(text.into_bytes()),
            Recorded::Bytes(bytes) => Self(bytes),
        })
    }
}

/// Bytes that are no text are shown only where they cannot hold a secret.
fn redact_bytes(bytes: &[u8]) -> Vec<u8> {
    let holds =
        |member: &str| bytes.windows(member.len()).any(|window| window == member.as_bytes());
    if SECRET_MEMBERS.into_iter().any(holds) { Vec::new() } else { bytes.to_vec() }
}

fn redact(text: &str) -> String {
    let mut out = String::from(text);
    for member in SECRET_MEMBERS {
        let mut from = 0;
        while let Some(found) = out[from..].find(member) {
            let after = from + found + member.len();
            let Some((start, end)) = string_after_colon(&out, after) else {
                from = after;
                continue;
            };
            let value = &out[start..end];
            if is_mark(value) {
                from = end;
                continue;
            }
            let mark = alloc::format!("redacted-{:08x}", fingerprint(value));
            out.replace_range(start..end, &mark);
            from = start + mark.len();
        }
    }
    out
}

/// Whether a value is a fingerprint already: a record that is read and written
/// again stays what it was.
fn is_mark(value: &str) -> bool {
    let digits = value.strip_prefix("redacted-");
    digits.is_some_and(|digits| {
        digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// The inside of the JSON string that follows a colon at or after `at`.
fn string_after_colon(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = text[at..].trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let start = text.len() - rest.len();
    let mut escaped = false;
    for (offset, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((start, start + offset)),
            _ => {}
        }
    }
    Some((start, text.len()))
}

/// 32 bits of FNV-1a: enough to see a change, too few to guess a credential.
fn fingerprint(text: &str) -> u32 {
    let hash = crate::chance::fnv1a(text.as_bytes());
    u32::try_from(hash >> 32).unwrap_or_default()
}
