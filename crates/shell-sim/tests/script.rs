//! Text cases in `testdata/`: the core alone, driven by hand.
//!
//! `UPDATE=1 cargo test -p everbeat-sim --test script` writes what comes of
//! each case anew; the difference is for the review.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use everbeat_sim::script::Case;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata")
}

macro_rules! cases {
    ($($test:ident,)*) => {
        const NAMES: &[&str] = &[$(stringify!($test)),*];
        $(
            #[test]
            fn $test() {
                comes_out_as_written(stringify!($test));
            }
        )*
    };
}

cases! {
    awaited,
    backlog_awaited,
    backlog_none,
    bad_lists,
    busy_retry_after,
    cooldown_postpones,
    deadline_and_late_answer,
    disk_fails_and_reopens,
    first_beat,
    full_disk,
    full_disk_that_opens,
    gap,
    inbound_secret,
    issued_while_another_came,
    journal_fails,
    long_list,
    lookup_while_closed,
    message_budget,
    message_refusals,
    notify_failures,
    notify_user,
    outage_and_return,
    parent,
    parent_unknown,
    refused_again,
    refused_poll,
    registration,
    restart_finds_journal,
    retry_after,
    retune,
    saturated_window,
    status_in_trouble,
    stop,
    stop_while_away,
    stop_while_sending,
    stop_with_disk,
    suspend,
    taken_while_sent_again,
    token_rotation,
    twin_rows,
    twins_gone,
    two_unanswered,
    unanswered_message,
    wedge_and_changes,
    window_of_strangers,
}

fn comes_out_as_written(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap();
    let named = |error| format!("{}: {error}", path.display());
    let case = Case::parse(&text).map_err(named).unwrap();
    assert!(case.blocks.len() > 1, "{name} does nothing");
    assert!(text.starts_with('#'), "{name} does not say what it shows");
    let (came, refused) = case.run();
    let came = came.to_text();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &came).unwrap();
    }
    refused.map_err(named).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        return;
    }
    assert!(
        came == text,
        "{name}: it came out otherwise (UPDATE=1 writes it anew)\n{}",
        difference(&text, &came)
    );
}

/// The first lines that differ, each with its number.
fn difference(written: &str, came: &str) -> String {
    let mut shown = String::new();
    let pairs = written.lines().zip(came.lines()).enumerate();
    for (index, (written, came)) in pairs.filter(|(_, (a, b))| a != b).take(5) {
        let _ = writeln!(shown, "line {}:\n- {written}\n+ {came}", index + 1);
    }
    shown
}

#[test]
fn every_file_is_a_case() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let wanted: Vec<String> = NAMES.iter().map(|name| format!("{name}.txt")).collect();
    assert_eq!(names, wanted, "a file that no test uses, or a test without its file");
}

#[test]
fn what_is_not_understood_is_named_with_its_line() {
    for (text, line, word) in [
        ("start\n----\n\nadvance soon\n----\n", 4, "soon"),
        ("start\n----\n\nanswer beat 200\n----\n", 4, "beat"),
        ("start colour=red\n----\n", 1, "colour"),
        ("start backlog=some\n----\n", 1, "some"),
        ("start interval=1s\n----\n", 1, "interval"),
        ("jump\n----\n", 1, "jump"),
        ("start\n----\n\nreport {\"report\":\"sing\"}\n----\n", 4, "sing"),
    ] {
        let refusal = Case::parse(text).unwrap().run().1.unwrap_err();
        assert!(refusal.line == line && refusal.reason.contains(word), "{refusal}");
    }
}
