//! L8: an outage is told as a story, not as a stream.
//!
//! The escalations by time (after 5 minutes, an hour, six hours, then daily)
//! and the 30 lines of a whole day are shown in simulated time, by
//! `l8_quiet_outage` in `crates/shell-sim/tests/promises`: they do not scale
//! with the interval, so no fast interval could show them here.

use std::time::Duration;

use everbeat_tests::{Agent, Scene, wait};
use serde_json::Value;

/// L8: a hundred failures of both lanes, and more results than usual
/// afterwards: the log has the start of each lane's outage with its cause and
/// what happens next, and its end with duration and count; nothing in
/// between.
#[test]
fn l8_an_outage_has_a_start_an_end_and_nothing_between() {
    let scene = Scene::new();
    // Failures come as fast as they can: a Retry-After of 0 means the shortest
    // pause, a sixth of the interval.
    let args = ["--interval", "300ms", "--log-format", "json"];
    let mut agent = scene.agent(&args);
    scene.wait_for_beats(2);
    let before = agent.log().lines().count();
    let busy = serde_json::json!({"kind": "status", "status": 503, "retry_after": "0"});
    scene.platform.fault("heartbeat", &busy);
    scene.platform.fault("delegations", &busy);
    let failures = || scene.platform.requests("heartbeat") - scene.total("beats");
    wait::within(Duration::from_secs(60), "many failures", || (failures() >= 100).then_some(()));
    scene.platform.clear_faults();
    scene.wait_for_beats(2);
    agent.logs("asking for delegations works again");
    agent.stop();

    let lines = notices(&agent, before);
    let of = |lane: &str, notice: &str| -> Vec<String> {
        let found = lines.iter().filter(|(name, text)| name == notice && text.starts_with(lane));
        found.map(|(_, text)| text.clone()).collect()
    };
    for lane in ["the heartbeat", "asking for delegations"] {
        let started = of(lane, "outage_started");
        assert_eq!(started.len(), 1, "{lines:?}");
        assert!(started[0].contains("503") && started[0].contains("trying again at"));
        let ended = of(lane, "outage_ended");
        assert_eq!(ended.len(), 1, "{lines:?}");
        let words: Vec<_> = ended[0].split(' ').collect();
        let count = words.iter().rev().nth(1).and_then(|word| word.parse::<u64>().ok());
        assert!(count.is_some_and(|count| count >= 10), "{}", ended[0]);
        assert!(ended[0].contains("works again after"), "{}", ended[0]);
    }
    assert!(lines.len() <= 8, "{} lines for one outage: {lines:?}", lines.len());
}

/// L8: what comes and goes at every beat is not told each time.
#[test]
fn l8_a_flapping_platform_is_not_told_each_time() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "300ms", "--log-format", "json"]);
    scene.wait_for_beats(1);
    let before = agent.log().lines().count();
    for _ in 0..10 {
        let fault = serde_json::json!({"route": "heartbeat", "times": 1,
            "effect": {"kind": "status", "status": 500}});
        scene.platform.post("faults", &fault);
        wait::for_true("it has acted", || {
            scene.platform.state()["faults"].as_array().is_some_and(Vec::is_empty)
        });
        scene.wait_for_beats(1);
    }
    agent.stop();
    let lines = notices(&agent, before);
    assert!(lines.len() <= 6, "{} lines: {lines:?}", lines.len());
}

/// A day without trouble: a line at the start, none for a beat or a poll.
#[test]
fn l8_a_beat_that_goes_well_is_no_line() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "100ms", "--log-format", "json"]);
    scene.wait_for_beats(20);
    agent.stop();
    let lines = agent.log().lines().count();
    assert!(lines <= 8, "{lines} lines:\n{}", agent.log());
}

/// The notices after the first `skipped` lines: name and text.
fn notices(agent: &Agent, skipped: usize) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let log = agent.log();
    let lines = log.lines().skip(skipped).map(|line| {
        let line: Value = serde_json::from_str(line).expect("each line is JSON");
        (text(&line["notice"]), text(&line["message"]))
    });
    lines.filter(|(name, _)| name != "stopped").collect()
}
