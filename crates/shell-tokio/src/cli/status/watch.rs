//! `everbeat status --watch`.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

use super::{StatusArgs, get, screen};
use crate::cli::ask::{advice, prepared};
use crate::cli::pipe::{Reader, reader};
use crate::cli::signals::Signals;
use crate::cli::terminal::{Look, harmless, harmless_json};
use crate::cli::{Exit, talk};
use crate::control::client::{ControlClient, ControlError};

/// Ages are shown in seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a terminal is told: another screen and back, the cursor away and back,
/// to the top, the rest of a line and of the screen cleared.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Until a signal, or until nobody reads any more; both are a good end.
pub(super) fn watch(args: &StatusArgs, mut signals: Signals) -> Exit {
    let (client, runtime) = match prepared(&args.control) {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    let look = Look::of_stdout(args.color);
    let mut sheet = match look.height {
        Some(_) if !args.json => Sheet::Screen(String::new()),
        Some(_) | None => Sheet::Lines { json: args.json, last: None },
    };
    let begun = if sheet.is_screen() { write_out(ENTER) } else { Ok(()) };
    let ended = begun.and_then(|()| {
        runtime.block_on(async {
            tokio::select! {
                ended = draw(&client, args, &mut sheet) => ended,
                () = signals.asked() => Ok(()),
            }
        })
    });
    runtime.shutdown_background();
    let left = match &sheet {
        // What was seen last stays to be read.
        Sheet::Screen(last) => write_out(&format!("{LEAVE}{last}")),
        Sheet::Lines { .. } => Ok(()),
    };
    match ended.and(left) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            talk(&format!("everbeat: standard output: {error}"));
            Exit::Failed
        }
        Ok(()) | Err(_) => Exit::Done,
    }
}

async fn draw(client: &ControlClient, args: &StatusArgs, sheet: &mut Sheet) -> io::Result<()> {
    loop {
        let status = get(client).await;
        // Asked for each time: windows change their size.
        let look = Look::of_stdout(args.color);
        sheet.show(&status, &look)?;
        if reader() == Reader::Gone {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What is written on.
enum Sheet {
    /// Redrawn in place; what stands there.
    Screen(String),
    /// One after the other; the essence of the last one.
    Lines { json: bool, last: Option<Value> },
}

impl Sheet {
    const fn is_screen(&self) -> bool {
        matches!(self, Self::Screen(_))
    }

    fn show(&mut self, status: &Result<Value, ControlError>, look: &Look) -> io::Result<()> {
        match self {
            Self::Screen(shown) => {
                *shown = match status {
                    Ok(status) => screen::render(status, look),
                    Err(error) => absent(error),
                };
                write_out(&redrawn(shown, look.height.unwrap_or(usize::MAX)))
            }
            Self::Lines { json, last } => {
                let essence = match status {
                    Ok(status) => essence(status),
                    Err(error) => Value::String(error.to_string()),
                };
                if last.as_ref() == Some(&essence) {
                    return Ok(());
                }
                let is_first = last.replace(essence).is_none();
                match status {
                    Ok(status) if *json => {
                        write_out(&format!("{}\n", harmless_json(&status.to_string())))
                    }
                    Ok(status) => {
                        let gap = if is_first { "" } else { "\n" };
                        write_out(&format!("{gap}{}", screen::render(status, look)))
                    }
                    // Talk, not data.
                    Err(error) => {
                        talk(absent(error).trim_end());
                        Ok(())
                    }
                }
            }
        }
    }
}

fn absent(error: &ControlError) -> String {
    let mut text = String::from("everbeat: ");
    for line in error.to_string().lines() {
        text.push_str(&harmless(line));
        text.push('\n');
    }
    if let Some(advice) = advice(error) {
        text.push_str(&format!("  do: {advice}\n"));
    }
    text
}

/// In one piece and over what stands there, so that nothing flickers; lines
/// that do not fit are left out.
fn redrawn(screen: &str, height: usize) -> String {
    let mut text = String::from(HOME);
    // The last line of a terminal stays free: a line's end there would scroll.
    for line in screen.lines().take(height.saturating_sub(1)) {
        text.push_str(line);
        text.push_str(CLEAR_LINE);
        text.push_str("\r\n");
    }
    text.push_str(CLEAR_BELOW);
    text
}

/// What is worth a new line: without ages, points in time and counters that go
/// up while all is well.
fn essence(status: &Value) -> Value {
    const COUNTERS: [&str; 8] = [
        "accepted",
        "connections",
        "in_flight",
        "last_id",
        "next_due_why",
        "remembered",
        "requests",
        "sent_last_hour",
    ];
    match status {
        Value::Object(fields) => {
            let lasts = |key: &str| {
                !(key.ends_with("_s") || key.ends_with("_at") || COUNTERS.contains(&key))
            };
            let kept = fields.iter().filter(|(key, _)| lasts(key));
            Value::Object(kept.map(|(key, value)| (key.clone(), essence(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(essence).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => status.clone(),
    }
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn time_alone_is_no_change() {
        let at = |age: f64, accepted: u64| {
            json!({"beat": {"last_accepted_age_s": age, "accepted": accepted, "outage": null},
                   "started_at": "x", "tasks": [{"id": "t", "age_s": age}]})
        };
        assert_eq!(essence(&at(1.0, 1)), essence(&at(2.0, 2)));
        let mut other = at(2.0, 2);
        other["beat"]["outage"] = json!({"since_s": 1.0, "cause": "x"});
        assert_ne!(essence(&at(1.0, 1)), essence(&other));
        assert_eq!(essence(&other)["beat"]["outage"], json!({"cause": "x"}));
    }

    #[test]
    fn a_screen_is_drawn_over_the_last_and_never_scrolls() {
        let drawn = redrawn("one\ntwo\nthree\n", 3);
        assert_eq!(drawn, "\x1b[Hone\x1b[K\r\ntwo\x1b[K\r\n\x1b[J");
        assert!(!drawn.contains("\x1b[2J"), "clearing it all would flicker");
    }
}
