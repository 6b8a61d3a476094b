//! S4 under power loss: at every call, with every way in which what was not
//! synced may survive. At least once; doubled only the batch in flight and
//! what the reader took since the folder was last synced.

use everbeat_sim::disk::NameLoss;
use everbeat_sim::explore::{Scenario, UNLIMITED, explore};

fn holds(name: &str, scenario: &Scenario) {
    match explore(scenario) {
        Ok(report) => println!("{name}: {report}"),
        Err(violation) => panic!("{name}: {violation}"),
    }
}

#[test]
fn s4_one_result_under_each_semantics() {
    for loss in [NameLoss::Prefix, NameLoss::Subset, NameLoss::SubsetByName] {
        let scenario = Scenario {
            kills: 1,
            reader_steps: UNLIMITED,
            power_loss: Some(loss),
            ..Scenario::of_results(1)
        };
        holds(&format!("one result, {loss:?}"), &scenario);
    }
}

#[test]
fn s4_two_results_under_each_semantics() {
    for loss in [NameLoss::Prefix, NameLoss::Subset, NameLoss::SubsetByName] {
        let scenario =
            Scenario { reader_steps: UNLIMITED, power_loss: Some(loss), ..Scenario::of_results(2) };
        holds(&format!("two results, {loss:?}"), &scenario);
    }
}

#[test]
fn s4_a_power_loss_among_deaths_and_compactions() {
    for loss in [NameLoss::Prefix, NameLoss::SubsetByName] {
        let scenario = Scenario {
            kills: 1,
            reader_steps: UNLIMITED,
            compacts: true,
            power_loss: Some(loss),
            ..Scenario::of_results(1)
        };
        holds(&format!("compaction, {loss:?}"), &scenario);
    }
}

#[test]
fn a_folder_made_anew_and_a_power_loss() {
    for loss in [NameLoss::Prefix, NameLoss::SubsetByName] {
        let scenario = Scenario {
            wipes: 1,
            reader_steps: 3,
            notes_taken: true,
            power_loss: Some(loss),
            ..Scenario::of_results(1)
        };
        holds(&format!("folder emptied, {loss:?}"), &scenario);
    }
}
