//! The list of delegations and what writes it.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Bench, WS};
use everbeat_platform::{
    Finish, FinishOutcome, FinishStyle, NewDelegation, NewWorkspace, Options, Platform, Request,
    Version,
};
use serde_json::{Value, json};

fn texts<'a>(rows: &'a [Value], key: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[key].as_str().unwrap_or("-")).collect()
}

#[test]
fn one_delegation_is_two_rows_and_the_result_comes_first() {
    // PROTOCOL 1.3, 3.9
    let mut bench = Bench::spring();
    assert_eq!(bench.list(), Vec::<Value>::new());
    let id = bench.delegation("look");
    assert_eq!(texts(&bench.list(), "status"), ["pending"]);
    bench.wait(1);
    assert_eq!(texts(&bench.list(), "status"), ["dispatched"]);
    bench.finish(&id, &Finish::completed("found it"));
    let rows = bench.list();
    assert_eq!(texts(&rows, "delegation_id"), [&id, &id]);
    assert_eq!(texts(&rows, "status"), ["completed", "completed"]);
    assert_eq!(texts(&rows, "response_preview"), ["found it", "-"]);
    assert_eq!(texts(&rows, "summary"), ["Delegation completed (found it)", "Delegating to ws-2"]);
    assert_eq!(texts(&rows, "source_id"), [WS, WS]);
    assert_eq!(rows[0]["created_at"], "2026-03-31T12:00:01Z");
    assert_eq!(rows[0]["type"], "delegation");
    assert_eq!(bench.ws().polls.last().unwrap().statuses[..], ["completed", "completed"]);
}

#[test]
fn the_late_twin_of_delegate() {
    // PROTOCOL 3.9: result row first
    let mut bench = Bench::spring();
    let id = bench.delegation("look");
    bench.wait(1);
    bench.finish(&id, &Finish { twin_late_ms: Some(40_000), ..Finish::completed("x") });
    assert_eq!(texts(&bench.list(), "status"), ["completed", "dispatched"]);
    bench.wait(40);
    assert_eq!(texts(&bench.list(), "status"), ["completed", "completed"]);
}

#[test]
fn the_late_twin_of_update() {
    // PROTOCOL 3.9: the delegate row changes before the result row exists
    let mut bench = Bench::spring();
    let id = bench.delegation("look");
    bench.wait(1);
    let finish =
        Finish { style: FinishStyle::Update, twin_late_ms: Some(40_000), ..Finish::completed("x") };
    bench.finish(&id, &finish);
    let rows = bench.list();
    assert_eq!(
        (texts(&rows, "status"), texts(&rows, "response_preview")),
        (vec!["completed"], vec!["-"])
    );
    bench.wait(40);
    let rows = bench.list();
    assert_eq!(texts(&rows, "response_preview"), ["x", "-"]);
    assert_eq!(texts(&rows, "target_id"), ["", "ws-2"]);
}

#[test]
fn a_failure_of_delegate_has_a_result_row_without_id_in_spring() {
    // PROTOCOL 3.9
    let summer_log = Options { version: Version::Summer, ..Options::spring(1) };
    for (options, with_id) in [(Options::spring(1), false), (summer_log, true)] {
        let mut bench = Bench::new(options);
        let id = bench.delegation("look");
        bench.wait(1);
        bench.finish(&id, &Finish::failed("boom"));
        let rows = bench.list();
        let first = if with_id { id.as_str() } else { "-" };
        assert_eq!(texts(&rows, "delegation_id"), [first, &id]);
        assert_eq!(texts(&rows, "error"), ["boom", "boom"]);
        assert_eq!(rows[1]["summary"], "Delegating to ws-2");
    }
}

#[test]
fn a_failure_of_update_changes_the_delegate_row_only() {
    // PROTOCOL 1.7, 3.9
    let mut bench = Bench::spring();
    let id = bench.delegation("look");
    bench.wait(1);
    bench.finish(&id, &Finish { style: FinishStyle::Update, ..Finish::failed("boom") });
    assert_eq!(texts(&bench.list(), "error"), ["boom"]);
}

#[test]
fn queued_then_drained_flips_the_result_row_in_place() {
    // PROTOCOL 3.9
    let mut bench = Bench::spring();
    let id = bench.delegation("look");
    bench.wait(1);
    bench.finish(&id, &Finish::with(FinishOutcome::Queued));
    let queued = bench.list();
    assert_eq!(texts(&queued, "status"), ["queued", "queued"]);
    bench.wait(600);
    bench.finish(&id, &Finish::with(FinishOutcome::Drained { text: "late".into() }));
    let drained = bench.list();
    assert_eq!(texts(&drained, "status"), ["completed", "queued"], "the delegate row for ever");
    assert_eq!(texts(&drained, "response_preview"), ["late", "-"]);
    assert_eq!(drained[0]["created_at"], queued[0]["created_at"]);
}

#[test]
fn the_window_is_fifty_rows() {
    // PROTOCOL 1.3
    let mut bench = Bench::spring();
    let ids: Vec<String> = (0..30)
        .map(|n| {
            bench.wait(1);
            let id = bench.delegation(&format!("task {n}"));
            bench.finish(&id, &Finish::completed("x"));
            id
        })
        .collect();
    let rows = bench.list();
    assert_eq!(rows.len(), 50);
    assert_eq!(rows[0]["delegation_id"], json!(ids[29]));
    assert_eq!(rows[49]["delegation_id"], json!(ids[5]));
}

#[test]
fn missing_ids_and_missing_rows() {
    // PROTOCOL 3.9
    let mut bench = Bench::spring();
    let id = bench.delegation("a");
    bench.finish(&id, &Finish { missing_id: true, ..Finish::completed("x") });
    assert_eq!(texts(&bench.list(), "delegation_id"), ["-", &id]);
    let id = bench.delegation("b");
    bench.finish(&id, &Finish { no_result_row: true, ..Finish::completed("x") });
    assert_eq!(texts(&bench.list(), "status")[0], "completed");
    assert_eq!(texts(&bench.list(), "response_preview")[0], "-");
}

#[test]
fn a_summary_cut_within_a_character_loses_the_row_in_spring() {
    // PROTOCOL 3.9: Postgres rejects the INSERT
    let text = format!("{}\u{e9} and more", "x".repeat(79));
    let summer_log = Options { version: Version::Summer, ..Options::spring(1) };
    for (options, rows) in [(Options::spring(1), 1), (summer_log, 2)] {
        let mut bench = Bench::new(options);
        let id = bench.delegation("a");
        bench.finish(&id, &Finish::completed(&text));
        assert_eq!(texts(&bench.list(), "status"), vec!["completed"; rows]);
    }
}

#[test]
fn a_preview_is_cut_at_300_bytes() {
    // PROTOCOL 1.3
    let mut bench = Bench::spring();
    let id = bench.delegation("a");
    let text = format!("{}\u{e9}{}", "x".repeat(299), "y".repeat(50));
    bench.finish(&id, &Finish::completed(&text));
    let preview = format!("{}\u{fffd}...", "x".repeat(299));
    assert_eq!(bench.list()[0]["response_preview"], json!(preview));
    let id = bench.delegation("b");
    let error = "e".repeat(5_000);
    bench.finish(&id, &Finish::failed(&error));
    assert_eq!(bench.list()[0]["error"], json!(error), "an error is not cut");
}

#[test]
fn a_foreign_source() {
    // PROTOCOL 5.14
    let mut bench = Bench::spring();
    let new = NewDelegation {
        workspace: WS.into(),
        source: Some("intruder".into()),
        ..NewDelegation::default()
    };
    let id = bench.platform.make_delegation(new).unwrap();
    bench.finish(&id, &Finish::completed("obey"));
    assert_eq!(texts(&bench.list(), "source_id"), ["intruder", "intruder"]);
}

#[test]
fn the_ledger_is_one_row_each_with_its_direction() {
    // PROTOCOL 1.3 (N)
    let mut bench = Bench::summer();
    bench.platform.create_workspace(NewWorkspace::named("ws-2")).unwrap();
    let sent = bench.delegation("look");
    bench.wait(1);
    let new = NewDelegation {
        workspace: "ws-2".into(),
        target: WS.into(),
        task: "t".repeat(300),
        ..NewDelegation::default()
    };
    let received = bench.platform.make_delegation(new).unwrap();
    bench.finish(&sent, &Finish::completed("found"));
    let rows = bench.list();
    assert_eq!(texts(&rows, "delegation_id"), [&received, &sent]);
    assert_eq!(texts(&rows, "direction"), ["received", "sent"]);
    assert_eq!(texts(&rows, "source_id"), ["ws-2", WS]);
    assert_eq!(rows[1]["response_preview"], "found");
    assert_eq!(rows[0]["summary"], json!("t".repeat(200)));
    assert_eq!(rows[0]["_ledger"], json!(true));
    assert!(rows[0].get("id").is_none() && rows[0].get("type").is_none());
    assert_eq!(rows[0]["deadline"], "2026-03-31T18:00:01Z");
}

#[test]
fn the_log_of_summer_shows_rows_of_others_that_name_this_source() {
    // PROTOCOL 1.3 (N)
    let mut bench = Bench::new(Options { ledger: false, ..Options::summer(1) });
    bench.platform.create_workspace(NewWorkspace::named("ws-2")).unwrap();
    bench.delegation("own");
    bench.wait(1);
    for source in [WS, "ws-3"] {
        let new = NewDelegation {
            workspace: "ws-2".into(),
            source: Some(source.into()),
            ..NewDelegation::default()
        };
        bench.platform.make_delegation(new).unwrap();
    }
    assert_eq!(texts(&bench.list(), "direction"), ["sent", "sent"]);
    let new = NewDelegation {
        workspace: WS.into(),
        source: Some("ws-3".into()),
        ..NewDelegation::default()
    };
    bench.platform.make_delegation(new).unwrap();
    let rows = bench.list();
    assert_eq!(
        (rows.len(), texts(&rows, "direction").iter().filter(|d| **d == "received").count()),
        (3, 1)
    );
}

#[test]
fn rows_are_ordered_by_the_wall_clock() {
    // PROTOCOL 1.3: created_at
    let mut bench = Bench::spring();
    let first = bench.delegation("a");
    bench.platform.tick(bench.now, common::EPOCH_MS - 60_000);
    let stepped_back = bench.delegation("b");
    let rows = bench.list();
    assert_eq!(texts(&rows, "delegation_id"), [&first, &stepped_back]);
}

#[test]
fn delegate_over_http_is_idempotent() {
    // PROTOCOL 1.7
    let mut bench = Bench::spring();
    let body = json!({"target_id": "ws-2", "task": "look", "idempotency_key": "k"});
    let made = bench.post("/workspaces/ws-1/delegate", body.clone());
    assert_eq!((made.status, made.value()["status"].as_str()), (202, Some("delegated")));
    let id = made.value()["delegation_id"].as_str().unwrap().to_owned();
    let hit = bench.post("/workspaces/ws-1/delegate", body.clone());
    assert_eq!(hit.status, 200);
    assert_eq!(hit.value()["delegation_id"], json!(id));
    assert_eq!(hit.value()["idempotent_hit"], json!(true));
    bench.finish(&id, &Finish { style: FinishStyle::Update, ..Finish::failed("boom") });
    let again = bench.post("/workspaces/ws-1/delegate", body);
    assert_eq!(again.status, 202, "a failed one makes way");
    assert_ne!(again.value()["delegation_id"], json!(id));
    assert_eq!(bench.list().len(), 1);
}

#[test]
fn delegate_refuses() {
    // PROTOCOL 1.7
    let mut strict = Platform::new(Options { strict_uuid: true, ..Options::spring(1) });
    let made = strict.create_workspace(NewWorkspace::default()).unwrap();
    let path = format!("/workspaces/{}/delegate", made.id);
    let body = json!({"target_id": "ws-2", "task": "x"});
    let request = Request::post(&path, &body).with_bearer(&made.token.unwrap());
    let answer = strict.handle(Duration::ZERO, 0, &request).answer;
    assert_eq!(answer.value()["error"], "target_id must be a valid UUID");
    let mut loose = Bench::spring();
    let own = json!({"target_id": WS, "task": "x"});
    assert_eq!(
        loose.post("/workspaces/ws-1/delegate", own).value()["error"],
        "self-delegation not permitted"
    );
    for bad in
        [json!({"target_id": "a"}), json!({"task": "a"}), json!({"target_id": 1, "task": "a"})]
    {
        assert_eq!(
            loose.post("/workspaces/ws-1/delegate", bad).value()["error"],
            "invalid delegation request"
        );
    }
}

#[test]
fn record_and_update() {
    // PROTOCOL 1.7, 3.9
    let mut bench = Bench::spring();
    let record = json!({"target_id": "ws-2", "task": "look", "delegation_id": "d1"});
    let recorded = bench.post("/workspaces/ws-1/delegations/record", record);
    assert_eq!(
        (recorded.status, recorded.value()),
        (202, json!({"delegation_id": "d1", "status": "recorded"}))
    );
    assert_eq!(texts(&bench.list(), "status"), ["dispatched"]);
    let update = json!({"status": "completed", "response_preview": "done"});
    let updated = bench.post("/workspaces/ws-1/delegations/d1/update", update);
    assert_eq!(
        (updated.status, updated.value()),
        (200, json!({"delegation_id": "d1", "status": "completed"}))
    );
    assert_eq!(texts(&bench.list(), "response_preview"), ["done", "-"]);
    assert_eq!(texts(&bench.list(), "target_id"), ["", "ws-2"]);
    let bad = bench.post("/workspaces/ws-1/delegations/d1/update", json!({"status": "lost"}));
    assert_eq!(bad.status, 400);
}

#[test]
fn a_delegation_left_to_itself_completes() {
    let mut bench = Bench::new(Options { finish_ms: Some(5_000), ..Options::spring(1) });
    bench.post("/workspaces/ws-1/delegate", json!({"target_id": "ws-2", "task": "look"}));
    bench.wait(5);
    assert_eq!(texts(&bench.list(), "response_preview"), ["Done: look", "-"]);
}
