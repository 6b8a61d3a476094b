//! Arbitrary events against `Heartbeat::handle`: S1–S3 and S5–S8 as far as
//! one machine alone can break them.
//!
//! The same histories as `fuzz/fuzz_targets/handle.rs`, with a fixed budget.

#![allow(clippy::wildcard_enum_match_arm)]

mod history;

use std::fmt;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A history's bytes, printed as one line of hex.
#[derive(Clone)]
struct History(Vec<u8>);

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn any_history() -> impl Strategy<Value = History> {
    proptest::collection::vec(any::<u8>(), 0..3_000).prop_map(History)
}

/// The same histories at each run, so that a green tree stays green; the fuzz
/// target looks for new ones, and so does `PROPTEST_RNG_SEED`.
fn config() -> ProptestConfig {
    let config = ProptestConfig {
        cases: 600,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
    };
    ProptestConfig { rng_seed, ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_history_keeps_the_promises(history in any_history()) {
        if let Err(broken) = history::run(&history.0) {
            prop_assert!(false, "{broken}");
        }
    }
}
