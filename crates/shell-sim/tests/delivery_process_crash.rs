//! S4 under process crashes: every call of the real store, every moment of
//! the reader, every death of either, for a few results. Exactly once in what
//! was taken and what lies there; a batch as a whole or not at all; never a
//! torn line.

use everbeat_sim::explore::{Scenario, UNLIMITED, explore};

fn holds(name: &str, scenario: &Scenario) {
    match explore(scenario) {
        Ok(report) => println!("{name}: {report}"),
        Err(violation) => panic!("{name}: {violation}"),
    }
}

fn all_deaths(scenario: Scenario) -> Scenario {
    Scenario { kills: UNLIMITED, reader_steps: UNLIMITED, reader_deaths: UNLIMITED, ..scenario }
}

#[test]
fn s4_up_to_three_results() {
    for count in 1..=3 {
        holds(&format!("{count} results"), &all_deaths(Scenario::of_results(count)));
    }
}

#[test]
fn s4_batches_of_two_lines() {
    let batches = vec![vec!["a1".into(), "a2".into()], vec!["b1".into(), "b2".into()]];
    holds("two lines a batch", &all_deaths(Scenario { batches, ..Scenario::default() }));
}

#[test]
fn s4_where_no_replace_and_folder_sync_are_unsupported() {
    let scenario = Scenario { is_poor: true, ..Scenario::of_results(2) };
    holds("poor file system", &all_deaths(scenario));
}

#[test]
fn s4_foreign_lines_stand_without_a_final_newline() {
    let standing = b"foreign standing\nforeign torn".to_vec();
    let scenario =
        Scenario { standing, kills: UNLIMITED, reader_steps: UNLIMITED, ..Scenario::of_results(2) };
    holds("foreign lines", &scenario);
}

#[test]
fn s4_with_compaction_after_each_batch() {
    let scenario = Scenario { compacts: true, ..Scenario::of_results(2) };
    holds("compaction", &all_deaths(scenario));
}

#[test]
fn s4_a_foreign_writer_appends_in_one_step() {
    let scenario = Scenario {
        kills: 1,
        reader_steps: UNLIMITED,
        foreign_appends: 1,
        ..Scenario::of_results(2)
    };
    holds("foreign writer", &scenario);
}

#[test]
fn s4_two_foreign_lines_among_deaths() {
    let scenario = Scenario {
        kills: 1,
        reader_steps: UNLIMITED,
        foreign_appends: 2,
        ..Scenario::of_results(1)
    };
    holds("two foreign lines", &scenario);
}

#[test]
fn s4_any_call_fails() {
    let faults = Scenario { faults: 2, ..Scenario::of_results(2) };
    holds("two faults", &faults);
    let among = Scenario { faults: 1, kills: 1, reader_steps: 3, ..Scenario::of_results(2) };
    holds("a fault, a kill and a reader", &among);
}

#[test]
fn the_folder_is_made_anew() {
    let scenario = Scenario {
        wipes: 1,
        kills: 1,
        reader_steps: UNLIMITED,
        notes_taken: true,
        ..Scenario::of_results(2)
    };
    holds("folder emptied", &scenario);
}
