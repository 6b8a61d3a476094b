//! Every behaviour of the seed: kept, or fixed with the promise that it broke;
//! and the test that shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What became of a behaviour.
enum Verdict {
    Kept,
    /// The promise that the seed broke.
    Fixed(&'static str),
}
use Verdict::{Fixed, Kept};

/// PROTOCOL's number, the seed's behaviour, the verdict, and the test.
type Row = (&'static str, &'static str, Verdict, &'static str);

const ROWS: &[Row] = &[
    ("5.1", "uptime and cooldown by the wall clock", Fixed("L7"), "l7_wall_steps_change_nothing"),
    (
        "5.2",
        "error rate is errors by requests, 0 if none",
        Kept,
        "only_an_accepted_beat_takes_the_counters_away",
    ),
    (
        "5.3",
        "a loop that died is restarted at once, without limit",
        Fixed("S5"),
        "a_panic_is_an_outcome_and_the_thread_goes_on",
    ),
    (
        "5.4",
        "beat, check and messages strictly in sequence",
        Fixed("L1"),
        "l1_hung_endpoints_hold_up_no_beat",
    ),
    (
        "5.5",
        "six base fields, wedge, metadata, idle only if positive",
        Kept,
        "every_beat_has_the_whole_body",
    ),
    (
        "5.6",
        "any HTTP answer is a success",
        Fixed("L1"),
        "only_an_accepted_beat_takes_the_counters_away",
    ),
    (
        "5.7",
        "the retry after a 401 cannot fire",
        Fixed("L3"),
        "l3_a_refused_beat_is_repeated_at_once_with_the_new_token",
    ),
    (
        "5.8",
        "the last error is reported for ever",
        Fixed("L1"),
        "only_an_accepted_beat_takes_the_counters_away",
    ),
    (
        "5.9",
        "a warning for failures 1 to 3 and every tenth",
        Fixed("L8"),
        "l8_an_outage_has_a_start_an_end_and_nothing_between",
    ),
    (
        "5.10",
        "a busy loop from the tenth failure on",
        Fixed("S5"),
        "s5_no_answer_makes_a_busy_loop",
    ),
    (
        "5.11",
        "after other errors: wait, then a new client",
        Kept,
        "s5_l5_an_outage_makes_no_busy_loop_and_ends",
    ),
    ("5.12", "a bad list is passed over in silence", Fixed("L8"), "no_list_is_an_error"),
    (
        "5.13",
        "rows without id and unfinished ones are skipped",
        Kept,
        "the_same_list_gives_the_same_lines_field_by_field",
    ),
    ("5.14", "a foreign source is dropped", Kept, "s1_foreign_results_stay_out"),
    (
        "5.15",
        "seen before stored, by id alone, the first row wins",
        Fixed("S4"),
        "twins_fold_into_the_richest_in_either_order",
    ),
    ("5.16", "arbitrary ids are forgotten", Fixed("S6"), "s6_memory_and_files_are_bounded"),
    (
        "5.17",
        "the file before the message; lost if it cannot be written",
        Fixed("S4"),
        "s4_l1_the_results_disk_is_full_and_freed",
    ),
    (
        "5.18",
        "one line a result, cut, without the response",
        Kept,
        "the_same_list_gives_the_same_message",
    ),
    (
        "5.19",
        "a parent's name is cached for ever, errors too",
        Fixed("L2"),
        "a_parent_is_asked_for_again_after_an_error",
    ),
    ("5.20", "header, lines, instruction", Kept, "the_same_list_gives_the_same_message"),
    ("5.21", "the cooldown drops messages", Fixed("L2"), "l2_stored_and_announced_in_time"),
    ("5.22", "the answer to a message is ignored", Fixed("L2"), "self_message_answers"),
    (
        "5.23",
        "a notification for every result, with its response",
        Kept,
        "the_user_reads_what_the_seed_told_or_only_of_failures",
    ),
    (
        "5.24",
        "a null summary or an odd row voids the poll",
        Fixed("L2"),
        "a_malformed_row_costs_only_itself",
    ),
    (
        "5.25",
        "a restart delivers the window again",
        Fixed("L4"),
        "s4_l4_killed_at_many_moments_nothing_is_lost_or_doubled",
    ),
    ("7.1", "statuses", Fixed("L3"), "l3_a_token_file_that_follows_later_is_used_by_the_next_beat"),
    (
        "7.2",
        "lost and stuck counters",
        Fixed("L1"),
        "only_an_accepted_beat_takes_the_counters_away",
    ),
    ("7.3", "busy loops and long backoffs", Fixed("L5"), "l5_back_within_the_cap"),
    ("7.4", "beats held up by other work", Fixed("L1"), "l1_trickling_answers_hold_up_no_beat"),
    (
        "7.5",
        "never registered again",
        Fixed("L3"),
        "s7_l3_a_minted_token_is_saved_privately_and_used",
    ),
    ("7.6", "random eviction", Fixed("L4"), "l4_crashes_change_nothing"),
    ("7.7", "marked before stored", Fixed("S4"), "s4_any_call_fails"),
    ("7.8", "the cooldown drops", Fixed("S3"), "s3_cooldown_and_news"),
    ("7.9", "messages without id and outcome", Fixed("S9"), "s9_no_self_drive"),
    (
        "7.10",
        "the first row wins; errors are not readable",
        Fixed("L2"),
        "an_error_stands_where_the_reader_looks",
    ),
    ("7.11", "unbounded bodies", Fixed("S6"), "s6_bodies_of_30_mb_stay_under_50_mb"),
    (
        "7.12",
        "one bad row voids the poll",
        Fixed("L2"),
        "wrong_types_and_broken_characters_are_absent_words",
    ),
    (
        "7.13",
        "partial appends, links",
        Fixed("S4"),
        "s4_l1_what_is_odd_at_the_results_path_holds_the_results_back",
    ),
    ("7.14", "partial bodies clear overrides", Fixed("L1"), "every_beat_has_the_whole_body"),
    ("7.15", "words of others in a user's role", Fixed("S2"), "s2_messages_quote_and_cut"),
    (
        "7.16",
        "received rows are warned of",
        Fixed("S1"),
        "a_foreign_row_is_counted_unless_it_says_received",
    ),
    ("7.17", "the window overflows in silence", Fixed("L2"), "a_full_page_of_new_rows_is_told"),
    (
        "7.18",
        "tenant headers, slashes, redirects, token files",
        Fixed("S7"),
        "a_tenant_s_routes_are_all_reached",
    ),
    (
        "7.18",
        "redirects with the bearer",
        Fixed("S7"),
        "s7_redirects_with_the_bearer_are_not_followed",
    ),
    ("7.19", "wall clock uptime", Fixed("L7"), "l7_one_beat_after_sleep"),
    ("7.20", "names are resolved once", Fixed("L5"), "s5_l5_an_outage_makes_no_busy_loop_and_ends"),
];

/// Every point of PROTOCOL 5 and 7 has its row, every promise named exists,
/// and every test named stands in the sources.
#[test]
fn every_behaviour_of_the_seed_has_its_verdict_and_its_test() {
    let points: BTreeSet<_> = ROWS.iter().map(|(point, ..)| *point).collect();
    for (section, last) in [(5, 25), (7, 20)] {
        for number in 1..=last {
            let point = format!("{section}.{number}");
            assert!(points.contains(point.as_str()), "{point} has no row");
        }
    }
    let tests = tests();
    for (point, behaviour, verdict, shown_by) in ROWS {
        assert!(tests.contains_key(*shown_by), "{point}, {behaviour}: no test {shown_by}");
        if let Fixed(promise) = verdict {
            let (kind, number) = promise.split_at(1);
            let most = if kind == "S" { 9 } else { 8 };
            assert!((1..=most).contains(&number.parse::<u32>().unwrap()), "{point}: {promise}");
        }
    }
}

/// Every test by its name: a function after `#[test]` (or the like), or a name
/// in the simulator's table of promises.
fn tests() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = BTreeMap::new();
    for folder in ["crates", "tests"] {
        walk(&root.join(folder), &mut found);
    }
    found
}

fn walk(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("the sources").map(|entry| entry.expect("one")) {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            for name in names(&text) {
                found.insert(name.into(), path.display().to_string());
            }
        }
    }
}

fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut is_test, mut in_table) = (false, false);
    for line in text.lines().map(str::trim) {
        in_table = (in_table || line == "promises! {") && line != "}";
        if in_table && let Some((name, _)) = line.split_once(": \"") {
            names.push(name);
        }
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let (true, Some(function)) = (is_test, function) {
            names.extend(function.split('(').next());
            is_test = false;
        }
    }
    names
}
