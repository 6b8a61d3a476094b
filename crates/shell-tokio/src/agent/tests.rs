//! Whole agents against the served platform, in real but short time.

use std::net::SocketAddr;

use everbeat_core::Config;
use everbeat_platform::{Fault, Finish, NewDelegation, NewWorkspace, Options};
use serde_json::json;

use super::*;
use crate::serve::{ServedPlatform, Server};
use crate::testing::TempDir;

struct World {
    dir: TempDir,
    url: String,
    platform: ServedPlatform,
}

impl World {
    async fn new() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(any, Options::development(1)).await.unwrap();
        let (url, platform) = (format!("http://{}", server.address()), server.platform());
        tokio::spawn(server.run());
        Self { dir: TempDir::new(), url, platform }
    }

    /// A workspace with its token in its file, and an agent's configuration.
    fn workspace(&self, id: &str) -> AgentConfig {
        let token = self.platform.lock().create_workspace(NewWorkspace::named(id)).unwrap().token;
        let configs_dir = self.dir.join(id);
        std::fs::create_dir(&configs_dir).unwrap();
        std::fs::write(configs_dir.join(".auth_token"), token.unwrap()).unwrap();
        let milliseconds = Duration::from_millis;
        let core = Config {
            interval: milliseconds(100),
            cooldown: milliseconds(50),
            dev_timing: true,
            ..Config::new(id, &self.url)
        };
        let results_file = self.dir.join(&format!("{id}.jsonl"));
        let config = AgentConfig::new(core.validate().unwrap(), configs_dir);
        AgentConfig { results_file, ..config }
    }

    fn finished_delegation(&self, of: &str) -> String {
        let new = json!({"workspace": of, "target": "peer", "task": "look"});
        let new: NewDelegation = serde_json::from_value(new).unwrap();
        let mut platform = self.platform.lock();
        let id = platform.make_delegation(new).unwrap();
        platform.finish_delegation(&id, &Finish::completed("done")).unwrap();
        id
    }
}

async fn until(handle: &AgentHandle, what: impl FnMut(&Overview) -> bool) {
    let mut overview = handle.overview();
    let waiting = overview.wait_for(what);
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("in 10 s").unwrap();
}

#[tokio::test]
async fn an_agent_beats_delivers_announces_reports_and_stops() {
    let world = World::new().await;
    let config = world.workspace("ws-1");
    let agent = Agent::spawn(config.clone()).await.unwrap();
    until(&agent, |overview| overview.beats_accepted >= 2 && overview.store_open).await;
    let id = world.finished_delegation("ws-1");
    until(&agent, |overview| overview.self_messages_accepted == 1).await;
    assert!(std::fs::read_to_string(&config.results_file).unwrap().contains(&id));
    let task = Report::TaskStarted { id: "1".into(), title: "reading".into(), ttl: None };
    agent.report(task).await.unwrap();
    assert_eq!(agent.status().await.unwrap().vitals.tasks[0].title, "reading");
    let reporter = agent.reporter();
    let overview = agent.stop().await.unwrap();
    assert!(overview.stopped);
    // The last state reached the platform before the end.
    let last = {
        let platform = world.platform.lock();
        platform.workspace("ws-1").unwrap().beats.last().unwrap().value()
    };
    assert_eq!(last["current_task"], "reading");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(reporter.report(Report::Success).await, Err(Stopped));
}

#[tokio::test]
async fn one_driver_runs_several_agents_that_stop_apart() {
    let world = World::new().await;
    let configs = vec![world.workspace("ws-1"), world.workspace("ws-2"), world.workspace("ws-3")];
    let mut agents = Agent::spawn_fleet(configs).await.unwrap();
    for agent in &agents {
        until(agent, |overview| overview.beats_accepted >= 2).await;
    }
    let last = agents.pop().unwrap();
    assert!(last.stop().await.unwrap().stopped);
    let beats = agents[0].overview().borrow().beats_accepted;
    until(&agents[0], |overview| overview.beats_accepted > beats + 1).await;
    // Once nobody holds a handle, the others stop too.
    let mut overview = agents[1].overview();
    drop(agents);
    let stopped = overview.wait_for(|overview| overview.stopped);
    tokio::time::timeout(Duration::from_secs(5), stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_second_agent_on_one_state_folder_is_refused_before_it_beats() {
    let world = World::new().await;
    let config = world.workspace("ws-1");
    let agent = Agent::spawn(config.clone()).await.unwrap();
    let refused = Agent::spawn(config).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_made_holds_no_beat() {
    let world = World::new().await;
    std::fs::write(world.dir.join("file"), "").unwrap();
    let config = AgentConfig { state_dir: world.dir.join("file/x"), ..world.workspace("ws-1") };
    let agent = Agent::spawn(config).await.unwrap();
    until(&agent, |overview| overview.beats_accepted >= 3).await;
    assert!(!agent.overview().borrow().store_open);
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_rotated_token_is_read_again() {
    let world = World::new().await;
    let config = world.workspace("ws-1");
    let agent = Agent::spawn(config.clone()).await.unwrap();
    until(&agent, |overview| overview.beats_accepted >= 1).await;
    let token = world.platform.lock().rotate_token("ws-1").unwrap();
    until(&agent, |overview| overview.beat_failures >= 1).await;
    std::fs::write(config.token_file(), token).unwrap();
    until(&agent, |overview| overview.beat_failures == 0).await;
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_poll_that_hangs_holds_no_beat_and_no_stop() {
    let world = World::new().await;
    let config = world.workspace("ws-1");
    let fault = json!({"route": "delegations", "effect": {"kind": "hang"}});
    let fault: Fault = serde_json::from_value(fault).unwrap();
    world.platform.lock().inject(fault).unwrap();
    let agent = Agent::spawn(config).await.unwrap();
    until(&agent, |overview| overview.beats_accepted >= 5).await;
    assert_eq!(agent.overview().borrow().polls_accepted, 0);
    agent.stop().await.unwrap();
}
