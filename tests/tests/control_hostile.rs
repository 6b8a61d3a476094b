//! Clients of the control socket that lie, flood, trickle or never let go.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use everbeat_tests::{Answer, Control, Scene, memory_peak_kib, wait};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

const INTERVAL: Duration = Duration::from_millis(400);

fn kind(answer: &Answer) -> String {
    let kind = answer.json()["type"].as_str().unwrap_or_default().to_owned();
    kind.trim_start_matches("urn:everbeat:problem:").to_owned()
}

/// A page in a browser can send requests to a port of this machine: none of
/// them has an effect.
#[test]
fn a_browsers_request_is_refused() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let heads = [
        "Host: everbeat\r\nOrigin: http://evil.test\r\n",
        "Host: everbeat\r\nOrigin: null\r\n",
        "Host: evil.test\r\n",
        "Host: everbeat.evil.test:80\r\n",
        "Host: everbeat\r\nHost: evil.test\r\n",
        "Host:\r\n",
        "",
    ];
    for head in heads {
        for path in ["/v1/tasks/x", "/metrics", "/nothing"] {
            let request = format!("PUT {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n");
            let answer = control.raw(request.as_bytes()).unwrap();
            assert_eq!((answer.status, kind(&answer).as_str()), (403, "forbidden"), "{request}");
        }
    }
    assert_eq!(control.status()["vitals"]["tasks"], json!([]));
    agent.stop();
}

fn put(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: everbeat\r\nConnection: close\r\n{headers}\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What is too long or no JSON is refused with the status that says so.
#[test]
fn too_long_and_broken_requests_are_refused() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let refused = |bytes: &[u8], status: u16, problem: &str| {
        let answer = control.raw(bytes).unwrap();
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        assert_eq!((answer.status, kind(&answer).as_str()), (status, problem), "{shown}");
    };
    let path = "/v1/tasks/x";
    let title = |length: usize| json!({"title": "x".repeat(length)}).to_string().into_bytes();
    assert_eq!(control.raw(&put(path, "", &title((64 << 10) - 12))).unwrap().status, 200);
    refused(&put(path, "", &title((64 << 10) - 11)), 413, "too-large");
    refused(&put(path, "", &title(8 << 20)), 413, "too-large");
    let chunks = format!("{:x}\r\n{}\r\n", 1 << 10, "x".repeat(1 << 10)).repeat(100);
    let chunked = format!(
        "PUT {path} HTTP/1.1\r\nHost: everbeat\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
    );
    refused(chunked.as_bytes(), 413, "too-large");
    for body in ["{", "nonsense", "\u{feff}{}", "{}{}", "{\"title\": \"\\ud800\"}"] {
        refused(&put(path, "", body.as_bytes()), 400, "bad-json");
    }
    refused(&put(path, "", b"{\"title\": \"\xff\"}"), 400, "bad-json");
    let deep = [vec![b'['; 60_000], vec![b']'; 5]].concat();
    refused(&put(path, "", &deep), 400, "bad-json");

    // These are answered below the routes, without a body.
    let long_value = format!("X-Long: {}\r\n", "x".repeat(17 << 10));
    refused(&put(path, &long_value, b""), 431, "");
    let many: String = (0..2_000).map(|index| format!("X-{index}: y\r\n")).collect();
    refused(&put(path, &many, b""), 431, "");
    let long_path = format!("/v1/tasks/{}", "x".repeat(17 << 10));
    let answer = control.raw(&put(&long_path, "", b"")).unwrap();
    assert!(matches!(answer.status, 414 | 431), "{}", answer.status);
    for bytes in [b"nonsense\r\n\r\n".as_slice(), b"\0\0\0\0\r\n\r\n"] {
        refused(bytes, 400, "");
    }
    refused(&put(&format!("/v1/tasks/{}", "x".repeat(300)), "", b""), 422, "invalid-field");
    assert!(agent.is_running());
    agent.stop();
}

/// Reads until the other side closes; how long that took and what came.
fn until_closed(mut stream: UnixStream) -> (Duration, String) {
    let from = Instant::now();
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read);
    (from.elapsed(), String::from_utf8_lossy(&read).into_owned())
}

const HEAD: &str = "PUT /v1/tasks/slow HTTP/1.1\r\nHost: everbeat\r\n";

/// Whoever sends slowly is not waited for: neither for a head nor for a body,
/// nor may a connection stay that never asks for anything again and again.
#[test]
fn slow_senders_are_closed() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let patience = Duration::from_secs(20);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = control.connect();
            stream.write_all(HEAD.as_bytes()).unwrap();
            let (took, read) = until_closed(stream);
            assert!(took < patience && read.is_empty(), "a half head: {took:?} {read}");
        });
        scope.spawn(|| {
            let mut stream = control.connect();
            stream.write_all(HEAD.as_bytes()).unwrap();
            let from = Instant::now();
            // One byte after the other makes no difference.
            while stream.write_all(b"X").is_ok() {
                assert!(from.elapsed() < patience, "a trickling head is waited for");
                thread::sleep(Duration::from_millis(50));
            }
        });
        scope.spawn(|| {
            let mut stream = control.connect();
            let head = format!("{HEAD}Content-Length: 20\r\n\r\n{{");
            stream.write_all(head.as_bytes()).unwrap();
            let (took, read) = until_closed(stream);
            assert!(took < patience, "a half body: {took:?}");
            assert!(read.starts_with("HTTP/1.1 408 "), "{read}");
            assert!(read.contains("urn:everbeat:problem:timeout"), "{read}");
        });
        scope.spawn(|| {
            // One that is idle for longer than a request may take is not slow.
            let mut stream = control.connect();
            let mut ask = || {
                stream.write_all(b"GET /livez HTTP/1.1\r\nHost: everbeat\r\n\r\n").unwrap();
                let mut read = [0; 4_096];
                let length = stream.read(&mut read).unwrap();
                let read = String::from_utf8_lossy(&read[..length]).into_owned();
                assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
            };
            ask();
            scene.wait_for_beats(16);
            ask();
        });
    });
    assert_eq!(control.status()["vitals"]["tasks"], json!([]));
    agent.stop();
}

/// Somebody who asks and never reads the answers loses the connection.
#[test]
fn who_never_reads_is_let_go() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let mut stream = control.connect();
    let request = b"GET /v1/status HTTP/1.1\r\nHost: everbeat\r\n\r\n".repeat(1_000);
    let from = Instant::now();
    while stream.write_all(&request).is_ok() {
        assert!(from.elapsed() < Duration::from_secs(35), "it is waited for");
    }
    control
        .wait_for("only the asking one is served", |status| status["control"]["connections"] == 1);
    agent.stop();
}

/// Room for the connections of this test's own side.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(8_192, |most| most.min(8_192));
    if limit.current.is_some_and(|current| current < wanted) {
        let more = Rlimit { current: Some(wanted), maximum: limit.maximum };
        setrlimit(Resource::Nofile, more).expect("up to the hard limit it is free");
    }
}

/// One of the hostile, until told to end.
fn harass(control: &Control, index: usize, is_over: &AtomicBool) {
    let requests: [&[u8]; 5] = [
        b"PUT /v1/tasks/x HTTP/1.1\r\nHost: everbeat\r\nContent-Length: 100\r\n\r\n{\"tit",
        b"GET /v1/status HTTP/1.1\r\nHost: everbeat\r\n\r\n",
        b"POST /v1/beat HTTP/1.1\r\nHost: everbeat\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PUT /v1/tasks/x HTTP/1.1\r\nHost: evil\r\nContent-Length: 99999999\r\n\r\n",
    ];
    let request = requests[index % requests.len()];
    while !is_over.load(Ordering::Relaxed) {
        let mut stream = control.connect();
        let _ = stream.write_all(request);
        if !index.is_multiple_of(2) {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; 64]);
        }
        thread::yield_now();
    }
}

/// L1: a thousand idle clients, more than there is room for, and a hundred
/// hostile ones: beats stay on time, memory stays small, and whoever asks
/// afterwards is answered.
#[test]
fn l1_idle_and_hostile_clients_hold_up_no_beat() {
    raise_descriptors();
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    scene.wait_for_beats(2);
    let idle: Vec<UnixStream> = (0..1_000).map(|_| control.connect()).collect();
    let up_to_the_limit: Vec<UnixStream> = (0..24).map(|_| control.connect()).collect();
    let (_, read) = until_closed(control.connect());
    assert_eq!(read, "", "the 1,025th is closed at once");
    drop(up_to_the_limit);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (is_over, control) = (&is_over, &control);
        for index in 0..100 {
            scope.spawn(move || harass(control, index, is_over));
        }
        let ends = End(is_over);
        let beats = scene.beats();
        beats.wait_for(15);
        beats.assert_on_time(INTERVAL);
        drop(ends);
    });
    drop(idle);
    wait::for_true("whoever asks is answered", || {
        let request = b"GET /v1/status HTTP/1.1\r\nHost: everbeat\r\nConnection: close\r\n\r\n";
        control.raw(request).is_ok_and(|answer| answer.status == 200)
    });
    control.wait_for("the others are gone", |status| status["control"]["connections"] == 1);
    let peak = memory_peak_kib(agent.pid());
    println!("a peak of {peak} KiB");
    assert!(peak > 0 && peak < 50 * 1_024, "a peak of {peak} KiB");
    assert_eq!(control.send("DELETE", "/v1/tasks/x", &Value::Null).status, 204);
    agent.stop();
}

/// Ends the hostile also where a check fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
