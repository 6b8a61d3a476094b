//! A platform that hangs, trickles, lies, floods, or is away.

use std::thread;
use std::time::{Duration, Instant};

use everbeat_core::limits::REQUESTS_PER_INTERVAL_MAX;
use everbeat_tests::{Agent, Fake, Home, Reader, Scene, cpu_time, memory_peak_kib, wait};
use serde_json::json;

const INTERVAL: Duration = Duration::from_millis(400);

/// L1: every endpoint but the beat's own hangs: beats stay on time. Afterwards
/// nothing was lost or told twice: the message whose answer never came was
/// delivered, and the reader's taking settles it.
#[test]
fn l1_hung_endpoints_hold_up_no_beat() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(1);
    for route in ["a2a", "notify", "workspace"] {
        scene.platform.fault(route, &json!({"kind": "hang", "acts": true}));
    }
    let beats = scene.beats();
    scene.failed("d-0001");
    wait::for_least("messages", 1, || scene.total("messages"));
    scene.platform.fault("delegations", &json!({"kind": "hang"}));
    scene.completed("d-0002");
    beats.wait_for(12);
    beats.assert_on_time(INTERVAL);
    scene.platform.clear_faults();
    for id in ["d-0001", "d-0002"] {
        scene.wait_for_result(&reader, id);
    }
    beats.assert_on_time(INTERVAL);
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001", "d-0002"]);
    assert_eq!(scene.total("notifications"), 1, "the user is told at most once");
}

/// L1: the heartbeat's own answer hangs or trickles: that beat fails at its
/// deadline, and the next ones go out at the pace of the backoff; when it is
/// over the first one is accepted.
#[test]
fn l1_l5_a_hung_and_a_trickling_beat_end_at_their_deadline() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    scene.wait_for_beats(2);
    for effect in [json!({"kind": "hang"}), json!({"kind": "trickle", "period_ms": 100})] {
        let fault = json!({"route": "heartbeat", "times": 3, "effect": effect});
        scene.platform.post("faults", &fault);
        wait::for_true("the fault has acted", || {
            scene.platform.state()["faults"].as_array().is_some_and(Vec::is_empty)
        });
        scene.wait_for_beats(3);
    }
    agent.logs("the heartbeat fails: no answer within the deadline");
    agent.stop();
}

/// L1: lists and messages that trickle in byte by byte hold up no beat and end
/// at their deadline.
#[test]
fn l1_trickling_answers_hold_up_no_beat() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.completed("d-0001");
    scene.wait_for_result(&reader, "d-0001");
    for route in ["delegations", "a2a", "workspace", "notify"] {
        scene.platform.fault(route, &json!({"kind": "trickle", "period_ms": 50}));
    }
    let beats = scene.beats();
    scene.completed("d-0002");
    beats.wait_for(12);
    beats.assert_on_time(INTERVAL);
    scene.platform.clear_faults();
    scene.wait_for_result(&reader, "d-0002");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001", "d-0002"]);
}

/// L2: a list that takes its time, asked for out of turn (a result waits for
/// its twin), is still under way when the regular poll is due: the polling
/// goes on all the same.
#[test]
fn l2_a_slow_list_does_not_end_the_polling() {
    let scene = Scene::new();
    scene.platform.fault("delegations", &json!({"kind": "delay", "ms": 200}));
    let mut agent = scene.agent(&["--interval", "600ms"]);
    let reader = Reader::by_hand(&scene.home.results());
    let lonely = json!({"status": "completed", "text": "done", "no_result_row": true});
    for index in 0..8 {
        let id = format!("d-{index:04}");
        scene.platform.delegate(scene.home.workspace(), &id);
        scene.platform.finish(&id, &lonely);
        scene.wait_for_result(&reader, &id);
    }
    agent.stop();
}

/// S4, S6: answers that are no JSON, break off or say nonsense: the agent goes
/// on, keeps its pace, and delivers once it is over.
#[test]
fn s4_s6_garbage_from_every_endpoint_is_survived() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(1);
    let effects = [
        json!({"kind": "garbage"}),
        json!({"kind": "cut", "bytes": 1}),
        json!({"kind": "status", "status": 200, "body": "{\"delegations\": null}"}),
        json!({"kind": "status", "status": 200, "body": "[[], 7, {\"delegation_id\": {}}]"}),
        json!({"kind": "status", "status": 418, "body": "short and stout"}),
        json!({"kind": "refuse"}),
    ];
    let routes = ["heartbeat", "delegations", "workspace", "a2a", "notify"];
    let mut ids = Vec::new();
    for (index, effect) in effects.iter().enumerate() {
        for route in routes {
            let fault = json!({"route": route, "times": 1, "effect": effect});
            scene.platform.post("faults", &fault);
        }
        let id = format!("d-{index:04}");
        scene.failed(&id);
        scene.wait_for_result(&reader, &id);
        ids.push(id);
    }
    scene.platform.clear_faults();
    scene.wait_for_beats(2);
    assert!(agent.is_running());
    agent.stop();
    reader.finish().assert_exactly_once(ids.iter().map(String::as_str));
}

/// S6: 30 MB from every endpoint, again and again: never more than 50 MB
/// resident, and the beats count, since a beat's status alone says that it was
/// accepted.
#[test]
fn s6_bodies_of_30_mb_stay_under_50_mb() {
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "2s"]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(1);
    let flood = json!({"kind": "oversize", "bytes": 30_000_000});
    for route in ["heartbeat", "delegations", "workspace", "a2a", "notify", "register"] {
        scene.platform.fault(route, &flood);
    }
    let polls = scene.platform.requests("delegations");
    wait::for_least("polls", polls + 3, || scene.platform.requests("delegations"));
    scene.wait_for_beats(2);
    let peak = memory_peak_kib(agent.pid());
    println!("a peak of {peak} KiB");
    assert!(peak > 0 && peak < 50 * 1_024, "a peak of {peak} KiB");
    agent.logs("longer than 1 MiB");
    scene.platform.clear_faults();
    scene.completed("d-0001");
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
}

/// S5: whatever is answered or not answered, in no window of one interval
/// more than the stated number of requests, and next to no CPU time.
#[test]
fn s5_no_answer_makes_a_busy_loop() {
    let answers: [fn() -> Vec<u8>; 5] = [
        || Fake::answer(500, "", "{}"),
        || Fake::answer(503, "Retry-After: 0\r\n", "{}"),
        || Fake::answer(401, "", "{}"),
        || Fake::answer(429, "Retry-After: soon\r\n", "{}"),
        Vec::new,
    ];
    thread::scope(|scope| {
        for (index, answer) in answers.into_iter().enumerate() {
            scope.spawn(move || assert_no_busy_loop(index, answer));
        }
    });
}

fn assert_no_busy_loop(index: usize, answer: fn() -> Vec<u8>) {
    let home = Home::new("ws-e2e");
    home.write_token("some-token");
    let server = Fake::start(move |_| answer());
    let mut agent = Agent::start(&home, &server.url(), &[]);
    wait::for_least("requests", 4, || server.seen().len());
    let (cpu, from) = (cpu_time(agent.pid()), Instant::now());
    // Not a wait for something to happen: nothing must.
    while from.elapsed() < 6 * INTERVAL {
        thread::sleep(Duration::from_millis(50));
    }
    let used = cpu_time(agent.pid()) - cpu;
    let at: Vec<_> = server.seen().iter().map(|seen| seen.at).collect();
    for (first, from) in at.iter().enumerate() {
        let within = at[first..].iter().filter(|at| **at - *from < INTERVAL).count();
        assert!(within <= REQUESTS_PER_INTERVAL_MAX, "answer {index}: {within} requests");
    }
    assert!(used < Duration::from_millis(600), "answer {index}: {used:?} of CPU time");
    agent.stop();
}

/// S5, L5: the platform is gone, connections are refused: no busy loop; it
/// comes back, and the first beat goes out within the capped backoff.
#[test]
fn s5_l5_an_outage_makes_no_busy_loop_and_ends() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(2);
    let cpu = cpu_time(agent.pid());
    scene.platform.post("outage", &json!({"ms": 4_000, "kind": "refuse"}));
    scene.completed("d-0001");
    wait::for_true("the outage is over", || {
        scene.platform.state()["outage_ms_left"].as_u64().unwrap_or(0) == 0
    });
    let used = cpu_time(agent.pid()) - cpu;
    assert!(used < Duration::from_millis(800), "{used:?} of CPU time in 4 s");
    scene.wait_for_beats(2);
    scene.wait_for_result(&reader, "d-0001");
    agent.logs("the heartbeat works again after");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001"]);
}

/// S7: a redirect is not followed: the bearer token goes to nobody but the
/// platform's own address, and a redirect is no success.
#[test]
fn s7_redirects_with_the_bearer_are_not_followed() {
    thread::scope(|scope| {
        for status in [301, 302, 307, 308] {
            scope.spawn(move || assert_not_followed(status));
        }
    });
}

fn assert_not_followed(status: u16) {
    let thief = Fake::start(|_| Fake::answer(200, "", "{}"));
    let location = format!("Location: {}/stolen\r\n", thief.url());
    let server = Fake::start(move |_| Fake::answer(status, &location, "{}"));
    let home = Home::new("ws-e2e");
    home.write_token("a-token-to-steal");
    let mut agent = Agent::start(&home, &server.url(), &[]);
    wait::for_least("requests", 5, || server.seen().len());
    let seen = server.seen();
    assert!(seen.iter().any(|seen| seen.path() == "/registry/heartbeat"));
    assert!(seen.iter().all(|seen| seen.head.contains("Bearer a-token-to-steal")));
    assert!(thief.seen().is_empty(), "{status}: {:?}", thief.seen());
    agent.logs("the heartbeat fails");
    agent.stop();
}
