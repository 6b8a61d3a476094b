//! How fast a simulated world runs, beside a bare loop that does nothing but
//! serialise and parse the same bodies: `cargo bench -p everbeat-sim`.
//!
//! A cycle is one beat and one poll. All sides run in turn, in CPU time of
//! this one thread, so that the ratios hold on a machine that others use.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

use everbeat_core::Report;
use everbeat_platform::{Finish, FinishOutcome, Request};
use everbeat_sim::plan::{Act, Entry, OWN, Plan, Setup};
use everbeat_sim::promises::watch::Watch;
use everbeat_sim::verdict::judge;
use everbeat_sim::world::World;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The simulator's own; the bare loop has it, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulated days of each world, if no other number is given.
const DAYS: u64 = 30;
const INTERVAL_S: u64 = 30;
const CYCLES_A_YEAR: f64 = 365.0 * 86_400.0 / INTERVAL_S as f64;
/// Counted ones; one more warms caches and the allocator.
const ROUNDS: usize = 5;
/// Two rows each: one full page.
const DELEGATIONS: u32 = 25;
/// So long is a beat's body with [`Fill::task`].
const BEAT_BYTES: usize = 391;

fn main() {
    let days = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(DAYS);
    let calm_bodies = Bodies::of(Lists::Empty);
    let full_bodies = Bodies::of(Lists::Changing);
    println!(
        "beat {} B, list {} B of {} rows; {days} days of {INTERVAL_S} s cycles, \
         medians of {ROUNDS} rounds, CPU time",
        full_bodies.beat.len(),
        full_bodies.list.len(),
        full_bodies.rows().len(),
    );
    let sides: [(&str, &dyn Fn() -> f64); 7] = [
        ("bare loop, empty list", &|| bare_loop(&calm_bodies, days)),
        ("bare loop, 50 rows", &|| bare_loop(&full_bodies, days)),
        ("world, nothing listed", &|| world(Lists::Empty, days, false)),
        ("world, the same 50 rows at each poll", &|| world(Lists::Same, days, false)),
        ("world, 50 other rows at each poll", &|| world(Lists::Changing, days, false)),
        ("watched, nothing listed", &|| world(Lists::Empty, days, true)),
        ("watched, 50 other rows at each poll", &|| world(Lists::Changing, days, true)),
    ];
    let mut rounds: [Vec<f64>; 7] = Default::default();
    for round in 0..=ROUNDS {
        for (measured, (_, side)) in rounds.iter_mut().zip(&sides) {
            let seconds = side();
            if round > 0 {
                measured.push(seconds);
            }
        }
    }
    let medians = rounds.map(median);
    let [bare_calm, bare, calm, same, changing, watched, watched_changing] = medians;
    println!(
        "{:<40} {:>10} {:>9} {:>11} {:>9}",
        "", "cycles/s", "us/cycle", "to 50 rows", "a year"
    );
    for ((name, _), seconds) in sides.iter().zip(medians) {
        let (rate, micros, ratio) = (1.0 / seconds, seconds * 1e6, seconds / bare);
        let year = seconds * CYCLES_A_YEAR;
        println!("{name:<40} {rate:>10.0} {micros:>9.2} {ratio:>11.2} {year:>7.1} s");
    }
    println!();
    println!("all bodies written and parsed / bare loop:  {:.2}", changing / bare);
    println!(
        "beyond the bare loop, nothing listed:       {:.2} us a cycle",
        (calm - bare_calm) * 1e6
    );
    println!(
        "beyond the bare loop, 50 other rows:        {:.2} us a cycle",
        (changing - bare) * 1e6
    );
    println!(
        "all promises watched, nothing listed:       {:.2} us a cycle",
        (watched - calm) * 1e6
    );
    println!(
        "all promises watched, 50 other rows:        {:.2} us a cycle",
        (watched_changing - changing) * 1e6
    );
    println!("a year, 50 rows recognised as the same:     {:.1} s", same * CYCLES_A_YEAR);
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
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

/// The bodies of a world, as they went over its wire.
struct Bodies {
    beat: Vec<u8>,
    list: Vec<u8>,
}

/// A beat, as it is written and as it is read.
#[derive(Serialize, Deserialize)]
struct Beat<'a> {
    #[serde(borrow)]
    workspace_id: Cow<'a, str>,
    error_rate: f64,
    #[serde(borrow)]
    sample_error: Cow<'a, str>,
    active_tasks: u32,
    #[serde(borrow)]
    current_task: Cow<'a, str>,
    uptime_seconds: u32,
    #[serde(borrow)]
    agent_card: &'a RawValue,
    is_busy: bool,
    #[serde(borrow)]
    schema_version: Cow<'a, str>,
    observed_generation: u64,
}

/// A row as the platform writes it.
#[derive(Serialize, Deserialize)]
struct WholeRow<'a> {
    id: &'a str,
    r#type: &'a str,
    source_id: &'a str,
    target_id: &'a str,
    summary: &'a str,
    status: &'a str,
    created_at: &'a str,
    delegation_id: &'a str,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    response_preview: &'a str,
}

/// Of a row what an agent reads.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read for the sake of reading")]
struct ReadRow<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    delegation_id: Cow<'a, str>,
    #[serde(borrow, default)]
    source_id: Cow<'a, str>,
    #[serde(borrow, default)]
    target_id: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    summary: Cow<'a, str>,
    #[serde(borrow, default)]
    response_preview: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Cow<'a, str>,
    #[serde(borrow, default)]
    direction: Cow<'a, str>,
}

impl Bodies {
    fn of(lists: Lists) -> Self {
        let mut world = World::run(&plan(lists, 1)).expect("a calm world ends");
        let workspace = world.platform.workspace(OWN).expect("the plan's workspace");
        let beat = workspace.beats.last().expect("it was alive").body.clone();
        assert_eq!(beat.len(), BEAT_BYTES, "a beat's length has changed: see Fill");
        let token = world.platform.rotate_token(OWN).expect("the workspace is there");
        let poll = Request::get(&format!("/workspaces/{OWN}/delegations")).with_bearer(&token);
        let reply = world.platform.handle(world.now(), 0, &poll);
        Self { beat, list: reply.answer.body }
    }

    fn rows(&self) -> Vec<WholeRow<'_>> {
        serde_json::from_slice(&self.list).expect("the platform wrote it")
    }
}

/// Seconds a cycle of the least that any simulation could do.
fn bare_loop(bodies: &Bodies, days: u64) -> f64 {
    let beat: Beat<'_> = serde_json::from_slice(&bodies.beat).expect("the agent wrote it");
    let list = bodies.rows();
    let cycles = days * 86_400 / INTERVAL_S;
    let interval = Duration::from_secs(INTERVAL_S);
    let mut heap =
        BinaryHeap::from([Reverse((Duration::ZERO, false)), Reverse((interval / 2, true))]);
    let began = cpu_seconds();
    for _ in 0..cycles * 2 {
        let Some(Reverse((at, is_poll))) = heap.pop() else { break };
        if is_poll {
            let text = serde_json::to_vec(black_box(&list)).expect("texts are JSON");
            let read: Vec<ReadRow<'_>> =
                serde_json::from_slice(black_box(&text)).expect("it was written so");
            black_box(read);
        } else {
            let text = serde_json::to_vec(black_box(&beat)).expect("a beat is JSON");
            let read: Beat<'_> =
                serde_json::from_slice(black_box(&text)).expect("it was written so");
            black_box(read);
        }
        heap.push(Reverse((at + interval, is_poll)));
    }
    (cpu_seconds() - began) / cycles as f64
}
