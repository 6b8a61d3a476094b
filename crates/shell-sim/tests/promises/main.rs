//! The promises S1–S9 and L1–L8 on the whole system in simulated time, each
//! under the faults that could break it.
//!
//! `table.rs` says for each how it is tried and which planted fault it must
//! catch. With `--cfg everbeat_planted` the faults are planted,
//! one after the other, and each must be caught.

mod plans;
#[cfg(everbeat_planted)]
mod planted;
mod table;

#[cfg(not(everbeat_planted))]
mod kept {
    use everbeat_sim::plan::{Act, Plan};
    use everbeat_sim::verdict;
    use everbeat_sim::world::World;
    use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

    use crate::table::{self, Promise};

    /// The same plans at each run, so that a green tree stays green: the sweeps
    /// look for new ones. `PROPTEST_RNG_SEED` draws others.
    fn config(cases: u32) -> Config {
        let config = Config {
            cases,
            failure_persistence: None,
            max_shrink_iters: 2_000,
            ..Config::default()
        };
        let rng_seed = match config.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
        };
        Config { rng_seed, ..config }
    }

    /// Runs the promise's plans; on a failure prints the shortest plan as
    /// JSON, which a scenario can be made of.
    fn keeps(name: &str, cases: u32) {
        let found = table::ALL.iter().find(|promise| promise.name == name);
        let promise = found.expect("it stands in the table");
        let outcome = TestRunner::new(config(cases))
            .run(&(promise.plans)(), |plan| check(promise, &plan).map_err(TestCaseError::fail));
        if let Err(TestError::Fail(why, plan)) = outcome {
            let plan = serde_json::to_string(&plan).unwrap_or_default();
            panic!("{name} is broken: {why}\nby the plan {plan}");
        }
        outcome.expect("the plans can be drawn");
    }

    fn check(promise: &Promise, plan: &Plan) -> Result<(), String> {
        let kept = verdict::keeps(plan, promise.watched);
        kept.map(drop).map_err(|broken| broken.to_string())
    }

    macro_rules! promises {
        ($($test:ident: $name:literal, $cases:literal;)*) => {
            $(#[test] fn $test() { keeps($name, $cases); })*
        };
    }

    promises! {
        s1_foreign_results_stay_out: "S1", 60;
        s2_messages_carry_no_response: "S2", 60;
        s2_messages_quote_and_cut: "S2 (cut and quoted)", 60;
        s3_cooldown_and_news: "S3", 80;
        s4_exactly_once_in_the_stream: "S4", 200;
        s5_request_budget: "S5", 80;
        s6_memory_and_files_are_bounded: "S6", 3;
        s7_no_secret_shows: "S7", 50;
        s8_deterministic: "S8", 50;
        s9_no_self_drive: "S9", 60;
        l1_beats_on_time: "L1", 100;
        l1_the_next_beat_among_all_faults: "L1 (among all faults)", 100;
        l2_stored_and_announced_in_time: "L2", 80;
        l3_a_new_token_is_used: "L3", 60;
        l3_a_refused_beat_is_repeated_at_once: "L3 (repeated at once)", 40;
        l4_crashes_change_nothing: "L4", 150;
        l5_back_within_the_cap: "L5", 40;
        l6_stops_in_time: "L6", 80;
        l7_one_beat_after_sleep: "L7", 40;
        l8_quiet_outage: "L8", 4;
    }

    /// L7's other half: a step of the wall clock changes nothing but
    /// timestamps.
    #[test]
    fn l7_wall_steps_change_nothing() {
        use proptest::prelude::*;
        let acts = prop_oneof![crate::plans::wall_steps(), crate::plans::finishes()];
        TestRunner::new(config(30))
            .run(&crate::plans::plan(10, acts, 10), |plan| {
                let mut steady = plan.clone();
                let steps = |act: &Act| matches!(act, Act::WallStep { .. } | Act::WallDrift { .. });
                steady.entries.retain(|entry| !steps(&entry.act));
                let run = |plan: &Plan| World::run(plan).map_err(TestCaseError::fail);
                let (steady, stepped) = (run(&steady)?, run(&plan)?);
                prop_assert_eq!(&steady.seen.sent, &stepped.seen.sent);
                Ok(())
            })
            .unwrap();
    }

    /// Whatever happens at once: all that must never happen.
    #[test]
    fn everything_at_once_breaks_no_safety() {
        let safety = ["S1", "S2", "S3", "S4", "S4 stored first", "S5", "S6", "S7", "S9"];
        TestRunner::new(config(150))
            .run(&table::anything(), |plan| {
                let kept = verdict::keeps(&plan, &safety);
                kept.map(drop).map_err(|broken| TestCaseError::fail(broken.to_string()))
            })
            .unwrap();
    }
}
