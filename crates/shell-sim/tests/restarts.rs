//! S6 over restarts: what is remembered does not grow with what was ever seen.
//! Once the last process of this plan remembered all 25,950 results.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use everbeat_core::limits::REMEMBERED_READ_MAX;
use everbeat_platform::OutageKind;
use everbeat_sim::plan::{Act, Entry, Plan, Setup};
use everbeat_sim::promises::stream::Stream;
use everbeat_sim::world::World;

const POLL_MS: u64 = 5_000;
const ROWS: u32 = 150;

/// A restart whenever the journal is about to be compacted: each one begins
/// with all that stands there.
#[test]
fn s6_restarts_do_not_add_up() {
    let lists = 26_000 / ROWS;
    let list = |number: u32| Entry {
        at_ms: u64::from(number) * POLL_MS,
        act: Act::LongList { first: number * ROWS, rows: ROWS },
    };
    let kill = |results: u32| Entry {
        at_ms: u64::from(results / ROWS) * POLL_MS + 1_000,
        act: Act::Kill { after_calls: 0, down_ms: 0 },
    };
    let ends_ms = u64::from(lists) * POLL_MS;
    let mut entries: Vec<Entry> = (0..lists).map(list).collect();
    entries.extend([4_500, 5_700, 7_200, 9_100, 11_500, 14_500, 18_300, 23_000].map(kill));
    // The last process reads its journal and no list.
    let away = Act::Outage { ms: 60_000, kind: OutageKind::Refuse };
    entries.push(Entry { at_ms: ends_ms, act: away });
    entries.push(Entry { at_ms: ends_ms + 1_000, act: Act::Kill { after_calls: 0, down_ms: 0 } });
    let setup = Setup { interval_ms: POLL_MS, cooldown_ms: 1_000, turn_ms: 10, ..Setup::default() };
    let plan = Plan { seed: 1, setup, entries, faults_end_ms: ends_ms + 2_000, healed_ms: 0 };
    let world = World::run(&plan).unwrap();
    let remembered = world.overview().unwrap().remembered;
    assert!(Stream::of(&world).results() > 20_000);
    assert!(remembered <= REMEMBERED_READ_MAX, "{remembered}");
}
