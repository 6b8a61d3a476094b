//! The served platform, and its administrator.

use std::path::Path;

use serde_json::{Value, json};

use crate::http;
use crate::process::{Process, everbeat};

/// `everbeat platform --admin` on a port of its own.
#[derive(Debug)]
pub struct Platform {
    process: Process,
    address: String,
}

impl Platform {
    /// Starts it; its log goes into `dir`.
    #[must_use]
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// The same with more arguments.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_with(dir: &Path, args: &[&str]) -> Self {
        let all = [&["platform", "--listen", "127.0.0.1:0", "--admin"], args].concat();
        let log = dir.join("platform.log");
        let mut process = Process::start("the platform", everbeat(&all), &log);
        let line = process.first_line();
        let address = line.split("http://").last().unwrap_or_default();
        let address = address.trim().trim_end_matches('/').to_owned();
        Self { process, address }
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What an agent is given.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it: connections are refused from then on.
    pub fn stop(&mut self) {
        self.process.kill_nine();
    }

    /// One administrator's request that must go well.
    ///
    /// # Panics
    /// If it does not.
    pub fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/admin/{path}");
        match http::request(&self.address, method, &path, &body) {
            Ok(answer) if answer.status < 300 => answer.json(),
            other => panic!("{method} {path} {body}: {other:?}"),
        }
    }

    /// `POST /admin/…`.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.admin("POST", path, body)
    }

    /// Everything that was observed.
    #[must_use]
    pub fn state(&self) -> Value {
        self.admin("GET", "state", &Value::Null)
    }

    /// What was observed of one workspace.
    #[must_use]
    pub fn workspace(&self, id: &str) -> Value {
        self.state()["workspaces"][id].take()
    }

    /// Requests of a route so far.
    #[must_use]
    pub fn requests(&self, route: &str) -> u64 {
        self.state()["requests"][route].as_u64().unwrap_or(0)
    }

    /// Makes a workspace; gives its token.
    #[must_use]
    pub fn create(&self, workspace: &Value) -> String {
        let made = self.post("workspaces", workspace);
        made["token"].as_str().unwrap_or_default().to_owned()
    }

    /// Makes a delegation with an id of ours.
    pub fn delegate(&self, workspace: &str, id: &str) {
        let new = json!({"workspace": workspace, "target": "peer", "task": "look", "id": id});
        self.post("delegations", &new);
    }

    /// Ends a delegation.
    pub fn finish(&self, id: &str, finish: &Value) {
        self.post(&format!("delegations/{id}/finish"), finish);
    }

    /// Makes a delegation that is completed at once.
    pub fn completed(&self, workspace: &str, id: &str, text: &str) {
        self.delegate(workspace, id);
        self.finish(id, &json!({"status": "completed", "text": text}));
    }

    /// Makes a delegation that fails at once.
    pub fn failed(&self, workspace: &str, id: &str, error: &str) {
        self.delegate(workspace, id);
        self.finish(id, &json!({"status": "failed", "error": error}));
    }

    /// Injects a fault until cleared.
    pub fn fault(&self, route: &str, effect: &Value) {
        self.post("faults", &json!({"route": route, "effect": effect}));
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.admin("DELETE", "faults", &Value::Null);
    }
}
