//! `GET /workspaces/{id}/delegations`: from bytes to folded results.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::journal::{ResultKey, Status};
use crate::limits::{DELEGATION_ID_BYTES_MAX, PAGE_ROWS, ROWS_MAX, TEXT_BYTES_MAX};
use crate::planted::{self, Fault};
use crate::text;

/// One list, as far as it matters.
#[derive(Debug, Default)]
pub(crate) struct Page<'a> {
    /// Rows in the list, looked at or not.
    pub(crate) rows: u32,
    /// Rows that could not be used.
    pub(crate) malformed: u32,
    /// Finished rows of another source that do not say they were received.
    pub(crate) foreign: u32,
    /// Finished delegations of this workspace that are news, oldest first.
    pub(crate) results: Vec<FoldedResult>,
    /// Delegation ids of all rows (row ids where there is none).
    pub(crate) ids: Vec<Cow<'a, str>>,
}

/// One finished delegation: the richest of each field of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoldedResult {
    pub(crate) key: ResultKey,
    pub(crate) target_id: String,
    pub(crate) source_id: String,
    pub(crate) summary: String,
    pub(crate) response_preview: String,
    pub(crate) error: String,
}

impl FoldedResult {
    /// Whether there is nothing to wait for: a completed result without text
    /// may have a twin on its way.
    pub(crate) fn has_text(&self) -> bool {
        self.key.status == Status::Failed || !self.response_preview.is_empty()
    }

    /// Takes over what `other`, an older row of the same result, knows better.
    fn fold(&mut self, other: Self) {
        // A row that brings text is the result's own: its summary speaks of
        // the outcome, its twin's of the order.
        let is_richer =
            |a: &Self, b: &Self| !a.response_preview.is_empty() && b.response_preview.is_empty();
        if other.summary.len() > self.summary.len() && !is_richer(self, &other)
            || is_richer(&other, self) && !other.summary.is_empty()
        {
            self.summary = other.summary;
        }
        for (mine, theirs) in [
            (&mut self.response_preview, other.response_preview),
            (&mut self.error, other.error),
            (&mut self.target_id, other.target_id),
        ] {
            if theirs.len() > mine.len() {
                *mine = theirs;
            }
        }
    }
}

/// A body as text. Some servers cut a text inside a character: that must not
/// cost the list.
pub(crate) fn text_of(body: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(body),
    }
}

/// Reads a list for the workspace `own_id`. Of its results those are left out
/// that `is_news` refuses.
///
/// # Errors
/// A line on why the body is no list at all. What is wrong with a row costs
/// that row only.
pub(crate) fn parse<'a>(
    text: &'a str,
    own_id: &str,
    is_news: impl Fn(&ResultKey) -> bool,
) -> Result<Page<'a>, String> {
    let (rows, read) = match read_at_once(text) {
        Some(read) => (u32::try_from(read.len()).unwrap_or(u32::MAX), read),
        None => read_row_by_row(text)?,
    };
    let mut folding = Folding {
        page: Page { rows, ids: Vec::with_capacity(read.len()), ..Page::default() },
        own_id,
        is_news,
        folded: Vec::new(),
        places: BTreeMap::new(),
        key: ResultKey { delegation_id: String::new(), status: Status::Completed },
    };
    for row in read {
        let has_id = row.as_ref().is_some_and(|row| row.delegation_id.is_some());
        if !has_id && planted::active(Fault::RowVoidsList) {
            return Err("a row has no delegation id".into());
        }
        match row {
            Some(row) => folding.take(row),
            None => folding.page.malformed += 1,
        }
    }
    let Folding { mut page, mut folded, .. } = folding;
    folded.reverse();
    page.results = folded;
    Ok(page)
}

/// One pass over a list as most are: not too long, and each row an object.
/// What that reads, [`read_row_by_row`] reads alike.
fn read_at_once(text: &str) -> Option<Vec<Option<Row<'_>>>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let rows = deserializer.deserialize_seq(WellFormedRows).ok()?;
    deserializer.end().ok()?;
    Some(rows)
}

/// How many rows there are, and the first ones, each by itself; `None` for
/// one that cannot be read.
fn read_row_by_row(text: &str) -> Result<(u32, Vec<Option<Row<'_>>>), String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let split = deserializer.deserialize_seq(SplitRows);
    match split.and_then(|split| deserializer.end().map(|()| split)) {
        Ok(Split { rows, raw }) => {
            Ok((rows, raw.into_iter().map(|row| Row::parse(row.get())).collect()))
        }
        Err(error) => Err(format!("not a JSON list ({:?})", error.classify())),
    }
}

/// A list that is being folded.
struct Folding<'a, 'own, N> {
    page: Page<'a>,
    own_id: &'own str,
    is_news: N,
    folded: Vec<FoldedResult>,
    places: BTreeMap<ResultKey, usize>,
    /// Kept for its memory.
    key: ResultKey,
}

impl<'a, N: Fn(&ResultKey) -> bool> Folding<'a, '_, N> {
    fn take(&mut self, row: Row<'a>) {
        let delegation_id = row.delegation_id.unwrap_or_default();
        let is_id = |id: &str| !id.is_empty() && id.len() <= DELEGATION_ID_BYTES_MAX;
        let listed = if delegation_id.is_empty() {
            row.id.unwrap_or_default()
        } else {
            delegation_id.clone()
        };
        if is_id(&listed) {
            self.page.ids.push(listed);
        }
        let status = match row.status.as_deref() {
            Some("completed") => Status::Completed,
            Some("failed") => Status::Failed,
            Some(_unfinished) => return,
            None => {
                self.page.malformed += 1;
                return;
            }
        };
        if delegation_id.is_empty() {
            // Its twin carries the id (PROTOCOL 3.9).
            return;
        }
        if !is_id(&delegation_id) || delegation_id.contains(char::is_control) {
            self.page.malformed += 1;
            return;
        }
        let source_id = row.source_id.unwrap_or_default();
        if source_id != self.own_id && !planted::active(Fault::ForeignDelivered) {
            self.page.foreign += u32::from(row.direction.as_deref() != Some("received"));
            return;
        }
        self.key.delegation_id.clear();
        self.key.delegation_id.push_str(&delegation_id);
        self.key.status = status;
        if !(self.is_news)(&self.key) {
            return;
        }
        let kept = |words: Option<Cow<'_, str>>, most: usize| {
            words.map(|words| text::cut_bytes(&words, most).to_string()).unwrap_or_default()
        };
        let result = FoldedResult {
            key: self.key.clone(),
            target_id: kept(row.target_id, DELEGATION_ID_BYTES_MAX),
            source_id: kept(Some(source_id), DELEGATION_ID_BYTES_MAX),
            summary: kept(row.summary, TEXT_BYTES_MAX),
            response_preview: kept(row.response_preview, TEXT_BYTES_MAX),
            error: kept(row.error, TEXT_BYTES_MAX),
        };
        match self.places.get(&result.key).and_then(|place| self.folded.get_mut(*place)) {
            Some(newer) if planted::active(Fault::FirstRowWins) => *newer = result,
            Some(newer) => newer.fold(result),
            None => {
                self.places.insert(result.key.clone(), self.folded.len());
                self.folded.push(result);
            }
        }
    }
}

/// Reads a list's rows as they stand, if there are not too many.
struct WellFormedRows;

impl<'de> Visitor<'de> for WellFormedRows {
    type Value = Vec<Option<Row<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of not too many rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::with_capacity(PAGE_ROWS);
        while let Some(row) = seq.next_element_seed(RowMembers)? {
            if rows.len() == ROWS_MAX {
                return Err(serde::de::Error::invalid_length(ROWS_MAX + 1, &self));
            }
            rows.push(Some(row));
        }
        Ok(rows)
    }
}

impl<'de> DeserializeSeed<'de> for RowMembers {
    type Value = Row<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

struct Split<'a> {
    rows: u32,
    raw: Vec<&'a RawValue>,
}

/// Splits the list into rows without reading them.
struct SplitRows;

impl<'de> Visitor<'de> for SplitRows {
    type Value = Split<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut split = Split { rows: 0, raw: Vec::new() };
        while split.raw.len() < ROWS_MAX {
            let Some(row) = seq.next_element::<&RawValue>()? else {
                return Ok(split);
            };
            split.rows += 1;
            split.raw.push(row);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            split.rows = split.rows.saturating_add(1);
        }
        Ok(split)
    }
}

/// The members of a row that matter; one of another type counts as absent.
#[derive(Debug, Default, PartialEq)]
struct Row<'a> {
    id: Option<Cow<'a, str>>,
    delegation_id: Option<Cow<'a, str>>,
    source_id: Option<Cow<'a, str>>,
    target_id: Option<Cow<'a, str>>,
    status: Option<Cow<'a, str>>,
    summary: Option<Cow<'a, str>>,
    response_preview: Option<Cow<'a, str>>,
    error: Option<Cow<'a, str>>,
    direction: Option<Cow<'a, str>>,
}

impl<'a> Row<'a> {
    fn parse(json: &'a str) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        deserializer.deserialize_map(RowMembers).ok()
    }
}

struct RowMembers;

impl<'de> Visitor<'de> for RowMembers {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut row = Row::default();
        while let Some(name) = map.next_key_seed(Text)? {
            let member = match name.as_deref().unwrap_or_default() {
                "id" => &mut row.id,
                "delegation_id" => &mut row.delegation_id,
                "source_id" => &mut row.source_id,
                "target_id" => &mut row.target_id,
                "status" => &mut row.status,
                "summary" => &mut row.summary,
                "response_preview" => &mut row.response_preview,
                "error" => &mut row.error,
                "direction" => &mut row.direction,
                _unknown => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *member = map.next_value_seed(Text)?;
        }
        Ok(row)
    }
}

/// A string, or `None` for a value of any other type.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_string())))
    }

    fn visit_bool<E>(self, _value: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _value: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
