//! Every step of the delivery protocol is needed: with one left out or done
//! the wrong way, the search finds a promise broken.
//!
//! Built only with `--cfg everbeat_planted`, as `make planted` does. The switch belongs
//! to the process, so all faults are planted in turn by one test.
#![cfg(everbeat_planted)]

use everbeat_core::planted::{self, Fault};
use everbeat_sim::explore::explore;
use everbeat_sim::mutants::{self, ByHand};

#[test]
fn each_planted_fault_is_caught() {
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        let Some(ByHand::Search(scenario)) = mutants::by_hand(*fault) else {
            continue;
        };
        let scenario = scenario();
        planted::plant(None);
        if let Err(violation) = explore(&scenario) {
            panic!("without {fault:?}: {violation}");
        }
        planted::plant(Some(*fault));
        match explore(&scenario) {
            Err(violation) => println!("{fault:?}: {}", violation.what),
            Ok(report) => missed.push(format!("{fault:?} ({report})")),
        }
    }
    planted::plant(None);
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}
