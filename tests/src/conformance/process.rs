//! Scenarios of the process: its settings, its signals, its log.

use std::io::{ErrorKind, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use serde_json::json;

use crate::wait;
use crate::{Home, Process, Reader, Scene, Shell};

/// Settings that could change an address or a path are refused at once.
pub fn a_wrong_environment_is_refused(shell: &Shell) {
    for (variable, value) in
        [("WORKSPACE_ID", "../admin"), ("WORKSPACE_ID", ""), ("PLATFORM_URL", "ftp://x")]
    {
        let home = Home::new("ws-e2e");
        let command = shell.command(&home, "http://127.0.0.1:9", &[(variable, value)]);
        let said = refused(&home, command, 2).to_lowercase();
        assert!(said.contains(&variable.to_lowercase()), "{variable}={value:?}: {said}");
        assert!(!home.state().exists(), "nothing was made");
    }
}

/// Runs what must end by itself with `code`; gives what it said.
pub(super) fn refused(home: &Home, command: Command, code: i32) -> String {
    let log = home.dir().join("refused.log");
    let mut process = Process::start("what is to be refused", command, &log);
    let status = process.ended(wait::PATIENCE);
    let said = process.log();
    assert_eq!(status.code(), Some(code), "{said}");
    said
}

/// L6: SIGTERM and SIGINT end it with 0 within 3 s, whatever is under way; the
/// next process tells nothing twice and loses nothing.
pub fn l6_a_signal_ends_it_in_time_and_the_journal_is_consistent(shell: &Shell) {
    let scene = Scene::new();
    let reader = Reader::by_hand(&scene.home.results());
    scene.platform.fault("a2a", &json!({"kind": "hang", "acts": true}));
    let mut ids = Vec::new();
    for (index, signal) in [Signal::TERM, Signal::INT].into_iter().enumerate() {
        let mut agent = shell.start(&scene);
        scene.wait_for_beats(1);
        let id = format!("d-{index:04}");
        scene.completed(&id);
        let messages = scene.total("messages");
        wait::for_least("messages", messages + 1, || scene.total("messages"));
        let from = Instant::now();
        agent.signal(signal);
        let status = agent.ended(Duration::from_secs(6));
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(from.elapsed() < Duration::from_secs(3), "{:?}", from.elapsed());
        scene.wait_for_result(&reader, &id);
        ids.push(id);
    }
    scene.platform.clear_faults();
    let mut agent = shell.start(&scene);
    scene.completed("d-0002");
    scene.wait_for_result(&reader, "d-0002");
    agent.stop();
    ids.push("d-0002".into());
    reader.finish().assert_exactly_once(ids.iter().map(String::as_str));
}

/// L7: the process stands still for many intervals, as on a machine that was
/// suspended: what was missed becomes one beat, not a burst.
pub fn l7_a_pause_is_made_up_for_by_one_beat(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    scene.wait_for_beats(2);
    let interval_ms = u64::try_from(Shell::INTERVAL.as_millis()).unwrap_or(u64::MAX);
    let now_ms = || scene.platform.state()["now_ms"].as_u64().unwrap_or(0);
    agent.signal(Signal::STOP);
    let (from, before) = (now_ms(), scene.total("beats"));
    wait::for_least("time", from + 8 * interval_ms, now_ms);
    // One may have been under way.
    assert!(scene.total("beats") <= before + 1, "it stands still");
    let before = scene.total("beats");
    agent.signal(Signal::CONT);
    scene.wait_for_beats(1);
    let since = now_ms();
    wait::for_least("time", since + interval_ms, now_ms);
    let beats = scene.total("beats") - before;
    assert!(beats <= 4, "{beats} beats right after the pause");
    agent.stop();
}

/// L1: standard error is a pipe that is full and that nobody reads, then one
/// that is closed: the beats go on.
pub fn l1_a_log_that_nobody_reads_holds_up_no_beat(shell: &Shell) {
    let scene = Scene::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    fill(&writer);
    let mut command = shell.command(&scene.home, &scene.platform.url(), &[]);
    command.stdout(Stdio::null()).stderr(writer);
    let mut child = Killed(command.spawn().expect("it can be run"));
    // The command holds the pipe's other end.
    drop(command);
    scene.wait_for_beats(6);
    // Something to say.
    scene.platform.post(
        "faults",
        &json!({"route": "heartbeat", "times": 2, "effect": {"kind": "status", "status": 500}}),
    );
    scene.wait_for_beats(3);
    drop(reader);
    scene.wait_for_beats(3);
    assert!(child.0.try_wait().expect("a child can be asked").is_none(), "it still runs");
}

/// A child that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fill(mut pipe: &std::io::PipeWriter) {
    let flags = fcntl_getfl(pipe).expect("the pipe's flags");
    fcntl_setfl(pipe, flags | OFlags::NONBLOCK).expect("its flags can be set");
    while !pipe.write(b"x").is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {}
    fcntl_setfl(pipe, flags).expect("its flags can be set");
}
