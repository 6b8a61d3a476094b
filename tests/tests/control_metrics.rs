//! `GET /metrics`: the numbers of a real agent are right.

use std::fs;

use everbeat_tests::{Control, Scene, promtool, wait};
use serde_json::Value;

fn exposed(control: &Control) -> String {
    let answer = control.send("GET", "/metrics", &Value::Null);
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).expect("text")
}

/// The value of one series.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    line.parse().expect("a number")
}

#[test]
fn what_happens_is_counted() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    scene.wait_for_beats(3);
    scene.completed("d-0001");
    wait::for_least("messages", 1, || scene.total("delivered"));
    let told = r#"everbeat_announcements_total{outcome="accepted"}"#;
    wait::for_true("the announcement is counted", || value(&exposed(&control), told) == 1.0);
    wait::for_true("the journal's length is told", || {
        let journal = fs::metadata(scene.home.journal()).expect("a journal").len();
        value(&exposed(&control), "everbeat_journal_bytes") == journal as f64
    });
    let text = exposed(&control);
    assert!(value(&text, r#"everbeat_beats_total{outcome="accepted"}"#) >= 3.0);
    assert_eq!(value(&text, r#"everbeat_beats_total{outcome="failed"}"#), 0.0);
    assert!(value(&text, "everbeat_beat_duration_seconds_count") >= 3.0);
    assert!(value(&text, "everbeat_beat_lateness_seconds_count") >= 3.0);
    let beats = r#"everbeat_requests_total{route="/registry/heartbeat",status="2xx"}"#;
    assert!(value(&text, beats) >= 3.0);
    assert_eq!(value(&text, "everbeat_results_stored_total"), 1.0);
    assert_eq!(value(&text, r#"everbeat_pipeline_results{stage="remembered"}"#), 1.0);
    assert_eq!(value(&text, r#"everbeat_pipeline_results{stage="stored"}"#), 0.0);
    assert_eq!(value(&text, "everbeat_interval_seconds"), 0.4);
    assert_eq!(value(&text, "everbeat_store_open"), 1.0);
    assert_eq!(value(&text, "everbeat_messages_last_hour"), 1.0);
    assert!(value(&text, "process_start_time_seconds") > 1_700_000_000.0);
    let accepted = value(&text, "everbeat_last_accepted_beat_timestamp_seconds");
    assert!(accepted > value(&text, "process_start_time_seconds"));
    let asked = r#"everbeat_control_requests_total{method="GET",route="/metrics",status="2xx"}"#;
    assert!(value(&text, asked) >= 1.0);
    agent.stop();
}

#[test]
fn what_goes_wrong_is_counted() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    scene.wait_for_beats(1);
    control.done("PUT", "/v1/wedge", &serde_json::json!({"reason": "stuck"}));
    control.done("PUT", "/v1/tasks/a", &Value::Null);
    control.send("GET", "/nowhere", &Value::Null);
    scene.home.write_token("a-token-that-nobody-issued");
    scene
        .platform
        .post(&format!("workspaces/{}/rotate-token", scene.home.workspace()), &Value::Null);
    let notice = r#"everbeat_notices_total{notice="token_refused",severity="warning"} 1"#;
    wait::for_true("the refusal is told", || exposed(&control).contains(notice));
    let refused = r#"everbeat_beats_total{outcome="refused"}"#;
    wait::for_true("refusals are counted", || value(&exposed(&control), refused) >= 2.0);
    let text = exposed(&control);
    assert_eq!(value(&text, "everbeat_token_refused"), 1.0);
    assert_eq!(value(&text, "everbeat_wedged"), 1.0);
    assert_eq!(value(&text, "everbeat_tasks"), 1.0);
    assert!(value(&text, r#"everbeat_failures_in_a_row{lane="alive"}"#) >= 2.0);
    assert!(value(&text, r#"everbeat_outage_seconds{lane="alive"}"#) > 0.0);
    let nowhere = r#"everbeat_control_requests_total{method="GET",route="other",status="4xx"}"#;
    assert_eq!(value(&text, nowhere), 1.0, "a path that is none is no series of its own");
    agent.stop();
}

/// Both formats, each under its own name.
#[test]
fn who_asks_for_the_older_format_gets_it() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let ask = |accept: &str| {
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: everbeat\r\nConnection: close\r\nAccept: {accept}\r\n\r\n"
        );
        let answer = control.raw(request.as_bytes()).expect("an answer");
        String::from_utf8(answer.body).expect("text")
    };
    let open = ask("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5");
    assert!(open.ends_with("# EOF\n") && open.contains("\n# TYPE everbeat_beats counter\n"));
    let plain = ask("text/plain");
    assert!(plain.contains("\n# TYPE everbeat_beats_total counter\n"), "{plain}");
    promtool(scene.home.dir(), &["check", "metrics"], &plain);
    agent.stop();
}
