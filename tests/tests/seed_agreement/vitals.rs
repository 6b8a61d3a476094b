//! What an agent reports of itself, through the library.

use std::time::Duration;

use everbeat_core::{Config, Report, RuntimeMetadata};
use everbeat_tests::{Scene, wait};
use everbeat_tokio::{Agent, AgentConfig, AgentHandle};
use serde_json::{Value, json};

struct World {
    scene: Scene,
    runtime: tokio::runtime::Runtime,
    agent: AgentHandle,
}

impl World {
    fn new() -> Self {
        let scene = Scene::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let core = Config {
            interval: Duration::from_millis(400),
            dev_timing: true,
            ..Config::new(scene.home.workspace(), &scene.platform.url())
        };
        let core = core.validate().expect("it is allowed");
        let results_file = scene.home.results();
        let config = AgentConfig { results_file, ..AgentConfig::new(core, scene.home.configs()) };
        let agent = runtime.block_on(Agent::spawn(config)).expect("it starts");
        Self { scene, runtime, agent }
    }

    fn report(&self, report: Report) {
        self.runtime.block_on(self.agent.report(report)).expect("it is taken");
    }

    /// Lets the agent run until a beat after the first `skipped` fits.
    fn beat(&self, skipped: u64, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        wait::until(what, || {
            self.runs_on();
            let beats = self.scene.seen()["beats"].take();
            let newest = beats["newest"].as_array()?.clone();
            let new = beats["total"].as_u64()?.saturating_sub(skipped);
            let from = newest.len().saturating_sub(usize::try_from(new).ok()?);
            newest[from..].iter().map(|beat| beat["body"].clone()).find(|body| fits(body))
        })
    }

    /// The agent lives in this thread: it gets some time.
    fn runs_on(&self) {
        let some = Duration::from_millis(50);
        self.runtime.block_on(async { tokio::time::sleep(some).await });
    }

    fn total(&self) -> u64 {
        self.scene.total("beats")
    }

    fn requests(&self) -> u64 {
        self.scene.platform.requests("heartbeat")
    }
}

/// PROTOCOL 5.2, 5.6, 5.8, 7.1, 7.2: the error rate is errors by requests; an
/// answer that is no 2xx takes nothing away; an accepted one takes away what
/// it carried, the sample error included.
#[test]
fn only_an_accepted_beat_takes_the_counters_away() {
    let world = World::new();
    world.beat(0, "a first beat", |beat| beat["error_rate"] == 0.0);
    let failing = json!({"kind": "status", "status": 500});
    world.scene.platform.fault("heartbeat", &failing);
    for _ in 0..3 {
        world.report(Report::Success);
    }
    world.report(Report::Error { message: "it broke".into() });
    let (refused, accepted) = (world.requests(), world.total());
    wait::for_least("refused beats", refused + 2, || {
        world.runs_on();
        world.requests()
    });
    world.scene.platform.clear_faults();
    let beat = world.beat(accepted, "the error is told", |beat| beat["error_rate"] != 0.0);
    assert_eq!((&beat["error_rate"], &beat["sample_error"]), (&json!(0.25), &json!("it broke")));
    let accepted = world.total();
    let beat = world.beat(accepted, "the next one", |_| true);
    assert_eq!((&beat["error_rate"], &beat["sample_error"]), (&json!(0.0), &json!("")));
}

/// PROTOCOL 5.5, 3.5, 7.14: every beat has the whole body, one for a change of
/// the task, too, so that no wedge and no override flaps; the first reason of a
/// wedge stays until a success clears it.
#[test]
fn every_beat_has_the_whole_body() {
    let world = World::new();
    let capabilities = [("heartbeat".to_owned(), true)].into();
    let metadata = |idle| RuntimeMetadata { capabilities, idle_timeout_seconds: idle };
    world.report(Report::Metadata(metadata(Some(600))));
    for reason in ["first", "second"] {
        world.report(Report::Wedged { reason: reason.into() });
    }
    world.beat(0, "it is wedged", |beat| beat["runtime_state"] == "wedged");
    let before = world.total();
    world.report(Report::TaskStarted { id: "1".into(), title: "reading".into(), ttl: None });
    let beat = world.beat(before, "the task", |beat| beat["current_task"] == "reading");
    assert_eq!(beat["sample_error"], "first");
    assert_eq!((&beat["active_tasks"], &beat["is_busy"]), (&json!(1), &json!(true)));
    let metadata = json!({"capabilities": {"heartbeat": true}, "idle_timeout_seconds": 600});
    let beats = world.scene.seen()["beats"]["newest"].take();
    let beats = beats.as_array().unwrap().iter().map(|beat| &beat["body"]);
    let wedged: Vec<_> = beats.skip_while(|beat| beat["runtime_state"] != "wedged").collect();
    assert!(wedged.iter().all(|beat| beat["runtime_state"] == "wedged"));
    assert!(wedged.iter().all(|beat| beat["runtime_metadata"] == metadata));
    assert_eq!(world.scene.seen()["status"], "degraded");

    let before = world.total();
    world.report(Report::Success);
    world.report(Report::TaskEnded { id: "1".into() });
    let beat = world.beat(before, "it is well", |beat| beat.get("runtime_state").is_none());
    assert_eq!((&beat["active_tasks"], &beat["current_task"]), (&json!(0), &json!("")));
    assert_eq!(beat["runtime_metadata"], metadata);
    assert_eq!(world.scene.seen()["status"], "online");
}
