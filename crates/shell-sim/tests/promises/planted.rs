//! Each check is seen to fail: one fault at a time is planted in core or
//! store, and the promise it breaks must say so.

use everbeat_core::planted::{self, Fault};
use everbeat_sim::verdict;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use crate::table::{self, Promise};

/// Plans that are tried before a fault counts as not caught.
const TRIES: u32 = 200;

/// All in one test: the switch is the whole process's.
#[test]
fn every_planted_fault_is_caught() {
    let mut missed = Vec::new();
    println!("{:<24} {:<22} {:>5}  what was said", "promise", "fault", "plans");
    for promise in table::ALL {
        planted::plant(Some(promise.fault));
        match caught(promise) {
            Some((tries, why)) => {
                let why: String = why.chars().take(90).collect();
                println!("{:<24} {:<22} {tries:>5}  {why}", promise.name, name(promise.fault));
            }
            None => missed.push(promise.name),
        }
        planted::plant(None);
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

fn caught(promise: &Promise) -> Option<(u32, String)> {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let plans = (promise.plans)();
    (1..=TRIES).find_map(|tries| {
        let plan = plans.new_tree(&mut runner).ok()?.current();
        let broken = verdict::keeps(&plan, promise.watched).err()?;
        Some((tries, broken.to_string()))
    })
}

fn name(fault: Fault) -> String {
    format!("{fault:?}")
}
