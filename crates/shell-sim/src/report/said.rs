//! When a promise was broken, as its line says it.

/// Words that stand before a time.
const BEFORE: [&str; 5] = ["at", "before", "from", "between", "end"];

/// The time that the line names, in microseconds from the start; `None` if it
/// names none. Times are written as [`std::time::Duration`] prints itself.
pub(super) fn when_us(said: &str) -> Option<u64> {
    let words: Vec<&str> = said.split_whitespace().collect();
    let times = || words.iter().enumerate().filter_map(|(at, word)| Some((at, time_us(word)?)));
    let named = times().find(|(at, _)| *at > 0 && BEFORE.contains(&words[*at - 1]));
    named.or_else(|| times().find(|(at, _)| words.get(at + 1) != Some(&"after"))).map(|(_, us)| us)
}

/// `12.5s`, perhaps followed by a comma, a colon or a bracket.
fn time_us(word: &str) -> Option<u64> {
    let word = word.trim_matches(|shown: char| !shown.is_alphanumeric());
    let unit_at = word.find(|shown: char| !shown.is_ascii_digit() && shown != '.')?;
    let (number, unit) = word.split_at(unit_at);
    let unit_ns: u128 = match unit {
        "ns" => 1,
        "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = u32::try_from(part.len()).ok().filter(|digits| *digits <= 9)?;
    let whole_ns = whole.parse::<u64>().ok().map(u128::from)? * unit_ns;
    let part: u128 = if part.is_empty() { 0 } else { part.parse().ok()? };
    let ns = whole_ns + part * unit_ns / 10_u128.pow(digits);
    u64::try_from(ns / 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::when_us;

    #[test]
    fn every_line_of_the_checks_says_its_time() {
        for (said, us) in [
            ("S3: a self-message at 12.5s, 3s after the last", Some(12_500_000)),
            ("L1: 45.000001s without a beat before 3600s", Some(3_600_000_000)),
            ("L1: no beat between 70.25s and 99s", Some(70_250_000)),
            ("L5: back at 3.2µs, the outage ended at 1s", Some(3)),
            ("L2: (\"d1\", \"failed\"), listed at Listed { first: 9ms, last: 7s }", Some(9_000)),
            ("S5: more than 3000000 events by 4ms: a busy loop", Some(4_000)),
            ("L8: over 30 lines in the day from 86400.5s", Some(86_400_500_000)),
            ("S6: the journal has 9000000 bytes", None),
            ("S4: (\"d1s\", \"failed\") stands in the stream 2 times", None),
            ("", None),
        ] {
            assert_eq!(when_us(said), us, "{said}");
        }
    }
}
