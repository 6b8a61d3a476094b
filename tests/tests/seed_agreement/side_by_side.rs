//! The seed and Everbeat, given the same answers.

use std::collections::BTreeMap;

use everbeat_tests::{Agent, Fake, Home, Scene, take, wait};
use serde_json::{Value, json};

use crate::seed::Seed;

const OWN: &str = "ws-e2e";

fn row(id: &str, source: &str, status: &str, words: [&str; 3]) -> Value {
    let [summary, preview, error] = words;
    json!({"id": format!("row-{id}"), "type": "delegation", "source_id": source,
        "target_id": "peer", "summary": summary, "status": status, "delegation_id": id,
        "created_at": "2026-04-01T00:00:00Z", "response_preview": preview, "error": error})
}

/// A list as the platform gives it where none of the seed's faults shows: each
/// delegation once, with all its words.
fn rows() -> Vec<Value> {
    let long = "words and more words ".repeat(20);
    vec![
        row("00000001-aaaa", OWN, "completed", ["Delegation completed (one)", "one", ""]),
        row("00000002-aaaa", OWN, "pending", ["Delegating to peer", "", ""]),
        row("00000003-aaaa", "someone", "completed", ["not ours", "not ours", ""]),
        row("00000004-aaaa", OWN, "failed", ["half done", "so far: boom", "boom"]),
        row(
            "00000005-aaaa",
            OWN,
            "completed",
            ["Gru\u{df} \u{1f680} done", "caf\u{e9} \u{4e2d}", ""],
        ),
        row("", OWN, "completed", ["has no id", "has no id", ""]),
        row("00000006-aaaa", OWN, "dispatched", ["Delegating to peer", "", ""]),
        row("00000007-aaaa", OWN, "completed", [&long, &long, ""]),
    ]
}

struct Told {
    home: Home,
    server: Fake,
    bytes: Vec<u8>,
}

/// What one agent makes of the list.
fn told(args: &[&str]) -> Told {
    let home = Home::new(OWN);
    home.write_token("the-token");
    let server = Fake::start(|seen| {
        let body = match seen.path() {
            "/registry/heartbeat" => json!({"status": "ok"}),
            "/workspaces/ws-e2e/delegations" => json!(rows()),
            "/workspaces/ws-e2e" => json!({"id": OWN, "name": "own", "parent_id": "boss"}),
            "/workspaces/boss" => json!({"id": "boss", "name": "The Boss", "parent_id": null}),
            _ => json!({"status": "sent"}),
        };
        Fake::answer(200, "", &body.to_string())
    });
    let mut agent = Agent::start(&home, &server.url(), args);
    for path in ["/workspaces/ws-e2e/a2a", "/workspaces/ws-e2e/notify"] {
        wait::for_true(path, || server.seen().iter().any(|seen| seen.path() == path));
    }
    // Polls that find nothing new change nothing.
    let polls = || server.seen().iter().filter(|seen| seen.path().ends_with("s")).count();
    let before = polls();
    wait::for_least("polls", before + 3, polls);
    agent.stop();
    let bytes = take(&home.results()).expect("there are results");
    Told { home, server, bytes }
}

impl Told {
    fn bodies(&self, path: &str) -> Vec<Value> {
        let seen = self.server.seen();
        let asked = seen.iter().filter(|seen| seen.path() == path);
        asked.map(|seen| serde_json::from_slice(&seen.body).expect("a JSON body")).collect()
    }
}

/// By delegation: the seed writes a batch newest first, Everbeat oldest first.
fn by_id(lines: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    let key = |line: &Value| line["delegation_id"].as_str().unwrap_or_default().to_owned();
    lines.into_iter().map(|line| (key(&line), line)).collect()
}

/// PROTOCOL 5.13–15, 4: the same results, the same fields in the same order,
/// the same values, ASCII, a timestamp in seconds; a foreign source, a status
/// that is not the end and a row without an id are left out.
#[test]
fn the_same_list_gives_the_same_lines_field_by_field() {
    let told = told(&[]);
    let text = String::from_utf8(told.bytes).unwrap();
    assert!(text.is_ascii() && text.ends_with('\n'));
    let fields = ["delegation_id", "target_id", "source_id", "status", "summary"];
    let fields = [&fields[..], &["response_preview", "error", "timestamp"]].concat();
    let mut lines = Vec::new();
    for line in text.lines() {
        let places: Vec<_> =
            fields.iter().map(|field| line.find(&format!("\"{field}\":"))).collect();
        assert!(places.is_sorted() && places[0].is_some(), "{line}");
        let mut line: Value = serde_json::from_str(line).unwrap();
        let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(timestamp.as_f64().unwrap() > 1.7e9, "{timestamp}");
        lines.push(line);
    }
    assert_eq!(lines.len(), 4);
    let seed = Seed::polls(&rows(), OWN, "The Boss");
    assert_eq!(by_id(lines), by_id(seed.lines));
}

/// PROTOCOL 5.18–20, S2, S9: one message for all, which reads as the seed's
/// but for the quotes around a peer's words and the line that explains them;
/// named by both part types, as an own message, with bearer and source.
#[test]
fn the_same_list_gives_the_same_message() {
    let told = told(&[]);
    let bodies = told.bodies("/workspaces/ws-e2e/a2a");
    assert_eq!(bodies.len(), 1, "one message, however often it is polled");
    let message = &bodies[0]["params"]["message"];
    assert_eq!((&bodies[0]["method"], &message["role"]), (&json!("message/send"), &json!("user")));
    let part = &message["parts"][0];
    assert_eq!((&part["type"], &part["kind"]), (&json!("text"), &json!("text")));
    let unquoted = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("Words in quotes"));
        let mut lines: Vec<_> = lines.map(|line| line.replace('"', "").trim_end().into()).collect();
        lines.sort();
        lines
    };
    let seed = Seed::polls(&rows(), OWN, "The Boss");
    assert_eq!(unquoted(part["text"].as_str().unwrap()), unquoted(&seed.message));
    let seen = told.server.seen();
    let sent = seen.iter().find(|seen| seen.path().ends_with("/a2a")).unwrap();
    let head = sent.head.to_ascii_lowercase();
    for header in ["authorization: bearer the-token", "x-workspace-id: ws-e2e"] {
        assert!(head.contains(header), "{head}");
    }
}

/// PROTOCOL 5.23: with `notify: all` the user reads what the seed told, in one
/// request instead of one each; by default only of the failure, with its error
/// and never with a response.
#[test]
fn the_user_reads_what_the_seed_told_or_only_of_failures() {
    let seed = Seed::polls(&rows(), OWN, "The Boss");
    let all = told(&["--notify", "all"]).bodies("/workspaces/ws-e2e/notify");
    assert_eq!(all.len(), 1);
    let text = all[0]["message"].as_str().unwrap();
    for told in &seed.notifications {
        for line in told.lines() {
            assert!(text.contains(line.trim_end()), "{line:?} is not in {text:?}");
        }
    }
    let failures = told(&[]).bodies("/workspaces/ws-e2e/notify");
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0]["message"], "Delegation failed: half done\nError: boom");
}

/// PROTOCOL 5.5, 1.1: the six base fields of an agent that has nothing to say.
#[test]
fn a_beat_holds_the_seed_s_six_fields() {
    let told = told(&[]);
    let beats = told.bodies("/registry/heartbeat");
    let expected = json!({"workspace_id": OWN, "error_rate": 0.0, "sample_error": "",
        "active_tasks": 0, "current_task": ""});
    for beat in &beats {
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&beat[name], value, "{name}");
        }
        assert!(beat["uptime_seconds"].is_u64(), "{beat}");
        assert!(beat.get("runtime_state").is_none() && beat.get("runtime_metadata").is_none());
    }
    assert_eq!(told.home.workspace(), OWN);
}

/// PROTOCOL 5.19, 7.15: an error of the lookup is not cached as "no parent":
/// the next message asks again.
#[test]
fn a_parent_is_asked_for_again_after_an_error() {
    let scene = Scene::new();
    let _token = scene.platform.create(&json!({"id": "boss", "name": "The Boss"}));
    let place = json!({"name": "own", "parent_id": "boss"});
    scene.platform.post("workspaces/ws-e2e/place", &place);
    scene.platform.fault("workspace", &json!({"kind": "status", "status": 500}));
    let mut agent = scene.agent(&[]);
    for (id, named) in [("d-0001", false), ("d-0002", true)] {
        scene.completed(id);
        let messages = || scene.seen()["messages"]["newest"].clone();
        let text = wait::until(id, || {
            let messages = messages();
            let mut texts =
                messages.as_array()?.iter().rev().filter_map(|one| one["text"].as_str());
            texts.find(|text| text.contains(id)).map(str::to_owned)
        });
        assert_eq!(text.contains("your parent 'The Boss'"), named, "{text}");
        scene.platform.clear_faults();
    }
    agent.stop();
}

/// PROTOCOL 3.6, 7.18: on a tenant's server every route is reached, with the
/// organisation's header; slashes at the end of the address do not matter.
#[test]
fn a_tenant_s_routes_are_all_reached() {
    let scene = Scene::with(&["--options", r#"{"tenant": "org-1"}"#]);
    let url = format!("{}//", scene.platform.url());
    let mut agent = Agent::start(&scene.home, &url, &["--org-id", "org-1"]);
    scene.failed("d-0001");
    for what in ["beats", "messages", "notifications"] {
        wait::for_least(what, 1, || scene.total(what));
    }
    agent.stop();
    let seen = Fake::start(|_| Fake::answer(200, "", "{}"));
    let mut agent = Agent::start(&scene.home, &seen.url(), &["--org-id", "org-1"]);
    wait::for_least("requests", 1, || seen.seen().len());
    let head = seen.seen()[0].head.to_ascii_lowercase();
    assert!(head.contains("x-molecule-org-id: org-1"), "{head}");
    assert!(head.contains(&format!("origin: {}", seen.url())), "{head}");
    agent.stop();
}

/// PROTOCOL 3.9, 7.17: a page full of rows that nobody saw may hide others: it
/// is said, and asked again sooner than usual.
#[test]
fn a_full_page_of_new_rows_is_told() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "1s"]);
    scene.completed("d-000000");
    wait::for_true("the first is there", || scene.home.results().exists());
    for index in 1..=30 {
        scene.completed(&format!("d-{index:06}"));
    }
    agent.logs("some may have been missed; asking again sooner");
    agent.stop();
}
