//! Results taken over the control socket under a lease: nothing is lost while
//! nobody has acknowledged it, nothing that was acknowledged comes again (S4).

use std::collections::BTreeSet;
use std::fs;

use everbeat_tests::{Control, Reader, Scene, wait};
use serde_json::{Value, json};

/// Takes until something is handed out.
fn take(control: &Control, lease_s: u32) -> (String, Value) {
    wait::until("results are handed out", || {
        let taken = control.send("POST", "/v1/results/take", &json!({"lease_s": lease_s}));
        let taken = (taken.status == 200).then(|| taken.json())?;
        Some((taken["lease"].as_str()?.to_owned(), taken))
    })
}

fn ids(taken: &Value) -> Vec<&str> {
    let results = taken["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    results.iter().filter_map(|result| result["delegation_id"].as_str()).collect()
}

#[test]
fn s4_what_was_acknowledged_is_forgotten_and_nothing_else() {
    let scene = Scene::new();
    scene.completed("d-1");
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let (lease, taken) = take(&control, 300);
    assert_eq!(ids(&taken), ["d-1"]);
    assert_eq!(taken["redelivered"], false);
    assert_eq!(taken["results"][0]["response_preview"], "the text of d-1");
    assert!(!scene.home.results().exists(), "it was taken from the results path");
    assert!(control.status()["lease"]["expires_in_s"].as_f64().is_some_and(|left| left > 200.0));

    let second = control.send("POST", "/v1/results/take", &Value::Null);
    assert_eq!(second.status, 409);
    assert_eq!(second.json()["type"], "urn:everbeat:problem:conflict");
    let wait = second.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
    assert!(wait.is_some_and(|wait| (1..=301).contains(&wait)), "{wait:?}");
    let wrong = control.send("POST", "/v1/results/ack", &json!({"lease": "another"}));
    assert_eq!(wrong.status, 404);
    assert_eq!(wrong.json()["type"], "urn:everbeat:problem:no-such-lease");

    control.done("POST", "/v1/results/ack", &json!({"lease": lease}));
    let again = control.send("POST", "/v1/results/ack", &json!({"lease": lease}));
    assert_eq!(again.status, 404, "it was acknowledged already");
    let nothing = control.done("POST", "/v1/results/take", &Value::Null);
    assert_eq!(nothing["lease"], Value::Null);
    assert!(ids(&nothing).is_empty());
    agent.stop();
}

#[test]
fn s4_results_are_handed_out_again_after_a_kill_and_after_the_lease_ran_out() {
    let scene = Scene::new();
    scene.completed("d-1");
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let (old, _) = take(&control, 300);
    agent.kill_nine();
    let mut agent = scene.agent(&[]);
    let (short, taken) = take(&control, 1);
    assert_eq!(ids(&taken), ["d-1"]);
    assert_eq!(taken["redelivered"], true);
    let of_the_dead = control.send("POST", "/v1/results/ack", &json!({"lease": old}));
    assert_eq!(of_the_dead.status, 404);

    let (lease, taken) = take(&control, 300);
    assert_eq!(ids(&taken), ["d-1"], "the lease of a second ran out");
    let late = control.send("POST", "/v1/results/ack", &json!({"lease": short}));
    assert_eq!(late.status, 404, "somebody else has it now");
    control.done("POST", "/v1/results/ack", &json!({"lease": lease}));
    agent.stop();
}

/// Kills, a reader that renames, and a holder who forgets every third lease:
/// each result is acknowledged or read exactly once.
#[test]
fn s4_leases_and_a_renaming_reader_among_kills() {
    let scene = Scene::new();
    let control = scene.control();
    let reader = Reader::by_hand(&scene.home.results());
    let (mut acknowledged, mut count) = (Vec::new(), 0);
    for round in 0..6 {
        let mut agent = scene.agent(&[]);
        for _ in 0..5 {
            count += 1;
            scene.completed(&format!("d-{count}"));
        }
        let (lease, taken) = take(&control, 1);
        if round % 3 != 1 {
            control.done("POST", "/v1/results/ack", &json!({"lease": lease}));
            acknowledged.extend(ids(&taken).into_iter().map(str::to_owned));
        }
        if round % 2 == 0 {
            reader.take();
        }
        agent.kill_nine();
    }
    let mut agent = scene.agent(&[]);
    let expected: BTreeSet<String> = (1..=count).map(|number| format!("d-{number}")).collect();
    wait::for_true("every result was taken", || {
        let taken = control.send("POST", "/v1/results/take", &json!({"lease_s": 1})).json();
        if let Some(lease) = taken["lease"].as_str() {
            control.done("POST", "/v1/results/ack", &json!({"lease": lease}));
            acknowledged.extend(ids(&taken).into_iter().map(str::to_owned));
        }
        let read = expected.iter().filter(|id| reader.count_of(id) > 0).count();
        acknowledged.len() + read >= expected.len()
    });
    agent.stop();
    reader.take();
    let stream = reader.finish();
    let read = stream.counts().into_keys().map(|(id, _)| id);
    let mut all: Vec<String> = acknowledged.into_iter().chain(read).collect();
    all.sort();
    let mut once: Vec<String> = expected.into_iter().collect();
    once.sort();
    assert_eq!(all, once, "each exactly once");
}

#[test]
fn what_stands_in_the_way_is_named() {
    let scene = Scene::new();
    fs::create_dir(scene.home.results()).unwrap();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    control.wait_for("the store is open", |status| status["pipeline"]["store_open"] == true);
    let refused = control.send("POST", "/v1/results/take", &Value::Null);
    assert_eq!(refused.status, 503);
    let said = refused.json();
    assert_eq!(said["type"], "urn:everbeat:problem:files");
    let path = scene.home.results().display().to_string();
    assert!(said["detail"].as_str().is_some_and(|detail| detail.contains(&path)), "{said}");
    agent.stop();
}
