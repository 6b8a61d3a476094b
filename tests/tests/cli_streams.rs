//! The commands that take from a running agent: results, events, its log.

use std::fs;
use std::process::Stdio;

use everbeat_tests::{Home, Live, Scene, ask, asks, told, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Waits until the agent answers and the platform took a beat of it.
fn ready(home: &Home) {
    wait::for_true("a ready agent", || ask(home, &["health", "--ready"]).0 == Some(0));
}

#[test]
fn events_are_shown_from_the_ring_and_as_they_come() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = &scene.home;
    ready(home);
    let out = told(home, &["events", "--json"]);
    let events: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["event"] == "beat"), "{out}");
    assert!(events.iter().all(|event| event["data"]["at"].is_string()), "{out}");
    let ids: Vec<_> = events.iter().filter_map(|event| event["id"].as_u64()).collect();
    assert_eq!(ids.len(), events.len());
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    let beats = told(home, &["events", "--kinds", "beat"]);
    assert!(beats.lines().all(|line| line.contains(" beat ")), "{beats}");
    assert!(told(home, &["events", "--json", "--tail", "1"]).lines().count() <= 2);

    let mut live = Live::start(asks(home, &["events", "--follow", "--kinds", "beat,task"]));
    told(home, &["task", "start", "t-live", "--title", "x\u{1b}]0;owned\u{7}"]);
    let line = live.line("t-live");
    assert!(!line.chars().any(char::is_control), "{line:?}");
    live.line(" beat ");

    // The agent is killed and started anew: said so, and gone on with.
    agent.kill_nine();
    live.says("waiting for it");
    let mut agent = scene.agent(&[]);
    live.says("started anew");
    live.line("accepted");
    live.signal(Signal::INT);
    assert_eq!(live.ended(), Some(0), "SIGINT is its good end");
    agent.stop();
}

/// Whoever reads a few lines and goes ends it, even if nothing more comes.
#[test]
fn a_closed_pipe_ends_what_follows() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "60s"]);
    let home = &scene.home;
    ready(home);
    for args in [&["events", "--follow"][..], &["logs", "-f"], &["status", "--watch"]] {
        let mut command = asks(home, args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = wait::until("it ends", || child.try_wait().ok().flatten());
        assert_eq!(ended.code(), Some(0), "{args:?}");
    }
    agent.stop();
}

/// What it logs for itself does not matter.
#[test]
fn logs_are_shown_at_their_own_level() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--log", "error"]);
    let home = &scene.home;
    ready(home);
    let mut live = Live::start(asks(home, &["logs", "-f", "--level", "debug", "--json"]));
    // A message that is refused is worth a line at that level only.
    scene.platform.fault("a2a", &json!({"kind": "status", "status": 400}));
    scene.completed("d-1");
    live.line("\"level\":\"debug\"");
    live.signal(Signal::INT);
    assert_eq!(live.ended(), Some(0));
    assert!(!agent.log().contains("DEBUG"), "{}", agent.log());
    // Without -f: the notices that are remembered.
    let remembered = told(home, &["logs"]);
    assert!(remembered.contains("the journal in"), "{remembered}");
    assert_eq!(told(home, &["logs", "--level", "error"]), "");
    agent.stop();
}

#[test]
fn the_level_of_the_log_is_changed_for_a_while() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--log", "error"]);
    let home = &scene.home;
    ready(home);
    let out = told(home, &["log-level", "debug", "--for", "10m"]);
    assert!(out.starts_with("debug, as configured again in "), "{out}");
    agent.logs("DEBUG");
    told(home, &["log-level", "reset"]);
    agent.stop();
}

#[test]
fn reload_says_what_came_of_it() {
    let scene = Scene::new();
    let home = &scene.home;
    let config = home.dir().join("config.toml");
    fs::write(&config, "notify = \"all\"\n").unwrap();
    let mut agent = scene.agent(&["--config", config.to_str().unwrap()]);
    ready(home);
    let (code, out, err) = ask(home, &["reload"]);
    assert_eq!((code, out.as_str()), (Some(0), "unchanged\n"), "{err}");
    fs::write(&config, "notify = \"some\"\n").unwrap();
    let (code, out, err) = ask(home, &["reload"]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(out.starts_with("rejected\n") && err.contains("nothing was applied"), "{out}{err}");
    fs::write(&config, "notify = \"none\"\ndeliver = \"awaited\"\n").unwrap();
    let (code, out, err) = ask(home, &["reload"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.starts_with("needs restart\n") && out.contains("  deliver: needs"), "{out}");
    assert!(err.contains("restart the agent"), "{err}");
    fs::write(&config, "notify = \"none\"\n").unwrap();
    let json = told(home, &["reload", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["schema_version"], &json["outcome"]), (&json!(1), &json!("applied")));
    agent.stop();
}
