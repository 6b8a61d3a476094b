//! Faults and outages.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Bench, WS};
use everbeat_platform::{Delivery, Fault, FaultEffect, OutageKind, Reply, Request, Route};
use serde_json::json;

fn fault(route: Route, times: Option<u32>, effect: FaultEffect) -> Fault {
    Fault { route: Some(route), workspace: None, times, effect }
}

fn beat(bench: &mut Bench) -> Reply {
    let body = json!({"workspace_id": WS});
    let request = Request::post("/registry/heartbeat", &body).with_bearer(&bench.token);
    bench.send(&request)
}

#[test]
fn a_status_stands_for_so_many_requests_and_the_platform_does_nothing() {
    let mut bench = Bench::spring();
    let effect = FaultEffect::Status {
        status: 503,
        body: "{}".into(),
        retry_after: Some("Wed, 01 Apr 2026 00:00:00 GMT".into()),
    };
    bench.platform.inject(fault(Route::Heartbeat, Some(2), effect)).unwrap();
    assert_eq!(bench.list().len(), 0, "other routes are untouched");
    for _ in 0..2 {
        let answer = beat(&mut bench).answer;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), Some("Wed, 01 Apr 2026 00:00:00 GMT"));
    }
    assert_eq!(bench.ws().beats.total(), 0);
    assert_eq!(beat(&mut bench).answer.status, 200);
    let seen: Vec<_> = bench.platform.requests().iter().map(|r| (r.status, r.faulted)).collect();
    assert_eq!(seen, [(200, false), (503, true), (503, true), (200, false)]);
}

#[test]
fn which_faults_let_the_platform_act() {
    let cases = [
        (FaultEffect::Delay { ms: 7 }, 1, Delivery::After(Duration::from_millis(7))),
        (FaultEffect::Hang { acts: false }, 0, Delivery::Hang),
        (FaultEffect::Hang { acts: true }, 1, Delivery::Hang),
        (FaultEffect::Refuse, 0, Delivery::Refuse),
        (FaultEffect::Cut { bytes: 3 }, 1, Delivery::Cut { after: Duration::ZERO, bytes: 3 }),
        (FaultEffect::Garbage, 1, Delivery::After(Duration::ZERO)),
        (FaultEffect::Oversize { bytes: 5_000 }, 1, Delivery::After(Duration::ZERO)),
        (
            FaultEffect::Trickle { period_ms: 9 },
            1,
            Delivery::Trickle { period: Duration::from_millis(9) },
        ),
    ];
    for (effect, beats, delivery) in cases {
        let mut bench = Bench::spring();
        bench.platform.inject(fault(Route::Heartbeat, None, effect.clone())).unwrap();
        let reply = beat(&mut bench);
        assert_eq!(reply.delivery, delivery, "{effect:?}");
        assert_eq!(bench.ws().beats.total(), beats, "{effect:?}");
        if effect == FaultEffect::Garbage {
            assert_eq!(reply.answer.value(), json!(null));
        }
        if let FaultEffect::Oversize { bytes } = effect {
            assert_eq!(reply.answer.body.len(), bytes);
            assert!(reply.answer.value().is_object());
        }
        bench.platform.clear_faults(Some(Route::Heartbeat));
        assert_eq!(beat(&mut bench).answer.status, 200);
    }
}

#[test]
fn an_oversized_list_is_a_list() {
    let mut bench = Bench::spring();
    let effect = FaultEffect::Oversize { bytes: 2_000_000 };
    bench.platform.inject(fault(Route::Delegations, Some(1), effect)).unwrap();
    let answer = bench.get("/workspaces/ws-1/delegations");
    assert_eq!((answer.body.len(), answer.value().as_array().unwrap().len()), (2_000_000, 1));
}

#[test]
fn the_oldest_fault_comes_first_and_a_workspace_has_its_own() {
    let mut bench = Bench::spring();
    let own = |status| FaultEffect::Status { status, body: String::new(), retry_after: None };
    let of = |workspace: &str, status| Fault {
        workspace: Some(workspace.into()),
        ..fault(Route::Delegations, Some(1), own(status))
    };
    bench.platform.inject(of("ws-2", 500)).unwrap();
    bench.platform.inject(of(WS, 501)).unwrap();
    bench.platform.inject(of(WS, 502)).unwrap();
    let statuses = [0; 3].map(|_| bench.get("/workspaces/ws-1/delegations").status);
    assert_eq!(statuses, [501, 502, 200]);
    let of_beat =
        |workspace: &str, status| Fault { route: Some(Route::Heartbeat), ..of(workspace, status) };
    bench.platform.inject(of_beat("ws-2", 500)).unwrap();
    assert_eq!(beat(&mut bench).answer.status, 200, "a beat names its workspace in the body");
    bench.platform.inject(of_beat(WS, 500)).unwrap();
    assert_eq!(beat(&mut bench).answer.status, 500);
    assert_eq!(bench.platform.requests().last().unwrap().workspace.as_ref(), WS);
    assert!(bench.platform.inject(of(WS, 99)).is_err());
    let header = FaultEffect::Status {
        status: 503,
        body: String::new(),
        retry_after: Some("a\r\nb".into()),
    };
    assert!(bench.platform.inject(fault(Route::Notify, None, header)).is_err());
}

#[test]
fn an_outage_ends_by_itself() {
    let mut bench = Bench::spring();
    for (kind, delivery, status) in [
        (OutageKind::Refuse, Delivery::Refuse, 503),
        (OutageKind::Hang, Delivery::Hang, 503),
        (OutageKind::BadGateway, Delivery::After(Duration::ZERO), 502),
        (OutageKind::Unauthorized, Delivery::After(Duration::ZERO), 401),
        (OutageKind::Unavailable, Delivery::After(Duration::ZERO), 503),
    ] {
        bench.platform.outage(Duration::from_secs(5), kind);
        bench.wait_ms(4_999);
        let reply = beat(&mut bench);
        assert_eq!((reply.delivery, reply.answer.status), (delivery, status));
        bench.wait_ms(1);
        assert_eq!(beat(&mut bench).answer.status, 200);
    }
    bench.platform.outage(Duration::from_secs(5), OutageKind::Refuse);
    bench.platform.outage(Duration::ZERO, OutageKind::Refuse);
    assert_eq!(beat(&mut bench).answer.status, 200);
    bench.platform.outage(Duration::from_secs(500), OutageKind::Refuse);
    bench.wait(180);
    assert_eq!(bench.ws().restarts, 1, "keys expire in an outage too");
}

#[test]
fn a_restart_forgets_what_only_the_process_knew() {
    let limit = everbeat_platform::Options { rate_limit: Some(1), ..Default::default() };
    let mut bench = Bench::new(limit);
    assert_eq!(beat(&mut bench).answer.status, 200);
    assert_eq!(beat(&mut bench).answer.status, 429);
    bench.platform.restart(Duration::from_secs(1), OutageKind::Refuse);
    assert_eq!(beat(&mut bench).delivery, Delivery::Refuse);
    bench.wait(1);
    assert_eq!(beat(&mut bench).answer.status, 200, "the token is known, the limit counts anew");
    assert!(bench.ws().live_until.is_some());
}

#[test]
fn an_upgrade_lists_the_same_delegations_from_the_ledger() {
    let mut bench = Bench::spring();
    let id = bench.delegation("look");
    bench.finish(&id, &everbeat_platform::Finish::completed("found it"));
    assert_eq!(bench.list().len(), 2, "two rows in the log");
    assert_eq!(beat(&mut bench).answer.value(), json!({"status": "ok"}));
    bench.platform.upgrade(Duration::ZERO, OutageKind::Refuse);
    let rows = bench.list();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["delegation_id"], &rows[0]["_ledger"]), (&json!(id), &json!(true)));
    let answer = beat(&mut bench).answer.value();
    assert_eq!(answer["generation"], 1);
    assert!(answer["platform_inbound_secret"].is_string());
    bench.platform.set_generation(Some(7));
    bench.platform.upgrade(Duration::ZERO, OutageKind::Refuse);
    assert_eq!(beat(&mut bench).answer.value()["generation"], 7, "it is that version already");
}
