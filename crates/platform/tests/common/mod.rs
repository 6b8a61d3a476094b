//! A platform with a clock and one registered workspace.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use everbeat_platform::{
    Answer, Finish, NewDelegation, NewWorkspace, Options, Platform, Reply, Request, Workspace,
};
use serde_json::{Value, json};

/// Midday of the last day of March 2026.
pub const EPOCH_MS: i64 = 1_774_958_400_000;
/// The workspace that every test has.
pub const WS: &str = "ws-1";

pub struct Bench {
    pub platform: Platform,
    pub now: Duration,
    pub token: String,
}

impl Bench {
    pub fn new(options: Options) -> Self {
        let mut platform = Platform::new(options);
        platform.tick(Duration::ZERO, EPOCH_MS);
        let token = platform.create_workspace(NewWorkspace::named(WS)).unwrap().token.unwrap();
        Self { platform, now: Duration::ZERO, token }
    }

    pub fn spring() -> Self {
        Self::new(Options::spring(1))
    }

    pub fn summer() -> Self {
        Self::new(Options::summer(1))
    }

    pub fn wait(&mut self, seconds: u64) {
        self.wait_ms(seconds * 1_000);
    }

    pub fn wait_ms(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.platform.tick(self.now, self.wall_ms());
    }

    pub fn wall_ms(&self) -> i64 {
        EPOCH_MS + i64::try_from(self.now.as_millis()).unwrap()
    }

    /// Without credentials.
    pub fn send(&mut self, request: &Request) -> Reply {
        let wall_ms = self.wall_ms();
        self.platform.handle(self.now, wall_ms, request)
    }

    pub fn answer(&mut self, request: &Request) -> Answer {
        self.send(request).answer
    }

    /// With the workspace's token.
    pub fn post(&mut self, path: &str, body: Value) -> Answer {
        let request = Request::post(path, &body).with_bearer(&self.token);
        self.answer(&request)
    }

    pub fn get(&mut self, path: &str) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut request = Request::get(path).with_bearer(&self.token);
        request.query = (!query.is_empty()).then(|| query.to_owned());
        self.answer(&request)
    }

    /// A beat with these fields beside the id.
    pub fn beat(&mut self, mut fields: Value) -> Answer {
        fields["workspace_id"] = json!(WS);
        self.post("/registry/heartbeat", fields)
    }

    pub fn register(&mut self) -> Answer {
        let body = json!({"id": WS, "url": "http://agent:8000", "agent_card": {"name": "a"}});
        self.post("/registry/register", body)
    }

    pub fn list(&mut self) -> Vec<Value> {
        let answer = self.get(&format!("/workspaces/{WS}/delegations"));
        assert_eq!(answer.status, 200, "{:?}", answer.value());
        answer.value().as_array().unwrap().clone()
    }

    pub fn delegation(&mut self, task: &str) -> String {
        let new = NewDelegation {
            workspace: WS.into(),
            target: "ws-2".into(),
            task: task.into(),
            ..NewDelegation::default()
        };
        self.platform.make_delegation(new).unwrap()
    }

    pub fn finish(&mut self, id: &str, finish: &Finish) {
        self.platform.finish_delegation(id, finish).unwrap();
    }

    pub fn ws(&self) -> &Workspace {
        self.platform.workspace(WS).unwrap()
    }

    /// A message of the workspace to itself.
    pub fn self_message(&mut self, message_id: Option<&str>, text: &str) -> Reply {
        let mut message = json!({"role": "user", "parts": [{"type": "text", "text": text}]});
        if let Some(id) = message_id {
            message["messageId"] = json!(id);
        }
        let body = json!({"method": "message/send", "params": {"message": message}});
        let path = format!("/workspaces/{WS}/a2a");
        self.send(&Request::post(&path, &body).with_header("x-workspace-id", WS))
    }
}
