//! S4 with a reader that takes the results file at any moment.

use std::thread;
use std::time::{Duration, Instant};

use everbeat_tests::{Reader, Scene, wait};
use serde_json::json;

const RESULTS: usize = 1_200;
/// See `kill_nine.rs`: what the platform's list can show at once.
const WINDOW: usize = 24;
const LIMIT: Duration = Duration::from_secs(100);

/// S4: a reader that renames in a tight loop gets each of 1,200 results
/// exactly once and never a torn line; where a slow one lets batches pile up,
/// so that they are merged, the same holds.
#[test]
fn s4_a_reader_in_a_tight_loop_gets_each_result_once() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let ids: Vec<_> = (0..RESULTS).map(|index| format!("d-{index:06}")).collect();
    let (tight, slow) = ids.split_at(RESULTS * 3 / 4);

    let reader = Reader::start(&scene.home.results(), || Duration::ZERO);
    feed(&scene, &reader, tight);
    let first = reader.finish();
    first.assert_exactly_once(tight.iter().map(String::as_str));

    // Two batches that nobody takes meanwhile become one file.
    let piled = ["p-000001", "p-000002"];
    scene.completed(piled[0]);
    wait::for_true("the first lies there", || scene.home.results().exists());
    scene.completed(piled[1]);
    agent.logs("before older ones that nobody took");
    let reader = Reader::start(&scene.home.results(), || Duration::from_millis(250));
    feed(&scene, &reader, slow);
    agent.stop();
    let second = reader.finish();
    second.assert_exactly_once(piled.into_iter().chain(slow.iter().map(String::as_str)));
    println!("{} results in {} and {} takes", RESULTS, first.takes, second.takes);
}

fn feed(scene: &Scene, reader: &Reader, ids: &[String]) {
    let began = Instant::now();
    let (mut made, mut stored) = (0, 0);
    while stored < ids.len() {
        assert!(began.elapsed() < LIMIT, "{stored} of {made} results after {LIMIT:?}");
        while stored < made && reader.count_of(&ids[stored]) > 0 {
            stored += 1;
        }
        if made < ids.len() && made < stored + WINDOW {
            let id = &ids[made];
            scene.platform.delegate(scene.home.workspace(), id);
            let failed = json!({"status": "failed", "error": "it did not work"});
            let completed = json!({"status": "completed", "text": "done ".repeat(made % 90)});
            scene.platform.finish(id, if made % 5 == 0 { &failed } else { &completed });
            made += 1;
        } else {
            thread::sleep(Duration::from_millis(2));
        }
    }
}
