//! Scenarios of requests: side by side, bounded in time and in size.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::wait;
use crate::{Agent, Fake, Home, Reader, Scene, Shell, cpu_time, memory_peak_kib, thread_count};

/// L1: with nothing in the way a beat is accepted each interval.
pub fn l1_beats_go_out_on_time(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    scene.wait_for_beats(1);
    let beats = scene.beats();
    beats.wait_for(20);
    beats.assert_on_time(Shell::INTERVAL);
    agent.stop();
}

/// L1: the list is never answered: each poll ends at its deadline, and no
/// beat waits for it; once it is answered again the result comes.
pub fn l1_a_poll_that_hangs_holds_up_no_beat(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(1);
    scene.platform.fault("delegations", &json!({"kind": "hang"}));
    let polls = scene.platform.requests("delegations");
    scene.completed("d-0001");
    let beats = scene.beats();
    wait::for_least("polls", polls + 4, || scene.platform.requests("delegations"));
    beats.wait_for(6);
    beats.assert_on_time(Shell::INTERVAL);
    scene.platform.clear_faults();
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001"]);
}

/// L1: the self-message is delivered and its answer never comes: beats and
/// polls go on meanwhile, and the next result is stored.
pub fn l1_a_slow_self_message_holds_up_no_beat(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(1);
    scene.platform.fault("a2a", &json!({"kind": "hang", "acts": true}));
    scene.completed("d-0001");
    wait::for_least("messages", 1, || scene.total("messages"));
    let beats = scene.beats();
    scene.completed("d-0002");
    for id in ["d-0001", "d-0002"] {
        scene.wait_for_result(&reader, id);
    }
    beats.wait_for(8);
    beats.assert_on_time(Shell::INTERVAL);
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001", "d-0002"]);
}

/// L1: answers come in byte by byte: what counts is the time of the whole.
pub fn l1_an_answer_that_trickles_holds_up_no_beat(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(1);
    for route in ["delegations", "a2a", "workspace", "notify"] {
        scene.platform.fault(route, &json!({"kind": "trickle", "period_ms": 50}));
    }
    let polls = scene.platform.requests("delegations");
    scene.completed("d-0001");
    let beats = scene.beats();
    wait::for_least("polls", polls + 4, || scene.platform.requests("delegations"));
    beats.wait_for(6);
    beats.assert_on_time(Shell::INTERVAL);
    scene.platform.clear_faults();
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001"]);
}

/// L2: the message was sent and the connection ended without an answer: it may
/// have arrived, and does not go out again while its result waits in the file.
/// Only what surely was not sent may be called so.
pub fn l2_a_message_whose_answer_is_lost_is_not_repeated(shell: &Shell) {
    let rows = json!([{"delegation_id": "d-0001", "source_id": "ws-e2e", "target_id": "peer",
        "status": "completed", "summary": "Done", "response_preview": "forty-two"}]);
    let rows = rows.to_string();
    let server = Fake::start(move |seen| match seen.path().rsplit('/').next() {
        Some("a2a") => Vec::new(),
        Some("delegations") => Fake::answer(200, "", &rows),
        Some(_) | None => Fake::answer(200, "", "{}"),
    });
    let home = Home::new("ws-e2e");
    home.write_token("some-token");
    let mut agent = Agent::spawn(&home, shell.command(&home, &server.url(), &[]));
    let count = |end: &str| server.seen().iter().filter(|seen| seen.path().ends_with(end)).count();
    wait::for_least("messages", 1, || count("/a2a"));
    let polls = count("/delegations");
    wait::for_least("polls", polls + 4, || count("/delegations"));
    assert_eq!(count("/a2a"), 1, "sent once, many cooldowns ago");
    assert!(home.results().exists(), "its result waits");
    agent.stop();
    // What is called unsent is journalled as refused, and due again later.
    let journal = std::fs::read_to_string(home.journal()).expect("the journal can be read");
    let records = |kind: &str| journal.matches(&format!("\"type\":\"{kind}\"")).count();
    assert_eq!((records("announcing"), records("refused")), (1, 0), "{journal}");
}

/// L5: connections are refused for a while: no busy loop, and when the
/// platform is back everything goes on.
pub fn l5_a_refused_connection_is_tried_again_until_the_platform_is_back(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(2);
    let cpu = cpu_time(agent.pid());
    scene.platform.post("outage", &json!({"ms": 3_000, "kind": "refuse"}));
    scene.completed("d-0001");
    wait::for_true("the outage is over", || {
        scene.platform.state()["outage_ms_left"].as_u64().unwrap_or(0) == 0
    });
    let used = cpu_time(agent.pid()) - cpu;
    assert!(used < Duration::from_millis(800), "{used:?} of CPU time in 3 s");
    scene.wait_for_beats(2);
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001"]);
}

/// S5: what `Retry-After` asks for is waited for: seconds, and a date.
pub fn s5_retry_after_is_understood_in_seconds_and_as_a_date(shell: &Shell) {
    let in_seconds = || "Retry-After: 2\r\n".to_owned();
    let as_a_date = || {
        let now = SystemTime::now();
        let [date, until] = [now, now + Duration::from_secs(3)].map(httpdate::fmt_http_date);
        format!("Date: {date}\r\nRetry-After: {until}\r\n")
    };
    for headers in [in_seconds as fn() -> String, as_a_date] {
        let server = Fake::start(move |seen| {
            let is_beat = seen.path() == "/registry/heartbeat";
            if is_beat { Fake::answer(503, &headers(), "{}") } else { Fake::answer(200, "", "[]") }
        });
        let home = Home::new("ws-e2e");
        home.write_token("some-token");
        let mut agent = Agent::spawn(&home, shell.command(&home, &server.url(), &[]));
        let beats = || -> Vec<_> {
            let seen = server.seen().into_iter();
            seen.filter(|seen| seen.path() == "/registry/heartbeat").map(|seen| seen.at).collect()
        };
        wait::for_least("beats", 2, || beats().len());
        let gap = beats()[1] - beats()[0];
        assert!(gap >= Duration::from_millis(1_900), "{:?}: {gap:?}", headers());
        agent.stop();
    }
}

/// S6: 30 MB from every endpoint: little of it is kept, a beat's status counts
/// all the same, and when it is over the result comes.
pub fn s6_a_body_that_is_too_long_is_cut(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(1);
    let flood = json!({"kind": "oversize", "bytes": 30_000_000});
    for route in ["heartbeat", "delegations", "workspace", "a2a", "notify"] {
        scene.platform.fault(route, &flood);
    }
    scene.completed("d-0001");
    let polls = scene.platform.requests("delegations");
    wait::for_least("polls", polls + 3, || scene.platform.requests("delegations"));
    scene.wait_for_beats(2);
    let peak = memory_peak_kib(agent.pid());
    println!("a peak of {peak} KiB");
    assert!(peak > 0 && peak < 50 * 1_024, "a peak of {peak} KiB");
    assert!(!scene.home.results().exists(), "a list that was cut tells nothing");
    scene.platform.clear_faults();
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
}

/// S6: request after request is never answered, or byte by byte without an
/// end: what was given up is not kept open for ever.
pub fn s6_requests_that_hang_leave_no_thread_behind(shell: &Shell) {
    for effect in [json!({"kind": "hang"}), json!({"kind": "trickle", "period_ms": 200})] {
        let scene = Scene::new();
        let mut agent = shell.start(&scene);
        scene.wait_for_beats(2);
        for route in ["heartbeat", "delegations"] {
            scene.platform.fault(route, &effect);
        }
        let requests =
            || scene.platform.requests("heartbeat") + scene.platform.requests("delegations");
        let (before, from) = (thread_count(agent.pid()), requests());
        // The pauses between failures double: more would take long.
        wait::for_least("requests", from + 10, requests);
        let now = thread_count(agent.pid());
        assert!(before > 0 && now <= before + 4, "{effect}: {before} threads, then {now}");
        scene.platform.clear_faults();
        scene.wait_for_beats(2);
        agent.stop();
    }
}
