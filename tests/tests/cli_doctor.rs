//! `everbeat doctor` and what else asks about an agent that is not there: the
//! real program, real folders, real sockets that nobody serves.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use everbeat_tests::{Fake, Home, Live, Scene, Tmpfs, everbeat, is_root, mode_of, output, wait};
use serde_json::{Value, json};

fn doctor(home: &Home, url: &str, args: &[&str]) -> Command {
    let mut command = everbeat(&["doctor", "--json"]);
    command.args(args).env("WORKSPACE_ID", home.workspace()).env("PLATFORM_URL", url);
    command.env("CONFIGS_DIR", home.configs()).env("DELEGATION_RESULTS_FILE", home.results());
    command
}

/// The checks of that name.
fn checks<'a>(report: &'a Value, name: &str) -> Vec<&'a Value> {
    let all = report["checks"].as_array().expect("a list of checks");
    all.iter().filter(|check| check["check"] == name).collect()
}

fn one<'a>(report: &'a Value, name: &str) -> &'a Value {
    let found = checks(report, name);
    assert_eq!(found.len(), 1, "{name} in {report:#}");
    found[0]
}

fn examined(command: &mut Command) -> (Option<i32>, Value) {
    let (code, out, err) = output(command);
    let report = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    (code, report)
}

/// Where all is well but no agent runs: every check is there with verdict and
/// time, advice where it is not good, and nothing is left behind.
#[test]
fn doctor_checks_everything_without_an_agent() {
    let scene = Scene::new();
    let (home, url) = (&scene.home, scene.platform.url());
    fs::create_dir(home.state()).unwrap();
    let (code, report) = examined(&mut doctor(home, &url, &[]));
    assert_eq!((code, &report["ok"]), (Some(0), &Value::Bool(true)), "{report:#}");
    assert_eq!(report["schema_version"], 1);
    for name in [
        "configuration",
        "token",
        "state folder",
        "state space",
        "state disk",
        "results file",
        "results space",
        "results disk",
        "dns",
        "connection",
        "clock",
        "platform",
        "delegations",
    ] {
        let check = one(&report, name);
        assert_eq!(check["status"], "ok", "{check:#}");
        assert_eq!(check["advice"], Value::Null, "{check:#}");
        assert!(check["took_s"].as_f64().is_some_and(|took| took >= 0.0), "{check:#}");
    }
    let socket = one(&report, "socket");
    assert_eq!(socket["status"], "warning", "{socket:#}");
    assert!(socket["detail"].as_str().unwrap().contains("control.sock: absent"), "{socket:#}");
    assert!(socket["advice"].as_str().unwrap().contains("everbeat run"), "{socket:#}");
    for folder in [home.state(), home.folder()] {
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{}", folder.display());
    }
    // For people: the same verdicts, one line each, no colours in a pipe.
    let mut command = doctor(home, &url, &[]);
    let (_, text, _) = output(command.arg("--color=auto"));
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn doctor_offline_sends_nothing() {
    let home = Home::new("ws-e2e");
    let platform = Fake::start(|_| Fake::answer(200, "", "[]"));
    let (code, report) = examined(&mut doctor(&home, &platform.url(), &["--offline"]));
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(platform.seen().len(), 0);
    for name in ["dns", "connection", "clock", "platform"] {
        assert!(checks(&report, name).is_empty(), "{name}");
    }
}

#[test]
fn doctor_names_what_is_wrong_with_the_way_to_the_platform() {
    let scene = Scene::new();
    let (home, url) = (&scene.home, scene.platform.url());
    let bad = |url: &str, name: &str, words: &str, advice: &str| {
        let (code, report) = examined(&mut doctor(home, url, &[]));
        assert_eq!(code, Some(1), "{report:#}");
        let check = one(&report, name);
        assert_eq!(check["status"], "error", "{check:#}");
        assert!(check["detail"].as_str().unwrap().contains(words), "{check:#}");
        assert!(check["advice"].as_str().unwrap().contains(advice), "{check:#}");
    };
    bad("http://nothing.invalid:8080", "dns", "nothing.invalid", "/etc/resolv.conf");
    bad("http://127.0.0.1:1", "connection", "refused", "whether the platform runs");
    // It is there, but speaks no TLS.
    bad(&url.replace("http://", "https://"), "tls", "127.0.0.1", "speaks TLS");
    home.write_token("a-token-that-nobody-knows");
    bad(&url, "delegations", "the token is refused", "a valid token");
}

/// A certificate that somebody else than the known ones signed: refused, and
/// taken once its CA is named.
#[test]
fn doctor_judges_the_certificate() {
    let home = Home::new("ws-e2e");
    let file = |name: &str| home.dir().join(name).display().to_string();
    let [ca_key, ca] = ["ca-key.pem", "ca.pem"].map(file);
    let [key, certificate] = ["key.pem", "certificate.pem"].map(file);
    let made = |args: &[&str], key: &str, out: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-nodes", "-days", "2", "-keyout", key, "-out", out]).args(args);
        let output = openssl.output();
        output.as_ref().is_ok_and(|output| output.status.success()) || {
            println!("skipped: openssl: {output:?}");
            false
        }
    };
    let leaf = ["-addext", "basicConstraints=critical,CA:FALSE"];
    let leaf = [&leaf[..], &["-addext", "subjectAltName=IP:127.0.0.1"], &["-CA", &ca]].concat();
    let leaf = [&leaf[..], &["-CAkey", &ca_key, "-subj", "/CN=server"]].concat();
    if !made(&["-subj", "/CN=test CA"], &ca_key, &ca) || !made(&leaf, &key, &certificate) {
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("openssl");
    server.args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}"), "-key"]);
    server.args([&key, "-cert", &certificate]);
    let _server = Live::start(server);
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    wait::for_true("a server that speaks TLS", listens);
    let url = format!("https://127.0.0.1:{port}");
    let (_, report) = examined(&mut doctor(&home, &url, &[]));
    let tls = one(&report, "tls");
    assert_eq!(tls["status"], "error", "{tls:#}");
    assert!(tls["advice"].as_str().unwrap().contains("SSL_CERT_FILE"), "{tls:#}");
    let mut command = doctor(&home, &url, &[]);
    let (_, report) = examined(command.env("SSL_CERT_FILE", &ca));
    let tls = one(&report, "tls");
    assert_eq!(tls["status"], "ok", "{tls:#}");
    assert!(tls["detail"].as_str().unwrap().contains("TLSv1_3"), "{tls:#}");
}

#[test]
fn doctor_compares_the_clocks() {
    let home = Home::new("ws-e2e");
    let date = "Date: Thu, 01 Jan 2015 00:00:00 GMT\r\n";
    let platform = Fake::start(move |seen| {
        Fake::answer(200, date, if seen.path().ends_with("delegations") { "[]" } else { "{}" })
    });
    let (code, report) = examined(&mut doctor(&home, &platform.url(), &[]));
    let clock = one(&report, "clock");
    assert_eq!((code, &clock["status"]), (Some(1), &"error".into()), "{report:#}");
    assert!(clock["detail"].as_str().unwrap().contains("s ahead of"), "{clock:#}");
    assert!(clock["advice"].as_str().unwrap().contains("NTP"), "{clock:#}");
    // The bearer goes with nothing but what the platform is asked for.
    home.write_token("a-secret-of-this-test");
    let before = platform.seen().len();
    let _ = examined(&mut doctor(&home, &platform.url(), &[]));
    let seen = platform.seen();
    let with = |it: &&everbeat_tests::Seen| it.head.contains("Bearer ");
    let asked: Vec<_> = seen[before..].iter().filter(with).map(|it| it.path().to_owned()).collect();
    assert_eq!(asked, ["/workspaces/ws-e2e", "/workspaces/ws-e2e/delegations"]);
}

#[test]
fn doctor_finds_a_full_disk_where_results_go() {
    let home = Home::new("ws-e2e");
    let Some(_mount) = Tmpfs::mount(&home.folder(), 64) else { return };
    let fill = home.folder().join("fill");
    // As much as there is room for.
    let _ = fs::write(&fill, vec![b'x'; 128 << 10]);
    let (code, report) = examined(&mut doctor(&home, "http://127.0.0.1:1", &["--offline"]));
    assert_eq!(code, Some(1), "{report:#}");
    for name in ["results space", "results disk"] {
        let check = one(&report, name);
        assert_eq!(check["status"], "error", "{check:#}");
        assert!(check["advice"].as_str().unwrap().contains("make room"), "{check:#}");
    }
    assert_eq!(fs::read_dir(home.folder()).unwrap().count(), 1, "nothing of it is left");
}

#[test]
fn doctor_tells_wrong_configuration_by_2() {
    let home = Home::new("ws-e2e");
    let (code, report) =
        examined(&mut doctor(&home, "http://127.0.0.1:1", &["--offline", "--interval", "soon"]));
    assert_eq!(code, Some(2), "{report:#}");
    let check = one(&report, "configuration");
    assert!(check["detail"].as_str().unwrap().contains("--interval"), "{check:#}");
    assert!(check["advice"].as_str().unwrap().contains("config show"), "{check:#}");
    // The socket is looked for all the same.
    assert_eq!(checks(&report, "socket").len(), 1);
}

/// S7: the bundle is for others to read: no secret is in it, and no one else
/// reads it here.
#[test]
fn s7_a_bundle_holds_everything_but_secrets() {
    let scene = Scene::new();
    let home = &scene.home;
    let in_file = fs::read_to_string(home.token_file()).unwrap();
    let in_environment = "an-environment-token-of-no-use";
    fs::write(home.inbound_secret_file(), "an-inbound-secret-of-no-use").unwrap();
    let bundle = home.dir().join("bundle.json");
    let run = || {
        let path = bundle.to_str().unwrap();
        let mut command = doctor(home, &scene.platform.url(), &["--bundle", path]);
        output(command.env("MOLECULE_WORKSPACE_TOKEN", in_environment))
    };
    let (code, out, err) = run();
    assert_eq!(mode_of(&bundle), 0o600, "{code:?} {err}");
    let text = fs::read_to_string(&bundle).unwrap();
    for secret in [in_file.trim(), in_environment, "an-inbound-secret-of-no-use"] {
        for text in [&text, &out, &err] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    let bundle_json: Value = serde_json::from_str(&text).unwrap();
    let settings = &bundle_json["config"]["settings"];
    assert_eq!(settings["workspace_id"]["origin"], "WORKSPACE_ID");
    assert_eq!(settings["token"]["value"], "set");
    assert!(bundle_json["doctor"]["checks"].as_array().unwrap().len() > 10);
    assert_eq!(bundle_json["status"], Value::Null, "no agent runs");
    assert!(bundle_json["made_at"].as_str().unwrap().ends_with('Z'));
    // A file that stands there stays as it is.
    let (code, _, err) = run();
    assert_eq!(code, Some(1));
    assert!(err.contains("stands there already"), "{err}");
    assert_eq!(fs::read_to_string(&bundle).unwrap(), text);
}

/// Commands that ask an agent: 4 where there is none, with each path that was
/// tried and what was found there.
#[test]
fn where_no_agent_answers_the_paths_are_listed() {
    let home = Home::new("ws-e2e");
    let (absent, stale) = (home.dir().join("absent.sock"), home.dir().join("stale.sock"));
    drop(UnixListener::bind(&stale).unwrap());
    let file = home.dir().join("file.sock");
    fs::write(&file, "").unwrap();
    let commands: [&[&str]; 9] = [
        &["status"],
        &["health"],
        &["health", "--live", "--json"],
        &["task", "start", "t"],
        &["results", "take"],
        &["events"],
        &["logs", "-f"],
        &["reload"],
        &["beat"],
    ];
    for args in commands {
        for (path, found) in [(&absent, "absent"), (&stale, "nobody listens"), (&file, "no socket")]
        {
            let (code, out, err) = output(everbeat(args).arg("--control").arg(path));
            assert_eq!(code, Some(4), "{args:?}: {out}{err}");
            assert!(out.is_empty(), "data only on standard output: {out}");
            let line = format!("{}: {found}", path.display());
            assert!(err.contains(&line) && err.contains("do: "), "{args:?}: {err}");
        }
    }
    // The ways in which it can be given.
    let (code, _, err) = output(everbeat(&["status"]).env("EVERBEAT_CONTROL", &absent));
    assert_eq!(code, Some(4));
    assert!(err.contains(&format!("{}: absent", absent.display())), "{err}");
    let (_, _, err) = output(everbeat(&["status"]).env("EVERBEAT_STATE_DIR", home.dir()));
    assert!(err.contains(&format!("{}/control.sock: absent", home.dir().display())), "{err}");
    let (_, _, err) = output(everbeat(&["status"]).env("CONFIGS_DIR", home.configs()));
    let below = home.configs().join("everbeat/control.sock");
    assert!(err.contains(&format!("{}: absent", below.display())), "{err}");
}

/// Another user's socket: not allowed.
#[test]
fn a_socket_of_somebody_else_is_told_as_such() {
    if !is_root() {
        println!("skipped: this needs root, to become somebody else");
        return;
    }
    let home = Home::new("ws-e2e");
    let path = home.dir().join("control.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = as_nobody(&["status"]);
    let Some(command) = &mut command else { return };
    let (code, out, err) = output(command.arg("--control").arg(&path));
    assert_eq!(code, Some(4), "{out}{err}");
    assert!(err.contains("not allowed") && err.contains("as the user"), "{err}");
}

/// The program as user 65534, if its file can be reached by that one.
fn as_nobody(args: &[&str]) -> Option<Command> {
    use std::os::unix::process::CommandExt;
    let mut command = everbeat(args);
    command.uid(65_534).gid(65_534);
    let program = Path::new(command.get_program()).to_owned();
    match everbeat(&["--version"]).uid(65_534).gid(65_534).output() {
        Ok(output) if output.status.success() => Some(command),
        other => {
            println!("skipped: {} is out of reach for others: {other:?}", program.display());
            None
        }
    }
}

/// Whatever answers there: nothing of it acts on a terminal, and nothing of it
/// is taken for good.
#[test]
fn somebody_else_at_the_socket_does_no_harm() {
    let home = Home::new("ws-e2e");
    let evil = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}";
    let problem =
        json!({"type": format!("urn:{evil}"), "title": evil, "detail": format!("{evil}\nx")});
    let status = json!({"schema_version": 1, "workspace_id": evil, "state": evil, "version": evil,
        "verdict": {"level": "ok", "lines": [{"what": evil, "do": evil}]}});
    let answer = |code: u16, body: &str| {
        format!("HTTP/1.1 {code} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let answers = [
        (answer(409, &problem.to_string()), Some(1)),
        (answer(200, &status.to_string()), Some(0)),
        (answer(200, "{}"), Some(1)),
        (answer(200, "[[[[["), Some(1)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf".into(), Some(1)),
        (String::from("\u{1b}[2J no HTTP\r\n\r\n"), Some(1)),
        (String::new(), Some(1)),
    ];
    for (index, (answer, expected)) in answers.into_iter().enumerate() {
        let path = home.dir().join(format!("{index}.sock"));
        let listener = UnixListener::bind(&path).unwrap();
        let shown = answer.clone();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(answer.as_bytes());
        });
        let (code, out, err) = output(everbeat(&["status"]).arg("--control").arg(&path));
        assert_eq!(code, expected, "{shown:?}: {out}{err}");
        for text in [out, err] {
            let acts = |it: char| it.is_control() && it != '\n' || it == '\u{202e}';
            assert!(!text.contains(acts), "{text:?}");
        }
    }
}

/// A health check that hangs is a failed one, after 2 s and no later.
#[test]
fn health_gives_up_after_two_seconds() {
    let home = Home::new("ws-e2e");
    let path = home.dir().join("control.sock");
    // Connections are taken by the system, and nobody ever answers.
    let _listener = UnixListener::bind(&path).unwrap();
    let from = Instant::now();
    let (code, out, err) = output(everbeat(&["health"]).arg("--control").arg(&path));
    let took = from.elapsed();
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(took >= Duration::from_millis(1_900) && took < Duration::from_secs(6), "{took:?}");
    assert!(err.contains("2 s"), "{err}");
}

/// Wrong usage is 2, whatever is asked.
#[test]
fn wrong_usage_is_told_by_2() {
    let commands: [(&[&str], &str); 9] = [
        (&["task", "start"], "ID"),
        (&["task", "start", "t", "--ttl", "60"], "a duration"),
        (&["outcome"], "--success"),
        (&["outcome", "--success", "--error", "x"], "cannot be used"),
        (&["status", "--color", "pink"], "pink"),
        (&["status", "--control", "http://127.0.0.1:1"], "--control-token-file"),
        (&["status", "--control", "https://127.0.0.1:1"], "neither a path nor http"),
        (&["man", "no", "such"], "no such"),
        (&["events", "--kinds", "beat,bees"], "notice, beat, poll"),
    ];
    for (args, word) in commands {
        let (code, out, err) = output(&mut everbeat(args));
        assert_eq!(code, Some(2), "{args:?}: {out}{err}");
        assert!(err.contains(word), "{args:?}: {err}");
    }
}

/// Bash takes its completions; the pages are those of the commands that are.
#[test]
fn completions_and_pages_are_usable() {
    let home = Home::new("ws-e2e");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = output(&mut everbeat(&["completions", shell]));
        assert_eq!(code, Some(0));
        assert!(out.contains("everbeat") && out.contains("doctor"), "{shell}");
    }
    let (_, script, _) = output(&mut everbeat(&["completions", "bash"]));
    let file = home.dir().join("everbeat.bash");
    fs::write(&file, script).unwrap();
    let ask = format!(
        "source {}; COMP_WORDS=(everbeat ta); COMP_CWORD=1; _everbeat everbeat ta everbeat; \
         echo ${{COMPREPLY[@]}}",
        file.display()
    );
    match Command::new("bash").args(["--norc", "-c", &ask]).output() {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "task"),
        Err(error) => println!("skipped: bash: {error}"),
    }
    let pages = home.dir().join("man");
    let (code, _, err) = output(everbeat(&["man", "--out"]).arg(&pages));
    assert_eq!(code, Some(0), "{err}");
    let count = fs::read_dir(&pages).unwrap().count();
    let (_, help, _) = output(&mut everbeat(&["--help"]));
    let listed = help.split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = names.filter(|name| *name != "help").collect();
    assert!(names.len() > 15 && count > names.len(), "{names:?}");
    for name in names {
        let page = pages.join(format!("everbeat-{name}.1"));
        assert!(page.exists(), "no page of {name}");
    }
    let (_, page, _) = output(&mut everbeat(&["man", "results", "take"]));
    assert_eq!(page, fs::read_to_string(pages.join("everbeat-results-take.1")).unwrap());
}
