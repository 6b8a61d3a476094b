//! Each promise: how it is tried, how it is checked, and the planted fault
//! that it must catch.

use everbeat_core::planted::Fault;
use everbeat_sim::plan::{Act, Entry, Plan, Setup, completed, failed};
use proptest::prelude::*;

use crate::plans::{self, plan};

pub(crate) struct Promise {
    pub(crate) name: &'static str,
    pub(crate) plans: fn() -> BoxedStrategy<Plan>,
    /// What is watched for, by name.
    pub(crate) watched: &'static [&'static str],
    #[cfg_attr(not(everbeat_planted), allow(dead_code))]
    pub(crate) fault: Fault,
}

/// In the order of the design. Some promises have two ways to be broken.
pub(crate) const ALL: &[Promise] = &[
    Promise {
        name: "S1",
        plans: || {
            let acts = prop_oneof![plans::foreign(), plans::finishes(), plans::hostile_lists()];
            let both = (plan(8, acts, 12), any::<bool>());
            both.prop_map(|(mut plan, later)| {
                plan.setup.later_platform = later;
                plan.setup.notify = everbeat_core::Notify::All;
                plan
            })
            .boxed()
        },
        watched: &["S1"],
        fault: Fault::ForeignDelivered,
    },
    Promise {
        name: "S2",
        plans: || plan(8, plans::finishes(), 10),
        watched: &["S2"],
        fault: Fault::PreviewInMessage,
    },
    Promise {
        name: "S2 (cut and quoted)",
        plans: || plan(8, prop_oneof![plans::finishes(), plans::hostile_lists()], 10),
        watched: &["S2"],
        fault: Fault::WordsUncut,
    },
    Promise {
        name: "S3",
        plans: || {
            let acts = prop_oneof![
                3 => plans::finishes(),
                1 => plans::agent_modes(),
                1 => plans::networks(),
                1 => plans::kills(),
            ];
            plan(15, acts, 16)
        },
        watched: &["S3"],
        fault: Fault::NoCooldown,
    },
    Promise {
        name: "S4",
        plans: || {
            let acts = prop_oneof![
                3 => plans::finishes(),
                3 => plans::kills(),
                2 => plans::reads(),
                1 => plans::disk_troubles(),
                1 => plans::networks(),
                1 => plans::bursts(),
            ];
            plan(10, acts, 24)
        },
        watched: &["S4", "S4 stored first"],
        fault: Fault::PlacedBeforeJournal,
    },
    Promise {
        name: "S5",
        plans: || {
            let acts = prop_oneof![
                3 => plans::faults(),
                1 => plans::outages(5),
                1 => plans::networks(),
                1 => plans::disk_troubles(),
                1 => plans::finishes(),
                1 => plans::bursts(),
                1 => plans::reports(),
                1 => plans::rotations(20_000),
            ];
            plan(10, acts, 20)
        },
        watched: &["S5"],
        fault: Fault::BusyLoop,
    },
    Promise {
        name: "S6",
        plans: || {
            (any::<u64>(), 30..50_u32)
                .prop_map(|(seed, lists)| {
                    let list = |number: u32| Entry {
                        at_ms: u64::from(number) * 5_000,
                        act: Act::LongList { first: number * 150, rows: 150 },
                    };
                    let setup = Setup {
                        interval_ms: 5_000,
                        cooldown_ms: 1_000,
                        turn_ms: 10,
                        ..Setup::default()
                    };
                    let faults_end_ms = u64::from(lists) * 5_000;
                    let entries = (0..lists).map(list).collect();
                    Plan { seed, setup, entries, faults_end_ms, healed_ms: 60_000 }
                })
                .boxed()
        },
        watched: &["S6"],
        fault: Fault::Unbounded,
    },
    Promise {
        name: "S7",
        plans: || {
            let acts = prop_oneof![
                plans::finishes(),
                plans::rotations(20_000),
                plans::faults(),
                Just(Act::RevokeTokens).boxed(),
                plans::kills(),
            ];
            plan(10, acts, 12)
                .prop_map(|mut plan| {
                    plan.setup.later_platform = true;
                    plan
                })
                .boxed()
        },
        watched: &["S7"],
        fault: Fault::SecretInNotice,
    },
    Promise { name: "S8", plans: anything, watched: &["S8"], fault: Fault::Undetermined },
    Promise {
        name: "S9",
        plans: || {
            let acts = prop_oneof![
                2 => plans::finishes(),
                2 => plans::agent_modes(),
                1 => plans::networks(),
                1 => plans::side_faults(),
            ];
            plan(30, acts, 12)
        },
        watched: &["S9"],
        fault: Fault::UnstableMessageId,
    },
    Promise {
        name: "L1",
        plans: || {
            let acts = prop_oneof![
                3 => plans::side_faults(),
                2 => plans::finishes(),
                2 => plans::disk_troubles(),
                2 => plans::agent_modes(),
                2 => plans::reports(),
                1 => plans::wall_steps(),
            ];
            plan(15, acts, 20)
        },
        watched: &["L1 always"],
        fault: Fault::LanesCoupled,
    },
    Promise {
        name: "L1 (among all faults)",
        plans: anything,
        watched: &["L1 next beat"],
        fault: Fault::LanesCoupled,
    },
    Promise {
        name: "L2",
        plans: || {
            let acts = prop_oneof![4 => plans::finishes(), 1 => plans::reads()];
            plan(10, acts, 5)
        },
        watched: &["L2 always"],
        fault: Fault::CooldownDrops,
    },
    Promise {
        name: "L3",
        plans: || plan(15, plans::rotations(60_000), 6),
        watched: &["L3 always", "L3 at once"],
        fault: Fault::TokenKept,
    },
    Promise {
        name: "L3 (repeated at once)",
        plans: || plan(15, plans::rotations(1), 6),
        watched: &["L3 always", "L3 at once"],
        fault: Fault::TokenKept,
    },
    Promise {
        name: "L4",
        plans: || {
            let acts = prop_oneof![
                2 => plans::finishes(),
                3 => plans::kills(),
                1 => plans::stops(),
                1 => plans::reads(),
                1 => plans::agent_modes(),
            ];
            plan(10, acts, 20)
        },
        watched: &["S3", "S4", "S4 stored first", "L4"],
        fault: Fault::MarkedBeforeStored,
    },
    Promise {
        name: "L5",
        plans: || {
            let acts = prop_oneof![3 => plans::outages(120), 1 => plans::faults()];
            plan(120, acts, 6)
        },
        watched: &["L5", "L5 always"],
        fault: Fault::BackoffUncapped,
    },
    Promise {
        name: "L5 (among all faults)",
        plans: anything,
        watched: &["L1 next beat"],
        fault: Fault::BackoffUncapped,
    },
    Promise {
        name: "L6",
        plans: || {
            let acts = prop_oneof![
                3 => plans::stops(),
                2 => plans::finishes(),
                1 => plans::side_faults(),
                1 => plans::networks(),
                1 => plans::reports(),
            ];
            plan(10, acts, 14)
        },
        watched: &["L6", "L6 journal"],
        fault: Fault::StopWaits,
    },
    Promise {
        name: "L7",
        plans: || plan(30, prop_oneof![2 => plans::sleeps(), 1 => plans::finishes()], 4),
        watched: &["L7 always"],
        fault: Fault::MissedBeatsSent,
    },
    Promise {
        name: "L8",
        plans: || {
            (any::<u64>(), plans::outages(24 * 60))
                .prop_map(|(seed, outage)| Plan {
                    seed,
                    setup: Setup::default(),
                    entries: vec![
                        Entry {
                            at_ms: 0,
                            act: Act::Finish { first: 0, count: 3, finish: failed(0) },
                        },
                        Entry { at_ms: 70_000, act: outage },
                        Entry {
                            at_ms: 75_000,
                            act: Act::Finish { first: 5, count: 3, finish: completed(5) },
                        },
                    ],
                    faults_end_ms: 25 * 3_600_000,
                    healed_ms: 600_000,
                })
                .boxed()
        },
        watched: &["L8"],
        fault: Fault::NoisyOutage,
    },
];

/// Everything at once.
pub(crate) fn anything() -> BoxedStrategy<Plan> {
    let acts = prop_oneof![
        4 => plans::finishes(),
        1 => plans::foreign(),
        1 => plans::bursts(),
        1 => plans::hostile_lists(),
        2 => plans::kills(),
        1 => plans::stops(),
        1 => plans::sleeps(),
        1 => plans::wall_steps(),
        1 => plans::rotations(30_000),
        1 => Just(Act::RevokeTokens).boxed(),
        2 => plans::reads(),
        1 => plans::reports(),
        2 => plans::agent_modes(),
        2 => plans::faults(),
        1 => plans::outages(6),
        1 => plans::networks(),
        1 => plans::disk_troubles(),
    ];
    plan(20, acts, 24)
}
