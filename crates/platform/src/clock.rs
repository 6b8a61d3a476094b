//! Timestamps as text.

use serde::{Serialize, Serializer};

/// A time that is shown as RFC 3339 in UTC, with milliseconds only where there
/// are some. It is written once, however often it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp {
    /// Unix milliseconds.
    pub(crate) ms: i64,
    written: Written,
}

impl Timestamp {
    pub(crate) fn of(ms: i64) -> Self {
        Self { ms, written: Written::of(ms) }
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::of(0)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.written.as_str())
    }
}

/// `0000-00-00T00:00:00.000Z` at most.
#[derive(Clone, Copy, Debug)]
struct Written {
    bytes: [u8; 24],
    length: usize,
}

impl Written {
    fn of(wall_ms: i64) -> Self {
        // Years 0 to 9999: what the format can say.
        let wall_ms = wall_ms.clamp(-62_167_219_200_000, 253_402_300_799_999);
        let (days, of_day) = (wall_ms.div_euclid(86_400_000), wall_ms.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let of_day = u32::try_from(of_day).unwrap_or_default();
        let (seconds, ms) = (of_day / 1_000, of_day % 1_000);
        let mut bytes = *b"0000-00-00T00:00:00.000Z";
        for (place, number) in [
            (0, year / 100),
            (2, year % 100),
            (5, month),
            (8, day),
            (11, seconds / 3_600),
            (14, seconds / 60 % 60),
            (17, seconds % 60),
            (20, ms / 10),
        ] {
            bytes[place] = digit(number / 10);
            bytes[place + 1] = digit(number % 10);
        }
        bytes[22] = digit(ms % 10);
        // A fraction does not end with zeros, and is none if it is zero.
        let length = match (ms % 10, ms / 10 % 10, ms) {
            (_, _, 0) => 19,
            (0, 0, _) => 21,
            (0, ..) => 22,
            (..) => 23,
        };
        bytes[length] = b'Z';
        Self { bytes, length: length + 1 }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// Of a number below ten.
const fn digit(number: u32) -> u8 {
    b'0' + number.to_le_bytes()[0]
}

/// Year, month and day of a day since 1970-01-01, not before year 0, by
/// Hinnant's algorithm: years begin in March, eras have 400 of them. The one
/// that year 0 begins in is counted from -0400-03-01.
fn civil(days: i64) -> (u32, u32, u32) {
    let days = u32::try_from(days + 719_468 + i64::from(ERA_DAYS)).unwrap_or_default();
    let (era, of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let (month, is_next) =
        if march_month < 10 { (march_month + 3, 0) } else { (march_month - 9, 1) };
    (era * 400 + year + is_next - 400, month, day)
}

/// Days of 400 years, after which the calendar repeats itself.
const ERA_DAYS: u32 = 146_097;

#[cfg(test)]
mod tests {
    use super::Timestamp;

    fn rfc3339(wall_ms: i64) -> String {
        Timestamp::of(wall_ms).written.as_str().to_owned()
    }

    #[test]
    fn known_dates() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_774_958_400_120), "2026-03-31T12:00:00.12Z");
        assert_eq!(rfc3339(1_774_958_400_100), "2026-03-31T12:00:00.1Z");
        assert_eq!(rfc3339(1_774_958_400_005), "2026-03-31T12:00:00.005Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(i64::MIN), "0000-01-01T00:00:00Z");
    }
}
