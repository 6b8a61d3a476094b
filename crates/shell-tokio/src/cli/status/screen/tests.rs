use serde_json::{Value, json};

use super::*;

const LOOK: Look = Look { color: false, width: 80, height: None };

fn well() -> Value {
    json!({
        "schema_version": 1, "version": "0.1.0", "pid": 71, "workspace_id": "ws-1",
        "platform_url": "http://platform:8080", "started_at": "2026-11-24T16:45:11.000Z",
        "uptime_s": 812.4, "interval_s": 30.0, "cooldown_s": 60.0, "state": "running",
        "verdict": {"level": "ok", "lines": []},
        "beat": {
            "last_accepted_at": "2026-11-24T16:58:40.000Z", "last_accepted_age_s": 3.1,
            "next_due_in_s": 26.9, "next_due_why": "interval", "accepted": 27,
            "failures_in_a_row": 0, "lateness_s": 0.002, "in_flight": false, "outage": null,
            "token_refused": false,
        },
        "polls": {
            "last_accepted_age_s": 12.0, "next_due_in_s": 11.0, "accepted": 26,
            "failures_in_a_row": 0, "in_flight": false, "outage": null,
        },
        "pipeline": {
            "discovered": {"count": 0, "ids": []}, "stored": {"count": 1, "ids": ["d-7"]},
            "announcing": {"count": 0, "ids": []}, "unanswered": {"count": 0, "ids": []},
            "remembered": 14, "held": null, "store_open": true,
        },
        "wake": {
            "last_accepted_at": null, "last_message_id": null, "last_results": [],
            "cooldown_left_s": 0.0, "sent_last_hour": 2, "per_hour_max": 60, "accepted": 2,
        },
        "vitals": {
            "tasks": [{"id": "t-1", "title": "reading", "age_s": 5.0, "ttl_left_s": 55.0}],
            "current_task": "reading",
            "requests": 3, "errors": 0, "wedge": null, "sample_error": "",
            "metadata": null,
        },
        "token": {"present": true, "read_age_s": 800.0, "source": "file"},
        "lease": null, "supervised": null, "events": {"last_id": 311, "dropped": 0},
        "control": {"connections": 1},
    })
}

#[test]
fn all_is_well() {
    let screen = render(&well(), &LOOK);
    let expected = "\
everbeat 0.1.0, running: all is well
  workspace ws-1 at http://platform:8080
  process   71, up for 13 min 32 s
  beat      accepted 3 s ago, next in 26 s, 27 accepted, every 30 s
  list      read 12 s ago, next in 11 s
  waiting   1 stored (d-7)
  wake      no message yet, 2 of 60 this hour
  tasks     t-1: reading (since 5 s, 55 s left)
  token     set, from the file, read 13 min 20 s ago
";
    assert_eq!(screen, expected);
}

#[test]
fn trouble_stands_with_what_to_do() {
    let mut status = well();
    let outage = json!({"since_s": 312.0, "failures": 12, "cause": "connection refused"});
    status["beat"]["outage"] = outage.clone();
    status["beat"]["next_due_why"] = "retry_after".into();
    status["polls"]["outage"] = outage;
    status["pipeline"]["stored"] =
        json!({"count": 70, "ids": (0..50).map(|n| format!("d-{n}")).collect::<Vec<_>>()});
    status["pipeline"]["held"] = "no space left on the device".into();
    status["pipeline"]["store_open"] = false.into();
    status["vitals"]["wedge"] = "the SDK does not answer".into();
    status["vitals"]["current_task"] = "waiting for a person".into();
    status["vitals"]["errors"] = 2.into();
    status["vitals"]["sample_error"] = "timeout".into();
    status["token"] = json!({"present": false, "read_age_s": null, "source": "none"});
    status["lease"] = json!({"expires_in_s": 60.0});
    status["supervised"] =
        json!({"pid": 9, "state": "running", "restarts": 1, "last_exit": "signal 9"});
    status["verdict"] = json!({"level": "failing", "lines": [
        {"what": "the platform has not answered for 5 minutes: connection refused",
         "do": "see whether http://platform:8080 runs, and whether --platform-url is its address"},
        {"what": "results wait"},
    ]});
    let expected = "\
everbeat 0.1.0, running: it fails
  workspace ws-1 at http://platform:8080
  process   71, up for 13 min 32 s
  beat      accepted 3 s ago, next in 26 s (retry after), 27 accepted, every 30
            s, fails for 5 min 12 s (12 failures): connection refused
  list      read 12 s ago, next in 11 s, fails for 5 min 12 s (12 failures):
            connection refused
  waiting   70 stored (d-0, d-1, d-2, d-3, d-4 and 65 more), held up: no space
            left on the device, the state folder is not open
  wake      no message yet, 2 of 60 this hour
  tasks     t-1: reading (since 5 s, 55 s left); shown: waiting for a person; 2
            of 3 requests failed: timeout
  wedged    the SDK does not answer
  token     none
  lease     results are handed out; they come again unless acknowledged within 1
            min
  command   running, process 9, 1 restart, last ended with signal 9

! the platform has not answered for 5 minutes: connection refused
  do: see whether http://platform:8080 runs, and whether --platform-url is its
      address
! results wait
";
    assert_eq!(render(&status, &LOOK), expected);
}

#[test]
fn an_agent_that_knows_less_is_shown_all_the_same() {
    for status in [json!({}), Value::Null, json!({"beat": 3, "vitals": {"tasks": "none"}})] {
        let screen = render(&status, &LOOK);
        assert!(screen.starts_with("everbeat ?, running: no verdict\n"), "{screen}");
        assert!(screen.contains("  beat      none accepted yet\n"), "{screen}");
    }
}

#[test]
fn nothing_that_acts_on_a_terminal_is_printed() {
    let mut status = well();
    let evil = "x\u{1b}]0;owned\u{7}\u{9b}2J\ny\u{202e}";
    status["workspace_id"] = evil.into();
    status["vitals"]["tasks"][0]["title"] = evil.into();
    status["vitals"]["current_task"] = evil.into();
    status["pipeline"]["stored"]["ids"][0] = evil.into();
    status["verdict"] = json!({"level": evil, "lines": [{"what": evil, "do": evil}]});
    let screen = render(&status, &LOOK);
    assert!(!screen.chars().any(|it| it.is_control() && it != '\n'), "{screen:?}");
    assert!(!screen.contains('\u{202e}'));
}

#[test]
fn colours_change_no_words() {
    let mut status = well();
    status["verdict"] = json!({"level": "degraded", "lines": [{"what": "a", "do": "b"}]});
    let coloured = render(&status, &Look { color: true, ..LOOK });
    assert!(coloured.contains("\x1b[33msomething is wrong\x1b[0m"), "{coloured:?}");
    let mut plain = coloured;
    for code in ["\x1b[33m", "\x1b[31;1m", "\x1b[2m", "\x1b[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, render(&status, &LOOK));
}
