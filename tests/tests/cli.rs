//! The command line: configuration, exit codes, signals, the lock.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use everbeat_tests::{Home, Reader, Scene, TempDir, everbeat, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it can be run");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

/// One row of the table: what is given, and what the message must name.
struct Bad {
    args: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    file: &'static str,
    names: &'static [&'static str],
}

const fn flags(args: &'static [&'static str], names: &'static [&'static str]) -> Bad {
    Bad { args, variables: &[], file: "", names }
}

const fn variable(
    variables: &'static [(&'static str, &'static str)],
    names: &'static [&'static str],
) -> Bad {
    Bad { args: &[], variables, file: "", names }
}

const fn file(file: &'static str, names: &'static [&'static str]) -> Bad {
    Bad { args: &[], variables: &[], file, names }
}

const BAD: &[Bad] = &[
    // Unknown.
    flags(&["--intervall", "30s"], &["--intervall", "--interval"]),
    flags(&["--token", "x"], &["--token"]),
    file("intervall = \"30s\"", &["config.toml:1", "\"intervall\"", "did you mean interval?"]),
    file("\n\n[beat]\nx = 1", &["config.toml:3", "\"beat\"", "is not a setting"]),
    // No value of its kind.
    flags(&["--interval", "30"], &["--interval", "\"30\"", "a duration like 500ms, 30s"]),
    flags(&["--interval=-1s"], &["--interval", "\"-1s\""]),
    flags(&["--cooldown", "1.5s"], &["--cooldown", "\"1.5s\""]),
    flags(&["--deliver", "al"], &["--deliver", "\"al\"", "all, awaited", "did you mean all?"]),
    flags(&["--dev-timing=yes"], &["--dev-timing", "\"yes\"", "true or false"]),
    flags(&["--self-messages-per-hour-max", "many"], &["--self-messages-per-hour-max", "many"]),
    flags(&["--log-format", "xml"], &["--log-format", "text, json"]),
    flags(&["--log", "loud=very"], &["--log", "loud=very"]),
    variable(&[("EVERBEAT_INTERVAL", "soon")], &["EVERBEAT_INTERVAL", "\"soon\""]),
    variable(&[("RUST_LOG", "a=b=c")], &["RUST_LOG"]),
    file("interval = 30", &["config.toml:1", "interval", "\"30s\""]),
    file("\nnotify = \"some\"", &["config.toml:2", "notify", "all, failures, none"]),
    file("workspace_id = [1]", &["config.toml:1", "workspace_id"]),
    file("# x\ninterval = \"30s", &["config.toml:2"]),
    // Out of range: field, value, range.
    flags(&["--interval", "0s"], &["--interval", "0ns", "5s to 300s"]),
    flags(&["--interval", "4999ms"], &["--interval", "4.999s", "5s to 300s"]),
    flags(&["--interval", "301s"], &["--interval", "301s", "5s to 300s"]),
    flags(&["--interval", "9ms", "--dev-timing"], &["--interval", "9ms", "10ms to 300s"]),
    flags(&["--cooldown", "999ms"], &["--cooldown", "999ms", "1s to 3600s"]),
    flags(&["--reannounce-after", "59s"], &["--reannounce-after", "59s", "60s to 3600s"]),
    flags(&["--self-messages-per-hour-max", "0"], &["--self-messages-per-hour-max", "1 to 3600"]),
    variable(&[("EVERBEAT_COOLDOWN", "2h")], &["EVERBEAT_COOLDOWN", "7200s", "1s to 3600s"]),
    file("# x\ninterval = \"1s\"", &["config.toml:2", "interval", "1s", "5s to 300s"]),
    // Values that could change a URL, a header or a path.
    flags(&["--workspace-id", ""], &["--workspace-id", "1 to 128 letters, digits"]),
    flags(&["--workspace-id", "../admin"], &["--workspace-id", "\"../admin\""]),
    flags(&["--workspace-id", "a\r\nX-Evil: 1"], &["--workspace-id", "\\r\\n"]),
    variable(&[("WORKSPACE_ID", "a/b")], &["WORKSPACE_ID", "\"a/b\""]),
    flags(&["--platform-url", "ftp://x"], &["--platform-url", "http:// or https://"]),
    flags(&["--platform-url", "http://x/?a=b"], &["--platform-url", "without `?`"]),
    flags(&["--platform-url", "http://x:99999"], &["--platform-url", "1 to 65535"]),
    flags(&["--agent-url", "nonsense"], &["--agent-url", "http:// or https://"]),
    flags(&["--org-id", "a b"], &["--org-id", "visible ASCII"]),
    flags(&["--agent-card", "/nowhere/card.json"], &["--agent-card", "/nowhere/card.json"]),
    flags(&["--config", "/nowhere/x.toml"], &["/nowhere/x.toml", "No such file"]),
    flags(&["--json"], &["--check"]),
];

/// Bad configuration: exit 2, one message that names where the value came
/// from, the value and what is allowed; nothing is started or made.
#[test]
fn bad_configuration_is_refused_by_name_value_and_range() {
    let dir = TempDir::new();
    for (index, bad) in BAD.iter().enumerate() {
        let config = dir.path().join("config.toml");
        fs::write(&config, bad.file).unwrap();
        let mut command = everbeat(&["run"]);
        command.arg("--configs-dir").arg(dir.path().join("configs"));
        // Everything else is right, unless the row says otherwise.
        if !bad.args.contains(&"--workspace-id") && bad.variables.is_empty() {
            command.args(["--workspace-id", "ws-e2e"]);
        }
        if !bad.file.is_empty() {
            command.arg("--config").arg(&config);
        }
        command.args(bad.args).envs(bad.variables.iter().copied());
        if !bad.variables.is_empty() && bad.variables[0].0 != "WORKSPACE_ID" {
            command.env("WORKSPACE_ID", "ws-e2e");
        }
        let (code, out, err) = output(&mut command);
        assert_eq!(code, Some(2), "row {index}: {out}{err}");
        for name in bad.names {
            assert!(err.contains(name), "row {index}: {name:?} is not in {err:?}");
        }
        assert_eq!(err.matches("everbeat: ").count() + err.matches("error: ").count(), 1, "{err}");
    }
    assert!(!dir.path().join("configs").exists(), "nothing was made");
}

/// A password in an address is refused, and is in no message.
#[test]
fn s7_an_address_with_a_password_is_refused_without_it() {
    let args = ["run", "--workspace-id", "ws", "--platform-url", "http://me:hunter2@host"];
    let (code, out, err) = output(&mut everbeat(&args));
    assert_eq!(code, Some(2));
    assert!(err.contains("--platform-url") && err.contains("without user name and password"));
    assert!(!err.contains("hunter2") && !out.contains("hunter2"), "{err}");
}

/// Several problems are told at once.
#[test]
fn several_problems_are_told_together() {
    let args = ["run", "--interval", "soon", "--deliver", "none"];
    let (code, _, err) = output(&mut everbeat(&args));
    assert_eq!(code, Some(2));
    for part in ["--interval", "--deliver", "workspace_id is not set", "WORKSPACE_ID"] {
        assert!(err.contains(part), "{part} is not in {err}");
    }
}

/// `config show`: every value with where it came from; flags over environment
/// over file over default; a token is set or unset.
#[test]
fn config_show_names_each_value_s_origin() {
    let home = Home::new("ws-e2e");
    home.write_token("very-secret-token");
    let file = home.dir().join("everbeat.toml");
    let text = "cooldown = \"50s\"\ninterval = \"40s\"\nnotify = \"all\"\n";
    fs::write(&file, text).unwrap();
    let mut command = everbeat(&["config", "show", "--json", "--interval", "20s"]);
    command.arg("--config").arg(&file);
    command.env("EVERBEAT_COOLDOWN", "55s").env("WORKSPACE_ID", "ws-e2e");
    command.env("CONFIGS_DIR", home.configs()).env("EVERBEAT_INTERVAL", "");
    let (code, out, err) = output(&mut command);
    assert_eq!(code, Some(0), "{err}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    let file = file.display();
    let token = home.token_file().display().to_string();
    let expected = [
        ("workspace_id", "ws-e2e", "WORKSPACE_ID"),
        ("interval", "20s", "--interval"),
        ("cooldown", "55s", "EVERBEAT_COOLDOWN"),
        ("notify", "all", &format!("{file}:3")),
        ("announce", "summary", "default"),
        ("token", "set", &token),
    ];
    for (key, value, origin) in expected {
        let shown = &shown["settings"][key];
        assert_eq!((&shown["value"], &shown["origin"]), (&json!(value), &json!(origin)), "{key}");
    }
    assert!(!out.contains("very-secret-token"));

    // As a table, and what is wrong beside it.
    let mut command = everbeat(&["config", "show", "--interval", "1s"]);
    command.env("WORKSPACE_ID", "ws-e2e").env("CONFIGS_DIR", home.configs());
    let (code, out, err) = output(&mut command);
    assert_eq!(code, Some(2));
    let row = out.lines().find(|line| line.starts_with("interval ")).unwrap();
    assert!(row.contains("1s") && row.contains("--interval"), "{row}");
    assert!(err.contains("5s to 300s"), "{err}");
}

/// `--help` lists every flag with its variable and its default or that it is
/// required, and the exit codes; every key that `config show` knows is there.
#[test]
fn help_lists_every_flag_with_variable_and_default() {
    let (code, help, _) = output(&mut everbeat(&["run", "--help"]));
    assert_eq!(code, Some(0));
    let mut show = everbeat(&["config", "show", "--json", "--workspace-id", "x"]);
    let shown: Value = serde_json::from_str(&output(&mut show).1).unwrap();
    let keys = shown["settings"].as_object().unwrap().keys();
    for key in keys.filter(|key| *key != "token") {
        let flag = format!("--{}", key.replace('_', "-"));
        let variable = format!("EVERBEAT_{}", key.to_uppercase());
        let mut entries = help.split("\n      --");
        let entry = entries.find(|entry| {
            entry.starts_with(&format!("{} ", &flag[2..]))
                || entry.starts_with(&format!("{}[", &flag[2..]))
        });
        let entry = entry.unwrap_or_else(|| panic!("{flag} is not in the help:\n{help}"));
        assert!(entry.contains(&format!("[env: {variable}")), "{entry}");
        assert!(entry.contains("[default: ") || entry.contains("[required]"), "{entry}");
    }
    for line in ["  0  done", "  1  ", "  2  wrong usage", "  3  another process", "  4  no agent"]
    {
        assert!(help.contains(line), "{line} is not in the help");
    }
    assert_eq!(output(&mut everbeat(&["--version"])).0, Some(0));
    assert_eq!(output(&mut everbeat(&["frobnicate"])).0, Some(2));
    assert_eq!(output(&mut everbeat(&[])).0, Some(2));
}

fn check(scene: &Scene, how: &str, url: &str) -> (Option<i32>, String) {
    let mut command = everbeat(&["run", how, "--json", "--platform-url", url]);
    command.env("WORKSPACE_ID", scene.home.workspace()).env("CONFIGS_DIR", scene.home.configs());
    command.env("DELEGATION_RESULTS_FILE", scene.home.results());
    let (code, out, err) = output(&mut command);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    assert_eq!(report["ok"], code == Some(0), "{out}");
    (code, out)
}

fn everything_in(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry")) {
        found.push(format!("{:?}", entry.path()));
        if entry.path().is_dir() {
            found.extend(everything_in(&entry.path()));
        }
    }
    found.sort();
    found
}

/// `--check` and `--check=online`: what would be wrong, with 0 or 1, without a
/// trace on the disk or, offline, on the wire.
#[test]
fn check_finds_what_is_wrong_and_leaves_no_trace() {
    let scene = Scene::new();
    let (before, url) = (everything_in(scene.home.dir()), scene.platform.url());
    assert_eq!(check(&scene, "--check", &url).0, Some(0));
    assert_eq!(check(&scene, "--check", "http://127.0.0.1:9").0, Some(0), "offline is offline");
    let requests = scene.platform.state()["requests"].clone();
    assert!(requests.as_object().unwrap().iter().all(|(route, n)| *n == 0 || route == "admin"));

    assert_eq!(check(&scene, "--check=online", &url).0, Some(0));
    let (code, out) = check(&scene, "--check=online", "http://127.0.0.1:9");
    assert_eq!(code, Some(1), "{out}");
    assert_eq!(everything_in(scene.home.dir()), before, "no trace");
    assert_eq!(scene.total("beats"), 0, "it is no beat");

    scene.home.write_token("a-wrong-token");
    let (code, out) = check(&scene, "--check=online", &url);
    assert!(code == Some(1) && out.contains("401") && !out.contains("a-wrong-token"), "{out}");
    fs::create_dir(scene.home.results()).unwrap();
    let (code, out) = check(&scene, "--check", &url);
    assert!(code == Some(1) && out.contains("is a folder"), "{out}");
}

/// A second agent on one state folder: exit 3, the first one's process id in
/// the message; the first goes on. After a kill -9 the next one may.
#[test]
fn a_second_instance_is_refused_with_the_pid_of_the_first() {
    let scene = Scene::new();
    let mut first = scene.agent(&[]);
    scene.wait_for_beats(1);
    first.logs("is open");
    let (code, _, err) =
        output(&mut everbeat_tests::Agent::command(&scene.home, &scene.platform.url(), &[]));
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains(&format!("process {}", first.pid())), "{err}");
    assert!(err.contains("--state-dir"), "it says what to do: {err}");
    scene.wait_for_beats(2);
    first.kill_nine();
    let mut next = scene.agent(&[]);
    scene.wait_for_beats(2);
    next.stop();
}

/// L6: SIGTERM and SIGINT end it with 0 within 3 s, whatever is under way, and
/// the journal is consistent: the next process tells nothing twice and loses
/// nothing.
#[test]
fn l6_a_signal_ends_it_within_three_seconds() {
    let scene = Scene::new();
    let reader = Reader::by_hand(&scene.home.results());
    scene.platform.fault("a2a", &json!({"kind": "hang", "acts": true}));
    scene.platform.fault("notify", &json!({"kind": "hang", "acts": true}));
    let mut ids = Vec::new();
    for (index, signal) in [Signal::TERM, Signal::INT].into_iter().enumerate() {
        let mut agent = scene.agent(&[]);
        scene.wait_for_beats(1);
        let id = format!("d-{index:04}");
        scene.failed(&id);
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
    let mut agent = scene.agent(&[]);
    scene.completed("d-0002");
    scene.wait_for_result(&reader, "d-0002");
    agent.stop();
    ids.push("d-0002".into());
    let log = agent.log();
    assert!(!log.contains("torn") && !log.contains("damaged"), "the journal was consistent");
    reader.finish().assert_exactly_once(ids.iter().map(String::as_str));
}

/// L6: two signals at once end it, too, in order or at once.
#[test]
fn l6_two_signals_at_once_end_it() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    scene.wait_for_beats(1);
    for signal in [Signal::STOP, Signal::TERM, Signal::INT, Signal::CONT] {
        agent.signal(signal);
    }
    let status = agent.ended(Duration::from_secs(6));
    assert!(matches!(status.code(), Some(0 | 1)), "{status:?}");
}

/// A closed standard error, as under a supervisor that went away, stops
/// nothing.
#[test]
fn l1_nobody_reads_the_log_and_the_beats_go_on() {
    let scene = Scene::new();
    let mut command =
        everbeat_tests::Agent::command(&scene.home, &scene.platform.url(), &["--log", "trace"]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A pipe that is never read fills up; one that is closed breaks.
    let pipe = child.stderr.take();
    scene.wait_for_beats(8);
    drop(pipe);
    scene.wait_for_beats(3);
    child.kill().unwrap();
    child.wait().unwrap();
}
