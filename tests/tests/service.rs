//! What a service manager hears: systemd's protocol, with a socket of the
//! test's own in its place.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use everbeat_tests::{Agent, Scene, wait};
use rustix::process::Signal;

/// A manager's ear.
struct Ear(UnixDatagram);

impl Ear {
    fn at(scene: &Scene) -> Self {
        let socket = UnixDatagram::bind(scene.home.dir().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(wait::PATIENCE)).expect("a time");
        Self(socket)
    }

    fn hear(&self) -> String {
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
    while ear.0.recv(&mut [0; 256]).is_ok() {
        heard += 1;
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
