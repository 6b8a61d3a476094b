//! The status as one screen. Every part may be missing: an older agent knows
//! less, a newer one more.

use std::fmt::Write;

use serde_json::Value;

use crate::cli::terminal::{Look, Paint, harmless, span};

/// Columns before what a line says.
const LABEL: usize = 12;
/// Ids of a stage, and tasks, that are named.
const NAMED_MAX: usize = 5;

/// Everything on one screen: is it alive, when was the last accepted beat,
/// what waits, what is wrong and what to do.
pub(crate) fn render(status: &Value, look: &Look) -> String {
    let seen = Seen(status);
    let mut screen = Screen { look, text: String::new() };
    screen.headline(seen);
    screen.line("workspace", &workspace(seen));
    screen.line("process", &process(seen));
    screen.line("beat", &beat(seen.of("beat"), seen.number("interval_s")));
    screen.line("list", &polls(seen.of("polls")));
    screen.line("waiting", &waiting(seen.of("pipeline")));
    screen.line("wake", &wake(seen.of("wake")));
    screen.line("tasks", &tasks(seen.of("vitals")));
    if let Some(wedge) = seen.of("vitals").text("wedge") {
        screen.line("wedged", &wedge);
    }
    screen.line("token", &token(seen.of("token")));
    if let Some(lease) = lease(seen.of("lease")) {
        screen.line("lease", &lease);
    }
    if let Some(child) = supervised(seen.of("supervised")) {
        screen.line("command", &child);
    }
    screen.verdict(seen.of("verdict"));
    screen.text
}

struct Screen<'a> {
    look: &'a Look,
    text: String,
}

impl Screen<'_> {
    fn headline(&mut self, seen: Seen<'_>) {
        let version = seen.text("version").unwrap_or_else(|| "?".into());
        let state = seen.text("state").unwrap_or_else(|| "running".into());
        let level = seen.of("verdict").text("level").unwrap_or_default();
        let (paint, says) = match level.as_str() {
            "ok" => (Paint::Good, "all is well"),
            "degraded" => (Paint::Warn, "something is wrong"),
            "failing" => (Paint::Bad, "it fails"),
            _ => (Paint::Strong, "no verdict"),
        };
        let says = self.look.paint(paint, says);
        let _ = writeln!(self.text, "everbeat {version}, {state}: {says}");
    }

    fn line(&mut self, label: &str, text: &str) {
        self.indented(&format!("  {label:width$}", width = LABEL - 2), text);
    }

    fn indented(&mut self, label: &str, text: &str) {
        let indent = label.chars().count();
        for (index, line) in self.look.wrapped(indent, text).into_iter().enumerate() {
            let _ = if index == 0 {
                writeln!(self.text, "{}{line}", self.look.paint(Paint::Faint, label))
            } else {
                writeln!(self.text, "{:indent$}{line}", "")
            };
        }
    }

    fn verdict(&mut self, verdict: Seen<'_>) {
        let mut lines = verdict.list("lines").peekable();
        if lines.peek().is_some() {
            self.text.push('\n');
        }
        for line in lines {
            let mark = match verdict.text("level").as_deref() {
                Some("failing") => self.look.paint(Paint::Bad, "!"),
                _ => self.look.paint(Paint::Warn, "!"),
            };
            for (index, part) in
                self.look.wrapped(2, &line.text("what").unwrap_or_default()).iter().enumerate()
            {
                let mark = if index == 0 { mark.as_str() } else { " " };
                let _ = writeln!(self.text, "{mark} {part}");
            }
            if let Some(advice) = line.text("do") {
                self.indented("  do: ", &advice);
            }
        }
    }
}

fn workspace(seen: Seen<'_>) -> String {
    let id = seen.text("workspace_id").unwrap_or_else(|| "?".into());
    match seen.text("platform_url") {
        Some(url) => format!("{id} at {url}"),
        None => id,
    }
}

fn process(seen: Seen<'_>) -> String {
    let mut parts = Vec::new();
    parts.extend(seen.whole("pid").map(|pid| format!("{pid}")));
    parts.extend(seen.number("uptime_s").map(|up| format!("up for {}", span(up))));
    joined(parts, ", ")
}

fn beat(beat: Seen<'_>, interval: Option<f64>) -> String {
    let mut parts = vec![match beat.number("last_accepted_age_s") {
        Some(age) => format!("accepted {} ago", span(age)),
        None => "none accepted yet".into(),
    }];
    parts.extend(next(beat));
    parts.extend(beat.whole("accepted").map(|count| format!("{count} accepted")));
    parts.extend(interval.map(|interval| format!("every {}", span(interval))));
    parts.extend(trouble(beat));
    if beat.flag("token_refused") {
        parts.push("the token is refused".into());
    }
    joined(parts, ", ")
}

fn polls(polls: Seen<'_>) -> String {
    let mut parts = vec![match polls.number("last_accepted_age_s") {
        Some(age) => format!("read {} ago", span(age)),
        None => "never read".into(),
    }];
    parts.extend(next(polls));
    parts.extend(trouble(polls));
    joined(parts, ", ")
}

fn next(lane: Seen<'_>) -> Option<String> {
    if lane.flag("in_flight") {
        return Some("one under way".into());
    }
    let due = span(lane.number("next_due_in_s")?);
    Some(match lane.text("next_due_why") {
        Some(why) if why != "interval" => format!("next in {due} ({})", why.replace('_', " ")),
        _ => format!("next in {due}"),
    })
}

fn trouble(lane: Seen<'_>) -> Option<String> {
    let outage = lane.of("outage");
    if let Some(since) = outage.number("since_s") {
        let failures = outage.whole("failures").unwrap_or(0);
        let cause = outage.text("cause").unwrap_or_else(|| "unknown".into());
        let tries = counted(failures, "failure", "failures");
        return Some(format!("fails for {} ({tries}): {cause}", span(since)));
    }
    let failures = lane.whole("failures_in_a_row").filter(|count| *count > 0)?;
    Some(format!("{} in a row", counted(failures, "failure", "failures")))
}

fn waiting(pipeline: Seen<'_>) -> String {
    if pipeline.0.is_null() {
        return "unknown".into();
    }
    let stages = ["discovered", "stored", "announcing", "unanswered"];
    let mut parts = Vec::new();
    for stage in stages {
        let (name, stage) = (stage, pipeline.of(stage));
        let count = stage.whole("count").unwrap_or(0);
        if count > 0 {
            let ids: Vec<_> = stage.words("ids").collect();
            parts.push(format!("{count} {name}{}", named(&ids, count)));
        }
    }
    if parts.is_empty() {
        parts.push("nothing".into());
    }
    if let Some(held) = pipeline.text("held") {
        parts.push(format!("held up: {held}"));
    }
    if pipeline.0.get("store_open") == Some(&Value::Bool(false)) {
        parts.push("the state folder is not open".into());
    }
    joined(parts, ", ")
}

fn wake(wake: Seen<'_>) -> String {
    let mut parts = vec![match wake.text("last_accepted_at") {
        Some(at) => {
            let at = match wake.number("last_accepted_age_s") {
                Some(age) => format!("{} ago", span(age)),
                None => format!("at {at}"),
            };
            let ids: Vec<_> = wake.words("last_results").collect();
            let count = ids.len() as u64;
            format!("last {at}{}", if ids.is_empty() { String::new() } else { named(&ids, count) })
        }
        None => "no message yet".into(),
    }];
    let left = wake.number("cooldown_left_s").filter(|left| *left > 0.0);
    parts.extend(left.map(|left| format!("the next in {} at the soonest", span(left))));
    if let (Some(sent), Some(max)) = (wake.whole("sent_last_hour"), wake.whole("per_hour_max")) {
        parts.push(format!("{sent} of {max} this hour"));
    }
    joined(parts, ", ")
}

fn tasks(vitals: Seen<'_>) -> String {
    let all: Vec<_> = vitals.list("tasks").collect();
    let mut parts: Vec<_> = all.iter().take(NAMED_MAX).map(|task| one_task(*task)).collect();
    if all.len() > NAMED_MAX {
        parts.push(format!("and {} more", all.len() - NAMED_MAX));
    }
    if parts.is_empty() {
        parts.push("none".into());
    }
    let mut text = joined(parts, "; ");
    let titles: Vec<_> = all.iter().filter_map(|task| task.text("title")).collect();
    // Usually it is the title of a task that stands there already.
    if let Some(current) = vitals.text("current_task").filter(|it| !titles.contains(it)) {
        let _ = write!(text, "; shown: {current}");
    }
    let errors = vitals.whole("errors").unwrap_or(0);
    if errors > 0 {
        let requests = vitals.whole("requests").unwrap_or(0);
        let _ = write!(text, "; {errors} of {requests} requests failed");
        if let Some(sample) = vitals.text("sample_error") {
            let _ = write!(text, ": {sample}");
        }
    }
    text
}

fn one_task(task: Seen<'_>) -> String {
    let id = task.text("id").unwrap_or_else(|| "?".into());
    let mut parts = Vec::new();
    parts.extend(task.number("age_s").map(|age| format!("since {}", span(age))));
    parts.extend(task.number("ttl_left_s").map(|left| format!("{} left", span(left))));
    let times = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    match task.text("title") {
        Some(title) => format!("{id}: {title}{times}"),
        None => format!("{id}{times}"),
    }
}

fn token(token: Seen<'_>) -> String {
    let source = token.text("source").unwrap_or_else(|| "unknown".into());
    if !token.flag("present") {
        return "none".into();
    }
    match token.number("read_age_s") {
        Some(age) => format!("set, from the {source}, read {} ago", span(age)),
        None => format!("set, from the {source}"),
    }
}

fn lease(lease: Seen<'_>) -> Option<String> {
    if lease.0.is_null() {
        return None;
    }
    let left = lease.number("expires_in_s").map(|left| format!(" within {}", span(left)));
    let left = left.unwrap_or_default();
    Some(format!("results are handed out; they come again unless acknowledged{left}"))
}

fn supervised(child: Seen<'_>) -> Option<String> {
    let state = child.text("state")?;
    let mut parts = vec![state];
    parts.extend(child.whole("pid").map(|pid| format!("process {pid}")));
    let restarts = child.whole("restarts").filter(|count| *count > 0);
    parts.extend(restarts.map(|count| counted(count, "restart", "restarts")));
    parts.extend(child.text("last_exit").map(|exit| format!("last ended with {exit}")));
    Some(joined(parts, ", "))
}

/// `: a, b and 3 more`.
fn named(ids: &[String], count: u64) -> String {
    let shown = ids.len().min(NAMED_MAX);
    let mut text = ids.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
    let more = count.saturating_sub(shown as u64);
    if more > 0 && shown > 0 {
        let _ = write!(text, " and {more} more");
    }
    if text.is_empty() { text } else { format!(" ({text})") }
}

pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn joined(parts: Vec<String>, by: &str) -> String {
    if parts.is_empty() { "unknown".into() } else { parts.join(by) }
}

/// A part of the status that may not be there.
#[derive(Clone, Copy)]
struct Seen<'a>(&'a Value);

impl<'a> Seen<'a> {
    fn of(self, key: &str) -> Self {
        Self(self.0.get(key).unwrap_or(&Value::Null))
    }

    /// A text that is not empty, harmless; a number as its digits.
    fn text(self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::String(text) if !text.is_empty() => Some(harmless(text)),
            Value::Number(number) => Some(number.to_string()),
            Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        }
    }

    fn number(self, key: &str) -> Option<f64> {
        self.0.get(key)?.as_f64()
    }

    fn whole(self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    fn flag(self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn list(self, key: &str) -> impl Iterator<Item = Seen<'a>> + use<'a> {
        self.0
            .get(key)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .map(Seen)
    }

    fn words(self, key: &str) -> impl Iterator<Item = String> + use<'a> {
        self.list(key).filter_map(|item| item.0.as_str().map(harmless))
    }
}

#[cfg(test)]
mod tests;
