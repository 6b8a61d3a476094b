//! The scenarios in `scenarios/` hold, and what is wrong in one is named with
//! its line.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use everbeat_sim::scenario::Scenario;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

macro_rules! scenarios {
    ($($(#[$mark:meta])* $test:ident = $name:literal,)*) => {
        const NAMES: &[&str] = &[$($name),*];
        $(
            #[test]
            $(#[$mark])*
            fn $test() {
                holds($name);
            }
        )*
    };
}

scenarios! {
    busy_parent = "busy-parent",
    #[ignore = "half a minute and more; everbeat-sim run --scenario scenarios/calm-year.toml"]
    calm_year = "calm-year",
    disk_hell = "disk-hell",
    flapping_network = "flapping-network",
    herd = "herd",
    hostile_platform = "hostile-platform",
    long_outage = "long-outage",
    rolling_upgrade = "rolling-upgrade",
    suspended_laptop = "suspended-laptop",
    token_rotation = "token-rotation",
}

fn holds(name: &str) {
    let scenario = Scenario::read(&folder().join(format!("{name}.toml"))).unwrap();
    let report = scenario.run();
    println!("{name}: {}", report.summary);
    for row in &report.rows {
        println!("  {} | {} | {}", row.what, row.promised, row.counted);
    }
    let broken: Vec<_> = report.rows.iter().filter(|row| !row.holds).collect();
    assert!(report.holds(), "{name}: {broken:#?}");
}

#[test]
fn every_scenario_is_read_and_tried() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let wanted: Vec<String> = NAMES.iter().map(|name| format!("{name}.toml")).collect();
    assert_eq!(names, wanted);
    for name in names {
        let scenario = Scenario::read(&folder().join(name)).unwrap();
        assert!(!scenario.title.is_empty() && !scenario.shows.is_empty());
    }
}

/// The refusal of a scenario that is `calm` with one line replaced.
fn refusal(line: &str, by: &str) -> String {
    let calm = "title = \"calm\"\nshows = \"nothing\"\nlasts = \"1h\"\n\
                [setup]\ninterval = \"30s\"\n\
                [[happens]]\nat = \"5m\"\nfinish = {}\n[expect]\nresults = 1\n";
    assert!(calm.contains(line), "{line}");
    let path = std::env::temp_dir().join(format!("everbeat-scenario-{}.toml", fnv(by)));
    std::fs::write(&path, calm.replace(line, by)).unwrap();
    let refusal = Scenario::read(&path).map(|_| ()).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    let shown = path.display().to_string();
    assert!(refusal.starts_with(&shown), "{refusal}");
    refusal[shown.len()..].to_owned()
}

/// Names files of tests that run side by side.
fn fnv(text: &str) -> u64 {
    everbeat_sim::world::fingerprint(std::process::id().into(), text)
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (line, by, place, word) in [
        ("lasts = \"1h\"", "last = \"1h\"", ": line 3:", "`last`"),
        ("lasts = \"1h\"", "lasts = \"1 hour\"", ": line 3:", "lasts"),
        ("lasts = \"1h\"", "lasts = 7", ": line 3:", "lasts"),
        ("interval = \"30s\"", "interval = \"1s\"", ": line", "setup.interval"),
        ("interval = \"30s\"", "intervall = \"30s\"", ": line 5:", "`intervall`"),
        ("finish = {}", "finish = { cuont = 2 }", ": line 8:", "`cuont`"),
        ("finish = {}", "finnish = {}", ": line 8:", "`finnish`"),
        ("finish = {}", "finish = {}\nread = true", ": line 6:", "exactly one"),
        ("finish = {}", "restart_agents_over = \"1s\"", ": line 6:", "fleet"),
        ("at = \"5m\"", "at = \"2h\"", ": line 6:", "after the end"),
        ("at = \"5m\"", "at = \"5m\"\nevery = \"0s\"", ": line 6:", "every"),
        ("results = 1", "result = 1", ": line 10:", "`result`"),
        ("results = 1", "promises = [\"S99\"]", ": line 9:", "S99"),
        ("results = 1", "says = [\"hello\"]", ": line 9:", "hello"),
        ("results = 1", "online = 1", ": line 9:", "fleet"),
        ("results = 1", "results = ", ": line 10:", "results"),
    ] {
        let refusal = refusal(line, by);
        assert!(refusal.starts_with(place) && refusal.contains(word), "{by}: {refusal}");
    }
}

#[test]
fn what_does_not_come_true_is_a_row_of_its_own() {
    let path = std::env::temp_dir().join(format!("everbeat-scenario-{}.toml", fnv("row")));
    let text = "title = \"t\"\nshows = \"s\"\nlasts = \"10m\"\n[[happens]]\nat = \"1m\"\n\
                finish = {}\n[expect]\nresults = 2\nbeats_min = 10\npromises = [\"S4\"]\n";
    std::fs::write(&path, text).unwrap();
    let report = Scenario::read(&path).unwrap().run();
    std::fs::remove_file(&path).unwrap();
    assert!(!report.holds());
    let broken: Vec<_> = report.rows.iter().filter(|row| !row.holds).collect();
    assert_eq!(broken.len(), 1);
    assert_eq!((broken[0].what.as_str(), broken[0].counted.as_str()), ("results", "1"));
}
