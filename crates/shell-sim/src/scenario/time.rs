//! Spans of time as people write them: `5m`, `1h30m`, `-2d`, `250ms`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// Names of units, longest name first where one begins another.
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a span of time: one or more numbers with `ms`, `s`, `m`, `h` or `d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total_ms = 0_u64;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let (unit, ms) = UNITS.into_iter().find(|(unit, _)| is_unit(tail, unit))?;
        let number: u64 = number.parse().ok()?;
        total_ms = total_ms.checked_add(number.checked_mul(ms)?)?;
        rest = &tail[unit.len()..];
    }
    Some(Duration::from_millis(total_ms))
}

/// Whether the unit stands there, and not the beginning of another.
fn is_unit(tail: &str, unit: &str) -> bool {
    let rest = tail.strip_prefix(unit);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// A span of time in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(pub(super) Duration);

impl Span {
    pub(super) fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || de::Error::custom(format!("{text:?} is no time like \"90s\" or \"1h30m\""));
        parse_duration(&text).map(Self).ok_or_else(wrong)
    }
}

/// A step of the clock: a span, perhaps backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step(pub(super) i64);

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (sign, span) = text.strip_prefix('-').map_or((1, text.as_str()), |span| (-1, span));
        let ms = parse_duration(span).and_then(|span| i64::try_from(span.as_millis()).ok());
        let wrong = || de::Error::custom(format!("{text:?} is no step like \"2h\" or \"-1d\""));
        ms.map(|ms| Self(sign * ms)).ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.0))
    }
}

/// A span for people: the two largest units that say something.
pub(super) fn shown(span: Duration) -> String {
    let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (unit, ms) in UNITS.into_iter().rev() {
        if left >= ms && text.chars().filter(char::is_ascii_alphabetic).count() < 2 {
            text += &format!("{}{unit}", left / ms);
            left %= ms;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_shown() {
        let ms = |text| parse_duration(text).map(|span| span.as_millis());
        assert_eq!(ms("5m"), Some(300_000));
        assert_eq!(ms("1h30m"), Some(5_400_000));
        assert_eq!(ms("250ms"), Some(250));
        assert_eq!(ms("1d"), Some(86_400_000));
        for wrong in ["", "5", "m", "5x", "5mm", "-5m", "5 m", "99999999999999999999d"] {
            assert_eq!(ms(wrong), None, "{wrong}");
        }
        assert_eq!(shown(Duration::from_millis(5_400_000)), "1h30m");
        assert_eq!(shown(Duration::from_millis(59_616)), "59s616ms");
    }
}
