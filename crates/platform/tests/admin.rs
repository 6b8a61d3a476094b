//! The administrator's routes, with the example bodies of the documentation.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Bench, WS};
use everbeat_platform::{AgentMode, Answer, Options, Request, Status};
use serde_json::{Value, json};

fn bench() -> Bench {
    Bench::new(Options::development(1))
}

fn admin(bench: &mut Bench, path: &str, body: Value) -> Answer {
    bench.answer(&Request::post(path, &body))
}

fn ok(bench: &mut Bench, path: &str, body: Value) -> Value {
    let answer = admin(bench, path, body);
    assert_eq!(answer.status, 200, "{path}: {}", answer.value());
    answer.value()
}

#[test]
fn a_life_over_http() {
    let mut bench = bench();
    let made = ok(
        &mut bench,
        "/admin/workspaces",
        json!({"id": "ws-2", "name": "Worker", "parent_id": WS}),
    );
    assert_eq!((&made["id"], made["token"].as_str().unwrap().len()), (&json!("ws-2"), 43));
    let body = json!({"workspace": WS, "target": "ws-2", "task": "look"});
    let id =
        ok(&mut bench, "/admin/delegations", body)["delegation_id"].as_str().unwrap().to_owned();
    let finish =
        json!({"status": "completed", "text": "done", "style": "update", "twin_late_ms": 40_000});
    ok(&mut bench, &format!("/admin/delegations/{id}/finish"), finish);
    assert_eq!(bench.list().len(), 1);
    bench.wait(40);
    assert_eq!(bench.list()[0]["response_preview"], "done");
    for body in [
        json!({"status": "failed", "error": "boom"}),
        json!({"status": "queued"}),
        json!({"status": "drained", "text": "done"}),
    ] {
        ok(&mut bench, &format!("/admin/delegations/{id}/finish"), body);
    }
    bench.token = ok(&mut bench, "/admin/workspaces/ws-1/rotate-token", json!({}))["token"]
        .as_str()
        .unwrap()
        .into();
    assert_eq!(bench.beat(json!({})).status, 200);
    ok(&mut bench, "/admin/workspaces/ws-1/wedge", json!({"reason": "stuck"}));
    assert_eq!(bench.ws().status, Status::Degraded);
    ok(&mut bench, "/admin/workspaces/ws-1/wedge", json!({"clear": true}));
    assert_eq!(bench.ws().status, Status::Online);
    ok(&mut bench, "/admin/workspaces/ws-1/place", json!({"name": "Worker", "parent_id": "boss"}));
    ok(&mut bench, "/admin/generation", json!({"generation": 2}));
    assert_eq!(bench.beat(json!({})).value()["generation"], json!(2));
    ok(&mut bench, "/admin/workspaces/ws-1/rotate-inbound-secret", json!({}));
    ok(&mut bench, "/admin/workspaces/ws-1/revoke-tokens", json!({}));
    ok(&mut bench, "/admin/workspaces/ws-1/status", json!({"status": "removed"}));
    assert_eq!(bench.ws().status, Status::Removed);
}

#[test]
fn agent_modes_over_http() {
    let mut bench = bench();
    let path = "/admin/workspaces/ws-1/agent";
    ok(&mut bench, path, json!({"mode": "answers", "turn_ms": 1_500}));
    assert_eq!(bench.ws().turn.as_millis(), 1_500);
    ok(&mut bench, path, json!({"mode": "busy", "native_session": true}));
    assert_eq!(bench.ws().agent_mode, AgentMode::Busy { native_session: true });
    ok(&mut bench, path, json!({"mode": "answer_lost", "delivery_confirmed": false}));
    ok(&mut bench, path, json!({"mode": "status", "status": 500}));
    for mode in
        ["rpc_error", "queues", "waking", "restarting", "no_budget", "unreachable", "not_routable"]
    {
        ok(&mut bench, path, json!({"mode": mode}));
    }
    assert_eq!(admin(&mut bench, path, json!({"mode": "status", "status": 200})).status, 400);
    assert_eq!(admin(&mut bench, path, json!({"mode": "dances"})).status, 400);
}

#[test]
fn faults_and_outages_do_not_stand_before_admin() {
    let mut bench = bench();
    ok(&mut bench, "/admin/faults", json!({"effect": {"kind": "garbage"}}));
    for effect in [
        json!({"kind": "status", "status": 503, "retry_after": "7"}),
        json!({"kind": "delay", "ms": 5}),
        json!({"kind": "hang", "acts": true}),
        json!({"kind": "refuse"}),
        json!({"kind": "cut", "bytes": 4}),
        json!({"kind": "oversize", "bytes": 1_000}),
        json!({"kind": "trickle", "period_ms": 100}),
    ] {
        ok(
            &mut bench,
            "/admin/faults",
            json!({"route": "heartbeat", "times": 3, "effect": effect}),
        );
    }
    ok(&mut bench, "/admin/outage", json!({"ms": 5_000, "kind": "bad_gateway"}));
    let state = bench.answer(&Request::get("/admin/state")).value();
    assert_eq!(
        (state["faults"].as_array().unwrap().len(), &state["outage_ms_left"]),
        (8, &json!(5_000))
    );
    assert_eq!(bench.beat(json!({})).status, 502);
    ok(&mut bench, "/admin/outage", json!({"ms": 0}));
    let delete = |path: &str| Request { method: "DELETE".into(), ..Request::get(path) };
    assert_eq!(bench.answer(&delete("/admin/faults/heartbeat")).status, 200);
    assert_eq!(bench.answer(&delete("/admin/faults/moon")).status, 404);
    assert_eq!(bench.answer(&delete("/admin/faults")).status, 200);
    assert_eq!(bench.beat(json!({})).status, 200);
}

#[test]
fn bodies_are_strict() {
    let mut bench = bench();
    for (path, body, status) in [
        ("/admin/workspaces", json!({"idd": "x"}), 400),
        ("/admin/workspaces", json!({"id": WS}), 409),
        ("/admin/workspaces/none/rotate-token", json!({}), 404),
        ("/admin/workspaces/ws-1/dance", json!({}), 404),
        ("/admin/delegations", json!({"workspace": "none"}), 404),
        ("/admin/delegations/none/finish", json!({"status": "queued"}), 404),
        ("/admin/delegations/none/finish", json!({"status": "queued", "twin": 1}), 400),
        ("/admin/faults", json!({"route": "moon", "effect": {"kind": "refuse"}}), 400),
        ("/admin/faults", json!({"effect": {"kind": "cut", "byte": 1}}), 400),
        ("/admin/outage", json!({"ms": -1}), 400),
        ("/admin", json!({}), 404),
    ] {
        let answer = admin(&mut bench, path, body.clone());
        assert_eq!(answer.status, status, "{path} {body}");
        assert!(answer.value()["error"].is_string());
    }
}

#[test]
fn the_state_shows_everything_but_secrets() {
    let mut bench = Bench::new(Options { admin: true, ..Options::summer(1) });
    bench.beat(json!({"current_task": "work"}));
    bench.list();
    let _ = bench.self_message(Some("m1"), "wake");
    bench.post("/workspaces/ws-1/notify", json!({"message": "hello"}));
    bench.register();
    let state = bench.answer(&Request::get("/admin/state"));
    let text = String::from_utf8(state.body.clone()).unwrap();
    assert!(!text.contains(&bench.token), "a token");
    assert!(!text.contains(bench.platform.inbound_secret(WS).unwrap()), "a secret");
    let shown = &state.value()["workspaces"][WS];
    assert_eq!((&shown["token"], &shown["inbound_secret"]), (&json!("set"), &json!("set")));
    assert_eq!(shown["beats"]["newest"][0]["body"]["current_task"], "work");
    assert_eq!(shown["messages"]["newest"][0]["message_id"], "m1");
    assert_eq!(shown["delivered"]["total"], json!(1));
    assert_eq!(shown["notifications"]["newest"][0]["message"], "hello");
    assert_eq!(shown["polls"]["total"], json!(1));
    assert_eq!(shown["registrations"]["newest"][0]["minted"], json!(false));
    assert_eq!(state.value()["requests"]["heartbeat"], json!(1));
}
