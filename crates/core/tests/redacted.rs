//! What of an answer stands in a recorded history: its text, but for the
//! credentials.

use everbeat_core::{Action, Body, Response, Secret};

fn recorded(body: &Body) -> serde_json::Value {
    serde_json::to_value(body).expect("it is serialised")
}

/// A body's text as a record shows it.
fn shown(text: &str) -> String {
    recorded(&Body::from(text)).as_str().expect("a text stays one").to_owned()
}

/// The marks in `text`, in order.
fn marks(text: &str) -> Vec<&str> {
    text.match_indices("redacted-").map(|(at, _)| &text[at..at + "redacted-".len() + 8]).collect()
}

#[test]
fn a_text_without_credentials_is_recorded_as_it_is() {
    for text in ["", "no json", r#"{"generation": 3, "token": "a"}"#, r#"["auth_token"]"#] {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn a_credential_is_recorded_as_a_fingerprint() {
    for member in ["auth_token", "platform_inbound_secret"] {
        let with = |value: &str| shown(&format!(r#"{{"a":1,"{member}" : "{value}","b":"end"}}"#));
        let (first, second) = (with("hunter2"), with("hunter3"));
        let mark = marks(&first)[0];
        assert_eq!(first, format!(r#"{{"a":1,"{member}" : "{mark}","b":"end"}}"#));
        assert!(mark["redacted-".len()..].bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(first, with("hunter2"), "a replay sees that it is the same");
        assert_ne!(first, second, "a replay sees that it changed");
    }
}

#[test]
fn each_credential_of_a_text_is_hidden() {
    let text = r#"{"auth_token":"aa","platform_inbound_secret":"bb","x":{"auth_token":"cc"}}"#;
    let shown = shown(text);
    assert_eq!(marks(&shown).len(), 3, "{shown}");
    for value in ["\"aa\"", "\"bb\"", "\"cc\""] {
        assert!(!shown.contains(value), "{shown}");
    }
}

#[test]
fn quotes_in_a_credential_and_its_missing_end_hide_no_less() {
    let escaped = shown(r#"{"auth_token":"a\"hunter2\\","b":"end"}"#);
    let mark = marks(&escaped)[0];
    assert_eq!(escaped, format!(r#"{{"auth_token":"{mark}","b":"end"}}"#));
    let broken_off = shown(r#"{"auth_token":"hunter2"#);
    assert_eq!(broken_off, format!(r#"{{"auth_token":"{}"#, marks(&broken_off)[0]));
}

/// Not one that only looks like it: a credential may begin with any word.
#[test]
fn a_fingerprint_stays_when_a_record_is_written_again() {
    let once = shown(r#"{"auth_token":"hunter2","x":{"auth_token":"hunter3"}}"#);
    assert_eq!(shown(&once), once);
    for value in ["redacted-", "redacted-0123456", "redacted-012345678", "redacted-0123456g"] {
        let text = format!(r#"{{"auth_token":"{value}"}}"#);
        assert_ne!(shown(&text), text);
    }
}

#[test]
fn a_record_of_a_body_is_read_as_it_was_written() {
    for bytes in [b"[]".to_vec(), b"{\"a\": \"\xc3\xa4\"}".to_vec(), vec![0xff; 40]] {
        let body = Body(bytes);
        assert_eq!(serde_json::from_value::<Body>(recorded(&body)).unwrap(), body);
    }
}

#[test]
fn an_answer_is_complete_unless_a_record_says_otherwise() {
    let read = |text: &str| serde_json::from_str::<Response>(text).unwrap().complete;
    assert!(read(r#"{"status": 200, "body": "[]"}"#));
    assert!(!read(r#"{"status": 200, "body": "[]", "complete": false}"#));
}

#[test]
fn bytes_that_are_no_text_and_may_hold_a_credential_are_left_out() {
    let body = Body(b"\xff{\"auth_token\":\"hunter2\"}".to_vec());
    assert_eq!(recorded(&body), serde_json::json!([]));
}

#[test]
fn what_is_secret_does_not_print() {
    assert_eq!(format!("{:?}", Body::from("hunter2")), "Body(7 bytes)");
    let secret = Secret::new("hunter2").unwrap();
    assert_eq!(format!("{secret:?}"), "[redacted]");
    assert_eq!(secret.expose(), "hunter2");
    let action = Action::SaveToken(secret);
    let text = serde_json::to_string(&action).unwrap();
    assert!(text.contains("[redacted]") && !text.contains("hunter2"), "{text}");
    let Action::SaveToken(read) = serde_json::from_str(&text).unwrap() else {
        panic!("{text} is another action");
    };
    assert_eq!(read.expose(), "[redacted]");
}
