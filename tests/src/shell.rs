//! A shell as the container sees it: a program and its environment.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::agent::Agent;
use crate::home::Home;
use crate::process::{bare, program};
use crate::scene::Scene;

/// A shell of the core, to be tested: it is told nothing but by variables.
///
/// Beside those of the container (`WORKSPACE_ID`, `PLATFORM_URL`,
/// `CONFIGS_DIR`, `DELEGATION_RESULTS_FILE`) it must honour
/// `EVERBEAT_DEV_TIMING`, `EVERBEAT_INTERVAL` and `EVERBEAT_COOLDOWN`, so that
/// tests are short, and `EVERBEAT_AGENT_URL` and `EVERBEAT_AGENT_CARD`, so
/// that it registers.
#[derive(Clone, Debug)]
pub struct Shell {
    program: PathBuf,
    args: &'static [&'static str],
}

impl Shell {
    /// Time between beats, and between polls, in all scenarios.
    pub const INTERVAL: Duration = Duration::from_millis(400);

    /// `everbeat run`.
    #[must_use]
    pub fn tokio() -> Self {
        Self { program: program("everbeat-under-test"), args: &["run"] }
    }

    /// The example in `examples/blocking`.
    #[must_use]
    pub fn blocking() -> Self {
        Self { program: program("everbeat-blocking-under-test"), args: &[] }
    }

    /// Another one.
    #[must_use]
    pub fn at(program: impl Into<PathBuf>, args: &'static [&'static str]) -> Self {
        Self { program: program.into(), args }
    }

    /// What is run against the platform at `url`, with more variables.
    #[must_use]
    pub fn command(&self, home: &Home, url: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = bare(&self.program);
        command.args(self.args);
        command.env("WORKSPACE_ID", home.workspace()).env("PLATFORM_URL", url);
        command.env("CONFIGS_DIR", home.configs()).env("DELEGATION_RESULTS_FILE", home.results());
        command.env("EVERBEAT_DEV_TIMING", "true").env("EVERBEAT_COOLDOWN", "200ms");
        command.env("EVERBEAT_INTERVAL", format!("{}ms", Self::INTERVAL.as_millis()));
        command.envs(variables.iter().copied());
        command
    }

    /// Starts it for the workspace of `scene`.
    #[must_use]
    pub fn start(&self, scene: &Scene) -> Agent {
        Agent::spawn(&scene.home, self.command(&scene.home, &scene.platform.url(), &[]))
    }
}
