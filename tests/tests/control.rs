//! The control socket: what each route does, seen by the platform; the
//! socket's life.

use std::time::Duration;

use everbeat_tests::{Reader, Scene, mode_of, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

/// The smallest story: somebody reports a task, the platform sees it, it is
/// ended, the platform sees that, and the socket goes with the agent.
#[test]
fn a_task_is_begun_and_ended_over_the_socket() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    assert_eq!(control.get("/livez")["status"], "ok");
    assert_eq!(mode_of(&scene.home.control()), 0o600);
    scene.wait_for_beats(1);

    let task = control.done("PUT", "/v1/tasks/t-1", &json!({"title": "reading", "ttl_s": 60}));
    assert_eq!(task, json!({"id": "t-1", "title": "reading", "ttl_s": 60.0}));
    wait::for_true("the platform sees the task", || {
        scene.seen()["active_tasks"] == 1 && scene.seen()["current_task"] == "reading"
    });
    let status = control.status();
    assert_eq!(status["schema_version"], 1);
    assert_eq!(status["pid"], agent.pid());
    assert_eq!(status["workspace_id"], scene.home.workspace());
    assert_eq!(status["vitals"]["tasks"][0]["id"], "t-1");
    assert!(status["beat"]["accepted"].as_u64().is_some_and(|accepted| accepted > 0));

    assert_eq!(control.send("DELETE", "/v1/tasks/t-1", &Value::Null).status, 204);
    wait::for_true("the platform sees its end", || scene.seen()["active_tasks"] == 0);
    agent.stop();
    assert!(control.is_gone(), "the socket is unlinked");
}

/// One request and what comes of it.
struct Row {
    request: (&'static str, &'static str),
    body: Value,
    status: u16,
    /// The end of the problem's type, and the field to blame; empty for none.
    problem: (&'static str, &'static str),
}

fn ok(method: &'static str, path: &'static str, body: Value, status: u16) -> Row {
    Row { request: (method, path), body, status, problem: ("", "") }
}

fn bad(
    request: (&'static str, &'static str),
    body: Value,
    status: u16,
    problem: (&'static str, &'static str),
) -> Row {
    Row { request, body, status, problem }
}

fn rows() -> Vec<Row> {
    let none = Value::Null;
    let task = ("PUT", "/v1/tasks/x");
    let tasks = ("PUT", "/v1/tasks");
    let outcome = ("POST", "/v1/outcomes");
    let invalid = |field| ("invalid-field", field);
    let unknown = |field| ("unknown-field", field);
    let missing = |field| ("missing-field", field);
    vec![
        ok("GET", "/livez", none.clone(), 200),
        ok("GET", "/livez?verbose", none.clone(), 200),
        ok("PUT", "/v1/tasks/x", none.clone(), 200),
        ok("PUT", "/v1/tasks/a%2Fb%20c", json!({"title": "t", "ttl_s": 1.5}), 200),
        ok("DELETE", "/v1/tasks/x", none.clone(), 204),
        ok("DELETE", "/v1/tasks/never-begun", none.clone(), 204),
        ok("PUT", "/v1/tasks", json!({"tasks": [{"id": "y"}], "current_task": ""}), 200),
        ok("PUT", "/v1/tasks", json!({"tasks": []}), 200),
        ok("POST", "/v1/outcomes", json!({"success": true}), 204),
        ok("POST", "/v1/outcomes", json!({"error": "it broke", "count": 1000}), 204),
        ok("PUT", "/v1/wedge", json!({"reason": "stuck"}), 204),
        ok("DELETE", "/v1/wedge", none.clone(), 204),
        ok("PUT", "/v1/metadata", json!({"capabilities": {"heartbeat": true}}), 204),
        ok("PUT", "/v1/awaits/d-1", none.clone(), 204),
        ok("DELETE", "/v1/awaits/d-1", none.clone(), 204),
        ok("POST", "/v1/beat", none.clone(), 202),
        ok("POST", "/v1/beat", json!({}), 202),
        bad(("GET", "/"), none.clone(), 404, ("not-found", "")),
        bad(("GET", "/v1/tasks/x/y"), none.clone(), 404, ("not-found", "")),
        bad(("GET", "/v1/beat"), none.clone(), 405, ("method-not-allowed", "")),
        bad(("PATCH", "/v1/tasks/x"), none.clone(), 405, ("method-not-allowed", "")),
        bad(task, json!([]), 400, ("bad-json", "")),
        bad(task, json!("x"), 400, ("bad-json", "")),
        bad(task, json!({"titel": "x"}), 422, unknown("titel")),
        bad(task, json!({"title": 7}), 422, invalid("title")),
        bad(task, json!({"ttl_s": 0}), 422, invalid("ttl_s")),
        bad(task, json!({"ttl_s": 86_401}), 422, invalid("ttl_s")),
        bad(task, json!({"ttl_s": "60"}), 422, invalid("ttl_s")),
        bad(("PUT", "/v1/tasks/%00"), none.clone(), 422, invalid("id")),
        bad(("PUT", "/v1/tasks/%ff"), none.clone(), 422, invalid("id")),
        bad(tasks, none.clone(), 422, missing("tasks")),
        bad(tasks, json!({"tasks": {}}), 422, invalid("tasks")),
        bad(tasks, json!({"tasks": [{"id": "a"}, 7]}), 422, invalid("tasks[1]")),
        bad(tasks, json!({"tasks": [{"id": "a"}, {}]}), 422, missing("tasks[1].id")),
        bad(tasks, json!({"tasks": [{"id": ""}]}), 422, invalid("tasks[0].id")),
        bad(tasks, json!({"tasks": [{"id": "a", "x": 1}]}), 422, unknown("tasks[0].x")),
        bad(outcome, none.clone(), 422, missing("success")),
        bad(outcome, json!({"success": false}), 422, invalid("success")),
        bad(outcome, json!({"success": true, "error": "x"}), 422, invalid("error")),
        ok("POST", "/v1/outcomes", json!({"error": "x", "count": 0}), 204),
        bad(outcome, json!({"error": "x", "count": -1}), 422, invalid("count")),
        bad(outcome, json!({"error": "x", "count": 1001}), 422, invalid("count")),
        bad(outcome, json!({"error": "x", "count": 1.5}), 422, invalid("count")),
        bad(("PUT", "/v1/wedge"), none.clone(), 422, missing("reason")),
        bad(
            ("PUT", "/v1/metadata"),
            json!({"capabilities": {"x": 1}}),
            422,
            invalid("capabilities.x"),
        ),
        bad(
            ("PUT", "/v1/metadata"),
            json!({"idle_timeout_seconds": 0}),
            422,
            invalid("idle_timeout_seconds"),
        ),
        bad(("POST", "/v1/beat"), json!({"now": true}), 422, unknown("now")),
    ]
}

/// Each route with what it takes and with what it does not.
#[test]
fn every_route_answers_as_the_contract_says() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    for Row { request: (method, path), body, status, problem: (kind, field) } in rows() {
        let answer = control.send(method, path, &body);
        let said = answer.json();
        assert_eq!(answer.status, status, "{method} {path} {body}: {said}");
        if kind.is_empty() {
            continue;
        }
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(said["type"], format!("urn:everbeat:problem:{kind}"), "{method} {path} {body}");
        assert_eq!(said["status"], status);
        assert_eq!(said["field"].as_str().unwrap_or_default(), field, "{method} {path} {body}");
        for words in ["title", "detail"] {
            assert!(said[words].as_str().is_some_and(|words| !words.is_empty()), "{said}");
        }
    }
    let allowed = control.send("PATCH", "/v1/tasks/x", &Value::Null);
    assert_eq!(allowed.header("allow"), Some("put,delete"));
    agent.stop();
}

/// What the agent reports is what the platform sees.
#[test]
fn the_platform_sees_what_is_reported() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let sees = |what: &str, key: &str, value: Value| {
        wait::for_true(what, || scene.seen()[key] == value);
    };
    let tasks = json!({"tasks": [{"id": "1"}, {"id": "2", "title": "two"}]});
    control.done("PUT", "/v1/tasks", &tasks);
    sees("two tasks", "active_tasks", json!(2));
    sees("the newest task's title", "current_task", json!("two"));
    control.done("PUT", "/v1/tasks", &json!({"tasks": [{"id": "1"}], "current_task": "thinking"}));
    sees("one task", "active_tasks", json!(1));
    sees("the title of its own", "current_task", json!("thinking"));

    let metadata = json!({"capabilities": {"scheduler": true}, "idle_timeout_seconds": 300});
    control.done("PUT", "/v1/metadata", &metadata);
    sees("the override", "idle_timeout_seconds", json!(300));

    control.done("PUT", "/v1/wedge", &json!({"reason": "the SDK does not answer"}));
    let newest = || scene.seen()["beats"]["newest"].as_array().cloned().unwrap_or_default();
    let last = || newest().last().map_or(Value::Null, |beat| beat["body"].clone());
    wait::for_true("the wedge", || {
        last()["runtime_state"] == "wedged" && last()["sample_error"] == "the SDK does not answer"
    });
    control.done("DELETE", "/v1/wedge", &Value::Null);
    wait::for_true("its end", || last()["runtime_state"].is_null());

    control.done("POST", "/v1/outcomes", &json!({"success": true, "count": 3}));
    control.done("POST", "/v1/outcomes", &json!({"error": "it broke"}));
    wait::for_true("one error of four", || {
        newest().iter().any(|beat| beat["body"]["error_rate"] == 0.25)
    });
    agent.stop();
}

/// A task that nobody renews ends by itself: the platform sees it, and a line
/// in the log says so.
#[test]
fn a_task_that_nobody_renews_ends_by_itself() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    control.done("PUT", "/v1/tasks/left-alone", &json!({"ttl_s": 2}));
    wait::for_true("the platform sees it", || scene.seen()["active_tasks"] == 1);
    let left = &control.status()["vitals"]["tasks"][0]["ttl_left_s"];
    assert!(left.as_f64().is_some_and(|left| left <= 2.0), "{left}");
    wait::for_true("the platform sees its end", || scene.seen()["active_tasks"] == 0);
    agent.logs("task left-alone ended by itself");
    assert_eq!(control.status()["vitals"]["tasks"], json!([]));
    agent.stop();
}

/// The 257th task is refused, and the others run on.
#[test]
fn there_is_room_for_256_tasks() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let tasks: Vec<Value> = (0..257).map(|index| json!({"id": format!("t{index}")})).collect();
    let too_many = control.send("PUT", "/v1/tasks", &json!({"tasks": tasks}));
    assert_eq!((too_many.status, &too_many.json()["type"]), (409, &json!(FULL)));
    control.done("PUT", "/v1/tasks", &json!({"tasks": tasks[..256]}));
    let one_more = control.send("PUT", "/v1/tasks/one-more", &Value::Null);
    assert_eq!((one_more.status, &one_more.json()["type"]), (409, &json!(FULL)));
    control.done("PUT", "/v1/tasks/t7", &json!({"title": "renewed"}));
    wait::for_true("the platform sees them", || scene.seen()["active_tasks"] == 256);
    agent.stop();
}

const FULL: &str = "urn:everbeat:problem:full";

/// `deliver = "awaited"`: only what somebody waits for is delivered.
#[test]
fn what_is_awaited_is_delivered() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--deliver", "awaited"]);
    let control = scene.control();
    let reader = Reader::by_hand(&scene.home.results());
    control.done("PUT", "/v1/awaits/d-0001", &Value::Null);
    control.done("PUT", "/v1/awaits/d-0002", &Value::Null);
    control.done("DELETE", "/v1/awaits/d-0002", &Value::Null);
    control.wait_for("the journal is open", |status| status["pipeline"]["store_open"] == true);
    assert_eq!(control.status()["pipeline"]["awaited"], 1);
    for id in ["d-0003", "d-0002", "d-0001"] {
        scene.completed(id);
    }
    scene.wait_for_result(&reader, "d-0001");
    scene.wait_for_beats(3);
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001"]);
}

/// A wanted beat does not wait for the interval.
#[test]
fn a_wanted_beat_goes_out_at_once() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "5m"]);
    let control = scene.control();
    scene.wait_for_beats(1);
    control.wait_for("the next beat is far", |status| {
        status["beat"]["next_due_in_s"].as_f64().is_some_and(|wait| wait > 2.0)
    });
    assert_eq!(control.status()["beat"]["next_due_why"], "interval");
    for _ in 0..2 {
        let before = scene.total("beats");
        control.done("POST", "/v1/beat", &Value::Null);
        wait::for_least("beats", before + 1, || scene.total("beats"));
    }
    agent.stop();
}

/// Ready means that the platform takes the beats; an outage of the platform
/// never makes the agent look dead.
#[test]
fn ready_follows_the_platform_and_live_does_not() {
    let mut scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let ready = || control.send("GET", "/readyz", &Value::Null);
    wait::for_true("it is ready", || ready().status == 200);
    assert_eq!(ready().json(), json!({"status": "ok", "checks": []}));
    let names: Vec<_> = control.get("/readyz?verbose")["checks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|check| check["name"].clone())
        .collect();
    assert_eq!(names, ["driver", "beat_accepted", "store_open", "not_stopping"]);
    scene.platform.stop();
    wait::for_true("it is not ready", || ready().status == 503);
    let check = ready().json()["checks"][0].take();
    assert_eq!((&check["name"], &check["reason"]), (&json!("beat_accepted"), &json!("too_old")));
    assert_eq!(control.get("/livez"), json!({"status": "ok", "checks": []}));
    control.wait_for("the outage", |status| {
        status["beat"]["outage"]["failures"].as_u64().is_some_and(|failures| failures > 1)
    });
    let status = control.status();
    assert_eq!(status["beat"]["next_due_why"], "backoff");
    assert_eq!(status["verdict"]["level"], "degraded");
    let line = &status["verdict"]["lines"][0];
    assert!(line["what"].as_str().is_some_and(|what| what.starts_with("beats fail for")), "{line}");
    assert!(line["do"].as_str().is_some_and(|then| then.contains(&scene.platform.url())), "{line}");
    agent.stop();
}

/// While the agent stops it says so, and takes no report that could not
/// count any more.
#[test]
fn an_agent_that_stops_takes_no_reports() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "5m"]);
    let control = scene.control();
    scene.wait_for_beats(1);
    scene.platform.fault("heartbeat", &json!({"kind": "hang"}));
    control.done("POST", "/v1/beat", &Value::Null);
    control.wait_for("a beat is under way", |status| status["beat"]["in_flight"] == true);
    agent.signal(Signal::TERM);
    control.wait_for("it stops", |status| status["state"] == "stopping");
    let refused = control.send("PUT", "/v1/tasks/late", &Value::Null);
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["type"], "urn:everbeat:problem:stopping");
    let ready = control.send("GET", "/readyz", &Value::Null);
    let checks = ready.json()["checks"].take();
    assert_eq!((ready.status, &checks[0]["name"]), (503, &json!("not_stopping")));
    assert_eq!(agent.ended(Duration::from_secs(6)).code(), Some(0));
    assert!(control.is_gone());
}

/// The pipeline in the status: a result that lies with the agent, a message
/// that was accepted for it.
#[test]
fn the_status_follows_a_result_through_the_pipeline() {
    let scene = Scene::new();
    let hang = json!({"kind": "hang", "acts": true});
    scene.platform.fault("a2a", &hang);
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    scene.completed("d-0001");
    control.wait_for("the message is on its way", |status| {
        status["pipeline"]["announcing"] == json!({"count": 1, "ids": ["d-0001"]})
            && status["wake"]["in_flight"] == true
    });
    let status = control.status();
    assert_eq!(status["wake"]["sent_last_hour"], 1);
    assert_eq!(status["pipeline"]["remembered"], 1);
    assert_eq!(status["token"]["source"], "file");
    agent.kill_nine();
    scene.platform.clear_faults();
    let mut agent = scene.agent(&[]);
    control.wait_for("nobody answered it", |status| {
        status["pipeline"]["unanswered"]["ids"] == json!(["d-0001"])
    });
    scene.completed("d-0002");
    control.wait_for("the next one was accepted", |status| {
        status["wake"]["last_results"] == json!(["d-0002"])
            && status["wake"]["last_message_id"].is_string()
            && status["wake"]["last_accepted_at"].is_string()
    });
    agent.stop();
}
