//! a2a, notify, activity and the open workspace route.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Bench, WS};
use everbeat_platform::{AgentMode, Delivery, Fate, NewWorkspace, Options, Request};
use serde_json::json;

#[test]
fn the_answer_comes_after_the_turn_and_the_message_at_once() {
    // PROTOCOL 1.5
    let mut bench = Bench::spring();
    bench.platform.set_agent(WS, AgentMode::Answers, Some(90_000)).unwrap();
    let reply = bench.self_message(Some("m1"), "wake up");
    assert_eq!(
        (reply.answer.status, reply.delivery),
        (200, Delivery::After(Duration::from_secs(90)))
    );
    let message = bench.ws().self_messages().next().unwrap().clone();
    assert_eq!((message.fate, message.text.as_str()), (Fate::Delivered, "wake up"));
    assert_eq!(message.message_id.as_deref(), Some("m1"));
    assert_eq!(bench.ws().delivered.last().unwrap().message_id, "m1");
}

#[test]
fn a_queue_holds_one_of_each_message_id_and_beats_drain_it() {
    // PROTOCOL 1.5, 3.8
    let mut bench = Bench::spring();
    bench.platform.set_agent(WS, AgentMode::Queues, None).unwrap();
    let first = bench.self_message(Some("m1"), "a").answer;
    assert_eq!(
        (first.status, &first.value()["queued"], &first.value()["queue_depth"]),
        (202, &json!(true), &json!(1))
    );
    let again = bench.self_message(Some("m1"), "a").answer;
    assert_eq!(
        (again.value()["queue_id"].clone(), again.value()["queue_depth"].clone()),
        (first.value()["queue_id"].clone(), json!(1))
    );
    let _ = bench.self_message(None, "b");
    let _ = bench.self_message(None, "b");
    assert_eq!(bench.ws().queue_depth(), 3, "without an id every retry is a new one");
    let fates: Vec<_> = bench.ws().messages.iter().map(|message| message.fate).collect();
    assert_eq!(fates, [Fate::Queued, Fate::Duplicate, Fate::Queued, Fate::Queued]);
    bench.platform.set_agent(WS, AgentMode::Answers, None).unwrap();
    bench.beat(json!({"active_tasks": 1}));
    assert_eq!(bench.ws().delivered.total(), 0, "no room");
    bench.beat(json!({}));
    assert_eq!(bench.ws().delivered.last().unwrap().message_id, "m1");
    assert_eq!(bench.ws().queue_depth(), 2, "one a beat");
}

#[test]
fn the_drain_gives_up_after_five_attempts() {
    // PROTOCOL 3.9
    let mut bench = Bench::spring();
    bench.platform.set_agent(WS, AgentMode::Queues, None).unwrap();
    let _ = bench.self_message(Some("m1"), "a");
    for left in [1, 1, 1, 1, 0] {
        bench.beat(json!({}));
        assert_eq!(bench.ws().queue_depth(), left);
    }
}

#[test]
fn every_refusal() {
    // PROTOCOL 1.5
    let cases = [
        (AgentMode::Busy { native_session: true }, 503, "busy", Some("30"), Fate::Refused),
        (AgentMode::Waking, 503, "waking", Some("15"), Fate::Refused),
        (AgentMode::Restarting, 503, "restarting", None, Fate::Refused),
        (AgentMode::NoBudget, 402, "error", None, Fate::Refused),
        (AgentMode::Unreachable, 502, "error", None, Fate::Refused),
        (AgentMode::NotRoutable, 502, "error", None, Fate::Refused),
        (
            AgentMode::AnswerLost { delivery_confirmed: true },
            502,
            "delivery_confirmed",
            None,
            Fate::Delivered,
        ),
        (
            AgentMode::AnswerLost { delivery_confirmed: false },
            502,
            "delivery_confirmed",
            None,
            Fate::Refused,
        ),
        (AgentMode::Status { status: 418 }, 418, "error", None, Fate::Refused),
        (AgentMode::RpcError, 200, "error", None, Fate::Delivered),
    ];
    for (mode, status, key, retry_after, fate) in cases {
        let mut bench = Bench::spring();
        bench.platform.set_agent(WS, mode.clone(), None).unwrap();
        let answer = bench.self_message(Some("m"), "x").answer;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (status, retry_after),
            "{mode:?}"
        );
        assert!(answer.value().get(key).is_some(), "{mode:?}: {}", answer.value());
        assert_eq!(bench.ws().messages.last().unwrap().fate, fate, "{mode:?}");
        assert_eq!(bench.ws().delivered.total(), u64::from(fate == Fate::Delivered), "{mode:?}");
    }
}

#[test]
fn who_may_call() {
    // PROTOCOL 1.5
    let mut bench = Bench::spring();
    let child = NewWorkspace { parent_id: Some(WS.into()), ..NewWorkspace::named("child") };
    let token = bench.platform.create_workspace(child).unwrap().token.unwrap();
    let nephew = NewWorkspace { parent_id: Some("child".into()), ..NewWorkspace::named("nephew") };
    let nephew = bench.platform.create_workspace(nephew).unwrap().token.unwrap();
    let call = Request::post("/workspaces/ws-1/a2a", &json!({"method": "message/send"}));
    let mut status = |caller: &str, token: &str| {
        let mut request = call.clone();
        if !caller.is_empty() {
            request = request.with_header("x-workspace-id", caller);
        }
        if !token.is_empty() {
            request = request.with_bearer(token);
        }
        bench.answer(&request)
    };
    assert_eq!(status("", "").status, 200, "the user");
    assert_eq!(status(WS, "").status, 200, "itself, without a token");
    assert_eq!(status("child", &token).status, 200);
    assert_eq!(status("child", "").value()["error"], "missing caller auth token");
    assert_eq!(status("child", "x").value()["error"], "invalid caller auth token");
    assert_eq!(status("nephew", &nephew).status, 403, "not in line");
    for prefix in ["webhook:", "system:", "test:", "channel:"] {
        let refused = status(&format!("{prefix}x"), "");
        assert_eq!(
            (refused.status, refused.value()["error"].as_str()),
            (403, Some("invalid caller ID"))
        );
    }
    let unknown = Request::post("/workspaces/none/a2a", &json!({}));
    assert_eq!(bench.answer(&unknown).status, 404);
}

#[test]
fn a_request_over_a_mebibyte_is_cut_and_then_no_json() {
    // PROTOCOL 1.5
    let mut bench = Bench::spring();
    let answer = bench.self_message(None, &"x".repeat(1 << 20)).answer;
    assert_eq!((answer.status, answer.value()["error"].as_str()), (400, Some("invalid JSON")));
    assert_eq!(bench.self_message(None, &"x".repeat(1_000_000)).answer.status, 200);
}

#[test]
fn a_turn_beyond_the_timeout_is_queued_although_it_was_delivered() {
    // PROTOCOL 1.5: X-Timeout
    let mut bench = Bench::spring();
    bench.platform.set_agent(WS, AgentMode::Answers, Some(60_000)).unwrap();
    let call = Request::post("/workspaces/ws-1/a2a", &json!({"method": "message/send"}));
    let call = call.with_header("x-workspace-id", WS).with_header("x-timeout", "10");
    let reply = bench.send(&call);
    assert_eq!(
        (reply.answer.status, reply.delivery),
        (202, Delivery::After(Duration::from_secs(10)))
    );
    assert_eq!((bench.ws().delivered.total(), bench.ws().queue_depth()), (1, 1));
}

#[test]
fn without_a_url_nobody_is_called() {
    // PROTOCOL 1.5
    let mut bench = Bench::spring();
    let new = NewWorkspace { registered: false, ..NewWorkspace::named("new") };
    bench.platform.create_workspace(new).unwrap();
    let answer = bench.answer(&Request::post("/workspaces/new/a2a", &json!({})));
    assert_eq!((answer.status, answer.value()["status"].as_str()), (503, Some("provisioning")));
}

#[test]
fn notify() {
    // PROTOCOL 1.6
    let mut bench = Bench::spring();
    let sent = bench.post("/workspaces/ws-1/notify", json!({"message": "hello", "type": "x"}));
    assert_eq!((sent.status, sent.value()), (200, json!({"status": "sent"})));
    assert_eq!(bench.ws().notifications.last().unwrap().message, "hello");
    for bad in [json!({}), json!({"message": ""}), json!({"message": 1}), json!([])] {
        let answer = bench.post("/workspaces/ws-1/notify", bad);
        assert_eq!(
            (answer.status, answer.value()["error"].as_str()),
            (400, Some("message is required"))
        );
    }
    let bad = json!({"message": "x", "attachments": [{"uri": "u", "name": "n"}, {"uri": "u"}]});
    let answer = bench.post("/workspaces/ws-1/notify", bad);
    assert_eq!(answer.value()["error"], "attachment[1]: uri and name are required");
    assert_eq!(bench.ws().notifications.total(), 1);
}

#[test]
fn activities_are_logged_and_listed() {
    // PROTOCOL 1.8
    let mut bench = Bench::spring();
    for n in 0..3 {
        let body = json!({"activity_type": "agent_log", "summary": format!("{n}")});
        assert_eq!(
            bench.post("/workspaces/ws-1/activity", body).value(),
            json!({"status": "logged"})
        );
    }
    bench.post("/workspaces/ws-1/notify", json!({"message": "hello"}));
    let rows = bench.get("/workspaces/ws-1/activity?type=agent_log&limit=2").value();
    let summaries: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["summary"].clone()).collect();
    assert_eq!(summaries, [json!("2"), json!("1")]);
    let canvas = bench.get("/workspaces/ws-1/activity?source=canvas&limit=x").value();
    assert_eq!(canvas.as_array().unwrap().len(), 1);
    assert_eq!(canvas[0]["method"], "notify");
    assert_eq!(
        bench.get("/workspaces/ws-1/activity?source=agent").value().as_array().unwrap().len(),
        3
    );
    assert_eq!(bench.get("/workspaces/ws-1/activity?source=moon").status, 400);
    let foreign = json!({"activity_type": "agent_log", "source_id": "other"});
    assert_eq!(bench.post("/workspaces/ws-1/activity", foreign).status, 403);
    assert_eq!(bench.post("/workspaces/ws-1/activity", json!({})).status, 400);
}

#[test]
fn a_workspace_is_shown_to_anyone() {
    // PROTOCOL 1.4
    let mut bench = Bench::spring();
    let shown = bench.answer(&Request::get("/workspaces/ws-1"));
    assert_eq!(
        (shown.status, &shown.value()["parent_id"], &shown.value()["name"]),
        (200, &json!(null), &json!(WS))
    );
    assert!(shown.value().get("current_task").is_none());
    bench.platform.set_place(WS, "Worker", Some("boss")).unwrap();
    let shown = bench.answer(&Request::get("/workspaces/ws-1")).value();
    assert_eq!(
        (shown["parent_id"].as_str(), shown["name"].as_str()),
        (Some("boss"), Some("Worker"))
    );
    assert_eq!(
        bench.answer(&Request::get("/workspaces/none")).value()["error"],
        "workspace not found"
    );
    let mut strict =
        everbeat_platform::Platform::new(Options { strict_uuid: true, ..Options::spring(1) });
    let reply = strict.handle(Duration::ZERO, 0, &Request::get("/workspaces/none"));
    assert_eq!(reply.answer.value()["error"], "invalid workspace ID");
}
