//! One line of the results file, as its reader knows it.

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use serde::Serialize;

use crate::journal::{Status, StoredResult};
use crate::limits::{ERROR_CHARS, SUMMARY_CHARS};
use crate::planted::{self, Fault};
use crate::text;
use crate::time::WallTime;
use crate::wire::delegations::FoldedResult;

/// Characters of an error that are added to a summary.
const ERROR_IN_SUMMARY_CHARS: usize = 200;

#[derive(Serialize)]
struct Line<'a> {
    delegation_id: &'a str,
    target_id: &'a str,
    source_id: &'a str,
    status: Status,
    summary: &'a str,
    response_preview: &'a str,
    error: &'a str,
    /// Seconds since the Unix epoch.
    timestamp: f64,
}

/// The line for `result`, ASCII, without its newline.
///
/// The reader shows `summary` and `response_preview` only, so the error of a
/// failed result is put there, too.
pub(crate) fn result_line(result: &FoldedResult, wall: WallTime) -> String {
    let mut summary = result.summary.clone();
    let mut preview = result.response_preview.as_str();
    if !result.error.is_empty() && !preview.contains(&result.error) {
        if preview.is_empty() {
            preview = &result.error;
        } else if !summary.contains(&result.error) {
            let error = text::cut_chars(&text::one_line(&result.error), ERROR_IN_SUMMARY_CHARS);
            summary = format!("{summary} (error: {error})");
        }
    }
    let line = Line {
        delegation_id: &result.key.delegation_id,
        target_id: &result.target_id,
        source_id: &result.source_id,
        status: result.key.status,
        summary: &summary,
        response_preview: preview,
        error: &result.error,
        // Milliseconds of any year to come are exact in a float.
        timestamp: wall.unix_millis() as f64 / 1_000.0,
    };
    ascii(&serde_json::to_string(&line).unwrap_or_default())
}

/// What the journal keeps of `result`: as much as an announcement shows.
pub(crate) fn stored_result(result: &FoldedResult) -> StoredResult {
    let shown = |words: &str, chars: usize| text::cut_chars(&text::one_line(words), chars);
    let mut summary = result.summary.as_str();
    if planted::active(Fault::PreviewInMessage) {
        summary = result.response_preview.rsplit(' ').next().unwrap_or_default();
    }
    StoredResult {
        key: result.key.clone(),
        summary: shown(summary, SUMMARY_CHARS),
        error: shown(&result.error, ERROR_CHARS),
    }
}

/// JSON text with every character beyond ASCII escaped.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for shown in json.chars() {
        if shown.is_ascii() {
            out.push(shown);
        } else {
            for unit in shown.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::ResultKey;
    use crate::limits::{LINE_BYTES_MAX, TEXT_BYTES_MAX};
    use alloc::string::ToString;
    use proptest::prelude::*;
    use serde_json::Value;

    fn result(summary: &str, preview: &str, error: &str) -> FoldedResult {
        FoldedResult {
            key: ResultKey { delegation_id: "d".into(), status: Status::Failed },
            target_id: "t".into(),
            source_id: "s".into(),
            summary: summary.into(),
            response_preview: preview.into(),
            error: error.into(),
        }
    }

    fn member(line: &str, name: &str) -> String {
        let value: Value = serde_json::from_str(line).unwrap();
        value[name].as_str().unwrap().to_string()
    }

    #[test]
    fn an_error_stands_where_the_reader_looks() {
        let at = WallTime::from_unix_millis(1_500);
        let alone = result_line(&result("Delegating", "", "boom"), at);
        assert_eq!(member(&alone, "response_preview"), "boom");
        let beside = result_line(&result("Delegating", "half done", "boom"), at);
        assert_eq!(member(&beside, "response_preview"), "half done");
        assert_eq!(member(&beside, "summary"), "Delegating (error: boom)");
        assert!(beside.contains("\"timestamp\":1.5"), "{beside}");
        let said_already = result_line(&result("Delegating", "it went boom", "boom"), at);
        assert_eq!(member(&said_already, "summary"), "Delegating");
        let said_twice = result_line(&result("Failed: boom", "half done", "boom"), at);
        assert_eq!(member(&said_twice, "summary"), "Failed: boom");
        let well = result_line(&result("Delegating", "done", ""), at);
        assert_eq!(member(&well, "summary"), "Delegating");
    }

    proptest! {
        #[test]
        fn a_line_is_bounded_ascii_json(words in any::<String>(), repeats in 1_usize..200) {
            let words = words.repeat(repeats);
            let words = text::cut_bytes(&words, TEXT_BYTES_MAX);
            let line = result_line(&result(words, words, words), WallTime::default());
            prop_assert!(line.is_ascii() && !line.contains('\n'));
            prop_assert!(line.len() <= LINE_BYTES_MAX);
            prop_assert_eq!(member(&line, "error"), words);
        }
    }
}
