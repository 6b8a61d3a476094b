//! What a list that reached the agent says of its own results, read
//! independently of the agent's reader. A row that stood in the list before,
//! byte for byte, is recognised and not read again.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use everbeat_core::limits::ROWS_MAX;
use serde::Deserialize;
use serde_json::Value;

use crate::plan::OWN;
use crate::world::ResultName;

/// A list as it was read.
#[derive(Debug, Default)]
pub(crate) struct ReadList {
    pub(crate) body: Vec<u8>,
    /// Empty if the list is an unusual one.
    rows: Vec<Row>,
    /// The results that it names, in order, each once.
    pub(crate) names: Vec<Named>,
    /// Whether the list before had the same results in the same rows.
    pub(crate) says_the_same: bool,
}

/// A row's bytes in the body with what it says.
type Row = (Range<usize>, OwnResult);
/// A finished result of the own workspace, and whether the text of a completed
/// one is shown.
pub(crate) type Named = (Rc<ResultName>, bool);
/// What a row names, if it is such a result.
type OwnResult = Option<Named>;

impl ReadList {
    /// `None` if the body is no list. Else what is of use of the one `before`
    /// is taken out of it.
    pub(crate) fn of(body: &[u8], before: Option<&mut Self>) -> Option<Self> {
        if body.trim_ascii_start().first() != Some(&b'[') {
            return None;
        }
        let mut nothing = Self::default();
        let last = before.unwrap_or(&mut nothing);
        let Some(change) = Change::of(body, last) else {
            let Ok(Value::Array(rows)) = serde_json::from_slice(body) else { return None };
            let names = names(rows.iter().take(ROWS_MAX).filter_map(own_result));
            return Some(Self { body: body.to_vec(), names, ..Self::default() });
        };
        let mut read = std::mem::take(last);
        read.become_of(body, change);
        Some(read)
    }

    fn become_of(&mut self, body: &[u8], change: Change) {
        let (head, tail) = change.known;
        let old = self.rows.get(head..tail).unwrap_or_default();
        let said = |row: &Row| row.1.clone();
        let is_same = old.iter().map(said).eq(change.rows.iter().map(said));
        for (bytes, _) in self.rows.iter_mut().skip(tail) {
            *bytes = moved(bytes.start, &self.body, body)..moved(bytes.end, &self.body, body);
        }
        self.rows.splice(head..tail, change.rows);
        self.says_the_same = is_same && !self.rows.is_empty();
        if !self.says_the_same {
            self.names = names(self.rows.iter().filter_map(said));
        }
        self.body.truncate(change.same);
        self.body.extend_from_slice(&body[change.same..]);
    }
}

/// Where what stood at `place`, in an end that both bodies have, stands now.
const fn moved(place: usize, before: &[u8], now: &[u8]) -> usize {
    place + now.len() - before.len()
}

/// What a list without white space between its rows has in place of some rows
/// of the list before.
struct Change {
    /// Bytes at the start that are the same.
    same: usize,
    /// The rows from here to there are gone.
    known: (usize, usize),
    rows: Vec<Row>,
}

impl Change {
    /// `None` for a list that is not as the platform writes it, or has more
    /// than [`ROWS_MAX`] rows.
    ///
    /// An object's text ends where its bracket closes: where a row of the last
    /// list stands again, a parser would read that row and nothing else.
    fn of(body: &[u8], last: &ReadList) -> Option<Self> {
        let same = same_start(body, &last.body);
        let same_end = same_end(&body[same..], &last.body[same..]);
        let head = last.rows.partition_point(|(bytes, _)| bytes.end <= same);
        let first_again = last.body.len() - same_end;
        let mut tail = last.rows.partition_point(|(bytes, _)| bytes.start < first_again).max(head);
        let mut rows = Vec::new();
        let mut next = match head.checked_sub(1).and_then(|row| last.rows.get(row)) {
            Some((bytes, _)) => next_row(body, bytes.end, head)?,
            None if body == b"[]" => None,
            None => body.strip_prefix(b"[").map(|_| Some(1))?,
        };
        // Since the last row that was known: so many more may have been skipped.
        let (mut known, mut missed) = (head, 0);
        while let Some(at) = next {
            let again = |row: &Row| moved(row.0.start, &last.body, body);
            while last.rows.get(tail).is_some_and(|row| again(row) < at) {
                tail += 1;
            }
            if last.rows.get(tail).is_some_and(|row| again(row) == at) {
                let count = head + rows.len() + last.rows.len() - tail;
                return (count <= ROWS_MAX).then_some(Self { same, known: (head, tail), rows });
            }
            let rest = body.get(at..)?;
            let candidates = last.rows.iter().enumerate().skip(known).take(missed + 1);
            let mut candidates =
                candidates.filter(|(_, (bytes, _))| rest.starts_with(&last.body[bytes.clone()]));
            let (length, result) = match candidates.next() {
                Some((place, (bytes, result))) => {
                    (known, missed) = (place + 1, 0);
                    (bytes.len(), result.clone())
                }
                None => {
                    missed += 1;
                    read_row(rest)?
                }
            };
            rows.push((at..at + length, result));
            next = next_row(body, at + length, head + rows.len())?;
        }
        Some(Self { same, known: (head, last.rows.len()), rows })
    }
}

/// Bytes that are compared at once.
const CHUNK: usize = 512;

/// How many bytes at the start both have.
fn same_start(one: &[u8], other: &[u8]) -> usize {
    let chunks = one.chunks_exact(CHUNK).zip(other.chunks_exact(CHUNK));
    let whole = CHUNK * chunks.take_while(|(one, other)| one == other).count();
    let rest = one[whole..].iter().zip(&other[whole..]);
    whole + rest.take_while(|(one, other)| one == other).count()
}

/// How many bytes at the end both have.
fn same_end(one: &[u8], other: &[u8]) -> usize {
    let chunks = one.rchunks_exact(CHUNK).zip(other.rchunks_exact(CHUNK));
    let whole = CHUNK * chunks.take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[..one.len() - whole], &other[..other.len() - whole]);
    let rest = one.iter().rev().zip(other.iter().rev());
    whole + rest.take_while(|(one, other)| one == other).count()
}

fn names(results: impl Iterator<Item = Named>) -> Vec<Named> {
    let mut names: Vec<Named> = results.collect();
    names.sort_unstable();
    names.dedup_by(|later, first| {
        let is_same = later.0 == first.0;
        first.1 |= is_same && later.1;
        is_same
    });
    names
}

/// A row as the platform writes it: names once each, with texts. What serde
/// reads so says the same as a [`Value`]; any other list is read as one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is not used is checked to be what it should")]
struct UsualRow<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default, rename = "_ledger")]
    ledger: bool,
    #[serde(borrow, default)]
    updated_at: Cow<'a, str>,
    #[serde(borrow, default)]
    last_heartbeat: Cow<'a, str>,
    #[serde(borrow, default)]
    deadline: Cow<'a, str>,
    #[serde(borrow, default)]
    source_id: Cow<'a, str>,
    #[serde(borrow, default)]
    target_id: Cow<'a, str>,
    #[serde(borrow, default)]
    summary: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    created_at: Cow<'a, str>,
    #[serde(borrow, default)]
    delegation_id: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Cow<'a, str>,
    #[serde(borrow, default)]
    response_preview: Cow<'a, str>,
    #[serde(borrow, default)]
    direction: Cow<'a, str>,
}

/// Where the row after the first `count` begins, if there is one; nothing if
/// the list goes on in another way.
fn next_row(body: &[u8], at: usize, count: usize) -> Option<Option<usize>> {
    match body.get(at..)? {
        b"]" => Some(None),
        [b',', ..] if count < ROWS_MAX => Some(Some(at + 1)),
        _ => None,
    }
}

/// The row at the start of these bytes: its length, and what it names.
fn read_row(bytes: &[u8]) -> Option<(usize, OwnResult)> {
    let mut rows = serde_json::Deserializer::from_slice(bytes).into_iter();
    let row: UsualRow<'_> = rows.next()?.ok()?;
    let result = result_of(&row.delegation_id, &row.status, &row.source_id, &row.response_preview);
    Some((rows.byte_offset(), result))
}

fn own_result(row: &Value) -> OwnResult {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let preview = text("response_preview");
    result_of(text("delegation_id"), text("status"), text("source_id"), preview)
}

fn result_of(id: &str, status: &str, source: &str, preview: &str) -> OwnResult {
    let is_finished = matches!(status, "completed" | "failed");
    let is_name = (1..=256).contains(&id.len()) && !id.contains(char::is_control);
    let is_own = is_finished && is_name && source == OWN;
    let has_text = status == "completed" && !preview.is_empty();
    is_own.then(|| (Rc::new((id.to_owned(), status.to_owned())), has_text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dice::Dice;

    fn row(number: u32, preview: &str) -> Value {
        json!({"id": format!("row {number}"), "type": "delegation", "source_id": OWN,
            "target_id": "other", "summary": "a \"b\"", "status": "completed",
            "created_at": "2026-04-01T00:00:00Z", "delegation_id": format!("d{}", number / 2),
            "response_preview": preview})
    }

    fn as_values(body: &str) -> Vec<Named> {
        let rows: Vec<Value> = serde_json::from_str(body).unwrap();
        names(rows.iter().filter_map(own_result))
    }

    /// Rows inserted, changed, moved, gone: always as if read anew.
    #[test]
    fn what_is_recognised_says_what_it_says_when_read() {
        let all: Vec<Value> = (0..8).map(|number| row(number, "")).collect();
        let pick = |places: &[usize]| places.iter().map(|at| all[*at].clone()).collect::<Vec<_>>();
        let mut changed = all.clone();
        changed[3] = row(3, "text");
        changed[4] = json!({"status": "failed", "delegation_id": "d2", "source_id": OWN});
        let lists = [
            pick(&[0, 1, 2, 3, 4]),
            pick(&[7, 0, 1, 2, 3]),
            all.clone(),
            changed.clone(),
            changed,
            pick(&[1, 0, 6, 2, 2]),
            pick(&[6]),
            vec![],
            all.clone(),
        ];
        let mut last = None;
        for list in lists {
            let body = Value::from(list.clone()).to_string();
            let read = ReadList::of(body.as_bytes(), last.as_mut()).unwrap();
            assert_eq!((read.rows.len(), &read.names), (list.len(), &as_values(&body)), "{body}");
            last = Some(read);
        }
    }

    #[test]
    fn any_change_is_read_as_if_all_were_read() {
        let mut dice = Dice::new(7);
        let mut pick = |below: usize| usize::try_from(dice.below(below as u64)).unwrap();
        let mut list = vec![row(0, "")];
        let mut last = ReadList::default();
        for number in 0..5_000 {
            let place = pick(list.len() + 1);
            let new = row(number % 60, &"a text ".repeat(pick(90)));
            match pick(5) {
                0 if list.len() < 20 => list.insert(place, new),
                1 if place < list.len() => drop(list.remove(place)),
                2 if place < list.len() => list[place] = new,
                3 if place < list.len() => list.rotate_left(place),
                _ => list.truncate(place.max(12)),
            }
            let body = Value::from(list.clone()).to_string();
            let anew = ReadList::of(body.as_bytes(), None).unwrap();
            let said =
                |read: &ReadList| read.rows.iter().map(|row| row.1.clone()).collect::<Vec<_>>();
            let says_the_same = !list.is_empty() && said(&anew) == said(&last);
            let read = ReadList::of(body.as_bytes(), Some(&mut last)).unwrap();
            assert_eq!((&read.body, &read.rows), (&anew.body, &anew.rows), "{number}");
            assert_eq!((&read.names, read.says_the_same), (&anew.names, says_the_same), "{number}");
            last = read;
        }
    }

    #[test]
    fn only_the_same_results_in_the_same_rows_say_the_same() {
        let body = |rows: &[Value]| Value::from(rows).to_string().into_bytes();
        let mut first = ReadList::of(&body(&[row(0, "x"), row(2, "y")]), None).unwrap();
        let mut same = ReadList::of(&body(&[row(0, "z"), row(2, "y")]), Some(&mut first)).unwrap();
        assert!(!first.says_the_same && same.says_the_same);
        let other = ReadList::of(&body(&[row(0, ""), row(2, "y")]), Some(&mut same)).unwrap();
        assert!(!other.says_the_same);
    }

    #[test]
    fn unusual_lists_are_read_as_any_json() {
        for (body, names) in [
            (r#"[{"delegation_id":"d","status":"failed","source_id":"own-workspace","x":1}]"#, 1),
            (r#"[{"delegation_id":"d","status":"failed","source_id":"own-workspace"}, 7]"#, 1),
            (r#"[{"status":"failed","status":"failed"}]"#, 0),
            (" [ ] ", 0),
        ] {
            let read = ReadList::of(body.as_bytes(), None).unwrap();
            assert_eq!((read.rows.len(), read.names.len()), (0, names), "{body}");
        }
        for body in ["{}", "[{}", "[{}]]", "[{},]", "[\"\\ud800\"]", "[{\"id\":\"\\ud800\"}]", ""] {
            assert!(ReadList::of(body.as_bytes(), None).is_none(), "{body}");
        }
    }
}
