//! One line of the journal: `{"crc":"xxxxxxxx","record":…}`, the checksum
//! being that of the record's bytes as they stand in the line.

use serde::Serialize;
use serde::de::DeserializeOwned;

const BEFORE_CHECKSUM: &[u8] = b"{\"crc\":\"";
const BEFORE_RECORD: &[u8] = b"\",\"record\":";
const AFTER_RECORD: &[u8] = b"}";
const CHECKSUM_DIGITS: usize = 8;

/// Why a line cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LineError {
    /// The bytes are not what was written.
    Corrupt,
    /// The bytes are what was written, but mean nothing to this version.
    Unknown(String),
}

/// Adds one line to `bytes`.
pub(crate) fn push(bytes: &mut Vec<u8>, record: &impl Serialize) -> serde_json::Result<()> {
    let json = serde_json::to_vec(record)?;
    bytes.extend_from_slice(BEFORE_CHECKSUM);
    bytes.extend_from_slice(format!("{:08x}", crc32fast::hash(&json)).as_bytes());
    bytes.extend_from_slice(BEFORE_RECORD);
    bytes.extend_from_slice(&json);
    bytes.extend_from_slice(AFTER_RECORD);
    bytes.push(b'\n');
    Ok(())
}

/// The record in one line, given without its newline.
pub(crate) fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, LineError> {
    let json = checked(line).ok_or(LineError::Corrupt)?;
    serde_json::from_slice(json).map_err(|error| LineError::Unknown(error.to_string()))
}

fn checked(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(BEFORE_CHECKSUM)?;
    let (digits, rest) = rest.split_at_checked(CHECKSUM_DIGITS)?;
    let json = rest.strip_prefix(BEFORE_RECORD)?.strip_suffix(AFTER_RECORD)?;
    let expected = format!("{:08x}", crc32fast::hash(json));
    (digits == expected.as_bytes()).then_some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_and_comes_back() {
        let mut bytes = Vec::new();
        push(&mut bytes, &vec!["a", "b"]).unwrap();
        assert_eq!(bytes.pop(), Some(b'\n'));
        assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        assert_eq!(parse::<Vec<String>>(&bytes), Ok(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let mut bytes = Vec::new();
        push(&mut bytes, &vec!["a", "b"]).unwrap();
        bytes.pop();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(parse::<Vec<String>>(&changed), Err(LineError::Corrupt), "byte {at}");
        }
    }
}
