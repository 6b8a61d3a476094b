use super::*;
use proptest::prelude::*;
use serde_json::json;

const OWN: &str = "own";

fn page(rows: serde_json::Value) -> Page<'static> {
    read(rows.to_string().as_bytes()).unwrap()
}

fn read(body: &[u8]) -> Result<Page<'static>, String> {
    parse(text_of(body).into_owned().leak(), OWN, |_| true)
}

fn only(rows: serde_json::Value) -> FoldedResult {
    let mut results = page(rows).results;
    assert_eq!(results.len(), 1);
    results.remove(0)
}

/// PROTOCOL 1.3 and 3.9: the result's row before or after its order's.
#[test]
fn twins_fold_into_the_richest_in_either_order() {
    let order = json!({"delegation_id": "d", "source_id": OWN, "target_id": "t",
        "status": "completed", "summary": "Delegating to 0123456789"});
    let result = json!({"delegation_id": "d", "source_id": OWN, "target_id": "",
        "status": "completed", "summary": "Done", "response_preview": "forty-two"});
    for rows in [json!([order, result]), json!([result, order])] {
        let folded = only(rows);
        assert_eq!(folded.summary, "Done");
        assert_eq!(folded.response_preview, "forty-two");
        assert_eq!(folded.target_id, "t");
    }
}

/// The newest row is the first one.
#[test]
fn of_rows_that_are_alike_the_longer_words_stay_and_of_these_the_newest() {
    let row = |summary: &str, preview: &str| {
        json!({"delegation_id": "d", "source_id": OWN,
        "status": "completed", "summary": summary, "response_preview": preview})
    };
    for (rows, summary, preview) in [
        ([row("short", ""), row("longer", "")], "longer", ""),
        ([row("longer", ""), row("short", "")], "longer", ""),
        ([row("newer", ""), row("older", "")], "newer", ""),
        ([row("newer", "one"), row("older", "two")], "newer", "one"),
        ([row("short", "one"), row("longer", "three")], "longer", "three"),
        ([row("short", "text"), row("longer", "")], "short", "text"),
        ([row("newer", ""), row("", "text")], "newer", "text"),
    ] {
        let folded = only(json!(rows));
        assert_eq!((folded.summary.as_str(), folded.response_preview.as_str()), (summary, preview));
    }
}

#[test]
fn a_completed_row_alone_waits_and_a_failed_one_does_not() {
    let row = |status| json!([{"delegation_id": "d", "source_id": OWN, "status": status}]);
    assert!(!only(row("completed")).has_text());
    assert!(only(row("failed")).has_text());
}

/// PROTOCOL 3.9: the failed result's row has no id, its order's has the error.
#[test]
fn a_row_without_id_is_told_by_its_twin() {
    let folded = only(json!([
        {"id": "r2", "source_id": OWN, "status": "failed", "summary": "Delegation failed"},
        {"id": "r1", "delegation_id": "d", "source_id": OWN, "status": "failed", "error": "boom"},
    ]));
    assert_eq!(folded.error, "boom");
}

#[test]
fn a_foreign_row_is_counted_unless_it_says_received() {
    let page = page(json!([
        {"delegation_id": "a", "source_id": "else", "status": "completed"},
        {"delegation_id": "b", "source_id": "else", "status": "completed", "direction": "received"},
        {"delegation_id": "c", "status": "completed"},
        {"delegation_id": "d", "source_id": "else", "status": "pending"},
    ]));
    assert_eq!((page.foreign, page.results.len(), page.ids.len()), (2, 0, 4));
}

#[test]
fn both_endings_of_one_delegation_are_news() {
    let page = page(json!([
        {"delegation_id": "d", "source_id": OWN, "status": "completed", "response_preview": "x"},
        {"delegation_id": "d", "source_id": OWN, "status": "failed", "error": "y"},
    ]));
    let statuses: Vec<Status> = page.results.iter().map(|result| result.key.status).collect();
    assert_eq!(statuses, [Status::Failed, Status::Completed]);
}

/// Each of these stands between two good rows, and costs only itself.
#[test]
fn a_malformed_row_costs_only_itself() {
    let long = format!("\"{}\"", "x".repeat(300));
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let bad: Vec<String> = [
        "null",
        "7",
        "\"text\"",
        "[]",
        "{}",
        "true",
        r#"{"delegation_id":"x","source_id":"own","status":null}"#,
        r#"{"delegation_id":"x","source_id":"own","status":"completed","summary":"\ud800"}"#,
        r#"{"delegation_id":"a\nb","source_id":"own","status":"completed"}"#,
    ]
    .into_iter()
    .map(String::from)
    .chain([format!(r#"{{"delegation_id":{long},"source_id":"own","status":"failed"}}"#)])
    .collect();
    let good = |id: &str| {
        format!(r#"{{"delegation_id":"{id}","source_id":"own","status":"failed","error":{deep}}}"#)
    };
    for row in bad {
        let body = format!("[{},{row},{}]", good("a"), good("b"));
        let page = read(body.as_bytes()).unwrap();
        assert_eq!((page.results.len(), page.malformed), (2, 1), "{row}");
    }
}

#[test]
fn wrong_types_and_broken_characters_are_absent_words() {
    let body = b"[{\"delegation_id\":\"a\",\"source_id\":\"own\",\"status\":\"failed\",\
        \"summary\":{\"x\":[1]},\"error\":\"bro\xffken\",\"target_id\":1.5}]";
    let page = read(body).unwrap();
    assert_eq!(page.results[0].summary, "");
    assert_eq!(page.results[0].error, "bro\u{fffd}ken");
}

#[test]
fn no_list_is_an_error() {
    for body in ["", "{}", "null", "[", "[1,", "[] []", "[{\"a\":}]"] {
        assert!(read(body.as_bytes()).is_err(), "{body}");
    }
}

/// One pass over a list and one for each row find the same.
#[test]
fn what_is_read_at_once_is_read_row_by_row_alike() {
    let long = "x".repeat(300);
    for rows in [
        json!([]),
        json!([{}]),
        json!([
            {"id": "r", "delegation_id": "d", "source_id": OWN, "target_id": "t",
                "status": "failed", "summary": "a \"b\" \n c", "response_preview": "\u{1d11e}",
                "error": long, "direction": "sent", "type": "delegation",
                "created_at": "2026-03-31T12:00:00Z"},
            {"id": 1, "delegation_id": null, "status": ["failed"], "summary": {"a": {"b": [1.5]}}},
        ]),
    ] {
        let text = rows.to_string();
        let (count, each) = read_row_by_row(&text).unwrap();
        let at_once = read_at_once(&text).unwrap();
        assert_eq!((count as usize, &each), (at_once.len(), &at_once));
    }
}

#[test]
fn rows_beyond_the_bound_are_counted_only() {
    let row = json!({"delegation_id": "d", "source_id": OWN, "status": "failed"});
    let page = page(serde_json::Value::Array(alloc::vec![row; ROWS_MAX + 7]));
    assert_eq!(page.rows as usize, ROWS_MAX + 7);
    assert_eq!(page.ids.len(), ROWS_MAX);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&body);
    }
}
