//! Registration, tokens, tenant guard and rate limit.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Bench, WS};
use everbeat_platform::{NewWorkspace, Options, Request, Status};
use serde_json::json;

#[test]
fn registry_wants_a_bearer_once_there_is_a_live_token() {
    // PROTOCOL 1.1, 2
    let mut bench = Bench::spring();
    let beat = Request::post("/registry/heartbeat", &json!({"workspace_id": WS}));
    let missing = bench.answer(&beat);
    assert_eq!(
        (missing.status, missing.value()["error"].as_str()),
        (401, Some("missing workspace auth token"))
    );
    let invalid = bench.answer(&beat.clone().with_bearer("old"));
    assert_eq!(
        (invalid.status, invalid.value()["error"].as_str()),
        (401, Some("invalid workspace auth token"))
    );
    let lower = bench.token.clone();
    let lower = bench.answer(&beat.clone().with_header("authorization", format!("bearer {lower}")));
    assert_eq!(lower.status, 401, "the prefix is case-sensitive");
    bench.platform.revoke_tokens(WS).unwrap();
    assert_eq!(bench.answer(&beat).status, 200);
}

#[test]
fn registration_mints_a_token_only_without_a_live_one() {
    // PROTOCOL 1.2
    let mut bench = Bench::spring();
    assert_eq!(bench.register().value(), json!({"status": "registered"}));
    bench.platform.revoke_tokens(WS).unwrap();
    let token = bench.register().value()["auth_token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 43);
    assert_eq!(bench.register().status, 401, "now the new one is asked for");
    bench.token = token;
    assert_eq!(bench.register().value(), json!({"status": "registered"}));
    assert_eq!(bench.ws().registrations.total(), 3);
}

#[test]
fn an_unknown_workspace_registers_itself() {
    // PROTOCOL 1.2
    let mut bench = Bench::spring();
    let body = json!({"id": "new", "url": "https://agent.example/a", "agent_card": null});
    let answer = bench.answer(&Request::post("/registry/register", &body));
    assert!(answer.value()["auth_token"].is_string());
    assert_eq!(bench.platform.workspace("new").unwrap().status, Status::Online);
}

#[test]
fn bodies_of_registrations() {
    // PROTOCOL 1.2: spring hides the reason
    let bad = [
        json!({"url": "http://a", "agent_card": {}}),
        json!({"id": WS, "url": "http://a"}),
        json!({"id": WS, "url": "", "agent_card": {}}),
        json!({"id": WS, "url": "ftp://a", "agent_card": {}}),
        json!({"id": WS, "url": "http://10.0.0.1:8000", "agent_card": {}}),
        json!({"id": WS, "url": "http://[::1]/", "agent_card": {}}),
    ];
    for body in bad {
        let mut bench = Bench::spring();
        let answer = bench.post("/registry/register", body.clone());
        assert_eq!(
            (answer.status, answer.value()["error"].as_str()),
            (400, Some("invalid request body")),
            "{body}"
        );
    }
    let mut summer = Bench::summer();
    let push = json!({"id": WS, "agent_card": {}});
    let answer = summer.post("/registry/register", push);
    assert_eq!(answer.value()["error"], "url is required for push-mode workspaces");
    let poll = json!({"id": WS, "agent_card": {}, "delivery_mode": "poll"});
    let answer = summer.post("/registry/register", poll).value();
    assert_eq!(answer["delivery_mode"], "poll");
    assert!(answer["platform_inbound_secret"].is_string());
    let nul = json!({"id": WS, "url": "http://a", "agent_card": {"x": ["\u{0}"]}});
    assert_eq!(summer.post("/registry/register", nul).value()["error"], "registration failed");
}

#[test]
fn registration_never_resurrects() {
    // PROTOCOL 1.2
    let mut bench = Bench::spring();
    bench.platform.set_status(WS, Status::Removed).unwrap();
    assert_eq!(bench.register().value(), json!({"status": "registered"}));
    assert_eq!(bench.ws().status, Status::Removed);
}

#[test]
fn a_loopback_url_is_pinned() {
    // PROTOCOL 1.2
    let mut bench = Bench::new(Options { private_urls: true, ..Options::spring(1) });
    let mut register = |url: &str| {
        bench.post("/registry/register", json!({"id": WS, "url": url, "agent_card": {}}));
        bench.ws().url.clone().unwrap()
    };
    assert_eq!(register("http://127.0.0.1:9000"), "http://127.0.0.1:9000");
    assert_eq!(register("http://elsewhere"), "http://127.0.0.1:9000");
}

#[test]
fn a_rotated_token_is_dead_at_once_everywhere() {
    // PROTOCOL 2
    let mut bench = Bench::spring();
    let old = bench.token.clone();
    bench.token = bench.platform.rotate_token(WS).unwrap();
    assert_ne!(bench.token, old);
    assert_eq!(bench.beat(json!({})).status, 200);
    bench.token = old;
    assert_eq!(bench.beat(json!({})).status, 401);
    assert_eq!(bench.get("/workspaces/ws-1/delegations").status, 401);
}

#[test]
fn workspace_routes_always_want_a_token() {
    // PROTOCOL 2: WorkspaceAuth is strict
    let options = Options { admin_token: Some("root".into()), ..Options::spring(1) };
    let mut bench = Bench::new(options);
    bench.platform.revoke_tokens(WS).unwrap();
    let routes = [
        Request::get("/workspaces/ws-1/delegations"),
        Request::get("/workspaces/ws-1/activity"),
        Request::post("/workspaces/ws-1/activity", &json!({"activity_type": "x"})),
        Request::post("/workspaces/ws-1/notify", &json!({"message": "x"})),
        Request::post("/workspaces/ws-1/delegate", &json!({"target_id": "a", "task": "b"})),
        Request::post("/workspaces/ws-1/delegations/record", &json!({})),
        Request::post("/workspaces/ws-1/delegations/d/update", &json!({"status": "failed"})),
    ];
    for request in routes {
        assert_eq!(bench.answer(&request).status, 401, "{request:?}");
        assert_eq!(bench.answer(&request.clone().with_bearer("x")).status, 401, "{request:?}");
        assert_ne!(bench.answer(&request.clone().with_bearer("root")).status, 401, "{request:?}");
    }
    let beat = Request::post("/registry/heartbeat", &json!({"workspace_id": WS}));
    bench.platform.rotate_token(WS).unwrap();
    assert_eq!(bench.answer(&beat.with_bearer("root")).status, 401, "not the registry");
}

#[test]
fn another_workspaces_token_is_invalid() {
    // PROTOCOL 2
    let mut bench = Bench::spring();
    bench.token = bench.platform.create_workspace(NewWorkspace::named("b")).unwrap().token.unwrap();
    let answer = bench.get("/workspaces/ws-1/delegations");
    assert_eq!(
        (answer.status, answer.value()["error"].as_str()),
        (401, Some("invalid workspace auth token"))
    );
}

#[test]
fn a_removed_workspaces_tokens_are_dead() {
    // PROTOCOL 2
    let mut bench = Bench::spring();
    bench.platform.set_status(WS, Status::Removed).unwrap();
    bench.token = bench.platform.rotate_token(WS).unwrap();
    assert_eq!(bench.get("/workspaces/ws-1/delegations").status, 401);
    assert_eq!(bench.get("/workspaces/ws-1").value()["status"], "removed", "still shown");
}

#[test]
fn the_tenant_guard_lets_only_the_registry_pass() {
    // PROTOCOL 3.6
    let tenant = Some("org-1".to_owned());
    let mut spring = Bench::new(Options { tenant: tenant.clone(), ..Options::spring(1) });
    assert_eq!(spring.beat(json!({})).status, 200);
    assert_eq!(spring.register().status, 200);
    let refused = spring.get("/workspaces/ws-1/delegations");
    assert_eq!((refused.status, refused.body.len()), (404, 0));
    let list = Request::get("/workspaces/ws-1/delegations").with_bearer(&spring.token);
    assert_eq!(spring.answer(&list.clone().with_header("x-molecule-org-id", "org-2")).status, 404);
    assert_eq!(spring.answer(&list.clone().with_header("x-molecule-org-id", "org-1")).status, 200);
    let replayed = list.with_header("fly-replay-src", "instance=1;state=org-1");
    assert_eq!(spring.answer(&replayed).status, 200);
    let mut summer = Bench::new(Options { tenant, ..Options::summer(1) });
    let refused = summer.answer(&Request::get("/workspaces/ws-1/delegations"));
    assert_eq!(refused.status, 400, "before any authorisation");
    assert_eq!(refused.value()["code"], "TENANT_ORG_HEADER_REQUIRED");
}

#[test]
fn six_hundred_a_minute_for_each_peer() {
    // PROTOCOL 3.7
    let mut bench = Bench::spring();
    let request = Request { peer: "10.1.1.1".into(), ..Request::get("/workspaces/ws-1") };
    let first = bench.answer(&request);
    assert_eq!(first.header("x-ratelimit-limit"), Some("600"));
    assert_eq!(first.header("x-ratelimit-remaining"), Some("599"));
    assert_eq!(first.header("x-ratelimit-reset"), Some("60"));
    for _ in 1..600 {
        assert_eq!(bench.answer(&request).status, 200);
    }
    bench.wait(20);
    let refused = bench.answer(&request);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("40")));
    assert_eq!(refused.value(), json!({"error": "rate limit exceeded", "retry_after": 40}));
    let other = Request { peer: "10.1.1.2".into(), ..request.clone() };
    assert_eq!(bench.answer(&other).status, 200);
    bench.wait(40);
    assert_eq!(bench.answer(&request).status, 200);
}

#[test]
fn paths_are_exact() {
    // PROTOCOL 2: a doubled slash is not found
    let mut bench = Bench::spring();
    assert_eq!(bench.post("//registry/heartbeat", json!({"workspace_id": WS})).status, 404);
    let redirect = bench.post("/registry/heartbeat/", json!({"workspace_id": WS}));
    assert_eq!((redirect.status, redirect.header("location")), (307, Some("/registry/heartbeat")));
    assert_eq!(bench.get("/admin/state").status, 404, "not unless asked for");
}
