//! How fast a simulated world runs, beside a bare loop that does nothing but
//! serialise and parse the same bodies: `cargo bench -p everbeat-sim`.
//!
//! A cycle is one beat and one poll. Both sides run in turn, so that the ratio
//! holds on a noisy machine.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use everbeat_sim::plan::{Act, Entry, Plan, Setup, completed};
use everbeat_sim::world::World;
use serde_json::{Value, json};

/// Simulated days of each world.
const DAYS: u64 = 30;
const INTERVAL: Duration = Duration::from_secs(30);
const ROUNDS: usize = 5;

fn main() {
    println!("{:<44} {:>12} {:>12} {:>8}", "", "cycles/s", "us/cycle", "ratio");
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let bare = bare_loop();
        let calm = world(0);
        let full = world(25);
        if round == 0 {
            // The first round warms caches and the allocator.
            continue;
        }
        row("bare loop: both bodies written and parsed", bare, bare);
        row("world, nothing listed", calm, bare);
        row("world, the same 50 rows at each poll", full, bare);
        ratios.push(full / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!("\nworld with 50 rows / bare loop: median {:.2}", ratios[ratios.len() / 2]);
    let year = 365.0 * 86_400.0 / INTERVAL.as_secs_f64();
    println!("a year of it: {:.1} s", year * world(25));
}

fn row(name: &str, seconds: f64, bare: f64) {
    println!("{name:<44} {:>12.0} {:>12.2} {:>8.2}", 1.0 / seconds, seconds * 1e6, seconds / bare);
}

/// Seconds a cycle of a whole world with so many finished delegations, two
/// rows each.
fn world(delegations: u32) -> f64 {
    let finish = Act::Finish { first: 0, count: delegations, finish: completed(1) };
    let entries = if delegations == 0 { vec![] } else { vec![Entry { at_ms: 0, act: finish }] };
    let days_ms = DAYS * 86_400_000;
    let setup = Setup::default();
    let plan = Plan { seed: 1, setup, entries, faults_end_ms: 0, healed_ms: days_ms };
    let began = Instant::now();
    let world = World::run(&plan).expect("a calm world ends");
    let took = began.elapsed().as_secs_f64();
    took / world.accepted_beats().len() as f64
}

/// Seconds a cycle of the least that any simulation could do.
fn bare_loop() -> f64 {
    let beat = json!({"workspace_id": "own-workspace", "error_rate": 0.0, "sample_error": "",
        "active_tasks": 0, "current_task": "", "uptime_seconds": 1, "is_busy": false,
        "agent_card": {"name": "own", "skills": []}, "schema_version": "1",
        "observed_generation": 0});
    let row = |n: u32| {
        json!({"id": format!("00000000-0000-0000-0000-{n:012}"), "type": "delegation",
            "source_id": "own-workspace", "target_id": "other", "status": "completed",
            "summary": "Delegation completed (result 1 and so on and so on and so on)",
            "delegation_id": format!("d{n}"), "created_at": "2026-04-01T00:00:00Z",
            "response_preview": "result 1 and so on and so on and so on and so on"})
    };
    let list = Value::from((0..50).map(row).collect::<Vec<_>>());
    let cycles = DAYS * 86_400 / INTERVAL.as_secs();
    let mut heap = BinaryHeap::from([Reverse((0_u64, 0_u8)), Reverse((15, 1))]);
    let began = Instant::now();
    for _ in 0..cycles * 2 {
        let Some(Reverse((at, kind))) = heap.pop() else { break };
        let body = if kind == 0 { &beat } else { &list };
        let text = serde_json::to_string(body).expect("a value is JSON");
        let read: Value = serde_json::from_str(black_box(&text)).expect("it was written so");
        black_box(read);
        heap.push(Reverse((at + INTERVAL.as_secs(), kind)));
    }
    began.elapsed().as_secs_f64() / cycles as f64
}
