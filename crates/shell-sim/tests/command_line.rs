//! The program as a person runs it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use everbeat_core::planted::Fault;
use everbeat_sim::sweep::Tally;
use rustix::process::{Pid, Signal, kill_process};

fn sim() -> Command {
    Command::new(env!("CARGO_BIN_EXE_everbeat-sim"))
}

fn run(args: &[&str]) -> (String, Output) {
    let output = sim().args(args).output().expect("it runs");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output)
}

fn place(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("everbeat-sim-{}-{name}", std::process::id()))
}

#[test]
fn an_interrupted_sweep_says_what_it_did_and_how_to_go_on() {
    let (summary, failures) = (place("summary.json"), place("failures"));
    let mut child = sim()
        .args(["sweep", "--seeds", "1000000", "--hours", "1", "--from", "5", "--jobs", "2"])
        .arg("--summary")
        .arg(&summary)
        .arg("--failures")
        .arg(&failures)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut text = String::new();
    // Once it has said what it will do it listens to signals.
    stdout.read_line(&mut text).expect("it says something");
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it still runs");
    stdout.read_to_string(&mut text).expect("it ends");
    assert_eq!(child.wait().expect("it ended").code(), Some(130), "{text}");

    let tally = std::fs::read_to_string(&summary).expect("the summary was written");
    std::fs::remove_file(&summary).expect("it can be removed");
    let tally: Tally = serde_json::from_str(&tally).expect("it is a tally");
    assert!(tally.seeds > 0, "{text}");
    let rest = format!(
        "everbeat-sim sweep --from {} --seeds {} --hours 1 --jobs 2 --summary {} --failures {}",
        5 + tally.seeds,
        1_000_000 - tally.seeds,
        summary.with_extension(format!("from-{}.json", 5 + tally.seeds)).display(),
        failures.display()
    );
    assert!(text.contains(&format!("interrupted: {} of 1000000 seeds", tally.seeds)), "{text}");
    assert!(text.contains(&rest), "{text}\n{rest}");
}

#[test]
fn what_a_sweep_never_met_is_listed_and_fails_where_all_is_demanded() {
    let (text, output) = run(&["sweep", "--seeds", "1", "--hours", "1"]);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("never exercised:") && text.contains("notice "), "{text}");
    let (text, output) = run(&["sweep", "--seeds", "1", "--hours", "1", "--require-coverage"]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("must meet everything"), "{text}");
}

#[test]
fn a_seed_prints_what_it_drew() {
    let (text, output) = run(&["run", "--seed", "7", "--hours", "1"]);
    assert!(output.status.success(), "{text}");
    for word in ["seed 7, 1 hours", "interval_ms=", "on     finishes", "off    "] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn mutants_are_listed_and_planted_only_where_they_can_be() {
    let (text, output) = run(&["mutants", "--list"]);
    assert!(output.status.success());
    assert_eq!(text.lines().count(), Fault::ALL.len());
    let (_, output) = run(&["mutants", "--only", "no-such-mutant"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-mutant"));
    if !everbeat_sim::mutants::CAN_PLANT {
        let (_, output) = run(&["mutants"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("make mutants"));
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut child = sim()
        .args(["run", "--seed", "1", "--hours", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(141), ""));
}
