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
    /// Each row's bytes in the body with what it says; empty if the list is
    /// an unusual one.
    rows: Vec<(Range<usize>, OwnResult)>,
    /// The results that it names, in order, each once.
    pub(crate) names: Vec<Named>,
    /// Whether the list before had the same results in the same rows.
    pub(crate) says_the_same: bool,
}

/// A finished result of the own workspace, and whether the text of a completed
/// one is shown.
pub(crate) type Named = (Rc<ResultName>, bool);
/// What a row names, if it is such a result.
type OwnResult = Option<Named>;

impl ReadList {
    /// `None` if the body is no list.
    pub(crate) fn of(body: &[u8], before: Option<&mut Self>) -> Option<Self> {
        if body.trim_ascii_start().first() != Some(&b'[') {
            return None;
        }
        let mut read = Self { body: body.to_vec(), ..Self::default() };
        let no_list = Self::default();
        let last = before.as_deref().unwrap_or(&no_list);
        let Some(rows) = usual_rows(body, last) else {
            let Ok(Value::Array(rows)) = serde_json::from_slice(body) else { return None };
            read.names = names(rows.iter().take(ROWS_MAX).filter_map(own_result));
            return Some(read);
        };
        let said = |rows: &[(Range<usize>, OwnResult)], at: usize| rows[at].1 == last.rows[at].1;
        read.says_the_same = !rows.is_empty()
            && rows.len() == last.rows.len()
            && (0..rows.len()).all(|at| said(&rows, at));
        read.names = match before.filter(|_| read.says_the_same) {
            Some(before) => std::mem::take(&mut before.names),
            None => names(rows.iter().filter_map(|(_, result)| result.clone())),
        };
        read.rows = rows;
        Some(read)
    }
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

/// The rows of a list without white space between them, at most
/// [`ROWS_MAX`]; `None` for any other.
///
/// An object's text ends where its bracket closes: where a row of the last
/// list stands again, a parser would read that row and nothing else.
fn usual_rows(body: &[u8], last: &ReadList) -> Option<Vec<(Range<usize>, OwnResult)>> {
    let mut rows = Vec::with_capacity(last.rows.len());
    let mut at = body.strip_prefix(b"[").map(|_| 1)?;
    if body == b"[]" {
        return Some(rows);
    }
    // Since the last row that was known: so many more may have been skipped.
    let (mut next, mut missed) = (0, 0);
    loop {
        let rest = body.get(at..)?;
        let candidates = last.rows.iter().enumerate().skip(next).take(missed + 1);
        let mut known =
            candidates.filter(|(_, (bytes, _))| rest.starts_with(&last.body[bytes.clone()]));
        let (length, result) = match known.next() {
            Some((place, (bytes, result))) => {
                (next, missed) = (place + 1, 0);
                (bytes.len(), result.clone())
            }
            None => {
                missed += 1;
                let mut rows = serde_json::Deserializer::from_slice(rest).into_iter();
                let row: UsualRow<'_> = rows.next()?.ok()?;
                let result = result_of(
                    &row.delegation_id,
                    &row.status,
                    &row.source_id,
                    &row.response_preview,
                );
                (rows.byte_offset(), result)
            }
        };
        rows.push((at..at + length, result));
        at += length;
        match body.get(at..)? {
            b"]" => return Some(rows),
            [b',', ..] if rows.len() < ROWS_MAX => at += 1,
            _ => return None,
        }
    }
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
