//! Histories go in, events and counts come out.

use std::time::Duration;

use everbeat_core::{
    Action, Batch, Command, CommandId, Event, Instant, JournalRecord, Lane, Notice, Now, Outcome,
    Overview, Report, Response, ResultKey, RuntimeMetadata, Status, StoredResult, TaskReport,
    TransportFailure, TransportFailureKind, WallTime,
};
use serde_json::{Value, json};

use super::metrics::Levels;
use super::ring::From;
use super::*;

/// A watcher and what it has seen.
struct Bench {
    telemetry: Arc<Telemetry>,
    watcher: Box<dyn Observer>,
    next_id: u64,
    overview: Overview,
}

fn at(ms: u64) -> Now {
    let wall = WallTime::from_unix_millis(1_774_958_400_000 + i64::try_from(ms).unwrap());
    Now { monotonic: Instant::from_millis(ms), wall }
}

fn answer(status: u16) -> Outcome {
    let body = everbeat_core::Body::from("{}");
    Outcome::Response(Response { status, retry_after_s: None, body, complete: true })
}

impl Bench {
    fn new() -> Self {
        let telemetry = Telemetry::start();
        let watcher = telemetry.observer();
        Self { telemetry, watcher, next_id: 0, overview: Overview::default() }
    }

    fn start(&mut self, ms: u64, action: Action) -> CommandId {
        self.next_id += 1;
        let (id, deadline) = (CommandId(self.next_id), Some(Instant::from_millis(ms + 10_000)));
        self.watcher.command(at(ms), &Command { id, deadline, action });
        id
    }

    fn event(&mut self, ms: u64, late_ms: u64, event: &Event) {
        self.watcher.event(at(ms), Duration::from_millis(late_ms), event);
    }

    fn end(&mut self, ms: u64, id: CommandId, outcome: Outcome) {
        self.event(ms, 0, &Event::Completed { id, outcome });
        self.watcher.turned(at(ms), &self.overview);
    }

    fn events(&self) -> Vec<(&'static str, Value)> {
        let found = self.telemetry.read(From::Oldest);
        let shown = |data: &str| serde_json::from_str(data).unwrap();
        found.entries.iter().map(|entry| (entry.kind.name(), shown(&entry.data))).collect()
    }

    fn exposed(&self) -> String {
        self.telemetry.metrics().expose(&Levels::default())
    }

    fn assert_exposes(&self, line: &str) {
        let text = self.exposed();
        assert!(text.lines().any(|shown| shown == line), "no {line:?} in\n{text}");
    }
}

fn key(id: &str) -> ResultKey {
    ResultKey { delegation_id: id.into(), status: Status::Completed }
}

#[test]
fn a_beat_is_told_with_its_outcome_duration_and_lateness() {
    let mut bench = Bench::new();
    bench.event(1_000, 40, &Event::Tick);
    let id = bench.start(1_000, Action::FetchDelegations);
    bench.overview.discovered = 2;
    bench.end(1_250, id, answer(200));
    bench.event(2_000, 0, &Event::Tick);
    let id = bench.start(2_000, Action::FetchDelegations);
    bench.end(2_500, id, answer(429));
    let events = bench.events();
    assert_eq!(
        events,
        [
            (
                "poll",
                json!({
                    "at": "2026-03-31T12:00:01.250Z", "outcome": "accepted", "status": 200,
                    "took_s": 0.25, "lateness_s": 0.04, "new": 2,
                })
            ),
            (
                "poll",
                json!({
                    "at": "2026-03-31T12:00:02.500Z", "outcome": "refused", "status": 429,
                    "took_s": 0.5, "lateness_s": 0.0, "new": 0,
                })
            ),
        ]
    );
    bench.assert_exposes("everbeat_polls_total{outcome=\"accepted\"} 1");
    bench.assert_exposes("everbeat_polls_total{outcome=\"refused\"} 1");
    let route = "/workspaces/{id}/delegations";
    bench.assert_exposes(&format!("everbeat_requests_total{{route=\"{route}\",status=\"4xx\"}} 1"));
}

/// What the core gives up at its deadline is a failure; what it gives up
/// before that, as when it stops, is nothing.
#[test]
fn a_deadline_is_a_failure_and_a_stop_is_none() {
    let mut bench = Bench::new();
    let id = bench.start(0, Action::FetchDelegations);
    bench.start(10_000, Action::Cancel { command: id });
    bench.watcher.turned(at(10_000), &Overview::default());
    let id = bench.start(20_000, Action::FetchDelegations);
    bench.start(21_000, Action::Cancel { command: id });
    bench.watcher.turned(at(21_000), &Overview::default());
    // Whatever comes later belongs to nobody.
    bench.end(22_000, id, answer(200));
    let events = bench.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].1["outcome"], "failed");
    assert_eq!(events[0].1["status"], Value::Null);
    assert_eq!(events[0].1["took_s"], 10.0);
    bench.assert_exposes("everbeat_polls_total{outcome=\"failed\"} 1");
}

#[test]
fn no_connection_is_a_failure_without_a_status() {
    let mut bench = Bench::new();
    let id = bench.start(0, Action::FetchDelegations);
    let failure = TransportFailure { kind: TransportFailureKind::NotSent, detail: "no".into() };
    bench.end(5, id, Outcome::TransportFailed(failure));
    let route = "/workspaces/{id}/delegations";
    bench
        .assert_exposes(&format!("everbeat_requests_total{{route=\"{route}\",status=\"none\"}} 1"));
}

#[test]
fn a_stored_batch_and_what_the_agent_is_told_of_it() {
    let mut bench = Bench::new();
    let result = |id| StoredResult { key: key(id), summary: String::new(), error: String::new() };
    let batch = Batch { batch: 3, lines: vec![], results: vec![result("d-1"), result("d-2")] };
    let id = bench.start(0, Action::StoreBatch(batch));
    let placement = everbeat_core::Placement::Placed { merged: false };
    bench.end(1, id, Outcome::BatchStored { length: 9, placement, journal_bytes: 400 });
    let keys = vec![key("d-1"), key("d-2")];
    let records = vec![JournalRecord::Announcing { message_id: "m-1".into(), keys }];
    bench.start(2, Action::AppendJournal { records });
    let told = Notice::Announced { message_id: "m-1".into(), results: 2 };
    bench.watcher.notice(at(3), &told, "the agent was told");
    let events = bench.events();
    assert_eq!(
        events.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        ["results", "notice", "wake"]
    );
    assert_eq!(events[0].1["batch"], 3);
    assert_eq!(events[0].1["ids"], json!(["d-1", "d-2"]));
    assert_eq!(events[1].1["line"], "the agent was told");
    assert_eq!(events[1].1["severity"], "info");
    let wake = json!({
        "at": "2026-03-31T12:00:00.003Z", "message_id": "m-1", "outcome": "accepted",
        "ids": ["d-1", "d-2"], "count": 2,
    });
    assert_eq!(events[2].1, wake);
    bench.assert_exposes("everbeat_announcements_total{outcome=\"accepted\"} 1");
    bench.assert_exposes("everbeat_results_stored_total 2");
    bench.assert_exposes("everbeat_journal_bytes 400");
    bench.assert_exposes("everbeat_notices_total{notice=\"announced\",severity=\"info\"} 1");
}

#[test]
fn durations_in_notices_are_seconds() {
    let mut bench = Bench::new();
    let lasted = Duration::from_millis(1_500);
    let notice = Notice::OutageEnded { lane: Lane::Alive, lasted, failures: 3 };
    bench.watcher.notice(at(0), &notice, "it works again");
    let (_, event) = bench.events().remove(0);
    assert_eq!(event["notice"], "outage_ended");
    assert_eq!(event["lasted_s"], 1.5);
    assert_eq!(event["lane"], "alive");
    assert_eq!(event.get("type"), None);
    assert_eq!(event.get("lasted"), None);
}

#[test]
fn what_the_agent_reports_is_an_event_but_for_counts() {
    let mut bench = Bench::new();
    let long = "long ".repeat(1_000);
    let ttl = Some(Duration::from_millis(1_500));
    let started = Report::TaskStarted { id: "1".into(), title: long, ttl };
    bench.event(0, 0, &Event::Report(started));
    bench.event(0, 0, &Event::Report(Report::Success));
    bench.event(0, 0, &Event::Report(Report::Error { message: "bad".into() }));
    let (kind, event) = bench.events().remove(0);
    assert_eq!((kind, &event["report"]), ("task", &json!("task_started")));
    assert_eq!(event["title"].as_str().unwrap().len(), 1_024, "texts are bounded");
    assert_eq!(event["ttl_s"], 1.5);
    assert_eq!(bench.events().len(), 1);
    let task = |id: u32| TaskReport { id: id.to_string(), title: "t".into(), ttl: None };
    let tasks = (0..80).map(task).collect();
    bench.event(0, 0, &Event::Report(Report::TaskList { tasks, current_task: None }));
    let (_, event) = bench.events().remove(1);
    assert_eq!((&event["report"], &event["count"]), (&json!("task_list"), &json!(80)));
    assert_eq!(event["ids"].as_array().unwrap().len(), 50);
    assert_eq!(event.get("tasks"), None);
}

/// S7: no token or inbound secret that passes by is in any event.
#[test]
fn secrets_that_pass_by_are_in_no_event() {
    let mut bench = Bench::new();
    let secret = || everbeat_core::Secret::new("very-secret-token").unwrap();
    let id = bench.start(0, Action::SaveToken(secret()));
    bench.end(1, id, Outcome::SecretSaved);
    let id = bench.start(2, Action::SaveInboundSecret(secret()));
    bench.end(3, id, Outcome::SecretSaved);
    let all = format!("{:?}{}", bench.events(), bench.exposed());
    assert!(!all.contains("very-secret"), "{all}");
}

/// What the agent reports has a bound in memory, whatever it is.
#[test]
fn a_long_event_keeps_its_name() {
    let mut bench = Bench::new();
    let capabilities = (0..2_000).map(|number| (format!("capability-{number}"), true)).collect();
    let metadata = RuntimeMetadata { capabilities, idle_timeout_seconds: Some(300) };
    bench.event(0, 0, &Event::Report(Report::Metadata(metadata)));
    let (kind, event) = bench.events().remove(0);
    assert_eq!((kind, &event["report"], &event["cut"]), ("task", &json!("metadata"), &json!(true)));
    assert_eq!(event["idle_timeout_seconds"], 300);
    assert!(event.to_string().len() < 200, "{event}");
}

/// Ids of a later process are higher: who comes back learns of the restart.
#[test]
fn ids_grow_through_restarts() {
    let telemetry = Telemetry::start();
    telemetry.publish(WallTime::from_unix_millis(0), Kind::Child, Fields::new());
    assert!(telemetry.last_id() > 1_700_000_000_000 * IDS_PER_MS);
    assert!(telemetry.last_id() < 1 << 53, "a double holds it");
    assert_eq!(*telemetry.changes().borrow(), telemetry.last_id());
}
