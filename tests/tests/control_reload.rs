//! `POST /v1/reload`, SIGHUP and `/v1/log-level`: what a running process
//! takes anew.

use std::fs;

use everbeat_tests::{Agent, Scene, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

/// An agent with a settings file.
fn with_file(scene: &Scene, text: &str) -> Agent {
    write(scene, text);
    let path = file(scene).display().to_string();
    scene.agent(&["--config", &path])
}

fn file(scene: &Scene) -> std::path::PathBuf {
    scene.home.dir().join("everbeat.toml")
}

fn write(scene: &Scene, text: &str) {
    fs::write(file(scene), text).expect("a settings file");
}

fn fields(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fields = answer["fields"].as_array().expect("fields");
    fields.iter().map(|field| (text(&field["field"]), text(&field["outcome"]))).collect()
}

fn owned(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(field, outcome)| ((*field).to_owned(), (*outcome).to_owned())).collect()
}

/// What can be taken live is, and works; the second time nothing changes.
#[test]
fn what_needs_no_restart_is_applied() {
    let scene = Scene::new();
    let mut agent = with_file(&scene, "notify = \"none\"\n");
    let control = scene.control();
    scene.wait_for_beats(1);
    scene.failed("d-0001");
    wait::for_least("messages", 1, || scene.total("delivered"));
    assert_eq!(scene.total("notifications"), 0);

    write(&scene, "notify = \"failures\"\nannounce = \"ids\"\nlog = \"debug\"\n");
    let answer = control.done("POST", "/v1/reload", &Value::Null);
    assert_eq!((&answer["outcome"], &answer["schema_version"]), (&json!("applied"), &json!(1)));
    let applied = [("announce", "applied"), ("notify", "applied"), ("log", "applied")];
    assert_eq!(fields(&answer), owned(&applied));
    scene.failed("d-0002");
    wait::for_least("notifications", 1, || scene.total("notifications"));
    wait::for_least("messages", 2, || scene.total("delivered"));
    let seen = scene.seen();
    let messages = seen["messages"]["newest"].to_string();
    assert!(messages.contains("the error of d-0001"), "with words before: {messages}");
    assert!(!messages.contains("the error of d-0002"), "and without them since: {messages}");

    let answer = control.done("POST", "/v1/reload", &json!({}));
    assert_eq!((&answer["outcome"], &answer["fields"]), (&json!("unchanged"), &json!([])));
    agent.stop();
}

/// All or nothing: what needs a restart holds up the rest, and what is wrong
/// is named with its place; the agent goes on as it was.
#[test]
fn what_is_wrong_or_needs_a_restart_changes_nothing() {
    let scene = Scene::new();
    let mut agent = with_file(&scene, "reannounce_after = \"5m\"\nnotify = \"none\"\n");
    let control = scene.control();
    scene.wait_for_beats(1);
    write(&scene, "reannounce_after = \"6m\"\nnotify = \"all\"\ndeliver = \"awaited\"\n");
    let answer = control.done("POST", "/v1/reload", &Value::Null);
    assert_eq!(answer["outcome"], "needs_restart");
    let held = ["deliver", "notify", "reannounce_after"].map(|key| (key, "needs_restart"));
    assert_eq!(fields(&answer), owned(&held), "{answer}");

    write(&scene, "reannounce_after = \"6 minutes\"\nnotify = \"all\"\nnotfy = \"all\"\n");
    let answer = control.done("POST", "/v1/reload", &Value::Null);
    assert_eq!(answer["outcome"], "rejected");
    let rejected = [("reannounce_after", "rejected"), ("config", "rejected")];
    assert_eq!(fields(&answer), owned(&rejected), "{answer}");
    let said = answer.to_string();
    assert!(said.contains("everbeat.toml:1") && said.contains("did you mean notify?"), "{said}");

    scene.failed("d-0001");
    wait::for_least("messages", 1, || scene.total("delivered"));
    scene.wait_for_beats(2);
    assert_eq!(scene.total("notifications"), 0, "notify is none as before");
    agent.stop();
}

/// The token is read again, and a beat shows at once whether it is good. No
/// answer and no log holds it.
#[test]
fn the_token_is_read_again() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "30s"]);
    let control = scene.control();
    scene.wait_for_beats(1);
    let path = format!("workspaces/{}/rotate-token", scene.home.workspace());
    let token = scene.platform.post(&path, &Value::Null)["token"].clone();
    let token = token.as_str().expect("a token");
    scene.home.write_token(token);
    let beats = scene.total("beats");
    let answer = control.done("POST", "/v1/reload", &Value::Null);
    assert_eq!(fields(&answer), owned(&[("token", "applied")]));
    assert_eq!(answer["outcome"], "applied");
    wait::for_least("a beat with it, long before the interval", beats + 1, || scene.total("beats"));
    assert_eq!(control.status()["beat"]["failures_in_a_row"], 0);
    let answer = control.done("POST", "/v1/reload", &Value::Null);
    assert_eq!(answer["outcome"], "unchanged");
    agent.stop();
    assert!(!agent.log().contains(token), "no log holds it");
}

/// SIGHUP does the same, as often as it comes, and ends nothing.
#[test]
fn a_hangup_reads_the_configuration_again() {
    let scene = Scene::new();
    let mut agent = with_file(&scene, "cooldown = \"1s\"\n");
    let mut agent_log = String::new();
    scene.wait_for_beats(1);
    for (text, said) in [
        ("notify = \"all\"\n", "notify: failures became all"),
        ("notify = \"nobody\"\n", "left as it was: it is wrong"),
        ("notify = \"none\"\n", "notify: all became none"),
    ] {
        write(&scene, text);
        agent.signal(Signal::HUP);
        agent.logs(said);
        agent_log = agent.log();
    }
    assert!(agent_log.contains("nobody"), "what is wrong is named: {agent_log}");
    scene.wait_for_beats(1);
    agent.stop();
}

/// A level is lent, comes back by itself or when asked, and is told.
#[test]
fn a_log_level_is_lent() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    scene.wait_for_beats(1);
    let lent = control.done("PUT", "/v1/log-level", &json!({"level": "debug", "for_s": 1}));
    assert_eq!(lent, json!({"level": "debug", "reverts_in_s": 1.0}));
    agent.logs("the log is at debug for 1s");
    agent.logs("the log is at its configured level again");
    let lent = control.done("PUT", "/v1/log-level", &json!({"level": "off"}));
    assert_eq!(lent["reverts_in_s"], 600.0);
    scene.completed("d-0001");
    wait::for_least("messages", 1, || scene.total("delivered"));
    assert!(!agent.log().contains("the agent was told"), "off is off");
    assert_eq!(control.send("DELETE", "/v1/log-level", &Value::Null).status, 204);
    scene.completed("d-0002");
    agent.logs("the agent was told");
    for (body, field) in [
        (json!({"level": "loud"}), "level"),
        (json!({"level": "warn,everbeat=debug"}), "level"),
        (json!({}), "level"),
        (json!({"level": "debug", "for_s": 0}), "for_s"),
        (json!({"level": "debug", "for_s": 86_401}), "for_s"),
        (json!({"level": "debug", "until": 5}), "until"),
    ] {
        let answer = control.send("PUT", "/v1/log-level", &body);
        assert_eq!((answer.status, &answer.json()["field"]), (422, &json!(field)), "{body}");
    }
    agent.stop();
}
