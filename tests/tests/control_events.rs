//! `GET /v1/events`: what happens, as it happens, and from where one was.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use everbeat_tests::{Control, Events, Reader, Scene, wait};
use serde_json::{Value, json};

/// Makes so many events: a task's title changes.
fn flood(control: &Control, count: usize, title: &str) {
    let mut stream = control.connect();
    for number in 0..count {
        let body = json!({"title": format!("{number} {title}")}).to_string();
        let request = format!(
            "PUT /v1/tasks/t HTTP/1.1\r\nHost: everbeat\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = [0; 4_096];
        let read = stream.read(&mut answer).expect("an answer");
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "a task begins");
    }
}

/// A result's whole life is told: seen, stored, announced; so are beats and
/// what the agent says of itself.
#[test]
fn a_results_life_is_told_as_it_happens() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let mut events = Events::listen(&control, "", "");
    let reader = Reader::by_hand(&scene.home.results());
    scene.completed("d-0001");
    let results = events.next_that(|event| event.kind == "results");
    assert_eq!(results.data["ids"], json!(["d-0001"]), "{results:?}");
    let wake = events.next_that(|event| event.kind == "wake");
    assert_eq!(wake.data["outcome"], "accepted", "{wake:?}");
    assert_eq!(wake.data["ids"], json!(["d-0001"]));
    assert_eq!(wake.data["message_id"], control.status()["wake"]["last_message_id"]);
    control.done("PUT", "/v1/tasks/t-1", &json!({"title": "reading"}));
    let task = events.next_that(|event| event.kind == "task");
    assert_eq!((&task.data["report"], &task.data["id"]), (&json!("task_started"), &json!("t-1")));
    let beat = events.next_that(|event| event.kind == "beat");
    assert_eq!((&beat.data["outcome"], &beat.data["status"]), (&json!("accepted"), &json!(200)));
    assert!(beat.data["took_s"].as_f64().is_some_and(|took| took > 0.0 && took < 10.0), "{beat:?}");
    assert!(beat.data["lateness_s"].is_f64() && beat.data["at"].is_string(), "{beat:?}");
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
}

/// Whoever comes back with the last id gets all that it missed and nothing
/// twice, by header or by address; the header is the newer.
#[test]
fn who_comes_back_reads_on() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let mut events = Events::listen(&control, "?after=0", "");
    let first = events.next_event();
    let second = events.next_event();
    assert_eq!(second.id, first.id.map(|id| id + 1));
    drop(events);
    scene.wait_for_beats(2);
    let after = first.id.expect("an id");
    let header = format!("Last-Event-ID: {after}\r\n");
    let mut again = Events::listen(&control, "?after=0", &header);
    assert_eq!(again.next_event(), second);
    let mut by_address = Events::listen(&control, &format!("?after={after}"), "");
    assert_eq!(by_address.next_event(), second);
    // All up to now, without a gap, and on from there.
    let last = control.status()["events"]["last_id"].as_u64().expect("an id");
    for expected in after + 2..=last {
        assert_eq!(again.next_event().id, Some(expected));
    }
    agent.stop();
}

/// Only what was asked for; a wrong word is refused by name.
#[test]
fn kinds_are_chosen() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let mut events = Events::listen(&control, "?after=0&kinds=beat,poll", "");
    for _ in 0..6 {
        let event = events.next_event();
        assert!(["beat", "poll"].contains(&event.kind.as_str()), "{event:?}");
    }
    let refused = [
        ("?kinds=bees", "kinds"),
        ("?after=x", "after"),
        ("?after=-1", "after"),
        ("?level=loud", "level"),
        ("?colour=red", "colour"),
    ];
    for (query, field) in refused {
        let answer = control.send("GET", &format!("/v1/events{query}"), &Value::Null);
        assert_eq!((answer.status, &answer.json()["field"]), (422, &json!(field)), "{query}");
    }
    agent.stop();
}

/// What is not kept any more is counted, and the rest follows.
#[test]
fn what_is_lost_is_counted() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let first = Events::listen(&control, "?after=0", "").next_event();
    let first = first.id.expect("an id");
    // More than are kept.
    flood(&control, 1_200, "t");
    let mut events = Events::listen(&control, &format!("?after={first}"), "");
    let lost = events.next_event();
    assert_eq!((lost.kind.as_str(), &lost.data["of"]), ("lost", &json!("events")), "{lost:?}");
    let missed = lost.data["missed"].as_u64().expect("a count");
    assert!(missed >= 100, "{lost:?}");
    assert_eq!(lost.id, Some(first + missed), "who comes back does not lose it again");
    assert_eq!(events.next_event().id, Some(first + missed + 1));
    control.wait_for("the loss is counted", |status| {
        status["events"]["dropped"].as_u64().is_some_and(|dropped| dropped >= missed)
    });
    agent.stop();
}

/// Whoever does not read is dropped after 10 s, while others hear all.
#[test]
fn who_does_not_read_is_dropped() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let deaf = Events::listen(&control, "", "");
    let mut hears = Events::listen(&control, "?kinds=results", "");
    let from = Instant::now();
    // Far more than lies between the two.
    flood(&control, 2_000, &"long ".repeat(200));
    control.wait_for("it is dropped", |status| status["control"]["connections"] == 2);
    let waited = from.elapsed();
    assert!((9..25).contains(&waited.as_secs()), "after {waited:?}");
    scene.completed("d-0001");
    assert_eq!(hears.next_event().data["ids"], json!(["d-0001"]));
    drop(deaf);
    agent.stop();
}

/// A restart is told to whoever comes back with an id of the process before.
#[test]
fn a_restart_is_told() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let before = Events::listen(&control, "?after=0", "").next_event().id.expect("an id");
    agent.stop();
    let mut agent = scene.agent(&[]);
    let mut events = Events::listen(&control, &format!("?after={before}"), "");
    let lost = events.next_event();
    assert_eq!((lost.kind.as_str(), &lost.data["restarted"]), ("lost", &json!(true)), "{lost:?}");
    let next = events.next_event().id.expect("an id");
    assert!(next > before, "ids grow through restarts");
    agent.stop();
}

/// The log at the level that a listener wants, whatever the process logs
/// itself; and only while somebody listens.
#[test]
fn the_log_is_heard_at_any_level() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--log", "off"]);
    let control = scene.control();
    let mut quiet = Events::listen(&control, "", "");
    let mut events = Events::listen(&control, "?level=info&kinds=log", "");
    scene.completed("d-0001");
    let line = events.next_that(|event| {
        event.data["message"].as_str().is_some_and(|words| words.contains("the agent was told"))
    });
    assert_eq!((line.kind.as_str(), line.id), ("log", None), "{line:?}");
    assert_eq!(line.data["level"], "info");
    assert_eq!(line.data["fields"]["notice"], "announced");
    let target = line.data["target"].as_str().expect("a target");
    assert!(target.starts_with("everbeat"), "{line:?}");
    // The same moment for one that did not ask for the log.
    let mut seen = Vec::new();
    quiet.next_that(|event| {
        seen.push(event.kind.clone());
        event.kind == "wake"
    });
    assert!(!seen.iter().any(|kind| kind == "log"), "{seen:?}");
    agent.stop();
    assert_eq!(agent.log(), "", "the process itself logs nothing");
}

/// Sixty-four listeners at once cost no beat, one more is refused, and whoever
/// goes is forgotten.
#[test]
fn listeners_come_and_go() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let mut all: Vec<_> =
        (0..64).map(|_| Events::listen(&control, "?kinds=beat&level=debug", "")).collect();
    let refused = control.send("GET", "/v1/events", &Value::Null);
    let kind = &refused.json()["type"];
    assert_eq!((refused.status, kind), (409, &json!("urn:everbeat:problem:full")));
    for events in &mut all {
        events.next_that(|event| event.kind == "beat");
    }
    let open = || control.status()["control"]["connections"].as_u64().unwrap_or(0);
    assert!(open() >= 64, "{} connections", open());
    drop(all);
    control.wait_for("they are forgotten", |status| status["control"]["connections"] == 1);
    drop(Events::listen(&control, "", ""));
    agent.stop();
}

/// Who listens when the agent stops hears that, and the stream ends in order.
#[test]
fn the_last_event_is_told() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let mut all: Vec<_> = (0..5).map(|_| Events::listen(&control, "?kinds=notice", "")).collect();
    scene.wait_for_beats(1);
    agent.stop();
    for events in &mut all {
        events.next_that(|event| event.data["notice"] == "stopped");
        while events.line().trim_end() != "0" {}
    }
}

/// S7: whatever passes by, no event, answer or line of the log holds a token.
#[test]
fn s7_no_secret_is_in_any_event_or_answer() {
    let scene = Scene::with(&["--options", r#"{"inbound_secret": true}"#]);
    let mut agent = scene.agent(&["--log", "off"]);
    let control = scene.control();
    let mut events = Events::listen(&control, "?after=0&level=trace", "");
    let first = std::fs::read_to_string(scene.home.token_file()).expect("a token");
    wait::for_true("the inbound secret", || scene.home.inbound_secret_file().exists());
    let path = format!("workspaces/{}/rotate-token", scene.home.workspace());
    let second = scene.platform.post(&path, &Value::Null)["token"].clone();
    let second = second.as_str().expect("a token").to_owned();
    control.wait_for("a refusal", |status| status["beat"]["token_refused"] == true);
    scene.home.write_token(&second);
    let mut told = control.done("POST", "/v1/reload", &Value::Null).to_string();
    scene.wait_for_beats(1);
    scene.completed("d-0001");
    loop {
        let event = events.next_event();
        told.push_str(&event.data.to_string());
        if event.kind == "wake" {
            break;
        }
    }
    let inbound = std::fs::read_to_string(scene.home.inbound_secret_file()).expect("a secret");
    let metrics = control.send("GET", "/metrics", &Value::Null).body;
    told.push_str(&String::from_utf8_lossy(&metrics));
    told.push_str(&control.status().to_string());
    agent.stop();
    assert!(told.contains("token_changed") || told.contains("a new one is in use"), "{told}");
    for secret in [first.trim(), &second, inbound.trim()] {
        assert!(secret.len() > 20 && !told.contains(secret), "a secret is told");
    }
}

/// A comment comes at least every 15 s where nothing else does.
#[test]
fn a_quiet_stream_is_kept_open() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let mut events = Events::listen(&scene.control(), "?kinds=child", "");
    let from = Instant::now();
    while events.line().trim_end() != ":" {}
    let waited = from.elapsed();
    assert!((13..20).contains(&waited.as_secs()), "after {waited:?}");
    assert!(from.elapsed() < Duration::from_secs(30));
    agent.stop();
}
