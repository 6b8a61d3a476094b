//! The control socket: HTTP over a Unix socket for the agent beside this
//! process and for a person. `CONTROL.md` is its contract.
//!
//! It has a thread and a runtime of its own and talks to the driver through a
//! channel, as every other handle does: whatever its clients do, no beat waits
//! for it.

mod answers;
pub(crate) mod client;
mod fields;
mod guard;
mod listener;
pub(crate) mod place;
mod problem;
mod routes;
mod server;
mod stream;
mod verdict;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use everbeat_core::{Instant, Report, Secret, WallTime};
use tokio::time::timeout;

use crate::driver::{Answer, Told};
use crate::live::{LogLevel, Reloader};
use crate::results::Results;
use crate::supervise::Shown;
use crate::telemetry::Telemetry;
use crate::telemetry::log_tap::LogTap;
use crate::{AgentConfig, Reporter, Stopped};
use problem::{Kind, Problem};

pub(crate) use listener::{BindError, examine};
pub(crate) use server::{Server, StartError};
pub(crate) use verdict::headline;

/// Where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ControlSettings {
    /// The socket, if there is to be one.
    pub(crate) socket: Option<SocketPlace>,
    /// A port, if there is to be one.
    pub(crate) port: Option<Port>,
}

/// Where the socket is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketPlace {
    pub(crate) path: PathBuf,
    /// Whether somebody named it, instead of the state folder's being taken.
    pub(crate) is_given: bool,
}

/// Where the port is to be, and who may ask there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    pub(crate) token: Secret,
}

/// What all requests share.
pub(crate) type App = Arc<Control>;

/// The agent, as its control socket knows it.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) agent: Reporter,
    pub(crate) results: Results,
    pub(crate) facts: Facts,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) log: LogLevel,
    pub(crate) tap: LogTap,
    pub(crate) reloader: Reloader,
    pub(crate) supervised: Shown,
    pub(crate) connections: AtomicUsize,
    pub(crate) token: Option<Secret>,
}

/// How long the driver may take for an answer; it takes microseconds unless
/// it is stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

impl Control {
    /// How things stand.
    pub(crate) async fn ask(&self) -> Result<Answer, Problem> {
        in_time(self.agent.ask()).await
    }

    /// Tells the agent something about itself.
    pub(crate) async fn tell(&self, report: Report) -> Result<(), Problem> {
        match in_time(self.agent.tell(report)).await? {
            Told::Taken => Ok(()),
            Told::Full => Err(routes::full()),
            Told::Stopping => Err(Problem::new(Kind::Stopping, "no report counts any more")),
        }
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Stopped>>) -> Result<T, Problem> {
    match timeout(ANSWER_WITHIN, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Stopped)) => Err(Problem::new(Kind::Stopping, "the agent has stopped")),
        Err(_) => Err(Problem::new(Kind::Internal, "the driver did not answer within 2 s")),
    }
}

/// What does not change while the process lives.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) workspace_id: String,
    pub(crate) platform_url: String,
    pub(crate) token_file: PathBuf,
    pub(crate) results_file: PathBuf,
    pub(crate) state_dir: PathBuf,
    pub(crate) interval: Duration,
    pub(crate) started_at: WallTime,
    pub(crate) started: Instant,
}

impl Facts {
    /// Of an agent that starts now; `started` is on its clock.
    pub(crate) fn new(config: &AgentConfig, started_at: WallTime, started: Instant) -> Self {
        Self {
            workspace_id: config.core.workspace_id.clone(),
            platform_url: config.core.platform_url.clone(),
            token_file: config.token_file(),
            results_file: config.results_file.clone(),
            state_dir: config.state_dir.clone(),
            interval: config.core.interval,
            started_at,
            started,
        }
    }
}
