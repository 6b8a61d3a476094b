//! The control socket's life: where it is, what is replaced and what is not,
//! who may ask.

use std::fs;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use everbeat_tests::{Agent, Control, Home, Scene, is_root, mode_of, request, wait};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

/// A process that was killed leaves its socket; the next one replaces it.
#[test]
fn a_dead_ones_socket_is_replaced() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let first = control.status()["pid"].clone();
    agent.kill_nine();
    assert!(!control.is_gone(), "it lies there");
    let mut agent = scene.agent(&[]);
    assert_ne!(control.status()["pid"], first);
    assert_eq!(mode_of(&scene.home.control()), 0o600);
    agent.stop();
    assert!(control.is_gone());
}

/// A living process's socket is not taken away: the second start ends with 3,
/// and the first one is still there.
#[test]
fn a_living_ones_socket_is_refused() {
    let scene = Scene::new();
    let path = scene.home.dir().join("shared.sock");
    let shared = path.display().to_string();
    let mut agent = scene.agent(&["--control", &shared]);
    let control = Control::at(&path);
    assert_eq!(control.status()["pid"], agent.pid());
    let other = Home::new("ws-other");
    let mut second = Agent::start(&other, &scene.platform.url(), &["--control", &shared]);
    assert_eq!(second.ended(SOON).code(), Some(3));
    second.logs("another process answers on this control socket");
    assert_eq!(control.status()["pid"], agent.pid());
    agent.stop();
    assert!(control.is_gone());
}

/// Where a socket that was named cannot be made, the start ends with 2, and
/// what is there stays.
#[test]
fn a_named_place_that_cannot_be_used_is_an_error() {
    let scene = Scene::new();
    let dir = scene.home.dir();
    let precious = dir.join("precious");
    fs::write(&precious, "precious").unwrap();
    let rows = [
        (dir.join("x".repeat(100)), "too long for a socket"),
        (precious.clone(), "no socket, and not replaced"),
        (dir.join("missing").join("control.sock"), "No such file"),
    ];
    for (path, words) in rows {
        let path = path.display().to_string();
        let mut agent = scene.agent(&["--control", &path]);
        assert_eq!(agent.ended(SOON).code(), Some(2), "{path}");
        agent.logs(words);
        agent.logs("--control none");
        let mut check = Agent::command(&scene.home, &scene.platform.url(), &["--control", &path]);
        let said = check.args(["--check", "--json"]).output().unwrap();
        let found: Value = serde_json::from_slice(&said.stdout).unwrap();
        let of = |row: &&Value| row["check"] == "control socket";
        let row = found["checks"].as_array().into_iter().flatten().find(of);
        assert_eq!(row.map(|row| &row["status"]), Some(&json!("error")), "{found}");
    }
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
}

/// L1: where the state folder has no place for the socket, and nobody named
/// one, beats go on without it, and the log says so.
#[test]
fn l1_an_unusable_state_folder_holds_up_no_beat() {
    let scene = Scene::new();
    fs::create_dir_all(scene.home.state()).unwrap();
    fs::create_dir(scene.home.control()).unwrap();
    let mut agent = scene.agent(&[]);
    scene.wait_for_beats(3);
    agent.logs("no socket, and not replaced by a control socket; beats go on without it");
    agent.stop();
    assert!(scene.home.control().is_dir());
}

/// `--control none`: there is none.
#[test]
fn there_is_none_if_none_is_wanted() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--control", "none"]);
    scene.wait_for_beats(2);
    assert!(scene.control().is_gone());
    agent.stop();
}

/// Another's socket at the path is not unlinked at the end.
#[test]
fn at_the_end_only_its_own_is_unlinked() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    assert_eq!(scene.control().get("/livez")["status"], "ok");
    fs::remove_file(scene.home.control()).unwrap();
    let _another = UnixListener::bind(scene.home.control()).unwrap();
    agent.stop();
    assert!(!scene.control().is_gone());
}

/// The same requests over a port, for whoever shows the token.
#[test]
fn a_port_asks_for_the_token() {
    let scene = Scene::new();
    let file = scene.home.dir().join("token");
    fs::write(&file, "open-sesame\n").unwrap();
    let path = file.display().to_string();
    let args = ["--control-listen", "127.0.0.1:0", "--control-token-file", &path];
    let mut agent = scene.agent(&args);
    assert_eq!(agent.ended(SOON).code(), Some(2), "others can read the token");
    agent.logs("others can read it: chmod 600");

    Command::new("chmod").arg("600").arg(&file).status().unwrap();
    let mut agent = scene.agent(&args);
    let line = wait::until("the address is in the log", || {
        let log = agent.log();
        let line = log.lines().find(|line| line.contains("requests are taken at http://"))?;
        Some(line.to_owned())
    });
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.expect("an address in the line");
    let bare = request(address, "GET", "/v1/status", "").unwrap();
    assert_eq!(bare.status, 401);
    assert_eq!(bare.json()["type"], "urn:everbeat:problem:unauthorized");
    assert_eq!(bare.header("www-authenticate"), Some("bearer"));
    for (bearer, status) in [("open-sesame", 200), ("open-sesame2", 401), ("open", 401)] {
        let shown = format!("/v1/status HTTP/1.1\r\nAuthorization: Bearer {bearer}\r\nX: ");
        assert_eq!(request(address, "GET", &shown, "").unwrap().status, status, "{bearer}");
    }
    assert_eq!(scene.control().get("/livez")["status"], "ok", "the socket needs none");
    agent.stop();
    assert!(!agent.log().contains("sesame"), "the token is in no log");
}

/// What a port needs is asked for at once.
#[test]
fn a_port_that_others_reach_or_without_a_token_is_refused() {
    let scene = Scene::new();
    let file = scene.home.dir().join("token");
    fs::write(&file, "open-sesame").unwrap();
    Command::new("chmod").arg("600").arg(&file).status().unwrap();
    let path = file.display().to_string();
    let rows: [(&[&str], &str); 4] = [
        (&["--control-listen", "127.0.0.1:0"], "needs a control_token_file"),
        (&["--control-token-file", &path], "of no use without control_listen"),
        (
            &["--control-listen", "0.0.0.0:0", "--control-token-file", &path],
            "--control-listen-anywhere",
        ),
        (&["--control-listen", "localhost:1"], "an address with a port"),
    ];
    for (args, words) in rows {
        let mut agent = scene.agent(args);
        assert_eq!(agent.ended(SOON).code(), Some(2), "{args:?}");
        agent.logs(words);
    }
    let anywhere = [
        "--control-listen",
        "0.0.0.0:0",
        "--control-token-file",
        &path,
        "--control-listen-anywhere",
    ];
    let mut agent = scene.agent(&anywhere);
    agent.logs("requests are taken at http://0.0.0.0:");
    agent.stop();
}

/// Set for a child of this very test that asks as another user.
const ASK_AT: &str = "EVERBEAT_TEST_ASK_AT";

/// Another user's process is refused, even where somebody opened the socket
/// to all.
#[test]
fn another_users_process_is_refused() {
    if let Some(path) = std::env::var_os(ASK_AT) {
        let answer = Control::at(path.as_ref()).send("GET", "/v1/status", &Value::Null);
        println!("answered {} {}", answer.status, answer.json()["type"]);
        return;
    }
    if !is_root() {
        println!("skipped: only root can be another user");
        return;
    }
    let scene = Scene::new();
    let path = scene.home.dir().join("open.sock");
    let mut agent = scene.agent(&["--control", &path.display().to_string()]);
    assert_eq!(Control::at(&path).get("/livez")["status"], "ok");
    Command::new("chmod").arg("666").arg(&path).status().unwrap();
    let test = std::env::current_exe().unwrap();
    let args = ["--exact", "another_users_process_is_refused", "--nocapture"];
    let output = Command::new(test).args(args).env(ASK_AT, &path).uid(65_534).output();
    let said = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
    assert!(said.contains("answered 403 \"urn:everbeat:problem:forbidden\""), "{said}");
    agent.stop();
}

/// The failed start of a second agent in the same folder leaves the first
/// one's socket alone.
#[test]
fn a_refused_second_start_leaves_the_firsts_socket() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    assert_eq!(control.get("/livez"), json!({"status": "ok", "checks": []}));
    let mut second = scene.agent(&[]);
    assert_eq!(second.ended(SOON).code(), Some(3));
    assert_eq!(control.status()["pid"], agent.pid());
    agent.stop();
}
