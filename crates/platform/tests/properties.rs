//! Whatever comes, the platform answers; the same input, the same output.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::WS;
use everbeat_platform::{NewWorkspace, Options, Platform, Request};
use proptest::collection::vec;
use proptest::prelude::*;

/// Arbitrary JSON, NULs and huge numbers among it.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC*".prop_map(Into::into),
        Just("\u{0}".into()),
        Just(WS.into()),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let map = proptest::collection::btree_map(key(), inner.clone(), 0..6);
        prop_oneof![
            vec(inner, 0..5).prop_map(Into::into),
            map.prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Names that endpoints look for, and others.
fn key() -> impl Strategy<Value = String> {
    let known: &[&str] = &[
        "workspace_id",
        "id",
        "url",
        "agent_card",
        "error_rate",
        "active_tasks",
        "runtime_state",
        "runtime_metadata",
        "capabilities",
        "idle_timeout_seconds",
        "message",
        "attachments",
        "params",
        "parts",
        "messageId",
        "text",
        "target_id",
        "task",
        "delegation_id",
        "status",
        "idempotency_key",
        "activity_type",
        "source_id",
        "workspace",
        "effect",
        "kind",
        "ms",
        "mode",
        "turn_ms",
        "times",
        "route",
        "twin_late_ms",
        "style",
        "monthly_spend",
    ];
    prop_oneof![9 => proptest::sample::select(known).prop_map(str::to_owned), 1 => "\\PC{0,9}"]
}

fn path() -> impl Strategy<Value = String> {
    let known: &[&str] = &[
        "/registry/heartbeat",
        "/registry/register",
        "/registry/update-card",
        "/registry/heartbeat/",
        "/workspaces/ws-1",
        "/workspaces/ws-1/delegations",
        "/workspaces/ws-1/activity",
        "/workspaces/ws-1/notify",
        "/workspaces/ws-1/delegate",
        "/workspaces/ws-1/a2a",
        "/workspaces/ws-1/delegations/record",
        "/workspaces/ws-1/delegations/d/update",
        "/workspaces/%00%ff%2/a2a",
        "/health",
        "//",
        "",
        "/admin/state",
        "/admin/workspaces",
        "/admin/delegations",
        "/admin/delegations/d/finish",
        "/admin/faults",
        "/admin/outage",
        "/admin/workspaces/ws-1/agent",
        "/admin/workspaces/ws-1/wedge",
        "/admin/workspaces/ws-1/status",
    ];
    prop_oneof![
        8 => proptest::sample::select(known).prop_map(str::to_owned),
        1 => "\\PC*",
        1 => "/(workspaces|registry|admin)(/[a-z%0-9.]{0,6}){0,4}",
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let method =
        prop_oneof![8 => Just("POST".to_owned()), 4 => Just("GET".to_owned()), 1 => "\\PC*"];
    let name = proptest::sample::select(
        &["authorization", "x-workspace-id", "x-timeout", "x-molecule-org-id", "x"][..],
    );
    let value = prop_oneof![Just(WS.to_owned()), Just("Bearer root".to_owned()), "\\PC*"];
    let headers = vec((name.prop_map(Into::into), value), 0..4);
    let body = prop_oneof![
        6 => json().prop_map(|value| value.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..200),
    ];
    let query = proptest::option::of("\\PC*|(type|source|limit)=[a-z0-9%]{0,9}");
    (method, path(), query, headers, body, "[ab]?").prop_map(
        |(method, path, query, headers, body, peer)| Request {
            method: method.into(),
            path,
            query,
            headers,
            body,
            peer: peer.into(),
        },
    )
}

fn options() -> impl Strategy<Value = Options> {
    let base = prop_oneof![Just(Options::spring(1)), Just(Options::summer(1))];
    (base, any::<bool>(), any::<bool>(), 0_u64..3).prop_map(|(base, strict, tenant, ttl_s)| {
        Options {
            admin: true,
            admin_token: Some("root".into()),
            strict_uuid: strict,
            tenant: tenant.then(|| "org".to_owned()),
            ttl_ms: ttl_s * 1_000,
            rows_max: 20,
            observed_max: 5,
            workspaces_max: 4,
            finish_ms: Some(500),
            ..base
        }
    })
}

/// One run: every answer, and what is left in the end.
fn run(options: &Options, steps: &[(u64, i64, Request)]) -> Vec<String> {
    let mut platform = Platform::new(options.clone());
    let _ = platform.create_workspace(NewWorkspace::named(WS));
    let external = NewWorkspace { runtime: "external".into(), ..NewWorkspace::named("far") };
    let _ = platform.create_workspace(external);
    let mut now = Duration::ZERO;
    let mut trace = Vec::new();
    for (wait_ms, wall_ms, request) in steps {
        now = now.saturating_add(Duration::from_millis(*wait_ms));
        let reply = platform.handle(now, *wall_ms, request);
        assert!((200..600).contains(&reply.answer.status), "{}", reply.answer.status);
        platform.tick(now, *wall_ms);
        assert!(platform.next_wakeup().is_none_or(|due| due > now), "nothing due is left undone");
        trace.push(format!("{reply:?}"));
    }
    assert!(platform.workspaces().count() <= 4);
    let state = platform.handle(now, 0, &Request::get("/admin/state"));
    trace.push(String::from_utf8(state.answer.body).unwrap());
    trace
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_always_answers_and_is_deterministic(
        options in options(),
        steps in vec((prop_oneof![9 => 0_u64..100_000, 1 => any::<u64>()], any::<i64>(), request()), 1..25),
    ) {
        let once = run(&options, &steps);
        prop_assert_eq!(once, run(&options, &steps));
    }
}
