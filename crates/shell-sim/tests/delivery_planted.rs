//! Every step of the delivery protocol is needed: with one left out or done
//! the wrong way, the search finds a promise broken.
//!
//! Built only with `RUSTFLAGS="--cfg everbeat_planted"`. The switch belongs
//! to the process, so all faults are planted in turn by one test.
#![cfg(everbeat_planted)]

use everbeat_core::planted as core_planted;
use everbeat_sim::disk::NameLoss;
use everbeat_sim::explore::{Scenario, UNLIMITED, explore};
use everbeat_store::planted::{self, Fault};

fn crashes(count: usize) -> Scenario {
    Scenario { kills: UNLIMITED, reader_steps: UNLIMITED, ..Scenario::of_results(count) }
}

fn power_loss(count: usize, loss: NameLoss) -> Scenario {
    Scenario { reader_steps: UNLIMITED, power_loss: Some(loss), ..Scenario::of_results(count) }
}

fn scenario_for(fault: Fault) -> Scenario {
    let one_killed = Scenario { kills: 1, ..power_loss(1, NameLoss::Prefix) };
    match fault {
        Fault::FixedPrivateName | Fault::LinkInsteadOfRename => crashes(2),
        Fault::JournalBeforePrivateSync | Fault::NoFolderSyncBeforeJournal => {
            power_loss(1, NameLoss::Prefix)
        }
        Fault::NoFolderSyncBeforeUnlink => power_loss(2, NameLoss::Subset),
        Fault::NoSyncAfterCut => power_loss(3, NameLoss::Prefix),
        Fault::UnsyncedJournalTrusted => one_killed,
        Fault::CompactedUnsynced => Scenario { compacts: true, ..power_loss(1, NameLoss::Prefix) },
        Fault::TornTailKept => Scenario { kills: 2, ..crashes(1) },
        Fault::EmptiedFolderTrusted => Scenario {
            wipes: 1,
            notes_taken: true,
            reader_steps: UNLIMITED,
            ..Scenario::of_results(2)
        },
    }
}

#[test]
fn each_planted_fault_is_caught() {
    let faults = [
        Fault::FixedPrivateName,
        Fault::JournalBeforePrivateSync,
        Fault::NoFolderSyncBeforeJournal,
        Fault::NoFolderSyncBeforeUnlink,
        Fault::NoSyncAfterCut,
        Fault::UnsyncedJournalTrusted,
        Fault::LinkInsteadOfRename,
        Fault::CompactedUnsynced,
        Fault::TornTailKept,
        Fault::EmptiedFolderTrusted,
    ];
    let mut missed = Vec::new();
    for fault in faults {
        let scenario = scenario_for(fault);
        planted::plant(None);
        if let Err(violation) = explore(&scenario) {
            panic!("without {fault:?}: {violation}");
        }
        planted::plant(Some(fault));
        match explore(&scenario) {
            Err(violation) => println!("{fault:?}: {}", violation.what),
            Ok(report) => missed.push(format!("{fault:?} ({report})")),
        }
    }
    planted::plant(None);

    core_planted::plant(Some(core_planted::Fault::PlacedBeforeJournal));
    match explore(&crashes(1)) {
        Err(violation) => println!("PlacedBeforeJournal (S4): {}", violation.what),
        Ok(report) => missed.push(format!("PlacedBeforeJournal ({report})")),
    }
    core_planted::plant(None);
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}
