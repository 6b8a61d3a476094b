//! What lies in `deploy/` uses what exists, and works.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use everbeat_tests::{TempDir, promtool};
use serde_json::Value;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names that are promised, histograms with their three series.
fn promised() -> BTreeSet<String> {
    let document = read("crates/shell-tokio/METRICS.md");
    let mut names = BTreeSet::new();
    for row in document.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (name, rest) = row.split_once("` | ").expect("a row of the table");
        names.insert(name.to_owned());
        if rest.starts_with("histogram") {
            names.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
        }
    }
    names
}

/// Every word of a text that looks like a metric of ours or of the process.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == ':';
    let words = text.split(|it| !is_part(it));
    let is_metric = |word: &&str| word.starts_with("everbeat_") || word.starts_with("process_");
    words.filter(is_metric).map(Into::into).collect()
}

/// Each `expr` of the dashboard.
fn expressions(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("expr").and_then(Value::as_str).map(Into::into);
            own.into_iter().chain(fields.values().flat_map(expressions)).collect()
        }
        Value::Array(values) => values.iter().flat_map(expressions).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/dashboard.json")).expect("the dashboard is JSON")
}

#[test]
fn alerts_and_dashboard_ask_for_what_exists() {
    let promised = promised();
    assert!(promised.len() > 25, "the table is not where it was: {promised:?}");
    for path in ["deploy/alerts.yml", "deploy/alerts_test.yml", "deploy/dashboard.json"] {
        let named = named(&read(path));
        assert!(named.len() > 5, "{path} names no metric");
        let unknown: Vec<_> = named.difference(&promised).collect();
        assert!(unknown.is_empty(), "{path} asks for {unknown:?}, which METRICS.md does not have");
    }
    // A panel of each kind of thing: nothing is measured for nobody.
    let shown = named(&read("deploy/dashboard.json"));
    let bases = |name: &String| {
        ["_bucket", "_sum", "_count"].iter().any(|suffix| name.ends_with(suffix))
            || shown.contains(name)
            || shown.contains(&format!("{name}_bucket"))
    };
    let unseen: Vec<_> = promised.iter().filter(|name| !bases(name)).collect();
    assert_eq!(unseen, ["everbeat_failures_in_a_row", "everbeat_interval_seconds"]);
}

/// Whoever is woken learns what to do, and each alert is tried.
#[test]
fn every_alert_has_a_runbook_and_a_test() {
    let (alerts, tests) = (read("deploy/alerts.yml"), read("deploy/alerts_test.yml"));
    let blocks: Vec<_> = alerts.split("- alert: ").skip(1).collect();
    assert!(blocks.len() >= 7, "{} alerts", blocks.len());
    for block in blocks {
        let name = block.lines().next().expect("an alert's name");
        for part in ["expr:", "severity:", "summary:", "runbook:"] {
            assert!(block.contains(part), "{name} has no {part}");
        }
        assert!(tests.matches(name).count() >= 2, "{name} is not tried both ways");
    }
}

#[test]
fn promtool_agrees_with_rules_tests_and_scraping() {
    let deploy = top().join("deploy");
    if promtool(&deploy, &["check", "rules", "alerts.yml"], "") {
        promtool(&deploy, &["test", "rules", "alerts_test.yml"], "");
        promtool(&deploy, &["check", "config", "--syntax-only", "prometheus.yml"], "");
    }
}

/// Its questions are well-formed once the variables are filled in.
#[test]
fn promtool_understands_the_dashboard() {
    let expressions = expressions(&dashboard());
    assert!(expressions.len() > 20, "{} questions", expressions.len());
    let mut rules = String::from("groups:\n- name: dashboard\n  rules:\n");
    for (number, expr) in expressions.iter().enumerate() {
        let expr = expr.replace("$__rate_interval", "5m");
        let expr = expr.replace("$job", ".*").replace("$instance", ".*");
        assert!(!expr.contains('$'), "a variable that is not known: {expr}");
        let quoted = Value::from(expr);
        let _ = writeln!(rules, "  - record: question:{number}\n    expr: {quoted}");
    }
    let folder = TempDir::new();
    fs::write(folder.path().join("rules.yml"), rules).expect("the questions as rules");
    promtool(folder.path(), &["check", "rules", "rules.yml"], "");
}

/// Each panel and variable works with any data source that is chosen.
#[test]
fn the_dashboard_names_no_data_source_of_anybodys() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}
