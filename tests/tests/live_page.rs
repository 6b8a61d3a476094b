//! The live page of the served platform: its routes, its stream, who may use
//! its buttons, and what a person can do with it in a browser.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use everbeat_tests::{Scene, TempDir, everbeat, request, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The whole answer, its head in small letters.
fn exchange(scene: &Scene, method: &str, path: &str, fields: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(scene.platform.address()).expect("the platform listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{fields}");
    let text = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).expect("the request goes out");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_lowercase(), body.to_owned())
}

fn get(scene: &Scene, path: &str) -> (String, String) {
    let host = format!("Host: {}\r\n", scene.platform.address());
    exchange(scene, "GET", path, &host, "")
}

/// Events as they come: name, id and data.
fn events(scene: &Scene, fields: &str) -> Receiver<(String, String, Value)> {
    let address = scene.platform.address();
    let mut stream = TcpStream::connect(address).expect("the platform listens");
    let text = format!("GET /ui/events HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n");
    stream.write_all(text.as_bytes()).expect("the request goes out");
    let (send, receive) = channel();
    thread::spawn(move || {
        let (mut name, mut id) = (String::new(), String::new());
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if let Some(value) = line.strip_prefix("id: ") {
                id = value.into();
            } else if let Some(value) = line.strip_prefix("event: ") {
                name = value.into();
            } else if let Some(value) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(value).unwrap_or_default();
                if send.send((name.clone(), id.clone(), data)).is_err() {
                    return;
                }
            }
        }
    });
    receive
}

/// The first event that `is_it`.
fn find(
    events: &Receiver<(String, String, Value)>,
    what: &str,
    is_it: impl Fn(&str, &Value) -> bool,
) -> (String, Value) {
    loop {
        match events.recv_timeout(wait::PATIENCE) {
            Ok((name, id, data)) if is_it(&name, &data) => return (id, data),
            Ok(_) => {}
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

fn holds(list: &Value, is_it: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_some_and(|items| items.iter().any(is_it))
}

#[test]
fn the_page_comes_whole_and_asks_for_nothing_from_elsewhere() {
    let scene = Scene::with(&["--ui"]);
    let kinds = [
        ("/ui/", "text/html"),
        ("/ui/style.css", "text/css"),
        ("/ui/app.js", "text/javascript"),
        ("/ui/tables.js", "text/javascript"),
        ("/ui/parts.js", "text/javascript"),
    ];
    for (path, kind) in kinds {
        let (head, body) = get(&scene, path);
        assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
        assert!(head.contains(&format!("content-type: {kind}")), "{path}: {head}");
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src 'self' data:;";
        assert!(head.contains(policy), "{path}: {head}");
        assert!(head.contains("frame-ancestors 'none'"), "{path}: {head}");
        assert!(body.len() > 500, "{path} is {} bytes", body.len());
        // What peers say is text and never markup.
        for outside in [
            "https:",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "@import",
            "url(",
            "style=\"",
            "onclick=",
        ] {
            assert!(!body.contains(outside), "{outside} stands in {path}");
        }
        let plain = body.replace("http://www.w3.org/2000/svg", "");
        assert!(!plain.contains("http:"), "an address stands in {path}");
    }
    for (path, to) in [("/", "/ui/"), ("/ui", "/ui/")] {
        let (head, _) = get(&scene, path);
        assert!(head.starts_with("http/1.1 303") && head.contains(&format!("location: {to}")));
    }
    assert!(get(&scene, "/ui/nothing.js").0.starts_with("http/1.1 404"));
    let host = format!("Host: {}\r\n", scene.platform.address());
    assert!(exchange(&scene, "POST", "/ui/", &host, "").0.starts_with("http/1.1 405"));
}

#[test]
fn without_the_flag_there_is_no_page() {
    let scene = Scene::new();
    for path in ["/", "/ui", "/ui/", "/ui/app.js", "/ui/events"] {
        let answer = request(scene.platform.address(), "GET", path, "").expect("an answer");
        assert_eq!(answer.status, 404, "{path}");
    }
    // And the administrator's side asks nobody where they come from.
    let foreign = "Host: evil.example\r\nOrigin: http://evil.example\r\n";
    assert!(exchange(&scene, "GET", "/admin/state", foreign, "").0.starts_with("http/1.1 200"));
}

#[test]
fn the_stream_tells_of_a_beat_a_result_and_a_message() {
    let scene = Scene::with(&["--ui"]);
    let events = events(&scene, "");
    let (_, first) = find(&events, "a snapshot", |name, _| name == "snapshot");
    assert_eq!(first["workspaces"][0]["id"], scene.home.workspace());
    let _agent = scene.agent(&[]);
    find(&events, "a beat", |_, data| {
        holds(&data["workspaces"], |line| line["beats"].as_u64() > Some(1))
    });
    find(&events, "beats a second", |name, data| {
        name == "tick" && data["beats_per_second"].as_f64() > Some(0.0)
    });
    scene.failed("d0000001");
    find(&events, "the delegation with its two rows", |_, data| {
        holds(&data["delegations"], |line| {
            line["delegate_row"]["status"] == "failed" && line["result_row"]["status"] == "failed"
        })
    });
    let mut left = vec!["self_message", "notification"];
    while !left.is_empty() {
        let (_, data) = find(&events, &format!("{left:?}"), |_, data| {
            holds(&data["log"], |entry| left.iter().any(|kind| entry["kind"] == *kind))
        });
        left.retain(|kind| !holds(&data["log"], |entry| entry["kind"] == *kind));
    }
}

#[test]
fn a_stream_goes_on_where_it_broke_off() {
    let scene = Scene::with(&["--ui"]);
    let before = events(&scene, "");
    let (last, _) = find(&before, "a snapshot", |name, _| name == "snapshot");
    scene.completed("d0000001");
    let is_told = |data: &Value| holds(&data["delegations"], |line| line["id"] == "d0000001");
    find(&before, "the delegation", |_, data| is_told(data));
    drop(before);
    let after = events(&scene, &format!("Last-Event-ID: {last}\r\n"));
    find(&after, "what was missed, and no snapshot", |name, data| {
        assert_ne!(name, "snapshot");
        is_told(data)
    });
}

#[test]
fn another_sites_page_may_do_nothing() {
    let scene = Scene::with(&["--ui"]);
    let address = scene.platform.address();
    let (own, port) = (format!("Host: {address}\r\n"), address.rsplit(':').next().unwrap());
    let body = json!({"ms": 60_000}).to_string();
    for fields in [
        format!("{own}Origin: http://evil.example\r\n"),
        format!("{own}Origin: null\r\n"),
        format!("{own}Origin: http://127.0.0.1:1\r\n"),
        // The name was made to point here.
        format!("Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\n"),
        format!("Host: evil.example:{port}\r\n"),
    ] {
        for (method, path) in
            [("POST", "/admin/outage"), ("GET", "/admin/state"), ("GET", "/ui/events")]
        {
            let (head, words) = exchange(&scene, method, path, &fields, &body);
            assert!(head.starts_with("http/1.1 403"), "{method} {path} {fields}: {head}");
            assert!(words.starts_with("refused:"), "{words}");
        }
    }
    assert_eq!(scene.platform.state()["outage_ms_left"], Value::Null);

    let fields = format!("{own}Origin: http://{address}\r\n");
    let (head, _) = exchange(&scene, "POST", "/admin/outage", &fields, &body);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(scene.platform.state()["outage_ms_left"].is_u64());
    // The workspaces' side has its own locks: it asks for tokens.
    let agent = "Host: platform.example\r\n";
    scene.platform.post("outage", &json!({"ms": 0}));
    assert!(exchange(&scene, "GET", "/health", agent, "").0.starts_with("http/1.1 200"));
}

#[test]
fn the_page_stays_while_the_platform_is_away() {
    let scene = Scene::with(&["--ui"]);
    let events = events(&scene, "");
    find(&events, "a snapshot", |name, _| name == "snapshot");
    scene.platform.post("outage", &json!({"ms": 600_000}));
    assert!(request(scene.platform.address(), "GET", "/health", "").is_err());
    find(&events, "that it is away", |_, data| data["outage_until_ms"].is_u64());
    assert!(get(&scene, "/ui/").0.starts_with("http/1.1 200"));
    scene.platform.post("outage", &json!({"ms": 0}));
    find(&events, "that it is back", |name, data| {
        name == "change" && data.get("outage_until_ms").is_some_and(Value::is_null)
    });
}

/// Trouble by hand is no broken promise, and a result by hand is a result.
#[test]
fn the_demo_serves_the_page_and_counts_what_is_done_on_it() {
    let mut demo = Demo::start();
    demo.says("accepts a beat");
    let text = demo.text();
    let url = text.split("yourself, at http://").nth(1).expect("where the page is");
    let address = url.split('/').next().unwrap_or_default();
    let post = |path: &str, body: Value| {
        let answer = request(address, "POST", &format!("/admin/{path}"), &body.to_string());
        assert_eq!(answer.expect("an answer").status, 200, "{path}");
    };
    assert_eq!(request(address, "GET", "/ui/", "").expect("an answer").status, 200);
    post("workspaces/writer/rotate-token", json!({}));
    demo.says("writes the token that you made");
    demo.says("what was made on the live page is over");
    post("outage", json!({"ms": 1_500}));
    post("delegations", json!({"workspace": "writer", "target": "peer", "id": "p0000001"}));
    post("delegations/p0000001/finish", json!({"status": "completed", "text": "By hand."}));
    demo.says("finishes p0000001, by your hand");
    wait::for_true("the outage is over", || demo.text().matches("live page is over").count() > 1);
    demo.ask_to_stop();
    let status = demo.ended();
    let text = demo.text();
    assert!(status.success() && text.contains("Every promise was kept"), "{status}\n{text}");
}

/// `everbeat demo --forever`, its story in a file.
struct Demo {
    child: Child,
    dir: TempDir,
}

impl Demo {
    fn start() -> Self {
        let dir = TempDir::new();
        let out = File::create(dir.path().join("out")).expect("a file for the story");
        let child = everbeat(&["demo", "--forever"]).stdout(out).spawn().expect("the demo starts");
        Self { child, dir }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("out")).unwrap_or_default()
    }

    fn says(&self, words: &str) {
        wait::for_true(words, || self.text().contains(words));
    }

    fn ask_to_stop(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), Signal::INT).expect("it still runs");
    }

    fn ended(&mut self) -> ExitStatus {
        wait::within(3 * wait::PATIENCE, "the demo ends", || self.child.try_wait().ok().flatten())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            println!("--- the demo's story ---\n{}", self.text());
        }
    }
}

/// By `tests/live_page/click.py`. It needs chromium, chromedriver and python3;
/// where one is missing it says so and is skipped, unless
/// `EVERBEAT_BROWSER=required`. Screenshots are left in the target folder.
#[test]
fn a_person_can_use_it() {
    if let Some(missing) = missing_program() {
        println!("skipped: there is no {missing}");
        let required = std::env::var("EVERBEAT_BROWSER").is_ok_and(|value| value == "required");
        assert!(!required, "EVERBEAT_BROWSER=required, and there is no {missing}");
        return;
    }
    let scene = Scene::with(&["--ui", "--options", "{\"turn_ms\": 0, \"ttl_ms\": 60000}"]);
    let new = json!({"id": "reviewer", "name": "second reader"});
    let _ = scene.platform.create(&new);
    let words = json!({"reason": "disk quota exceeded while it wrote its notes"});
    scene.platform.post("workspaces/reviewer/wedge", &words);
    let _ = scene.platform.create(&json!({"id": "newcomer", "registered": false}));
    let _agent = scene.agent(&["--interval", "800ms", "--cooldown", "500ms"]);
    scene.wait_for_beats(2);
    let task = "compare the draft with the one of last week";
    for id in ["d0000001", "d0000002", "d0000003", "d0000004"] {
        let workspace = scene.home.workspace();
        let new = json!({"workspace": workspace, "target": "reviewer", "task": task, "id": id});
        scene.platform.post("delegations", &new);
    }
    let hostile = "the source is away <img src=x onerror=alert(1)></script><b>";
    scene.platform.finish("d0000002", &json!({"status": "failed", "error": hostile}));
    let text = "Half of it was done.";
    let half = json!({"status": "completed", "text": text, "twin_late_ms": 600_000});
    scene.platform.finish("d0000003", &half);

    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live_page");
    std::fs::create_dir_all(&shots).expect("a folder for the screenshots");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .arg(folder.join("tests/live_page/click.py"))
        .args([&scene.platform.url(), scene.home.workspace()])
        .args([&shots, &scene.home.token_file()])
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "see above; screenshots are in {}", shots.display());
}

fn missing_program() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let is_there = |name: &str| folders.iter().any(|folder| folder.join(name).is_file());
    ["chromium", "chromedriver", "python3"].into_iter().find(|name| !is_there(name))
}
