//! What a finished run is judged by: every safety promise over all of it,
//! the liveness promises over the healed world.

use crate::promises::{contents, liveness, safety};
use crate::world::World;

/// A check of one promise.
pub type Check = fn(&World) -> Result<(), String>;

/// Every check of a run with faults of any kind, by name.
pub const CHECKS: &[(&str, Check)] = &[
    ("S1", safety::s1_foreign_results_stay_out),
    ("S2", safety::s2_messages_quote_and_cut),
    ("S3", safety::s3_cooldown_and_news),
    ("S4", safety::s4_exactly_once),
    ("S5", safety::s5_request_budget),
    ("S6", safety::s6_bounded),
    ("S7", safety::s7_no_secret_shows),
    ("S9", safety::s9_no_self_drive),
    ("L1", liveness::l1_healed_beats_on_time),
    ("L1 carries all", contents::l1_beats_carry_all),
    ("L2", liveness::l2_healed_results_are_told),
    ("L2 polls", liveness::l2_healed_polls_go_on),
    ("L2 folds rows", contents::l2_rows_are_folded),
    ("L3", liveness::l3_healed_token_is_used),
    ("L4", liveness::l4_nothing_waits),
    ("L5", liveness::l5_back_after_healing),
    ("L6", liveness::l6_ends_in_time),
    ("L7", liveness::l7_wakes_with_a_beat),
    ("L8 seldom", liveness::l8_failures_are_said_seldom),
];

/// The promises that the run broke, each in a line that begins with its
/// number.
#[must_use]
pub fn judge(world: &World) -> Vec<String> {
    CHECKS.iter().filter_map(|(_, check)| check(world).err()).collect()
}
