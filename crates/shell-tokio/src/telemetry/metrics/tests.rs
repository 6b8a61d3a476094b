//! The names are a promise: dashboards and alerts hang on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::telemetry::exposition::{Exposition, expose};

const DOCUMENT: &str = include_str!("../../../METRICS.md");
/// Series of one family at most, whatever happens.
const SERIES_MAX: usize = 400;

fn filled() -> Metrics {
    let metrics = Metrics::new("0.0.0", 1_774_958_400.5);
    metrics.beat(Ended::Accepted, Duration::from_millis(3), Duration::from_millis(20));
    metrics.notice("announced", Severity::Info);
    metrics.control_request("GET", "/v1/status", 200);
    metrics.journal(4_096);
    metrics
}

/// What is exposed, as the rows of the document's table.
fn table(text: &str) -> String {
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let (mut families, mut help) = (Vec::new(), "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, words)| words).trim_end_matches('.');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            families.push((name, kind, help));
        } else if let (Some((sample, rest)), Some((family, _, _))) =
            (line.split_once('{'), families.last())
        {
            assert!(sample.starts_with(family), "{sample} is in {family}");
            let (shown, _) = rest.rsplit_once("} ").unwrap();
            let names = shown.split("\",").filter_map(|label| label.split_once('=')).map(|it| it.0);
            labels.entry(family).or_default().extend(names.filter(|name| *name != "le"));
        }
    }
    let mut table = String::from("| name | type | labels | is |\n|---|---|---|---|\n");
    for (name, kind, help) in families {
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let labels = labels.get(name).into_iter().flatten();
        let labels: Vec<_> = labels.map(|label| format!("`{label}`")).collect();
        let labels = labels.join(", ");
        let _ = writeln!(table, "| `{name}{suffix}` | {kind} | {labels} | {help} |");
    }
    table
}

#[test]
fn names_types_and_labels_are_those_of_the_document() {
    let table = table(&expose(&filled(), &Levels::default(), Exposition::OpenMetrics));
    assert!(DOCUMENT.contains(&table), "METRICS.md must hold this table:\n{table}");
}

/// OpenMetrics wants it so, and readers break without it.
#[test]
fn the_text_ends_with_its_end() {
    let levels = Levels { last_accepted_beat_at: Some(1.5), ..Levels::default() };
    let text = expose(&filled(), &levels, Exposition::OpenMetrics);
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(text.contains("\neverbeat_last_accepted_beat_timestamp_seconds 1.5\n"), "{text}");
    assert!(text.contains("\nprocess_start_time_seconds 1774958400.5\n"), "{text}");
    assert!(text.contains("\neverbeat_build_info{version=\"0.0.0\"} 1\n"), "{text}");
    let plain = expose(&filled(), &levels, Exposition::Prometheus);
    assert!(
        plain.contains("# TYPE everbeat_beats_total counter\neverbeat_beats_total{"),
        "{plain}"
    );
    assert!(!plain.contains("# EOF") && !plain.contains("# UNIT"), "{plain}");
}

/// Labels come from small sets, so the number of series has a bound.
#[test]
fn there_are_few_series() {
    let text = filled().expose(&Levels::default());
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < SERIES_MAX, "{series} series");
}

/// Prometheus' own judgement, where its tool is installed.
#[test]
fn promtool_finds_nothing_to_complain_of() {
    let given = std::env::var_os("EVERBEAT_PROMTOOL").filter(|given| !given.is_empty());
    let is_required = given.as_deref().is_some_and(|given| given == "required");
    let tool = given.filter(|_| !is_required).unwrap_or_else(|| "promtool".into());
    let check = Command::new(tool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut check = match check {
        Ok(check) => check,
        Err(error) if is_required => panic!("promtool is required and cannot be run: {error}"),
        Err(_) => {
            println!("skipped: promtool is not installed");
            return;
        }
    };
    let text = expose(&filled(), &Levels::default(), Exposition::Prometheus);
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "promtool: {said}\n{text}");
}
