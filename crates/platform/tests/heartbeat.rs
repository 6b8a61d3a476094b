//! `POST /registry/heartbeat` and liveness.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Bench, WS};
use everbeat_platform::{EventKind, NewWorkspace, Options, Request, Status};
use serde_json::{Value, json};

#[test]
fn a_beat_is_answered_and_observed() {
    // PROTOCOL 1.1
    let mut bench = Bench::spring();
    bench.wait(5);
    let answer = bench.beat(json!({"error_rate": 0.25, "uptime_seconds": 5}));
    assert_eq!((answer.status, answer.value()), (200, json!({"status": "ok"})));
    let beat = bench.ws().beats.last().unwrap();
    assert_eq!((beat.at, beat.value()["error_rate"].as_f64()), (bench.now, Some(0.25)));
}

#[test]
fn bodies_that_do_not_bind() {
    // PROTOCOL 1.1: 400
    let mut bench = Bench::spring();
    let bad = [
        json!({}),
        json!({"workspace_id": ""}),
        json!({"workspace_id": WS, "active_tasks": 1.0}),
        json!({"workspace_id": WS, "current_task": 1}),
        json!({"workspace_id": WS, "runtime_metadata": []}),
        json!({"workspace_id": WS, "runtime_metadata": {"capabilities": {"session": "yes"}}}),
        json!([]),
    ];
    for body in bad {
        let answer = bench.post("/registry/heartbeat", body.clone());
        assert_eq!(
            (answer.status, answer.value()["error"].as_str()),
            (400, Some("invalid request body")),
            "{body}"
        );
    }
    let good = json!({"workspace_id": WS, "sample_error": null, "unknown": {"x": 1}});
    assert_eq!(bench.post("/registry/heartbeat", good).status, 200);
}

#[test]
fn what_the_database_refuses() {
    // PROTOCOL 1.1: INTEGER columns and TEXT without U+0000
    let mut bench = Bench::spring();
    for bad in [
        json!({"uptime_seconds": 2_147_483_648_i64}),
        json!({"active_tasks": -2_147_483_649_i64}),
        json!({"sample_error": "a\u{0}b"}),
        json!({"current_task": "\u{0}"}),
    ] {
        let answer = bench.beat(bad.clone());
        assert_eq!(
            (answer.status, answer.value()["error"].as_str()),
            (500, Some("failed to update")),
            "{bad}"
        );
    }
    assert_eq!(bench.ws().beats.total(), 0);
    assert_eq!(bench.beat(json!({"uptime_seconds": 2_147_483_647})).status, 200);
    let mut strict = Bench::new(Options { strict_uuid: false, ..Options::spring(1) });
    assert_eq!(strict.post("/registry/heartbeat", json!({"workspace_id": "unknown"})).status, 200);
}

#[test]
fn an_id_that_is_no_uuid_under_strict_ids() {
    // PROTOCOL 1.1
    let mut platform =
        everbeat_platform::Platform::new(Options { strict_uuid: true, ..Options::spring(1) });
    let beat = Request::post("/registry/heartbeat", &json!({"workspace_id": "ws-1"}));
    let reply = platform.handle(std::time::Duration::ZERO, 0, &beat);
    assert_eq!(reply.answer.status, 500);
}

#[test]
fn a_heartbeat_never_tells_that_the_workspace_is_gone() {
    // PROTOCOL 1.1: unknown and removed are answered 200
    let mut bench = Bench::spring();
    bench.platform.set_status(WS, Status::Removed).unwrap();
    assert_eq!(bench.beat(json!({})).status, 200);
    assert_eq!((bench.ws().status, bench.ws().beats.total()), (Status::Removed, 0));
    assert_eq!(bench.post("/registry/heartbeat", json!({"workspace_id": "nobody"})).status, 200);
    assert!(bench.platform.workspace("nobody").is_none());
}

#[test]
fn beats_extend_the_key_and_its_end_restarts_the_container() {
    // PROTOCOL 3.1, 3.2
    let mut bench = Bench::spring();
    for _ in 0..20 {
        bench.wait(179);
        bench.beat(json!({}));
    }
    assert_eq!((bench.ws().status, bench.ws().restarts), (Status::Online, 0));
    bench.wait(179);
    assert_eq!(bench.ws().status, Status::Online);
    bench.wait(1);
    assert_eq!((bench.ws().status, bench.ws().restarts), (Status::Offline, 1));
    let kinds: Vec<_> = bench.ws().events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::WorkspaceOffline, EventKind::WorkspaceRestarted]);
}

#[test]
fn a_beat_does_not_recreate_an_expired_key() {
    // PROTOCOL 3.1
    let mut bench = Bench::spring();
    bench.wait(180);
    bench.beat(json!({}));
    assert_eq!((bench.ws().status, bench.ws().live_until), (Status::Online, None));
    bench.wait(10_000);
    assert_eq!((bench.ws().status, bench.ws().restarts), (Status::Online, 1), "nobody watches it");
    bench.register();
    bench.wait(180);
    assert_eq!((bench.ws().status, bench.ws().restarts), (Status::Offline, 2));
}

#[test]
fn the_end_of_a_key_is_announced_by_next_wakeup() {
    let mut bench = Bench::spring();
    let due = bench.platform.next_wakeup().unwrap();
    assert_eq!(due.as_secs(), 180);
    bench.wait(100);
    bench.beat(json!({}));
    bench.wait(80);
    assert_eq!(bench.ws().status, Status::Online);
    assert_eq!(bench.platform.next_wakeup().unwrap().as_secs(), 280);
}

#[test]
fn an_external_workspace_is_swept_after_90_seconds() {
    // PROTOCOL 3.3
    for (options, status) in
        [(Options::spring(1), Status::Offline), (Options::summer(1), Status::AwaitingAgent)]
    {
        let mut bench = Bench::new(options);
        let new = NewWorkspace { runtime: "external".into(), ..NewWorkspace::named("far") };
        bench.platform.create_workspace(new).unwrap();
        bench.wait(90);
        assert_eq!(bench.platform.workspace("far").unwrap().status, Status::Online);
        bench.wait(15);
        let far = bench.platform.workspace("far").unwrap();
        assert_eq!((far.status, far.restarts), (status, 0), "never restarted");
        assert_eq!(bench.ws().status, Status::Online, "that one has 180 seconds");
    }
}

#[test]
fn a_wedge_degrades_and_a_healthy_beat_recovers() {
    // PROTOCOL 3.4 (a), (c)
    let mut bench = Bench::spring();
    bench.beat(json!({"runtime_state": "wedged", "sample_error": "stuck"}));
    assert_eq!(bench.ws().status, Status::Degraded);
    assert_eq!(bench.ws().events.last().unwrap().detail, "stuck");
    bench.beat(json!({"runtime_state": "wedged"}));
    assert_eq!(bench.ws().status, Status::Degraded);
    bench.beat(json!({}));
    assert_eq!(bench.ws().status, Status::Online);
}

#[test]
fn the_error_rate_degrades_from_half_and_recovers_below_a_tenth() {
    // PROTOCOL 3.4 (b), (c)
    let mut bench = Bench::spring();
    for (rate, status) in [
        (0.49, Status::Online),
        (0.5, Status::Degraded),
        (0.3, Status::Degraded),
        (0.1, Status::Degraded),
        (0.05, Status::Online),
    ] {
        bench.beat(json!({"error_rate": rate}));
        assert_eq!(bench.ws().status, status, "{rate}");
    }
}

#[test]
fn status_management_counts_from_the_beat_before() {
    // PROTOCOL 3.4
    let mut bench = Bench::spring();
    let own = |rate: f64| json!({"error_rate": rate, "runtime_metadata": {"capabilities": {"status_mgmt": true}}});
    bench.beat(own(1.0));
    assert_eq!(bench.ws().status, Status::Degraded, "not known yet");
    bench.beat(own(0.0));
    assert_eq!(bench.ws().status, Status::Degraded, "now its own business");
    bench.beat(json!({}));
    assert_eq!(bench.ws().status, Status::Degraded, "still by the beat before");
    bench.beat(json!({}));
    assert_eq!(bench.ws().status, Status::Online);
}

#[test]
fn a_beat_without_metadata_clears_it() {
    // PROTOCOL 3.5
    let mut bench = Bench::spring();
    let full = json!({"runtime_metadata": {"capabilities": {"session": true}, "idle_timeout_seconds": 600}});
    bench.beat(full.clone());
    assert_eq!(bench.ws().idle_timeout_seconds, Some(600));
    bench.beat(json!({"runtime_metadata": {"capabilities": {"session": true}}}));
    assert_eq!(
        (bench.ws().idle_timeout_seconds, &bench.ws().capabilities["session"]),
        (None, &json!(true))
    );
    bench.beat(full);
    bench.beat(json!({}));
    assert_eq!((bench.ws().idle_timeout_seconds, &bench.ws().capabilities), (None, &Value::Null));
}

#[test]
fn spend_is_clamped_and_zero_is_not_written() {
    // PROTOCOL 1.1
    let mut bench = Bench::spring();
    for (sent, stored) in [(5, 5), (0, 5), (-3, 5), (2_000_000_000_000_i64, 1_000_000_000_000)] {
        bench.beat(json!({"monthly_spend": sent}));
        assert_eq!(bench.ws().monthly_spend, stored);
    }
}

#[test]
fn summer_sends_secret_and_generation_and_fills_in_the_card() {
    // PROTOCOL 1.1, 6.3, 6.4
    let mut bench = Bench::summer();
    let first = bench.beat(json!({"agent_card": {"name": "a"}})).value();
    let secret = first["platform_inbound_secret"].as_str().unwrap().to_owned();
    assert_eq!((secret.len(), &first["generation"]), (43, &json!(1)));
    assert_eq!(bench.ws().agent_card, Some(json!({"name": "a"})));
    bench.platform.set_generation(Some(2));
    let second = bench.beat(json!({"agent_card": {"name": "b"}})).value();
    assert_eq!(second, json!({"status": "ok", "platform_inbound_secret": secret, "generation": 2}));
    assert_eq!(bench.ws().agent_card, Some(json!({"name": "a"})));
    let renewed = bench.platform.rotate_inbound_secret(WS).unwrap();
    assert_eq!(bench.beat(json!({})).value()["platform_inbound_secret"], json!(renewed));
}

#[test]
fn paused_stays_paused_and_failed_is_lifted_only_in_summer() {
    // PROTOCOL 3.4
    for (mut bench, lifted) in [(Bench::spring(), false), (Bench::summer(), true)] {
        bench.platform.set_status(WS, Status::Paused).unwrap();
        bench.beat(json!({}));
        assert_eq!(bench.ws().status, Status::Paused);
        bench.platform.set_status(WS, Status::Failed).unwrap();
        bench.beat(json!({}));
        assert_eq!(bench.ws().status == Status::Online, lifted);
    }
}
