//! The cases that DELIVERY.md lists at its end, as far as they need real
//! processes, users or files. The others, in `crates/shell-sim/tests`:
//!
//! | case | where |
//! |---|---|
//! | kill after every call, in recovery too, writes cut; the reader at every moment and its death at each step; the folder made anew; any call fails; no-replace and folder sync unsupported; a foreign writer in one step | `delivery_process_crash.rs` |
//! | power loss at each step | `delivery_power_loss.rs` |
//! | P with foreign lines, empty, over the cap; P a link, FIFO, folder, another's; squatted names; no space; an old `.consumed`; P alone deleted; D emptied; state lost with N_k left; two agents, one P, call by call | `delivery_cases.rs` there |
//! | the journal torn, corrupt, of another workspace, compacted | `delivery_journal.rs` |
//! | each of these is caught by a planted fault | `delivery_planted.rs` |
//!
//! And here beside: a full disk, folders that break, odd things at P, a wiped
//! folder, state and results on different file systems in `disk.rs`; a reader
//! in a tight loop in `reader.rs`; `kill -9` in `kill_nine.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use everbeat_tests::{Agent, Home, Numbers, Reader, Scene, is_root, take, wait};
use serde_json::json;

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

/// S4: two agents share one results file, and a third program appends lines
/// in one step each, while a reader takes: every result of both exactly once.
#[test]
fn s4_two_agents_and_a_foreign_writer_share_a_results_file() {
    let scene = Scene::new();
    let other = Home::new("ws-other");
    other.write_token(&scene.platform.create(&json!({"id": "ws-other", "turn_ms": 0})));
    let results = scene.home.results();
    let mut first = scene.agent(&[]);
    let mut command = Agent::command(&other, &scene.platform.url(), &[]);
    // The variable is weaker than the flag, so the flag is replaced.
    let shared: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let shared = shared.into_iter().map(|arg| {
        if Path::new(&arg) == other.results() { results.clone().into_os_string() } else { arg }
    });
    let mut replaced = everbeat_tests::everbeat(&[]);
    replaced.args(shared);
    std::mem::swap(&mut command, &mut replaced);
    let mut second = Agent::spawn(&other, command);

    let mut numbers = Numbers::seeded("two agents");
    let reader = Reader::start(&results, move || numbers.below(Duration::from_millis(120)));
    let stop = AtomicBool::new(false);
    let mut ids = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let open = OpenOptions::new().append(true).create(true).open(&results);
                let _ = open.and_then(|mut file| file.write_all(b"{\"foreign\": true}\n"));
                thread::sleep(Duration::from_millis(7));
            }
        });
        for wave in 0..6 {
            let wave: Vec<_> = (0..10).map(|index| format!("{wave}-{index:05}")).collect();
            for id in &wave {
                for workspace in [scene.home.workspace(), "ws-other"] {
                    scene.platform.completed(workspace, &format!("{workspace}-{id}"), "done");
                }
            }
            for id in &wave {
                for workspace in [scene.home.workspace(), "ws-other"] {
                    let id = format!("{workspace}-{id}");
                    wait::for_true(&id, || reader.count_of(&id) > 0);
                    ids.push(id);
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    first.stop();
    second.stop();
    let mut stream = reader.finish();
    let foreign = stream.lines.iter().filter(|line| line["foreign"] == true).count();
    stream.lines.retain(|line| line["foreign"] != true);
    println!("{} results among {foreign} foreign lines", ids.len());
    assert!(foreign > 0);
    stream.assert_exactly_once(ids.iter().map(String::as_str));
}

/// S4: what stands at the results path when a result comes is kept as it is,
/// line by line, and the results stand before it: nothing, foreign lines
/// without a last newline, and results that the journal knows nothing of.
#[test]
fn s4_what_stands_there_already_is_kept() {
    let old = r#"{"delegation_id":"d-old","status":"completed","summary":"s"}"#;
    for (standing, kept) in [
        (String::new(), vec![]),
        ("a foreign line\nand a torn o".into(), vec!["a foreign line", "and a torn o"]),
        (format!("{old}\n"), vec![old]),
    ] {
        let scene = Scene::new();
        fs::write(scene.home.results(), &standing).unwrap();
        let consumed = scene.home.results().with_extension("consumed");
        fs::write(&consumed, "an old one of a reader that died").unwrap();
        scene.completed("d-0001");
        let mut agent = scene.agent(&[]);
        agent.logs("batch 1");
        agent.stop();
        assert_eq!(fs::read(&consumed).unwrap(), b"an old one of a reader that died");
        let taken = String::from_utf8(take(&scene.home.results()).unwrap()).unwrap();
        let lines: Vec<_> = taken.lines().collect();
        assert!(lines[0].contains("\"d-0001\"") && taken.ends_with('\n'), "{taken}");
        assert_eq!(lines[1..], kept, "{taken}");
        let left: Vec<_> = fs::read_dir(scene.home.folder()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the marker is left: {left:?}");
    }
}

/// S6, S4: a results file that nobody reads stays under its cap: the next
/// batch is held back beside it, with a notice, and comes once it was taken.
#[test]
fn s6_s4_a_file_over_the_cap_is_left_to_the_reader() {
    let scene = Scene::new();
    let line = format!("{}\n", "x".repeat(1_023));
    let mut file = File::create(scene.home.results()).unwrap();
    for _ in 0..16 << 10 {
        file.write_all(line.as_bytes()).unwrap();
    }
    let bytes = file.metadata().unwrap().len();
    drop(file);
    let mut agent = scene.agent(&[]);
    scene.completed("d-0001");
    agent.logs("would be longer than 16 MiB: nobody seems to read it");
    scene.wait_for_beats(2);
    assert_eq!(take(&scene.home.results()).map(|taken| taken.len() as u64), Some(bytes));
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001"]);
}

/// S4: killed while a batch lies beside an odd results path, and the state
/// folder is lost: what nobody knows of any more is fetched again, once.
#[test]
fn s4_the_state_folder_is_lost_with_a_batch_left() {
    let scene = Scene::new();
    fs::create_dir(scene.home.results()).unwrap();
    scene.completed("d-0001");
    let mut agent = scene.agent(&[]);
    agent.logs("batch 1 is safe but cannot be put");
    agent.kill_nine();
    let private = scene.home.folder().join(".everbeat-ws-e2e-1.new");
    assert!(private.exists());
    fs::remove_dir_all(scene.home.state()).unwrap();
    fs::remove_dir(scene.home.results()).unwrap();
    let mut agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
    assert!(!private.exists());
    reader.finish().assert_exactly_once(["d-0001"]);
}

/// S4, L4: the journal's last line is torn, as by a power loss: it is cut and
/// told, and what was settled stays so.
#[test]
fn s4_l4_a_torn_journal_is_cut() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.completed("d-0001");
    scene.wait_for_result(&reader, "d-0001");
    wait::for_least("messages", 1, || scene.total("messages"));
    agent.stop();
    let mut journal = OpenOptions::new().append(true).open(scene.home.journal()).unwrap();
    journal.write_all(b"0badc0de {\"type\":\"sto").unwrap();
    let mut agent = scene.agent(&[]);
    agent.logs("ended in a torn line: 21 bytes cut");
    scene.completed("d-0002");
    scene.wait_for_result(&reader, "d-0002");
    agent.stop();
    assert!(fs::read_to_string(scene.home.journal()).unwrap().ends_with('\n'));
    reader.finish().assert_exactly_once(["d-0001", "d-0002"]);
}

/// S4: a journal with a damaged middle is set aside under a dated name, loudly,
/// never emptied in silence; what is lost may come twice, nothing is lost.
#[test]
fn s4_a_corrupt_journal_is_set_aside_and_told() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    for id in ["d-0001", "d-0002"] {
        scene.completed(id);
        scene.wait_for_result(&reader, id);
    }
    agent.stop();
    let damaged = fs::read_to_string(scene.home.journal()).unwrap().replacen("d-0001", "d-1000", 1);
    fs::write(scene.home.journal(), &damaged).unwrap();
    let mut agent = scene.agent(&[]);
    agent.logs("what they knew may be told twice");
    scene.completed("d-0003");
    scene.wait_for_result(&reader, "d-0003");
    agent.stop();
    let aside = fs::read_dir(scene.home.state()).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<PathBuf> =
        aside.filter(|path| path.display().to_string().contains("journal-corrupt-")).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), damaged, "kept as it was");
    let stream = reader.finish();
    for id in ["d-0001", "d-0002", "d-0003"] {
        assert!((1..=2).contains(&stream.count_of(id)), "{id}: {}", stream.count_of(id));
    }
}

/// S4, L1: in a folder that is open to all and sticky, as /tmp is, another
/// user's file stands at the results path, or at the agent's own private
/// names: nothing of it is touched, it is named, the beats go on, and what
/// waited comes once it is gone. Needs root, to be two users.
#[test]
fn s4_l1_other_users_files_in_a_sticky_folder_are_left_alone() {
    let squats: [(&str, u32, &str); 4] = [
        ("delegation_results.jsonl", 0o644, "batch 1 is safe but cannot be put"),
        ("delegation_results.jsonl", 0o600, "batch 1 is safe but cannot be put"),
        (".everbeat-ws-e2e-1.new", 0o644, ".everbeat-ws-e2e-1.new"),
        (".everbeat-ws-e2e-1.old", 0o666, ""),
    ];
    if !is_root() {
        println!("skipped: only root can be two users");
        return;
    }
    for (name, mode, words) in squats {
        let scene = Scene::new();
        let folder = scene.home.folder();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)).unwrap();
        for path in [scene.home.configs(), scene.home.token_file()] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let squat = folder.join(name);
        fs::write(&squat, "another's\n").unwrap();
        fs::set_permissions(&squat, fs::Permissions::from_mode(mode)).unwrap();
        scene.completed("d-0001");

        let mut command = Agent::command(&scene.home, &scene.platform.url(), &[]);
        command.uid(NOBODY).gid(NOBODY).stderr(std::process::Stdio::null());
        let program = PathBuf::from(command.get_program());
        let probe = std::process::Command::new(program).arg("--version").uid(NOBODY).output();
        if !probe.is_ok_and(|output| output.status.success()) {
            println!("skipped: another user cannot run the program where it was built");
            return;
        }
        let mut agent = Agent::spawn(&scene.home, command);
        let beats = scene.beats();
        let reader = Reader::by_hand(&scene.home.results());
        if words.is_empty() {
            scene.wait_for_result(&reader, "d-0001");
        } else {
            agent.logs(words);
            beats.wait_for(5);
        }
        beats.assert_on_time(Duration::from_millis(400));
        assert_eq!(fs::read(&squat).unwrap(), b"another's\n", "{name} was touched");
        fs::remove_file(&squat).unwrap();
        scene.wait_for_result(&reader, "d-0001");
        agent.stop();
        reader.finish().assert_exactly_once(["d-0001"]);
    }
}
