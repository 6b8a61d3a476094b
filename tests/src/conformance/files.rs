//! Scenarios of files: the results file, the journal and the lock.

use std::thread;
use std::time::{Duration, Instant};

use super::process::refused;
use crate::wait;
use crate::{Agent, Numbers, Reader, Scene, Shell, mode_of};

/// How long a scenario with many results may take.
const LIMIT: Duration = Duration::from_secs(100);
/// The platform lists the newest 50 rows, two for each delegation.
const WINDOW: usize = 20;

/// L2: a result is stored, in a file for nobody else, and its message goes out
/// once.
pub fn l2_a_result_is_stored_and_announced_once(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    scene.wait_for_beats(1);
    scene.completed("d-0001");
    wait::for_true("the result is stored", || scene.home.results().exists());
    assert_eq!(mode_of(&scene.home.results()), 0o600);
    wait::for_least("messages", 1, || scene.total("messages"));
    let polls = scene.platform.requests("delegations");
    wait::for_least("polls", polls + 4, || scene.platform.requests("delegations"));
    assert_eq!(scene.total("messages"), 1, "told once");
    agent.stop();
    Reader::by_hand(&scene.home.results()).finish().assert_exactly_once(["d-0001"]);
}

/// S4: a reader that renames in a tight loop gets each result once.
pub fn s4_the_reader_may_take_the_file_at_any_time(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    let reader = Reader::start(&scene.home.results(), || Duration::ZERO);
    let ids: Vec<_> = (0..120).map(|index| format!("d-{index:06}")).collect();
    feed(&scene, &reader, &ids, WINDOW, || ());
    agent.stop();
    reader.finish().assert_exactly_once(ids.iter().map(String::as_str));
}

/// S4: killed at any moment, from its first instruction on, while results
/// finish and a reader reads: each stands exactly once in what was read and
/// lies there.
pub fn s4_kill_nine_loses_and_doubles_nothing(shell: &Shell) {
    let scene = Scene::new();
    let mut numbers = Numbers::seeded("kill -9");
    let mut pauses = numbers.fork();
    let reader =
        Reader::start(&scene.home.results(), move || pauses.below(Duration::from_millis(60)));
    let ids: Vec<_> = (0..60).map(|index| format!("d-{index:06}")).collect();
    let mut life = move |kills: usize| {
        let most = if kills.is_multiple_of(2) { 600 } else { 150 };
        Instant::now() + numbers.below(Duration::from_millis(most))
    };
    let (mut agent, mut kills) = (shell.start(&scene), 0);
    let mut dies_at = life(kills);
    feed(&scene, &reader, &ids, 4, || {
        if Instant::now() >= dies_at {
            agent.kill_nine();
            kills += 1;
            agent = shell.start(&scene);
            dies_at = life(kills);
        }
    });
    // Before its first instruction it cannot be asked to stop.
    scene.wait_for_beats(1);
    agent.stop();
    println!("{} results, {kills} kills", ids.len());
    assert!(kills >= 5, "{kills} kills show little");
    reader.finish().assert_exactly_once(ids.iter().map(String::as_str));
}

/// S4: only one process works in a state folder: the second ends with 3 and
/// names the first, which goes on; a killed one leaves no lock behind.
pub fn s4_a_second_process_is_refused(shell: &Shell) {
    let scene = Scene::new();
    let mut first = shell.start(&scene);
    scene.wait_for_beats(1);
    wait::for_true("the journal", || scene.home.journal().exists());
    let second = shell.command(&scene.home, &scene.platform.url(), &[]);
    let said = refused(&scene.home, second, 3);
    assert!(said.contains(&format!("process {}", first.pid())), "{said}");
    scene.wait_for_beats(2);
    first.kill_nine();
    let mut next: Agent = shell.start(&scene);
    scene.wait_for_beats(2);
    next.stop();
}

/// Finishes one delegation after the other, at most `window` before the reader
/// has them.
fn feed(
    scene: &Scene,
    reader: &Reader,
    ids: &[String],
    window: usize,
    mut meanwhile: impl FnMut(),
) {
    let began = Instant::now();
    let (mut made, mut stored) = (0, 0);
    while stored < ids.len() {
        assert!(began.elapsed() < LIMIT, "{stored} of {made} results after {LIMIT:?}");
        meanwhile();
        while stored < made && reader.count_of(&ids[stored]) > 0 {
            stored += 1;
        }
        if made == ids.len() || made >= stored + window {
            thread::sleep(Duration::from_millis(2));
            continue;
        }
        if made % 4 == 0 {
            scene.failed(&ids[made])
        } else {
            scene.completed(&ids[made])
        }
        made += 1;
    }
}
