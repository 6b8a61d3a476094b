//! What programs read of Everbeat only grows: the fields of each JSON output
//! and their types stand in `tests/testdata/json`, and none of them may go or
//! become something else. `UPDATE=1` keeps what is new.

use std::fs;
use std::path::Path;

use everbeat_tests::{Agent, Home, Scene, Shape, ask, asks, output, told, wait};
use serde_json::{Value, json};

/// A command of the agent's that fails once, then stays.
const FAILS_ONCE: &str = "[ -e \"$NOTE\" ] && exec sleep 1000; : >\"$NOTE\"; exit 3";
/// Kinds of events whose fields are the same each time.
const KINDS: [&str; 5] = ["beat", "poll", "results", "wake", "child"];

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn shape(samples: &[Value]) -> Shape {
    let mut shape = Shape::default();
    samples.iter().for_each(|sample| shape.add(sample));
    shape
}

/// The status, without what only passes by: which ids are at which stage.
fn status(home: &Home) -> Value {
    let mut status = parsed(&told(home, &["status", "--json"]));
    for stage in ["discovered", "stored", "announcing", "unanswered"] {
        let ids = &mut status["pipeline"][stage]["ids"];
        assert!(ids.is_array(), "{stage}");
        *ids = json!([]);
    }
    status
}

fn wait_for(home: &Home, what: &str, holds: impl Fn(&Value) -> bool) {
    wait::for_true(what, || {
        let (code, out, _) = ask(home, &["status", "--json"]);
        code == Some(0) && holds(&parsed(&out))
    });
}

/// All events that are kept.
fn events(home: &Home) -> Vec<Value> {
    told(home, &["events", "--json"]).lines().map(parsed).collect()
}

fn events_shape(events: &[Value]) -> Shape {
    let mut shape = Shape::default();
    for event in events {
        let (kind, data) = (event["event"].as_str().expect("a kind"), &event["data"]);
        shape.add_at("$.id", &event["id"]);
        shape.add_at("$.event", &event["event"]);
        if KINDS.contains(&kind) {
            shape.add_at(kind, data);
        } else if kind == "task" {
            let report = data["report"].as_str().expect("what was reported");
            shape.add_at(&format!("task({report})"), data);
        } else {
            // Each notice has fields of its own beside these.
            for field in ["at", "notice", "severity", "line"] {
                shape.add_at(&format!("{kind}.{field}"), &data[field]);
            }
        }
    }
    shape
}

/// One agent through all that its status and its events can show.
#[test]
fn status_and_events_only_grow() {
    let mut scene = Scene::new();
    let script = ["--restart", "always", "--restart-delay", "200ms", "--", "/bin/sh", "-c"];
    let args = [&script[..], &[FAILS_ONCE]].concat();
    let mut command = Agent::command(&scene.home, &scene.platform.url(), &args);
    command.env("NOTE", scene.home.dir().join("note"));
    let mut agent = Agent::spawn(&scene.home, command);
    let home = &scene.home;
    wait_for(home, "the command runs again", |status| {
        status["supervised"]["restarts"] == 1 && status["supervised"]["state"] == "running"
    });
    told(home, &["task", "start", "t", "--title", "reading", "--ttl", "1h"]);
    told(home, &["task", "start", "u"]);
    told(home, &["task", "end", "u"]);
    told(home, &["outcome", "--error", "it broke"]);
    scene.control().done("PUT", "/v1/metadata", &json!({"idle_timeout_seconds": 300}));
    scene.completed("d-0001");
    wait_for(home, "the agent was told", |status| status["wake"]["accepted"] == 1);
    wait::for_true("its event", || events(home).iter().any(|event| event["event"] == "wake"));
    told(home, &["results", "take", "--json"]);
    let before = status(home);
    assert_eq!(before["wake"]["last_results"], json!(["d-0001"]));

    scene.platform.stop();
    let home = &scene.home;
    wait_for(home, "two outages", |status| {
        status["beat"]["outage"].is_object() && status["polls"]["outage"].is_object()
    });
    told(home, &["wedge", "set", "stuck"]);
    let after = status(home);
    assert!(after["verdict"]["lines"].as_array().is_some_and(|lines| lines.len() >= 3));
    shape(&[before, after]).assert_kept("status");
    let events = events(home);
    for kind in KINDS.iter().chain(&["task", "notice"]) {
        assert!(events.iter().any(|event| event["event"] == *kind), "{kind}");
    }
    events_shape(&events).assert_kept("events");
    agent.kill_nine();
}

#[test]
fn what_commands_print_only_grows() {
    let scene = Scene::new();
    let home = &scene.home;
    let file = home.dir().join("everbeat.toml");
    fs::write(&file, "notify = \"none\"\n").unwrap();
    let mut agent = scene.agent(&["--config", &file.display().to_string()]);
    wait::for_true("a ready agent", || ask(home, &["health", "--ready"]).0 == Some(0));
    let json = |args: &[&str]| parsed(&ask(home, args).1);
    let level = json(&["log-level", "debug", "--json"]);
    shape(&[level]).assert_kept("log-level");

    let nothing = json(&["results", "take", "--json"]);
    scene.completed("d-0001");
    wait::for_true("a result", || home.results().exists());
    let one = json(&["results", "take", "--json"]);
    assert_eq!(one["results"][0]["delegation_id"], "d-0001");
    shape(&[nothing, one]).assert_kept("results-take");

    let unchanged = json(&["reload", "--json"]);
    fs::write(&file, "notify = \"all\"\n").unwrap();
    let applied = json(&["reload", "--json"]);
    assert_eq!(applied["fields"][0]["field"], "notify");
    shape(&[unchanged, applied]).assert_kept("reload");

    let well = json(&["health", "--json"]);
    drop(scene.platform);
    wait::for_true("it is not ready", || ask(home, &["health", "--ready"]).0 == Some(1));
    shape(&[well, json(&["health", "--json"])]).assert_kept("health");
    agent.stop();
}

#[test]
fn what_is_printed_without_an_agent_only_grows() {
    let home = Home::new("ws-e2e");
    let json = |args: &[&str]| {
        let mut command = asks(&home, args);
        command.env("WORKSPACE_ID", home.workspace()).env("PLATFORM_URL", "http://127.0.0.1:9");
        command.env("CONFIGS_DIR", home.configs());
        command.env("DELEGATION_RESULTS_FILE", home.results());
        let (_, out, _) = output(&mut command);
        parsed(&out)
    };
    let doctor = json(&["doctor", "--offline", "--json"]);
    assert!(doctor["checks"].as_array().is_some_and(|checks| checks.len() > 5), "{doctor}");
    shape(&[doctor]).assert_kept("doctor");
    shape(&[json(&["run", "--check", "--json"])]).assert_kept("check");
    shape(&[json(&["config", "show", "--json"])]).assert_kept("config-show");
}

/// The document's own schemas: a field that goes there goes for everybody.
#[test]
fn the_openapi_document_only_grows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/shell-tokio/openapi.json");
    let document = parsed(&fs::read_to_string(path).unwrap());
    let mut shape = Shape::default();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                shape.add_at(&format!("{method} {path} {status}"), &Value::Null);
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        shape.add_at(name, schema);
    }
    shape.assert_kept("openapi");
}
