//! The lines as the page holds them: columns, and texts as shapes that are
//! told once, with the numbers that fill them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::TEXT_CHARS_MAX;
use super::about::{About, Load};
use crate::world::{Party, TraceLine};

/// Texts that are decoded at once.
const CHUNK_LINES: usize = 2_048;
/// Stands for a number in a shape.
const HOLE: char = '\u{1}';
/// JavaScript's numbers hold these exactly.
const DIGITS_MAX: usize = 15;

/// What goes into the page, as JSON.
pub(super) struct Encoded {
    /// Everything but the texts.
    pub(super) head: String,
    /// The texts, in chunks.
    pub(super) texts: Vec<String>,
}

#[derive(Serialize)]
struct Head<'a> {
    version: u32,
    /// As text: it has more digits than the page's numbers.
    seed: String,
    /// As text, to be saved as it is.
    plan: &'a str,
    verdict: &'a [String],
    /// The first line's number, and how many the run has.
    first: usize,
    total: usize,
    end_us: u64,
    chunk: usize,
    kinds: Vec<(Party, &'a str)>,
    /// Each line's place in `kinds`.
    kind: Vec<usize>,
    /// Of a fleet: the workspaces that are told of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    workspaces: Vec<&'a str>,
    /// Each line's place in `workspaces`, counted from 1; 0 is nobody's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    workspace: Vec<usize>,
    load: Option<&'a Load>,
    /// Microseconds since the line before.
    step_us: Vec<u64>,
    /// A digit for each line: see [`Mark`].
    marks: String,
    shapes: Vec<String>,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Plain = 0,
    Warns = 1,
    Bad = 2,
    /// The answer did not arrive, or not whole.
    NotWhole = 3,
}

impl Encoded {
    /// `place` is the first line's number, and how many the run has.
    pub(super) fn new(
        about: &About,
        lines: &[TraceLine],
        verdict: &[String],
        place: (usize, usize),
    ) -> Self {
        let mut kinds = Places::default();
        let mut shapes = Places::default();
        let (workspaces, workspace) = workspaces(lines);
        let kind = lines.iter().map(|line| kinds.of((line.party, line.kind.as_str()))).collect();
        let mut texts = Vec::new();
        for chunk in lines.chunks(CHUNK_LINES) {
            let rows: Vec<Vec<u64>> =
                chunk.iter().map(|line| row(&line.text, &mut shapes)).collect();
            texts.push(json(&rows));
        }
        let before = std::iter::once(0).chain(lines.iter().map(|line| line.at_us));
        let last_us = lines.last().map_or(0, |line| line.at_us);
        let head = Head {
            version: about.version,
            seed: about.seed.to_string(),
            plan: &about.plan,
            verdict,
            first: place.0,
            total: place.1,
            end_us: about.end_us.max(last_us),
            chunk: CHUNK_LINES,
            kinds: kinds.into_list(),
            kind,
            workspaces,
            workspace,
            load: about.load.as_ref(),
            step_us: lines.iter().zip(before).map(|(line, from)| line.at_us - from).collect(),
            marks: lines.iter().map(|line| char::from(b'0' + mark(line) as u8)).collect(),
            shapes: shapes.into_list(),
        };
        Self { head: json(&head), texts }
    }
}

/// In the order of their names, and each line's place among them from 1; both
/// empty if no line is a workspace's.
fn workspaces(lines: &[TraceLine]) -> (Vec<&str>, Vec<usize>) {
    let names: BTreeSet<&str> = lines.iter().filter_map(|line| line.workspace.as_deref()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        return (names, Vec::new());
    }
    let place = |line: &TraceLine| {
        let name = line.workspace.as_deref()?;
        names.binary_search(&name).ok().map(|place| place + 1)
    };
    let places = lines.iter().map(|line| place(line).unwrap_or_default()).collect();
    (names, places)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Values in the order of their first showing.
struct Places<T>(BTreeMap<T, usize>);

impl<T: Ord> Default for Places<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord> Places<T> {
    fn of(&mut self, value: T) -> usize {
        let next = self.0.len();
        *self.0.entry(value).or_insert(next)
    }

    fn into_list(self) -> Vec<T> {
        let mut places: Vec<(usize, T)> =
            self.0.into_iter().map(|(value, at)| (at, value)).collect();
        places.sort_by_key(|(at, _)| *at);
        places.into_iter().map(|(_, value)| value).collect()
    }
}

/// The shape's place, then the numbers in it.
fn row(text: &str, shapes: &mut Places<String>) -> Vec<u64> {
    let text = cut(text);
    let (shape, numbers) = shape(&text);
    let place = u64::try_from(shapes.of(shape)).unwrap_or_default();
    std::iter::once(place).chain(numbers).collect()
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(TEXT_CHARS_MAX).collect();
    if shown.len() < text.len() {
        let left_out = text.len() - shown.len();
        shown.push_str(&format!(" … and {left_out} more bytes, which the trace has"));
    }
    shown
}

/// Numbers become holes, if they can be put back as they were.
fn shape(text: &str) -> (String, Vec<u64>) {
    if text.contains(HOLE) {
        return (text.into(), Vec::new());
    }
    let mut shape = String::with_capacity(text.len());
    let mut numbers = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|shown: char| shown.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|shown: char| !shown.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        shape.push_str(before);
        let is_kept = digits.len() <= DIGITS_MAX && (digits == "0" || !digits.starts_with('0'));
        match digits.parse() {
            Ok(number) if is_kept => {
                shape.push(HOLE);
                numbers.push(number);
            }
            Ok(_) | Err(_) => shape.push_str(digits),
        }
        rest = after;
    }
    shape.push_str(rest);
    (shape, numbers)
}

fn mark(line: &TraceLine) -> Mark {
    match line.party {
        Party::Platform => answer_mark(&line.kind, &line.text),
        Party::Disk if ["FileFailed", "Panicked"].iter().any(|bad| line.text.starts_with(bad)) => {
            Mark::Bad
        }
        // Stored, but not yet where the reader looks.
        Party::Disk
            if ["BatchStored", "BatchPlaced"].iter().any(|name| line.text.starts_with(name))
                && !line.text.contains("Placed {") =>
        {
            Mark::NotWhole
        }
        Party::Agent => notice_mark(&line.kind),
        Party::Broken => Mark::Bad,
        Party::Plan | Party::Machine | Party::Disk | Party::Reader => Mark::Plain,
    }
}

/// `GET /path Delivery Fate body`.
fn answer_mark(status: &str, text: &str) -> Mark {
    let how = text.splitn(3, ' ').nth(2).unwrap_or_default();
    let fates = ["Answered ", "Doubled ", "AnswerLost ", "Reset ", "Cut "];
    let at = |fate: &&str| how.find(&format!(" {fate}"));
    let fate = fates.iter().filter(|fate| at(fate).is_some()).min_by_key(|fate| at(fate));
    let never = ["Hang", "Refuse", "Cut"].iter().any(|never| how.starts_with(never));
    let is_lost = matches!(fate, Some(&"AnswerLost " | &"Reset " | &"Cut "));
    match status.bytes().next() {
        _ if never || is_lost => Mark::NotWhole,
        Some(b'2') => Mark::Plain,
        Some(b'5') => Mark::Bad,
        Some(_) | None => Mark::Warns,
    }
}

/// Notices that tell of trouble.
fn notice_mark(kind: &str) -> Mark {
    const BAD: [&str; 5] =
        ["journal_corrupt", "effect_panicked", "file_trouble", "budget_exhausted", "stray_file"];
    const WARNS: [&str; 10] = [
        "outage_",
        "refused",
        "unanswered",
        "bad_answer",
        "malformed",
        "torn",
        "saturated",
        "overflow",
        "dropped",
        "failed",
    ];
    if BAD.contains(&kind) {
        Mark::Bad
    } else if WARNS.iter().any(|part| kind.contains(part)) && kind != "outage_ended" {
        Mark::Warns
    } else {
        Mark::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::{HOLE, Mark, answer_mark, shape};

    #[test]
    fn shapes_give_back_their_texts() {
        for text in
            ["", "no number", "0 00 007 10", "a1b22", "9999999999999999 1", "\u{1} 5", "٣ 3"]
        {
            let (shape, numbers) = shape(text);
            let mut numbers = numbers.iter();
            let filled: String = shape
                .chars()
                .map(|shown| match numbers.as_slice().is_empty() || shown != HOLE {
                    true => shown.to_string(),
                    false => numbers.next().unwrap().to_string(),
                })
                .collect();
            assert_eq!(filled, text);
            assert!(numbers.next().is_none());
        }
    }

    #[test]
    fn answers_are_marked_by_what_arrived() {
        for (status, text, mark) in [
            ("200", "GET /a After(0ns) Answered []", Mark::Plain),
            ("200", "GET /a After(0ns) Doubled []", Mark::Plain),
            ("200", "GET /a After(1.5s) Reset []", Mark::NotWhole),
            ("200", "GET /a Cut { after: 0ns, bytes: 5 } Answered []", Mark::NotWhole),
            ("200", "GET /a Hang Answered ", Mark::NotWhole),
            ("200", "GET /a After(0ns) Answered it says Reset here", Mark::Plain),
            ("401", "GET /a After(0ns) Answered {}", Mark::Warns),
            ("503", "GET /a Trickle { period: 7ms } Answered {}", Mark::Bad),
            ("", "", Mark::Warns),
        ] {
            assert_eq!(answer_mark(status, text), mark, "{status} {text}");
        }
    }
}
