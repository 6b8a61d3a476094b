//! One event as one line.

use serde_json::{Value, json};

use crate::cli::terminal::{Look, Paint, harmless, harmless_json};
use crate::control::client::sse::Event;

/// Columns of the kind.
const KIND: usize = 8;

/// `{"id", "event", "data"}` and a line's end.
pub(super) fn json(event: &Event) -> String {
    let id = event.id.parse::<u64>().map_or_else(|_| json!(event.id), |id| json!(id));
    let data = data(event);
    format!(
        "{}\n",
        harmless_json(&json!({"id": id, "event": event.kind, "data": data}).to_string())
    )
}

/// `16:45:11.861 notice   the journal … is open`.
pub(super) fn text(event: &Event, look: &Look) -> String {
    let data = data(event);
    let at = data.get("at").and_then(Value::as_str).unwrap_or_default();
    let level = ["severity", "level"].iter().find_map(|key| data.get(*key).and_then(Value::as_str));
    let paint = match level.map(str::to_ascii_lowercase).as_deref() {
        Some("error") => Some(Paint::Bad),
        Some("warn" | "warning") => Some(Paint::Warn),
        Some("debug" | "trace") => Some(Paint::Faint),
        Some(_) | None if event.kind == "lost" => Some(Paint::Warn),
        Some(_) | None => None,
    };
    let says = harmless(&says(event, &data));
    let says = paint.map_or_else(|| says.clone(), |paint| look.paint(paint, &says));
    let kind = format!("{:KIND$}", harmless(&event.kind));
    let at = look.paint(Paint::Faint, &harmless(time_of_day(at)));
    format!("{at} {} {says}\n", look.paint(Paint::Strong, &kind))
}

/// The line for a person where there is one, else the fields.
fn says(event: &Event, data: &Value) -> String {
    if let Some(line) = data.get("line").and_then(Value::as_str) {
        return line.to_owned();
    }
    if event.kind == "lost" {
        let missed = data.get("missed").and_then(Value::as_u64).unwrap_or(0);
        return format!("{missed} events are not remembered any more");
    }
    let Value::Object(fields) = data else { return event.data.clone() };
    let mut parts = Vec::new();
    if event.kind == "log" {
        let text = |key| fields.get(key).and_then(Value::as_str).map(str::to_owned);
        parts.extend(text("level").map(|level| level.to_ascii_uppercase()));
        parts.extend(text("message"));
    }
    let is_said = |key: &str| {
        key == "at" || event.kind == "log" && matches!(key, "level" | "message" | "target")
    };
    for (key, value) in fields.iter().filter(|(key, _)| !is_said(key)) {
        match value {
            Value::Null => {}
            Value::String(text) => parts.push(format!("{key}={text}")),
            // The fields of a line of the log.
            Value::Object(inner) => {
                let field = |(key, value): (&String, &Value)| match value.as_str() {
                    Some(text) => format!("{key}={text}"),
                    None => format!("{key}={value}"),
                };
                parts.extend(inner.iter().map(field));
            }
            // Seconds: what a person reads of them.
            Value::Number(number) if key.ends_with("_s") => {
                parts.push(format!("{key}={:.3}", number.as_f64().unwrap_or_default()));
            }
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                parts.push(format!("{key}={value}"));
            }
        }
    }
    parts.join(" ")
}

/// Of an RFC 3339 time in UTC: the day is known to whoever looks on.
fn time_of_day(at: &str) -> &str {
    let time = at.split_once('T').map_or(at, |(_, time)| time);
    time.trim_end_matches('Z')
}

fn data(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap_or_else(|_| Value::String(event.data.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { color: false, width: 80, height: None };

    fn event(kind: &str, data: &str) -> Event {
        Event { id: "7".into(), kind: kind.into(), data: data.into() }
    }

    #[test]
    fn a_notice_is_its_line_and_others_are_their_fields() {
        let at = "\"at\": \"2026-11-24T16:45:11.861Z\"";
        let notice = format!("{{{at}, \"severity\": \"warn\", \"line\": \"it is late\"}}");
        assert_eq!(text(&event("notice", &notice), &LOOK), "16:45:11.861 notice   it is late\n");
        let beat = format!("{{{at}, \"outcome\": \"accepted\", \"took_s\": 0.1, \"status\": 200}}");
        let told = text(&event("beat", &beat), &LOOK);
        assert_eq!(told, "16:45:11.861 beat     outcome=accepted status=200 took_s=0.100\n");
        let log = format!(
            "{{{at}, \"level\": \"debug\", \"message\": \"hi\", \"target\": \"x\", \
                           \"fields\": {{\"n\": 1, \"id\": \"d-1\"}}}}"
        );
        assert_eq!(text(&event("log", &log), &LOOK), "16:45:11.861 log      DEBUG hi id=d-1 n=1\n");
        let lost = text(&event("lost", "{\"missed\": 12}"), &LOOK);
        assert_eq!(lost, " lost     12 events are not remembered any more\n");
        assert_eq!(text(&event("x", "no JSON"), &LOOK), " x        no JSON\n");
    }

    #[test]
    fn severity_is_colour() {
        let look = Look { color: true, ..LOOK };
        let bad = text(&event("notice", "{\"severity\": \"error\", \"line\": \"l\"}"), &look);
        assert!(bad.contains("\x1b[31;1ml\x1b[0m"), "{bad:?}");
    }

    #[test]
    fn json_keeps_all_and_acts_on_no_terminal() {
        let told = json(&event("wake", "{\"ids\": [\"d\u{9b}\"], \"x\": null}"));
        assert_eq!(
            told,
            "{\"data\":{\"ids\":[\"d\\u009b\"],\"x\":null},\"event\":\"wake\",\"id\":7}\n"
        );
        let evil = text(&event("a\u{1b}", "{\"line\": \"x\u{1b}[2J\\u001b[2J\"}"), &LOOK);
        assert!(!evil.trim_end().chars().any(char::is_control), "{evil:?}");
    }
}
