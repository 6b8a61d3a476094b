//! The commands that ask a running agent: the real program on both ends of the
//! control socket.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use everbeat_tests::{Agent, Home, Live, Scene, ask, asks, everbeat, is_root, output, told, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

fn status(home: &Home) -> Value {
    let out = told(home, &["status", "--json"]);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Waits until the agent answers and the platform took a beat of it.
fn ready(home: &Home) {
    wait::for_true("a ready agent", || ask(home, &["health", "--ready"]).0 == Some(0));
}

#[test]
fn status_is_one_screen_and_stable_json() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = &scene.home;
    ready(home);
    let json = status(home);
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["workspace_id"], "ws-e2e");
    assert_eq!(json["pid"], agent.pid());
    assert_eq!(json["state"], "running");
    assert!(json["beat"]["accepted"].as_u64() >= Some(1), "{json:#}");
    for part in ["verdict", "polls", "pipeline", "wake", "vitals", "token", "events"] {
        assert!(json[part].is_object(), "{part}: {json:#}");
    }
    assert!(json["verdict"]["lines"].is_array(), "{json:#}");

    let screen = told(home, &["status"]);
    let words = ["everbeat 0.1.0, running", "ws-e2e at http://127.0.0.1:", "accepted", "set, from"];
    for words in words {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(!screen.contains('\u{1b}'), "no colours in a pipe: {screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    assert!(told(home, &["status", "--color", "always"]).contains("\u{1b}["));
    let mut command = asks(home, &["status", "--color", "always"]);
    let (_, coloured, _) = output(command.env("NO_COLOR", "1"));
    assert!(coloured.contains("\u{1b}["), "what is asked for holds against NO_COLOR");
    agent.stop();
    // Unlinked at the end.
    let (code, _, err) = ask(home, &["status"]);
    assert_eq!(code, Some(4));
    assert!(err.contains("control.sock: absent") && err.contains("everbeat run"), "{err}");
}

/// An outage of the platform never makes the agent look dead.
#[test]
fn health_tells_live_from_ready() {
    let mut scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = scene.home.state();
    let health = |args: &[&str]| {
        output(everbeat(&[&["health"], args].concat()).env("EVERBEAT_STATE_DIR", &home))
    };
    wait::for_true("ready", || health(&[]).0 == Some(0));
    let (code, out, _) = health(&["--live"]);
    assert_eq!((code, out.as_str()), (Some(0), "live: ok\n"));
    let (code, out, _) = health(&["--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(json["healthy"], true);
    assert_eq!((&json["live"]["status"], &json["ready"]["status"]), (&json!("ok"), &json!("ok")));

    scene.platform.stop();
    wait::for_true("not ready any more", || health(&["--ready"]).0 == Some(1));
    let (code, out, _) = health(&["--ready"]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("ready: failing (beat_accepted: too_old"), "{out}");
    assert_eq!(health(&["--live"]).0, Some(0), "it lives on");
    assert_eq!(health(&[]).0, Some(1));

    // One that is stopped from outside does not turn: that is not healthy.
    agent.signal(Signal::STOP);
    let (code, _, err) = health(&["--live"]);
    agent.signal(Signal::CONT);
    assert_eq!(code, Some(1), "{err}");
    wait::for_true("live again", || health(&["--live"]).0 == Some(0));
    agent.stop();
    assert_eq!(health(&["--live"]).0, Some(4));
}

#[test]
fn reports_reach_the_platform() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = &scene.home;
    ready(home);
    told(home, &["task", "start", "t 1/ä", "--title", "reading", "--ttl", "60s"]);
    wait::for_true("one active task", || scene.seen()["active_tasks"] == 1);
    assert_eq!(scene.seen()["current_task"], "reading");
    let task = &status(home)["vitals"]["tasks"][0];
    assert_eq!((&task["id"], &task["title"]), (&json!("t 1/ä"), &json!("reading")));
    assert!(task["ttl_left_s"].as_f64().is_some_and(|left| left > 30.0), "{task}");
    told(home, &["task", "end", "t 1/ä"]);
    wait::for_true("no active task", || scene.seen()["active_tasks"] == 0);
    told(home, &["task", "end", "t 1/ä"]);

    // One that nobody renews ends by itself.
    told(home, &["task", "start", "short", "--ttl", "1s"]);
    wait::for_true("it ran", || scene.seen()["active_tasks"] == 1);
    wait::for_true("it ended by itself", || scene.seen()["active_tasks"] == 0);

    told(home, &["wedge", "set", "the SDK does not answer"]);
    assert_eq!(status(home)["vitals"]["wedge"], "the SDK does not answer");
    told(home, &["wedge", "clear"]);
    assert_eq!(status(home)["vitals"]["wedge"], Value::Null);

    told(home, &["outcome", "--success", "--count", "3"]);
    told(home, &["outcome", "--error", "it broke"]);
    wait::for_true("the error", || scene.seen()["sample_error"] == "it broke");

    // What the agent refuses: its words, and 1.
    let (code, _, err) = ask(home, &["task", "start", "t", "--ttl", "48h"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("refused") && err.contains("ttl_s"), "{err}");
    agent.stop();
}

/// A task for as long as a command runs, with its end and its signals.
#[test]
fn a_command_runs_as_a_task() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = &scene.home;
    ready(home);
    let args = ["task", "run", "t-run", "--title", "a command", "--", "sh", "-c"];
    let go_on = home.dir().join("go-on");
    let script =
        format!("echo begun; until test -e {}; do sleep 0.05; done; exit 7", go_on.display());
    let mut live = Live::start(asks(home, &[&args[..], &[&script]].concat()));
    live.line("begun");
    wait::for_true("one active task", || scene.seen()["active_tasks"] == 1);
    fs::write(&go_on, "").unwrap();
    assert_eq!(live.ended(), Some(7), "it ends as the command does");
    wait::for_true("no active task", || scene.seen()["active_tasks"] == 0);

    let script = "trap 'echo asked; exit 9' TERM; echo begun; while :; do sleep 0.05; done";
    let mut live = Live::start(asks(home, &[&args[..], &[script]].concat()));
    live.line("begun");
    live.signal(Signal::TERM);
    live.line("asked");
    assert_eq!(live.ended(), Some(9), "a signal is handed on");
    agent.stop();
    // Without an agent it runs all the same, and says so.
    let (code, out, err) = ask(home, &[&args[..], &["echo done"]].concat());
    assert_eq!((code, out.as_str()), (Some(0), "done\n"), "{err}");
    assert!(err.contains("no agent answers"), "{err}");
    let (code, _, err) = ask(home, &["task", "run", "t", "--", "no-such-command"]);
    assert_eq!(code, Some(127), "{err}");
}

#[test]
fn a_beat_is_due_when_asked_for() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "60s"]);
    let home = &scene.home;
    ready(home);
    let before = scene.total("beats");
    told(home, &["beat"]);
    wait::for_least("a beat before its time", before + 1, || scene.total("beats"));
    agent.stop();
}

#[test]
fn what_is_awaited_is_delivered() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--deliver", "awaited"]);
    let home = &scene.home;
    ready(home);
    told(home, &["await", "d-1"]);
    scene.completed("d-1");
    wait::for_true("it is delivered", || home.results().exists());
    told(home, &["await", "d-2"]);
    told(home, &["await", "d-2", "--cancel"]);
    agent.stop();
}

#[test]
fn results_are_taken_as_they_stand_in_the_file() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = &scene.home;
    ready(home);
    let (code, out, err) = ask(home, &["results", "take"]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    assert!(err.contains("no results wait"), "{err}");

    scene.completed("d-1");
    wait::for_true("a result", || home.results().exists());
    let file = fs::read_to_string(home.results()).unwrap();
    let (code, out, err) = ask(home, &["results", "take"]);
    assert_eq!((code, out.as_str()), (Some(0), file.as_str()), "{err}");
    let words = "everbeat results ack ";
    let lease = err.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next());
    let lease = lease.unwrap_or_else(|| panic!("{words}: {err}")).to_owned();

    // While it is held, nobody else gets it.
    let (code, out, err) = ask(home, &["results", "take"]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("again in"), "{err}");
    told(home, &["results", "ack", &lease]);
    let (code, _, err) = ask(home, &["results", "ack", &lease]);
    assert_eq!(code, Some(1), "{err}");

    scene.completed("d-2");
    let took = |out: &str| out.contains("\"d-2\"");
    wait::for_true("d-2", || took(&told(home, &["results", "take", "--ack"])));
    assert_eq!(told(home, &["results", "take"]), "");
    agent.stop();
}

/// `--ack` acknowledges what was written, and nothing else.
#[test]
fn results_that_could_not_be_written_are_not_acknowledged() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = &scene.home;
    ready(home);
    scene.completed("d-1");
    wait::for_true("a result", || home.results().exists());
    let full = fs::File::options().write(true).open("/dev/full").expect("a device of Linux");
    let mut command = asks(home, &["results", "take", "--ack", "--lease", "1s"]);
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("nothing is acknowledged"), "{err}");
    // It comes again when the lease has run out.
    wait::for_true("d-1 again", || {
        let (code, out, _) = ask(home, &["results", "take", "--ack"]);
        code == Some(0) && out.contains("\"d-1\"")
    });
    agent.stop();
}

/// On a pipe, `--watch` prints once for each change, not each second.
#[test]
fn watch_prints_changes() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = &scene.home;
    ready(home);
    let mut live = Live::start(asks(home, &["status", "--watch", "--json"]));
    live.line("\"tasks\":[]");
    told(home, &["task", "start", "t-1"]);
    let line = live.line("t-1");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["schema_version"], 1);
    // The dead one's socket stays; the next one takes its place.
    agent.kill_nine();
    live.says("control.sock: nobody listens");
    let mut agent = scene.agent(&[]);
    live.line(&format!("\"pid\":{}", agent.pid()));
    live.signal(Signal::INT);
    assert_eq!(live.ended(), Some(0));
    agent.stop();
}

/// Over TCP with a token file, for those that cannot share a socket.
#[test]
fn over_tcp_the_token_opens() {
    let scene = Scene::new();
    let home = &scene.home;
    let token_file = home.dir().join("control-token");
    fs::write(&token_file, "a-control-token-of-this-test\n").unwrap();
    fs::set_permissions(&token_file, PermissionsExt::from_mode(0o600)).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (address, file) = (free.to_string(), token_file.display().to_string());
    let mut agent = scene.agent(&["--control-listen", &address, "--control-token-file", &file]);
    ready(home);
    let url = format!("http://{address}");
    let over = |file: &str| {
        output(&mut everbeat(&[
            "status",
            "--json",
            "--control",
            &url,
            "--control-token-file",
            file,
        ]))
    };
    let (code, out, err) = over(&file);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("\"ws-e2e\""), "{out}");
    let wrong = home.dir().join("wrong-token");
    fs::write(&wrong, "another-token").unwrap();
    let (code, _, err) = over(wrong.to_str().unwrap());
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("the token file that the agent"), "{err}");
    assert!(!agent.log().contains("a-control-token"), "S7");
    agent.stop();
}

/// The socket is its user's, and root's.
#[test]
fn another_user_is_not_allowed() {
    use std::os::unix::process::CommandExt;
    if !is_root() {
        println!("skipped: this needs root, to become somebody else");
        return;
    }
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = &scene.home;
    ready(home);
    // The folder lets everybody through: the socket alone decides.
    for folder in [home.configs(), home.state()] {
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    }
    match asks(home, &["status"]).uid(65_534).gid(65_534).output() {
        Ok(output) => {
            let err = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(4), "{err}");
            assert!(err.contains("control.sock: not allowed"), "{err}");
        }
        Err(error) => println!("skipped: the program is out of reach for others: {error}"),
    }
    agent.stop();
}

/// With a running agent the doctor tells of it, and the bundle holds what it
/// says, without its token.
#[test]
fn s7_doctor_and_bundle_with_a_running_agent() {
    let scene = Scene::new();
    let mut agent = Agent::start(&scene.home, &scene.platform.url(), &[]);
    let home = &scene.home;
    ready(home);
    let bundle = home.dir().join("bundle.json");
    let mut command = asks(home, &["doctor", "--json", "--bundle"]);
    command.arg(&bundle).env("WORKSPACE_ID", "ws-e2e").env("PLATFORM_URL", scene.platform.url());
    command.env("CONFIGS_DIR", home.configs()).env("DELEGATION_RESULTS_FILE", home.results());
    let (code, out, err) = output(&mut command);
    assert_eq!(code, Some(0), "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let socket = checks.iter().find(|check| check["check"] == "socket").unwrap();
    assert_eq!(socket["status"], "ok", "{socket}");
    let text = fs::read_to_string(&bundle).unwrap();
    let token = fs::read_to_string(home.token_file()).unwrap();
    assert!(!text.contains(token.trim()) && !out.contains(token.trim()));
    let bundle: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bundle["status"]["workspace_id"], "ws-e2e");
    assert!(bundle["events"].as_array().is_some_and(|events| !events.is_empty()));
    agent.stop();
}

/// A terminal that can: its other screen, redrawn in place, and back at the
/// end with what was seen last.
#[test]
fn watch_redraws_a_terminal_without_clearing_it() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let home = &scene.home;
    ready(home);
    let command = asks(home, &["status", "--watch"]);
    let program = command.get_program().to_string_lossy().into_owned();
    let line = format!("stty rows 24 cols 80; exec timeout -s INT 6 {program} status --watch");
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin");
    script.env("TERM", "xterm").env("EVERBEAT_STATE_DIR", home.state()).stdin(Stdio::null());
    match script.output() {
        Ok(output) => {
            let out = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(out.contains("\u{1b}[?1049h") && out.contains("\u{1b}[?1049l"), "{out:?}");
            assert!(out.matches("\u{1b}[H").count() >= 2, "{out:?}");
            assert!(!out.contains("\u{1b}[2J"), "{out:?}");
            let last = out.rsplit("\u{1b}[?1049l").next().unwrap();
            assert!(last.contains("ws-e2e"), "{out:?}");
        }
        Err(error) => println!("skipped: script: {error}"),
    }
    agent.stop();
}
