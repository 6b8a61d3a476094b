//! Tasks that end by themselves, lists of tasks, beats that somebody wants,
//! and what a status says: on a clock of the test's own.

#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;
use std::time::Duration;

use everbeat_core::wire::heartbeat::HeartbeatBody;
use everbeat_core::{
    Action, Body, Config, DueWhy, Event, Heartbeat, Instant, Notice, Now, OpenedStore, Outcome,
    Phase, Report, Response, TaskReport, TransportFailure, TransportFailureKind, WallTime, limits,
};
use proptest::prelude::*;

/// A machine, what it said and sent, and whether the platform answers.
struct World {
    machine: Heartbeat,
    now: Instant,
    beats: Vec<(Instant, HeartbeatBody)>,
    notices: Vec<(Instant, Notice)>,
    platform_is_up: bool,
}

impl World {
    fn new() -> Self {
        let config = Config::new("ws", "http://platform:8080").validate().expect("a valid one");
        let machine = Heartbeat::new(config, 7, at(Instant::START));
        let (beats, notices) = (Vec::new(), Vec::new());
        let mut world = Self { machine, now: Instant::START, beats, notices, platform_is_up: true };
        world.pump();
        world
    }

    fn report(&mut self, report: Report) {
        self.machine.handle(at(self.now), Event::Report(report));
        self.pump();
    }

    fn task(&mut self, id: &str, ttl_s: Option<u64>) {
        let ttl = ttl_s.map(Duration::from_secs);
        self.report(Report::TaskStarted { id: id.into(), title: format!("title {id}"), ttl });
    }

    /// Wakes the machine exactly when it asks for it, until then.
    fn run_for(&mut self, span: Duration) {
        let until = self.now.plus(span);
        while let Some(next) = self.machine.next_wakeup().filter(|next| next.at <= until) {
            self.now = next.at;
            self.machine.handle(at(self.now), Event::Tick);
            self.pump();
        }
        self.now = until;
        self.machine.handle(at(until), Event::Tick);
        self.pump();
    }

    fn pump(&mut self) {
        while let Some(command) = self.machine.poll_command() {
            if let Action::PostHeartbeat(body) = &command.action {
                self.beats.push((self.now, body.clone()));
            }
            let outcome = match command.action {
                Action::Cancel { .. } | Action::RebuildClient => continue,
                Action::OpenStore => Outcome::StoreOpened(OpenedStore::default()),
                Action::AppendJournal { .. } => Outcome::JournalWritten { journal_bytes: 0 },
                _ if self.platform_is_up => Outcome::Response(Response {
                    status: 200,
                    retry_after_s: None,
                    body: Body::from("[]"),
                    complete: true,
                }),
                _ => Outcome::TransportFailed(TransportFailure {
                    kind: TransportFailureKind::NotSent,
                    detail: "connection refused".into(),
                }),
            };
            self.machine.handle(at(self.now), Event::Completed { id: command.id, outcome });
        }
        while let Some(notice) = self.machine.poll_notice() {
            self.notices.push((self.now, notice));
        }
    }

    fn last_beat(&self) -> &HeartbeatBody {
        &self.beats.last().expect("a beat was sent").1
    }

    fn ends(&self) -> Vec<(Instant, String)> {
        let end = |(at, notice): &(Instant, Notice)| {
            if let Notice::TaskExpired { id } = notice { Some((*at, id.clone())) } else { None }
        };
        self.notices.iter().filter_map(end).collect()
    }

    fn running(&self) -> Vec<String> {
        self.machine.status(self.now).vitals.tasks.into_iter().map(|task| task.id).collect()
    }
}

fn at(monotonic: Instant) -> Now {
    Now { monotonic, wall: WallTime::from_unix_millis(0) }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_task_with_a_ttl_ends_by_itself_and_the_next_beat_says_so() {
    let mut world = World::new();
    world.run_for(5 * SECOND);
    let began = world.now;
    world.task("a", Some(10));
    world.task("b", None);
    world.run_for(9 * SECOND);
    assert_eq!((world.last_beat().active_tasks, world.last_beat().is_busy), (2, true));
    assert!(!world.beats[0].1.is_busy);
    let tasks = world.machine.status(world.now).vitals.tasks;
    assert_eq!((tasks[0].age, tasks[0].ttl_left), (9 * SECOND, Some(SECOND)));
    assert_eq!(tasks[1].ttl_left, None);
    world.run_for(2 * SECOND);
    assert_eq!(world.ends(), [(began.plus(10 * SECOND), "a".to_owned())]);
    let (sent, beat) = world.beats.last().unwrap();
    assert_eq!((beat.active_tasks, beat.current_task.as_str()), (1, "title b"));
    assert!(sent.since(began) <= 11 * SECOND, "the platform knows it within a second");
}

#[test]
fn a_renewed_task_runs_on_and_one_renewed_without_a_ttl_for_ever() {
    let mut world = World::new();
    for _ in 0..5 {
        world.task("a", Some(10));
        world.run_for(9 * SECOND);
    }
    assert_eq!((world.running(), world.ends().len()), (vec!["a".to_owned()], 0));
    assert_eq!(world.machine.status(world.now).vitals.tasks[0].age, 45 * SECOND, "it began once");
    world.task("a", None);
    world.run_for(limits::TASK_TTL_MAX + SECOND);
    assert_eq!(world.running(), ["a"]);
}

#[test]
fn no_ttl_is_longer_than_a_day() {
    let mut world = World::new();
    world.task("a", Some(u64::MAX));
    world.run_for((24 * 3_600 - 1) * SECOND);
    assert_eq!(world.running(), ["a"]);
    world.run_for(SECOND);
    assert_eq!(world.running(), [""; 0]);
}

#[test]
fn a_list_replaces_what_ran_and_keeps_when_it_began() {
    let mut world = World::new();
    for id in ["a", "b"] {
        world.task(id, None);
    }
    world.run_for(3 * SECOND);
    let task = |id: &str| TaskReport { id: id.into(), title: id.into(), ttl: None };
    let tasks = vec![task("c"), task("b"), task("c")];
    world.report(Report::TaskList { tasks, current_task: Some("thinking".into()) });
    world.run_for(SECOND);
    let status = world.machine.status(world.now).vitals;
    let ages: Vec<_> = status.tasks.iter().map(|task| (task.id.as_str(), task.age)).collect();
    assert_eq!(ages, [("c", SECOND), ("b", 4 * SECOND)]);
    assert_eq!(world.last_beat().current_task, "thinking");
    let too_many = Report::TaskList { tasks: vec![task("x"); 257], current_task: None };
    assert!(!world.machine.has_room_for(&too_many));
    world.report(too_many);
    assert_eq!(world.running(), ["c", "b"]);
    assert_eq!(world.notices.last().unwrap().1, Notice::TasksOverflow);
}

#[test]
fn what_is_news_of_tasks_beats_soon() {
    let list = |titles: &[&str], current: &str| {
        let task = |title: &&str| TaskReport { id: "a".into(), title: (*title).into(), ttl: None };
        let tasks = titles.iter().map(task).collect();
        Report::TaskList { tasks, current_task: Some(current.into()) }
    };
    let started =
        |title: &str| Report::TaskStarted { id: "a".into(), title: title.into(), ttl: None };
    let mut world = World::new();
    world.run_for(5 * SECOND);
    for (report, beats) in [
        (list(&["one"], ""), 1),
        (list(&["one"], "thinking"), 1),
        (list(&["one"], "thinking"), 0),
        (list(&["two"], "thinking"), 1),
        (started("two"), 0),
        (started("three"), 1),
        (list(&[], "thinking"), 1),
    ] {
        let before = world.beats.len();
        world.report(report.clone());
        world.run_for(2 * SECOND);
        assert_eq!(world.beats.len() - before, beats, "{report:?}");
    }
}

#[test]
fn so_many_tasks_run_and_no_more_but_those_that_run_can_be_renewed() {
    let mut world = World::new();
    let started = |id: &str| Report::TaskStarted { id: id.into(), title: "t".into(), ttl: None };
    let longest = "x".repeat(limits::TASK_BYTES_MAX);
    assert!(world.machine.has_room_for(&started(&longest)));
    let too_long = started(&format!("{longest}x"));
    assert!(!world.machine.has_room_for(&too_long));
    world.report(too_long);
    assert_eq!(world.running(), [""; 0]);
    let renamed = TaskReport { id: format!("{longest}x"), title: String::new(), ttl: None };
    let list = Report::TaskList { tasks: vec![renamed], current_task: None };
    assert!(!world.machine.has_room_for(&list));
    for number in 0..limits::TASKS_MAX {
        let report = started(&format!("t{number}"));
        assert!(world.machine.has_room_for(&report), "{number}");
        world.report(report);
    }
    assert!(world.machine.has_room_for(&started("t0")));
    let one_more = started("new");
    assert!(!world.machine.has_room_for(&one_more));
    world.report(one_more);
    assert_eq!(world.running().len(), limits::TASKS_MAX);
    let full =
        world.running().into_iter().map(|id| TaskReport { id, title: "t".into(), ttl: None });
    let full = Report::TaskList { tasks: full.collect(), current_task: None };
    assert!(world.machine.has_room_for(&full), "as many as may run");
}

#[test]
fn capabilities_have_short_names() {
    let longest = "x".repeat(64);
    let names = ["", "a", "a\0b", longest.as_str(), &format!("{longest}x")];
    let text = serde_json::json!({
        "capabilities": names.map(|name| (name, true)).into_iter().collect::<BTreeMap<_, _>>(),
    });
    let mut world = World::new();
    world.report(Report::Metadata(serde_json::from_value(text).unwrap()));
    world.run_for(SECOND);
    let metadata = world.last_beat().runtime_metadata.as_ref().expect("it goes with each beat");
    let shown: Vec<&str> = metadata.capabilities.keys().map(String::as_str).collect();
    assert_eq!(shown, ["a", &longest]);
}

#[test]
fn a_point_in_time_is_shown_in_seconds() {
    assert_eq!(Instant::from_millis(61_005).to_string(), "61.005s");
}

#[test]
fn outcomes_count_as_often_as_they_say() {
    let mut world = World::new();
    world.report(Report::Wedged { reason: "stuck".into() });
    world.report(Report::Outcomes { count: 0, error: None });
    assert_eq!(world.machine.status(world.now).vitals.wedge.as_deref(), Some("stuck"));
    world.report(Report::Outcomes { count: 3, error: None });
    world.report(Report::Outcomes { count: 1, error: Some("it broke".into()) });
    let vitals = world.machine.status(world.now).vitals;
    assert_eq!((vitals.requests, vitals.errors, vitals.wedge), (4, 1, None));
    world.run_for(2 * SECOND);
    assert!((world.last_beat().error_rate - 0.25).abs() < 1e-9);
}

#[test]
fn a_wanted_beat_goes_out_at_once_and_one_a_second_at_most() {
    let mut world = World::new();
    world.run_for(5 * SECOND);
    let before = world.beats.len();
    for _ in 0..50 {
        world.report(Report::BeatNow);
        world.run_for(SECOND / 10);
    }
    let sent = world.beats.len() - before;
    assert!((5..=6).contains(&sent), "{sent} beats in 5 s");
}

#[test]
fn a_wanted_beat_does_not_wait_for_the_backoff() {
    let mut world = World::new();
    world.run_for(5 * SECOND);
    world.platform_is_up = false;
    world.run_for(600 * SECOND);
    let beat = world.machine.status(world.now).beat;
    assert_eq!(beat.next_due_why, DueWhy::Backoff);
    assert!(beat.lane.failures_in_a_row > 5);
    assert_eq!(world.machine.overview().beat_failures, beat.lane.failures_in_a_row);
    let outage = beat.lane.outage.expect("it fails");
    assert_eq!(outage.cause, "connection refused");
    assert!(outage.since > 500 * SECOND);
    world.platform_is_up = true;
    world.report(Report::BeatNow);
    let waits = world.machine.status(world.now).beat;
    assert!(waits.lane.outage.is_none() || waits.next_due_why == DueWhy::Asked);
    world.run_for(SECOND);
    let beat = world.machine.status(world.now).beat;
    assert_eq!((beat.lane.outage, beat.next_due_why), (None, DueWhy::Interval));
}

/// What was said of an await counts at once and for good, also while an older
/// word of it is on its way to the journal.
#[test]
fn a_dropped_await_stays_dropped() {
    let mut world = World::new();
    world.run_for(SECOND);
    let id = || "d-1".to_owned();
    world.machine.handle(at(world.now), Event::Report(Report::Awaiting { delegation_id: id() }));
    let command = world.machine.poll_command().expect("it goes to the journal");
    let dropped = Report::AwaitDropped { delegation_id: id() };
    world.machine.handle(at(world.now), Event::Report(dropped));
    let awaited = |world: &World| world.machine.status(world.now).pipeline.awaited;
    assert_eq!(awaited(&world), 0);
    let outcome = Outcome::JournalWritten { journal_bytes: 0 };
    world.machine.handle(at(world.now), Event::Completed { id: command.id, outcome });
    assert_eq!(awaited(&world), 0);
    world.pump();
    assert_eq!(awaited(&world), 0);
}

#[test]
fn a_status_says_when_the_next_beat_is_due_and_why() {
    let mut world = World::new();
    let beat = world.machine.status(world.now).beat;
    assert_eq!((beat.next_due_why, beat.lateness), (DueWhy::Start, None));
    world.run_for(40 * SECOND);
    let status = world.machine.status(world.now);
    assert_eq!(status.phase, Phase::Running);
    assert_eq!(status.beat.next_due_why, DueWhy::Interval);
    assert_eq!(status.beat.lateness, Some(Duration::ZERO));
    let next = status.beat.lane.next_due_in.expect("one is planned");
    assert!(next <= 31 * SECOND && status.beat.lane.accepted >= 2);
    assert!(status.polls.accepted >= 1 && status.pipeline.store_open);
    let overview = world.machine.overview();
    let last = world.beats.last().expect("it was answered at once").0;
    assert_eq!((overview.last_accepted_beat, overview.beat_failures), (Some(last), 0));
    let at = world.now;
    // Late as a machine that has other things to do.
    world.now = at.plus(next + SECOND / 2);
    world.machine.handle(self::at(world.now), Event::Tick);
    world.pump();
    assert_eq!(world.machine.status(world.now).beat.lateness, Some(SECOND / 2));
    world.task("a", None);
    let beat = world.machine.status(world.now).beat;
    assert_eq!(beat.next_due_why, DueWhy::Change);
    world.machine.handle(self::at(world.now), Event::Stop);
    world.pump();
    assert_eq!(world.machine.status(world.now).phase, Phase::Stopped);
}

#[test]
fn reports_recorded_before_ttls_are_read_as_they_were() {
    let old = r#"{"report": "task_started", "id": "1", "title": "reading"}"#;
    let task = Report::TaskStarted { id: "1".into(), title: "reading".into(), ttl: None };
    assert_eq!(serde_json::from_str::<Report>(old).unwrap(), task);
    let written = serde_json::to_string(&task).unwrap();
    assert!(!written.contains("ttl"), "{written}");
    for report in [
        Report::TaskStarted { id: "1".into(), title: String::new(), ttl: Some(SECOND) },
        Report::BeatNow,
        Report::Outcomes { count: 2, error: None },
        Report::AwaitDropped { delegation_id: "d".into() },
        Report::TaskList { tasks: vec![], current_task: None },
    ] {
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}

/// What is done to some tasks, a second apart.
#[derive(Clone, Debug)]
enum Step {
    Start(u8, Option<u64>),
    End(u8),
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6_u8, proptest::option::of(0..100_u64)).prop_map(|(id, ttl)| Step::Start(id, ttl)),
        (0..6_u8).prop_map(Step::End),
        (0..60_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Against the simplest model: a task runs until its last report plus its
    /// ttl, to the nanosecond, and the machine is woken for it by its own
    /// wish.
    #[test]
    fn tasks_run_exactly_as_long_as_they_may(
        steps in proptest::collection::vec(any_step(), 1..60)
    ) {
        let mut world = World::new();
        let mut model = BTreeMap::<String, Option<Instant>>::new();
        for step in steps {
            match step {
                Step::Start(id, ttl) => {
                    let ends = ttl.map(|ttl| world.now.plus(Duration::from_secs(ttl)));
                    model.insert(format!("t{id}"), ends);
                    world.task(&format!("t{id}"), ttl);
                }
                Step::End(id) => {
                    model.remove(&format!("t{id}"));
                    world.report(Report::TaskEnded { id: format!("t{id}") });
                }
                Step::Wait(seconds) => world.run_for(Duration::from_secs(seconds)),
            }
            model.retain(|_, ends| ends.is_none_or(|ends| ends > world.now));
            let mut running = world.running();
            running.sort();
            prop_assert_eq!(&running, &model.keys().cloned().collect::<Vec<_>>());
            let next = model.values().flatten().min();
            let wakes = world.machine.next_wakeup().unwrap().at;
            prop_assert!(next.is_none_or(|next| wakes <= *next));
        }
    }
}
