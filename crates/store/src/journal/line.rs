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
    bytes.extend_from_slice(&checksum(&json));
    bytes.extend_from_slice(BEFORE_RECORD);
    bytes.extend_from_slice(&json);
    bytes.extend_from_slice(AFTER_RECORD);
    bytes.push(b'\n');
    Ok(())
}

/// The record in one line, given without its newline.
pub(crate) fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, LineError> {
    let json = checked(line).ok_or(LineError::Corrupt)?;
    // Once for the whole line, not for each text in it.
    let json = str::from_utf8(json).map_err(|error| LineError::Unknown(error.to_string()))?;
    serde_json::from_str(json).map_err(|error| LineError::Unknown(error.to_string()))
}

fn checked(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(BEFORE_CHECKSUM)?;
    let (digits, rest) = rest.split_at_checked(CHECKSUM_DIGITS)?;
    let json = rest.strip_prefix(BEFORE_RECORD)?.strip_suffix(AFTER_RECORD)?;
    (digits == checksum(json)).then_some(json)
}

/// Eight hexadecimal digits.
fn checksum(json: &[u8]) -> [u8; CHECKSUM_DIGITS] {
    let checksum = crc32fast::hash(json);
    let digit = |place: usize| {
        let shift = 4 * (CHECKSUM_DIGITS - 1 - place);
        b"0123456789abcdef"[(checksum >> shift) as usize % 16]
    };
    core::array::from_fn(digit)
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
    fn checksums_are_padded() {
        assert_eq!(&checksum(b""), b"00000000");
        assert_eq!(&checksum(b"123456789"), b"cbf43926");
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
