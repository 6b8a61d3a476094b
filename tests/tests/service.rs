//! What a service manager hears: systemd's protocol, with a socket of the
//! test's own in its place.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use everbeat_tests::{Agent, Scene, wait};
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// A manager's ear.
struct Ear(UnixDatagram);

impl Ear {
    fn at(scene: &Scene) -> Self {
        let socket = UnixDatagram::bind(scene.home.dir().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(wait::PATIENCE)).expect("a time");
        Self(socket)
    }

    /// What it says next, but for how it is.
    fn hear(&self) -> String {
        loop {
            let said = self.hear_all();
            if !said.starts_with("STATUS=") {
                return said;
            }
        }
    }

    fn hear_all(&self) -> String {
        let mut said = [0; 256];
        let length = self.0.recv(&mut said).expect("it says something in time");
        String::from_utf8_lossy(&said[..length]).into_owned()
    }
}

fn command(scene: &Scene) -> Command {
    let mut command = Agent::command(&scene.home, &scene.platform.url(), &[]);
    command.env("NOTIFY_SOCKET", scene.home.dir().join("notify"));
    command
}

/// Ready once it runs, alive as often as that is wanted, and at its end so;
/// while its loop stands still it is not alive.
#[test]
fn it_is_ready_alive_and_stopping() {
    let scene = Scene::new();
    let ear = Ear::at(&scene);
    let mut command = command(&scene);
    command.env("WATCHDOG_USEC", "400000");
    let mut agent = Agent::spawn(&scene.home, command);
    assert_eq!(ear.hear(), "READY=1");
    assert_eq!(scene.control().get("/livez")["status"], "ok", "it answers once it is ready");
    for _ in 0..4 {
        assert_eq!(ear.hear(), "WATCHDOG=1");
    }
    agent.signal(Signal::STOP);
    ear.0.set_read_timeout(Some(Duration::from_millis(700))).expect("a time");
    let from = Instant::now();
    let mut heard = 0;
    let mut said = [0; 256];
    while let Ok(length) = ear.0.recv(&mut said) {
        heard += usize::from(said[..length].starts_with(b"WATCHDOG"));
        assert!(heard < 3, "it says that it is alive while it stands still");
    }
    assert!(from.elapsed() < Duration::from_secs(5));
    ear.0.set_read_timeout(Some(wait::PATIENCE)).expect("a time");
    agent.signal(Signal::CONT);
    assert_eq!(ear.hear(), "WATCHDOG=1");
    agent.signal(Signal::TERM);
    while ear.hear() != "STOPPING=1" {}
    assert_eq!(agent.ended(Duration::from_secs(6)).code(), Some(0));
}

/// A manager that wants no sign of life gets none, and one that is not there
/// costs nothing.
#[test]
fn nobody_is_told_more_than_they_want() {
    let scene = Scene::new();
    let ear = Ear::at(&scene);
    let mut agent = Agent::spawn(&scene.home, command(&scene));
    assert_eq!(ear.hear(), "READY=1");
    scene.wait_for_beats(3);
    agent.stop();
    assert_eq!(ear.hear(), "STOPPING=1");
    drop(ear);
    let mut agent = Agent::spawn(&scene.home, command(&scene));
    scene.wait_for_beats(2);
    agent.stop();
}

/// How it is, in one line, whenever that changes.
#[test]
fn the_manager_is_shown_how_it_is() {
    let scene = Scene::new();
    let ear = Ear::at(&scene);
    let mut agent = Agent::spawn(&scene.home, command(&scene));
    let url = scene.platform.url();
    let accepted = format!("STATUS=beats are accepted by {url}");
    while ear.hear_all() != accepted {}
    scene.platform.fault("heartbeat", &json!({"kind": "status", "status": 503}));
    while !ear.hear_all().starts_with("STATUS=beats fail for ") {}
    scene.platform.clear_faults();
    while ear.hear_all() != accepted {}
    agent.stop();
}

/// A reload begins with the time that systemd wants, and ends.
#[test]
fn a_reload_is_announced_and_ended() {
    let scene = Scene::new();
    let ear = Ear::at(&scene);
    let mut agent = Agent::spawn(&scene.home, command(&scene));
    assert_eq!(ear.hear(), "READY=1");
    for _ in 0..2 {
        agent.signal(Signal::HUP);
        let said = ear.hear();
        let micros = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("it reloads");
        let now = clock_gettime(ClockId::Monotonic).tv_sec;
        let seconds = micros.parse::<i64>().expect("microseconds") / 1_000_000;
        assert!((now - 60..=now).contains(&seconds), "{seconds} of {now}");
        assert_eq!(ear.hear(), "READY=1");
    }
    agent.stop();
    assert_eq!(ear.hear(), "STOPPING=1");
}

/// With a command: ready and alive as without one, its end is told, and it
/// hears of no manager.
#[test]
fn a_commands_end_stops_the_service() {
    let scene = Scene::new();
    let ear = Ear::at(&scene);
    let script = "test -z \"$NOTIFY_SOCKET$WATCHDOG_USEC\" && exit 4";
    let args = ["--", "/bin/sh", "-c", script];
    let mut command = Agent::command(&scene.home, &scene.platform.url(), &args);
    command.env("NOTIFY_SOCKET", scene.home.dir().join("notify"));
    let mut agent = Agent::spawn(&scene.home, command);
    assert_eq!(ear.hear(), "READY=1");
    assert_eq!(ear.hear(), "STOPPING=1");
    assert_eq!(agent.ended(wait::PATIENCE).code(), Some(4));
}

/// A command that takes its time to end costs no sign of life.
#[test]
fn it_is_alive_while_a_command_ends() {
    let scene = Scene::new();
    let ear = Ear::at(&scene);
    let begun = scene.home.dir().join("begun");
    let script = "trap '' TERM; echo > $BEGUN; while :; do sleep 0.1; done";
    let args = ["--stop-within", "1500ms", "--", "/bin/sh", "-c", script];
    let mut command = Agent::command(&scene.home, &scene.platform.url(), &args);
    command.env("NOTIFY_SOCKET", scene.home.dir().join("notify"));
    command.env("WATCHDOG_USEC", "400000").env("BEGUN", &begun);
    let mut agent = Agent::spawn(&scene.home, command);
    wait::for_true("the command has begun", || begun.exists());
    agent.signal(Signal::TERM);
    while ear.hear() != "STOPPING=1" {}
    for _ in 0..3 {
        assert_eq!(ear.hear(), "WATCHDOG=1");
    }
    assert_eq!(agent.ended(wait::PATIENCE).code(), Some(137));
}
