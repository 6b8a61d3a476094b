//! A platform, a workspace on it, and its home.

use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::control::Control;
use crate::home::Home;
use crate::platform::Platform;
use crate::reader::Reader;
use crate::wait;

/// What most tests begin with.
#[derive(Debug)]
pub struct Scene {
    /// The served platform.
    pub platform: Platform,
    /// The agent's files.
    pub home: Home,
}

impl Scene {
    /// A workspace whose agent answers at once; its token is in its file.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it starts a process")]
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// The same, with more arguments for the platform.
    #[must_use]
    pub fn with(args: &[&str]) -> Self {
        let home = Home::new("ws-e2e");
        let platform = Platform::start_with(home.dir(), args);
        let new = json!({"id": home.workspace(), "turn_ms": 0});
        home.write_token(&platform.create(&new));
        Self { platform, home }
    }

    /// Starts the agent.
    #[must_use]
    pub fn agent(&self, args: &[&str]) -> Agent {
        Agent::start(&self.home, &self.platform.url(), args)
    }

    /// Requests to the agent's control socket.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::at(&self.home.control())
    }

    /// What the platform saw of this workspace.
    #[must_use]
    pub fn seen(&self) -> Value {
        self.platform.workspace(self.home.workspace())
    }

    /// How many of these it saw: `beats`, `messages`, `notifications` …
    #[must_use]
    pub fn total(&self, what: &str) -> u64 {
        self.seen()[what]["total"].as_u64().unwrap_or(0)
    }

    /// Makes a delegation that is completed at once.
    pub fn completed(&self, id: &str) {
        self.platform.completed(self.home.workspace(), id, &format!("the text of {id}"));
    }

    /// Makes a delegation that fails at once.
    pub fn failed(&self, id: &str) {
        self.platform.failed(self.home.workspace(), id, &format!("the error of {id}"));
    }

    /// Waits until the platform has accepted so many more beats.
    pub fn wait_for_beats(&self, more: u64) {
        let from = self.total("beats");
        wait::for_least("accepted beats", from + more, || self.total("beats"));
    }

    /// Lets a reader take by hand until it has this delegation.
    pub fn wait_for_result(&self, reader: &Reader, id: &str) {
        wait::for_true(&format!("{id} is in the stream"), || {
            reader.take();
            reader.count_of(id) > 0
        });
    }

    /// Watches the beats from now on.
    #[must_use]
    pub fn beats(&self) -> Beats<'_> {
        Beats { scene: self, from_ms: self.now_ms() }
    }

    fn now_ms(&self) -> u64 {
        self.platform.state()["now_ms"].as_u64().unwrap_or(0)
    }
}

/// Beats since a moment (L1).
#[derive(Debug)]
pub struct Beats<'a> {
    scene: &'a Scene,
    from_ms: u64,
}

impl Beats<'_> {
    /// When the platform accepted them, and now, in milliseconds.
    fn accepted(&self) -> Vec<u64> {
        let state = self.scene.platform.state();
        let beats = &state["workspaces"][self.scene.home.workspace()]["beats"]["newest"];
        let beats = beats.as_array().cloned().unwrap_or_default();
        let at = beats.iter().filter_map(|beat| beat["at_ms"].as_u64());
        at.filter(|at| *at >= self.from_ms).chain(state["now_ms"].as_u64()).collect()
    }

    /// Waits for so many.
    pub fn wait_for(&self, count: usize) {
        wait::for_least("beats", count + 1, || self.accepted().len());
    }

    /// L1: none came late. How late is judged by the machine: at most three
    /// intervals and a second apart, and on average less than one and a half
    /// intervals; whatever would hold a beat up in these tests holds it up for
    /// far longer.
    ///
    /// # Panics
    /// If one did.
    pub fn assert_on_time(&self, interval: Duration) {
        let accepted = self.accepted();
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let mut last = self.from_ms;
        for at in &accepted {
            let gap = at.saturating_sub(last);
            assert!(gap <= 3 * interval_ms + 1_000, "{gap} ms without a beat: {accepted:?}");
            last = *at;
        }
        let lasted = last - self.from_ms;
        let expected = lasted / interval_ms;
        let least = (expected * 2 / 3).saturating_sub(2);
        assert!(accepted.len() as u64 > least, "{} beats in {lasted} ms", accepted.len() - 1);
    }
}
