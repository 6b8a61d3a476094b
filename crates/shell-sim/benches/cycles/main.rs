//! How fast a simulated world runs, beside a bare loop that does nothing but
//! serialise and parse the same bodies, and beside agent and platform without
//! a world around them: `cargo bench -p everbeat-sim`.
//!
//! A cycle is one beat and one poll. All sides run in turn, in CPU time of
//! this one thread, so that the ratios hold on a machine that others use.

mod bare;
mod parties;

use everbeat_core::Report;
use everbeat_platform::{Finish, FinishOutcome};
use everbeat_sim::plan::{Act, Entry, Plan, Setup};
use everbeat_sim::promises::watch::Watch;
use everbeat_sim::verdict::judge;
use rustix::time::{ClockId, clock_gettime};

use crate::bare::{Bodies, bare_loop};
use crate::parties::parties;

/// The simulator's own; all sides have it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulated days of each world, if no other number is given.
const DAYS: u64 = 3;
const INTERVAL_S: u64 = 30;
const CYCLES_A_YEAR: f64 = 365.0 * 86_400.0 / INTERVAL_S as f64;
const SIDES: usize = 9;
/// The fastest counts: whatever else runs on the machine only ever adds, for
/// some rounds and not for others.
const ROUNDS: usize = 25;
/// Two rows each: one full page.
const DELEGATIONS: u32 = 25;

fn main() {
    let days = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(DAYS);
    let calm_bodies = Bodies::of(Lists::Empty);
    let full_bodies = Bodies::of(Lists::Changing);
    println!(
        "beat {} B, list {} B of {} rows; {days} days of {INTERVAL_S} s cycles, \
         the fastest of {ROUNDS} rounds, CPU time",
        full_bodies.beat.len(),
        full_bodies.list.len(),
        full_bodies.rows().len(),
    );
    let sides: [(&str, &dyn Fn() -> f64); SIDES] = [
        ("bare loop, empty list", &|| bare_loop(&calm_bodies, days)),
        ("bare loop, 50 rows", &|| bare_loop(&full_bodies, days)),
        ("agent and platform, nothing listed", &|| parties(&plan(Lists::Empty, days))),
        ("agent and platform, 50 other rows", &|| parties(&plan(Lists::Changing, days))),
        ("world, nothing listed", &|| world(Lists::Empty, days, false)),
        ("world, the same 50 rows at each poll", &|| world(Lists::Same, days, false)),
        ("world, 50 other rows at each poll", &|| world(Lists::Changing, days, false)),
        ("watched, nothing listed", &|| world(Lists::Empty, days, true)),
        ("watched, 50 other rows at each poll", &|| world(Lists::Changing, days, true)),
    ];
    let mut fastest = [f64::INFINITY; SIDES];
    for _ in 0..ROUNDS {
        for (seconds, (_, side)) in fastest.iter_mut().zip(&sides) {
            *seconds = seconds.min(side());
        }
    }
    let [bare_calm, bare, alone_calm, alone, calm, same, changing, watched_calm, watched] = fastest;
    println!(
        "{:<40} {:>10} {:>9} {:>11} {:>9}",
        "", "cycles/s", "us/cycle", "to 50 rows", "a year"
    );
    for ((name, _), seconds) in sides.iter().zip(fastest) {
        let (rate, micros, ratio) = (1.0 / seconds, seconds * 1e6, seconds / bare);
        let year = seconds * CYCLES_A_YEAR;
        println!("{name:<40} {rate:>10.0} {micros:>9.2} {ratio:>11.2} {year:>7.1} s");
    }
    println!();
    let figure = |what: &str, seconds: f64| println!("{what:<40} {:>8.2} us", seconds * 1e6);
    println!("all bodies written and parsed / bare loop: {:.2}", changing / bare);
    figure("nothing listed: agent and platform", alone_calm - bare_calm);
    figure("                engine and faults", calm - alone_calm);
    figure("                all promises watched", watched_calm - calm);
    figure("50 other rows:  agent and platform", alone - bare);
    figure("                engine and faults", changing - alone);
    figure("                all promises watched", watched - changing);
    println!("a year, 50 rows recognised as the same:     {:.1} s", same * CYCLES_A_YEAR);
}

/// CPU seconds of the process.
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// What a world's polls find.
#[derive(Clone, Copy, PartialEq)]
enum Lists {
    Empty,
    /// 50 rows, byte for byte the same.
    Same,
    /// 50 rows one of which is another each time, and nothing new in it: the
    /// list is written and parsed anew.
    Changing,
}

fn plan(lists: Lists, days: u64) -> Plan {
    let healed_ms = days * 86_400_000;
    let task = Report::CurrentTask { title: Fill::task() };
    let mut entries = vec![Entry { at_ms: 1_000, act: Act::Report { report: task } }];
    if lists != Lists::Empty {
        let finish = Finish::completed(&result(0));
        let act = Act::Finish { first: 0, count: DELEGATIONS, finish };
        entries.push(Entry { at_ms: 0, act });
    }
    if lists == Lists::Changing {
        let again = |cycle: u64| {
            let finish = Finish::with(FinishOutcome::Drained { text: result(cycle) });
            let first = u32::try_from(cycle % u64::from(DELEGATIONS)).unwrap_or_default();
            let at_ms = cycle * INTERVAL_S * 1_000;
            Entry { at_ms, act: Act::Finish { first, count: 1, finish } }
        };
        entries.extend((10..days * 86_400 / INTERVAL_S).map(again));
    }
    Plan { seed: 1, setup: Setup::default(), entries, faults_end_ms: 0, healed_ms }
}

fn result(number: u64) -> String {
    format!("result {number} and so")
}

/// Seconds a cycle of a whole world.
fn world(lists: Lists, days: u64, is_watched: bool) -> f64 {
    let plan = plan(lists, days);
    let began = cpu_seconds();
    let watch = if is_watched { Watch::of_all() } else { Watch::default() };
    let judged = judge(&plan, watch).expect("the plan is valid");
    let took = cpu_seconds() - began;
    assert_eq!(judged.broken, [], "a calm world keeps its promises");
    took / judged.world.seen.accepted_beats.len() as f64
}

/// What makes a beat as long as it was where the bare loop's figures come
/// from.
struct Fill;

impl Fill {
    fn task() -> String {
        "a task with so many words of its own ".chars().cycle().take(165).collect()
    }
}
