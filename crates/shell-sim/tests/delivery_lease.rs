//! S4 with results that are taken under a lease: the real store, every call,
//! every death, beside the reader that renames. Nothing is lost while nobody
//! has acknowledged it, and nothing that was acknowledged comes again.

use everbeat_sim::disk::NameLoss;
use everbeat_sim::explore::{Scenario, UNLIMITED, explore};

fn holds(name: &str, scenario: &Scenario) {
    match explore(scenario) {
        Ok(report) => println!("{name}: {report}"),
        Err(violation) => panic!("{name}: {violation}"),
    }
}

#[test]
fn s4_leases_under_any_number_of_kills() {
    for count in 1..=2 {
        let scenario = Scenario { kills: UNLIMITED, leases: 3, ..Scenario::of_results(count) };
        holds(&format!("{count} results"), &scenario);
    }
}

#[test]
fn s4_leases_beside_a_reader_that_renames() {
    let scenario = Scenario {
        kills: 2,
        reader_steps: UNLIMITED,
        reader_deaths: 1,
        leases: 2,
        ..Scenario::of_results(2)
    };
    holds("a reader beside", &scenario);
}

#[test]
fn s4_leases_under_a_power_loss() {
    for loss in [NameLoss::Prefix, NameLoss::Subset, NameLoss::SubsetByName] {
        let power_loss = Some(loss);
        let scenario = Scenario { kills: 1, leases: 2, power_loss, ..Scenario::of_results(2) };
        holds(&format!("power loss {loss:?}"), &scenario);
    }
}

/// A cut of the private file that was done but not synced when the process
/// died is done again: the power may go after its batch was handed out.
#[test]
fn s4_a_cut_interrupted_by_a_kill_stays_cut() {
    let scenario = Scenario {
        kills: 1,
        reader_steps: 1,
        leases: 1,
        power_loss: Some(NameLoss::Prefix),
        ..Scenario::of_results(2)
    };
    holds("kill, reader, lease and power loss", &scenario);
}

#[test]
fn s4_leases_where_no_replace_and_folder_sync_are_unsupported() {
    let scenario = Scenario { is_poor: true, kills: 2, leases: 2, ..Scenario::of_results(2) };
    holds("poor file system", &scenario);
}

#[test]
fn s4_leases_while_calls_fail() {
    let scenario = Scenario { faults: 2, kills: 1, leases: 2, ..Scenario::of_results(2) };
    holds("faults", &scenario);
}

#[test]
fn s4_a_leased_result_survives_an_emptied_folder() {
    let scenario =
        Scenario { wipes: 1, kills: 1, leases: 2, notes_taken: true, ..Scenario::of_results(2) };
    holds("folder emptied", &scenario);
}
