//! The results stream: all that the reader took and all that still lies there,
//! line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use crate::world::{ResultName, StreamParts, World};

/// A result's line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose it is.
    pub name: ResultName,
    /// Whether it holds a response's text.
    pub has_text: bool,
}

/// What stands in the stream, and what its last change has brought.
///
/// A change costs as much as it changes: the reader moves lines on without
/// touching them, and a batch is put before what lies there.
#[derive(Debug, Default)]
pub struct Stream {
    counts: BTreeMap<ResultName, u32>,
    /// Bytes that the reader has taken in and that were read here.
    taken: usize,
    /// The same of what holders have acknowledged.
    acknowledged: usize,
    /// What it has renamed and not yet read.
    held: Part,
    /// What is handed out under a lease.
    leased: Part,
    /// What lies in the results file.
    lying: Part,
    new: Vec<Rc<Line>>,
    gone: Vec<Rc<Line>>,
    torn: Option<String>,
}

/// Bytes with their lines.
#[derive(Clone, Debug, Default)]
struct Part {
    bytes: Vec<u8>,
    lines: Vec<Rc<Line>>,
}

impl Stream {
    /// What stands in a world's stream by now.
    #[must_use]
    pub fn of(world: &World) -> Self {
        let mut stream = Self::default();
        world.with_stream(|parts| stream.now_is(parts));
        stream
    }

    /// How often the result stands in it.
    #[must_use]
    pub fn count(&self, name: &ResultName) -> u32 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// How many results stand in it.
    #[must_use]
    pub fn results(&self) -> usize {
        self.counts.len()
    }

    /// The results that nobody has read yet: every copy lies in the results
    /// file, for the reader to take, or is handed out and may be again.
    #[must_use]
    pub fn unread(&self) -> BTreeSet<&ResultName> {
        let mut lying = BTreeMap::<&ResultName, u32>::new();
        for line in self.lying.lines.iter().chain(&self.leased.lines) {
            *lying.entry(&line.name).or_default() += 1;
        }
        let is_all = |(name, copies): &(&ResultName, u32)| self.count(name) == *copies;
        lying.into_iter().filter(is_all).map(|(name, _)| name).collect()
    }

    /// The lines that its last change brought.
    #[must_use]
    pub fn new_lines(&self) -> &[Rc<Line>] {
        &self.new
    }

    /// The lines that went with its last change.
    #[must_use]
    pub fn gone_lines(&self) -> &[Rc<Line>] {
        &self.gone
    }

    /// A line of it that is no result.
    #[must_use]
    pub fn torn(&self) -> Option<&str> {
        self.torn.as_deref()
    }

    /// It is another one now.
    pub(super) fn now_is(&mut self, parts: &StreamParts<'_>) {
        let taken = parts.taken.get(self.taken..).unwrap_or_default();
        let acknowledged = parts.acknowledged.get(self.acknowledged..).unwrap_or_default();
        self.taken += taken.len();
        self.acknowledged += acknowledged.len();
        let known = [&mut self.held, &mut self.leased, &mut self.lying].map(std::mem::take);
        let read = |bytes: &[u8]| Part::read(bytes, &known);
        let parts = [taken, acknowledged, parts.held, parts.leased, parts.lying];
        let parts: Vec<Part> = match parts.into_iter().map(read).collect() {
            Ok(parts) => parts,
            Err(line) => {
                self.torn = Some(line);
                return;
            }
        };
        let before = known.iter().flat_map(|part| part.lines.iter());
        let after = parts.iter().flat_map(|part| part.lines.iter());
        let (before, after): (Vec<_>, Vec<_>) =
            (before.cloned().collect(), after.cloned().collect());
        (self.gone, self.new) = differing(&before, &after);
        for line in &self.gone {
            if let Some(count) = self.counts.get_mut(&line.name) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&line.name);
                }
            }
        }
        for line in &self.new {
            *self.counts.entry(line.name.clone()).or_default() += 1;
        }
        let mut latest = parts.into_iter().skip(2);
        for part in [&mut self.held, &mut self.leased, &mut self.lying] {
            *part = latest.next().unwrap_or_default();
        }
    }
}

impl Part {
    /// Reads lines; of those that end as a known part does only the first.
    fn read(bytes: &[u8], known: &[Self]) -> Result<Self, String> {
        let known = known.iter().filter(|part| !part.bytes.is_empty());
        let mut tails = known.filter(|part| {
            let head = bytes.strip_suffix(part.bytes.as_slice());
            head.is_some_and(|head| head.last().is_none_or(|last| *last == b'\n'))
        });
        let tail = tails.next();
        let head = bytes.len() - tail.map_or(0, |tail| tail.bytes.len());
        let mut lines = Vec::new();
        for line in bytes[..head].split_inclusive(|byte| *byte == b'\n') {
            let torn = || String::from_utf8_lossy(line).into_owned();
            lines.push(Rc::new(Line::read(line).ok_or_else(torn)?));
        }
        lines.extend(tail.into_iter().flat_map(|tail| tail.lines.iter().cloned()));
        Ok(Self { bytes: bytes.into(), lines })
    }
}

impl Line {
    fn read(line: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(line.strip_suffix(b"\n")?).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        Some(Self {
            name: (text("delegation_id")?.to_owned(), text("status")?.to_owned()),
            has_text: text("response_preview").is_some_and(|preview| !preview.is_empty()),
        })
    }
}

/// What stands between the lines with which both begin and end.
fn differing(before: &[Rc<Line>], after: &[Rc<Line>]) -> (Vec<Rc<Line>>, Vec<Rc<Line>>) {
    let is_same = |(one, other): &(&Rc<Line>, &Rc<Line>)| Rc::ptr_eq(one, other);
    let ends = before.iter().rev().zip(after.iter().rev()).take_while(is_same).count();
    let (before, after) = (&before[..before.len() - ends], &after[..after.len() - ends]);
    let begins = before.iter().zip(after).take_while(is_same).count();
    (before[begins..].to_vec(), after[begins..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(numbers: &[u32]) -> Vec<u8> {
        let line = |number: &u32| {
            format!("{{\"delegation_id\":\"d{number}\",\"status\":\"failed\"}}\n").into_bytes()
        };
        numbers.iter().flat_map(line).collect()
    }

    fn changes(stream: &mut Stream, taken: &[u32], held: &[u32], lying: &[u32]) -> [String; 2] {
        let (taken, held, lying) = (lines(taken), lines(held), lines(lying));
        stream.now_is(&StreamParts {
            taken: &taken,
            held: &held,
            lying: &lying,
            ..StreamParts::default()
        });
        let names = |lines: &[Rc<Line>]| lines.iter().map(|line| line.name.0.as_str()).collect();
        [names(&stream.new), names(&stream.gone)]
    }

    #[test]
    fn what_moves_on_is_neither_new_nor_gone() {
        let mut stream = Stream::default();
        assert_eq!(changes(&mut stream, &[], &[], &[1, 2]), ["d1d2", ""]);
        assert_eq!(changes(&mut stream, &[], &[], &[3, 1, 2]), ["d3", ""]);
        assert_eq!(changes(&mut stream, &[], &[3, 1, 2], &[]), ["", ""]);
        assert_eq!(changes(&mut stream, &[], &[3, 1, 2], &[4]), ["d4", ""]);
        assert_eq!(changes(&mut stream, &[3, 1, 2], &[], &[4]), ["", ""]);
        assert_eq!(changes(&mut stream, &[3, 1, 2], &[], &[]), ["", "d4"]);
        assert_eq!(changes(&mut stream, &[3, 1, 2], &[], &[1]), ["d1", ""]);
        let name = |id: &str| (id.to_owned(), "failed".to_owned());
        assert_eq!((stream.count(&name("d1")), stream.count(&name("d4"))), (2, 0));
        assert_eq!(stream.unread(), BTreeSet::new(), "the reader has a copy of d1");
        changes(&mut stream, &[3, 1, 2], &[], &[1, 5, 5]);
        assert_eq!(stream.unread(), BTreeSet::from([&name("d5")]));
    }

    #[test]
    fn what_is_handed_out_and_acknowledged_stays() {
        let mut stream = Stream::default();
        let (one, two) = (lines(&[1]), lines(&[2]));
        for parts in [
            StreamParts { lying: &one, ..StreamParts::default() },
            StreamParts { leased: &one, ..StreamParts::default() },
            StreamParts { leased: &one, lying: &two, ..StreamParts::default() },
            StreamParts { acknowledged: &one, lying: &two, ..StreamParts::default() },
            StreamParts { acknowledged: &one, held: &two, ..StreamParts::default() },
        ] {
            stream.now_is(&parts);
            assert!(stream.gone.is_empty() && stream.torn.is_none());
        }
        assert_eq!(stream.counts.values().collect::<Vec<_>>(), [&1, &1]);
    }

    #[test]
    fn half_a_line_is_torn() {
        for bytes in [&lines(&[1])[..20], &lines(&[1])[..lines(&[1]).len() - 1], b"{}\n"] {
            let mut stream = Stream::default();
            stream.now_is(&StreamParts { lying: bytes, ..StreamParts::default() });
            assert!(stream.torn().is_some(), "{bytes:?}");
        }
    }
}
