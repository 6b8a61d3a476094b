//! What a person is shown of workspaces and delegations.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Bench, WS};
use everbeat_platform::{
    DelegationLine, Finish, NewDelegation, NewWorkspace, Options, OutageKind, Request, Status,
    WorkspaceLine,
};
use serde_json::json;

fn delegate(bench: &mut Bench, id: &str) {
    let new = NewDelegation {
        workspace: WS.into(),
        target: "peer".into(),
        task: "look".into(),
        id: Some(id.into()),
        ..NewDelegation::default()
    };
    bench.platform.make_delegation(new).unwrap();
}

fn first(bench: &Bench) -> DelegationLine {
    bench.platform.delegation_lines(1).remove(0)
}

fn line(bench: &Bench) -> WorkspaceLine {
    bench.platform.workspace_lines().next().unwrap()
}

#[test]
fn a_delegation_has_its_two_rows_the_second_later() {
    let mut bench = Bench::new(Options::development(1));
    delegate(&mut bench, "d-1");
    let before = first(&bench);
    assert_eq!((before.status.as_str(), before.result_row), ("pending", None));
    assert_eq!(before.delegate_row.unwrap().status, "pending");

    let finish = Finish { twin_late_ms: Some(5_000), ..Finish::completed("well done") };
    let version = bench.platform.delegations_version();
    bench.platform.finish_delegation("d-1", &finish).unwrap();
    assert_ne!(bench.platform.delegations_version(), version);
    let between = first(&bench);
    let result = between.result_row.unwrap();
    assert_eq!((result.status.as_str(), result.text.as_str()), ("completed", "well done"));
    assert_eq!(between.delegate_row.unwrap().status, "pending");

    bench.wait(5);
    assert_eq!(first(&bench).delegate_row.unwrap().status, "completed");
}

#[test]
fn a_row_that_does_not_name_its_delegation_is_shown_with_it() {
    // PROTOCOL 1.3: in spring a failed result row carries no delegation id.
    let mut bench = Bench::spring();
    delegate(&mut bench, "d-1");
    delegate(&mut bench, "d-2");
    bench.platform.finish_delegation("d-1", &Finish::failed("boom")).unwrap();
    let lines = bench.platform.delegation_lines(10);
    let ids: Vec<_> = lines.iter().map(|line| line.id.as_str()).collect();
    assert_eq!(ids, ["d-2", "d-1"]);
    assert_eq!(lines[0].result_row, None);
    let result = lines[1].result_row.as_ref().unwrap();
    assert_eq!((result.text.as_str(), result.carries_id), ("boom", false));
    // What the agent is shown is as it was.
    assert!(bench.list().iter().all(|row| row.get("ledger_id").is_none()));
}

#[test]
fn a_workspace_counts_down_to_its_end() {
    let mut bench = Bench::spring();
    bench.wait(10);
    bench.beat(json!({"error_rate": 0.25, "sample_error": "x".repeat(400)}));
    bench.wait(30);
    bench.beat(json!({"active_tasks": 2}));
    let line = line(&bench);
    assert_eq!((line.beats, line.period_ms), (2, Some(30_000)));
    assert_eq!((line.last_beat_at_ms, line.alive_until_ms), (Some(40_000), Some(220_000)));
    assert_eq!((line.status, line.active_tasks, line.has_token), (Status::Online, 2, true));
    bench.wait(181);
    let line = self::line(&bench);
    assert_eq!((line.status, line.alive_until_ms, line.restarts), (Status::Offline, None, 1));
}

#[test]
fn an_external_workspace_counts_down_from_its_last_beat() {
    let mut bench = Bench::new(Options::development(1));
    let new = NewWorkspace { runtime: "external".into(), ..NewWorkspace::named("outside") };
    bench.platform.create_workspace(new).unwrap();
    let outside = |bench: &Bench| bench.platform.workspace_lines().next().unwrap();
    assert_eq!((outside(&bench).id.as_str(), outside(&bench).ttl_ms), ("outside", 90_000));
    assert_eq!(outside(&bench).alive_until_ms, Some(90_000));
    bench.wait(120);
    assert_eq!((outside(&bench).status, outside(&bench).alive_until_ms), (Status::Offline, None));
}

#[test]
fn one_workspace_is_cut_off_and_mended_alone() {
    let mut bench = Bench::new(Options::development(1));
    for workspace in [WS, "other"] {
        let fault = json!({"workspace": workspace, "effect": {"kind": "refuse"}});
        assert_eq!(bench.answer(&Request::post("/admin/faults", &fault)).status, 200);
    }
    assert!(line(&bench).is_cut_off);
    let path = format!("/admin/workspaces/{WS}/faults");
    let mend =
        |path: &str| Request { method: "DELETE".into(), path: path.into(), ..Request::default() };
    assert_eq!(bench.answer(&mend(&path)).status, 200);
    assert!(!line(&bench).is_cut_off);
    assert_eq!(bench.answer(&mend("/admin/workspaces/nobody/faults")).status, 404);
    let state = bench.answer(&Request::get("/admin/state")).value();
    assert_eq!(state["faults"].as_array().unwrap().len(), 1, "the other's stays");
}

#[test]
fn an_outage_says_how_long_it_still_takes() {
    let mut bench = Bench::spring();
    assert_eq!(bench.platform.outage_left(), None);
    bench.platform.outage(Duration::from_secs(10), OutageKind::Refuse);
    bench.wait(4);
    assert_eq!(bench.platform.outage_left(), Some(Duration::from_secs(6)));
    bench.wait(6);
    assert_eq!(bench.platform.outage_left(), None);
}
