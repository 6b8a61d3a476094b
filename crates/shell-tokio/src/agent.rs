//! The public face: spawning agents and talking to them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use everbeat_core::{
    AgentStatus, FileFailureKind, Heartbeat, Instant, Outcome, Overview, RecordHeader, Report,
    Secret, Tuning, ValidConfig,
};
use everbeat_store::Paths;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout_at;

use crate::client::{Client, ClientError};
use crate::clock::Clock;
use crate::driver::{Answer, Driver, Input, Machine, Told};
use crate::effects::{Context, Shared};
use crate::files::{Stores, Worker};
use crate::log::Places;
use crate::observe::Observer;
use crate::record::Recorder;
use crate::results::Results;
use crate::token::Token;

/// How long a start waits for the lock and the token. A file system that
/// hangs delays delivery, but never the beats.
const FILES_WITHIN: Duration = Duration::from_secs(2);
/// Reports that wait for the driver; more of them wait with their senders.
const INPUTS_MAX: usize = 256;

/// Where one agent's files lie, and what it is.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The core's own configuration.
    pub core: ValidConfig,
    /// The folder of `.auth_token` and `.platform_inbound_secret`.
    pub configs_dir: PathBuf,
    /// The folder of the journal and the lock; made if it is missing.
    pub state_dir: PathBuf,
    /// The file that the reader takes by renaming it. Its folder must exist.
    pub results_file: PathBuf,
    /// A token from the environment (`MOLECULE_WORKSPACE_TOKEN`), used after
    /// the file's where `configs_dir` is exactly `/configs`, before it
    /// elsewhere.
    pub environment_token: Option<Secret>,
    /// Where the machine's history is recorded for a replay in the simulator;
    /// it holds no secret, but the peers' words.
    pub record: Option<PathBuf>,
}

impl AgentConfig {
    /// The usual places: state in `<configs_dir>/everbeat`, results in
    /// `/tmp/delegation_results.jsonl`, no token from the environment.
    #[must_use]
    pub fn new(core: ValidConfig, configs_dir: impl Into<PathBuf>) -> Self {
        let configs_dir = configs_dir.into();
        let state_dir = configs_dir.join("everbeat");
        let results_file = PathBuf::from("/tmp/delegation_results.jsonl");
        Self { core, configs_dir, state_dir, results_file, environment_token: None, record: None }
    }

    /// The file that holds the bearer token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.configs_dir.join(".auth_token")
    }
}

/// Why no agent was started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Another process works in the same state folder.
    #[error("{path}: {reason}")]
    Locked {
        /// The lock's file.
        path: String,
        /// Who holds it.
        reason: String,
    },
    /// The HTTP client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The record's file could not be made.
    #[error("the record cannot be begun: {0}")]
    Record(String),
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(#[source] io::Error),
}

/// The driver came to its end without having stopped the agent: a fault of
/// this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent ended without having been stopped")]
pub struct EndedEarly;

/// Starts agents; see [`AgentHandle`] for what can be done with them.
#[derive(Debug)]
pub struct Agent;

impl Agent {
    /// Starts one agent on the current tokio runtime (which needs its I/O and
    /// time drivers; one thread is enough).
    ///
    /// # Errors
    /// If another process holds the lock of the state folder, or the system
    /// has no thread left. Nothing else keeps an agent from starting: what is
    /// wrong with files or the platform is told and tried again.
    pub async fn spawn(config: AgentConfig) -> Result<AgentHandle, SpawnError> {
        Self::spawn_observed(config, Vec::new()).await
    }

    /// Starts one agent that others watch.
    ///
    /// # Errors
    /// As [`Agent::spawn`].
    pub async fn spawn_observed(
        config: AgentConfig,
        observers: Vec<Box<dyn Observer>>,
    ) -> Result<AgentHandle, SpawnError> {
        let mut handles = Self::spawn_all(vec![(config, observers)]).await?;
        handles.pop().ok_or_else(|| SpawnError::Thread(io::Error::other("no agent was made")))
    }

    /// Starts several agents in one driver, with one HTTP client; the handles
    /// come in the order of `configs`.
    ///
    /// # Errors
    /// As [`Agent::spawn`]; if one cannot start, none does.
    pub async fn spawn_fleet(configs: Vec<AgentConfig>) -> Result<Vec<AgentHandle>, SpawnError> {
        Self::spawn_all(configs.into_iter().map(|config| (config, Vec::new())).collect()).await
    }

    async fn spawn_all(
        configs: Vec<(AgentConfig, Vec<Box<dyn Observer>>)>,
    ) -> Result<Vec<AgentHandle>, SpawnError> {
        let all_paths = configs.iter().map(|(config, _)| paths(config));
        let shared = Arc::new(Shared {
            client: Client::new()?,
            stores: Worker::start("everbeat-store", Stores::new(all_paths))
                .map_err(SpawnError::Thread)?,
            secrets: Worker::start("everbeat-secrets", ()).map_err(SpawnError::Thread)?,
        });
        let within = tokio::time::Instant::now() + FILES_WITHIN;
        for index in 0..configs.len() {
            take_lock(&shared, index, within).await?;
        }
        let clock = Clock::start();
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let mut machines = Vec::with_capacity(configs.len());
        let mut handles = Vec::with_capacity(configs.len());
        for (index, (config, observers)) in configs.into_iter().enumerate() {
            let mut machine = machine(&shared, clock, index, config, within).await?;
            machine.observers.extend(observers);
            let reporter = Reporter { index, inputs: sender.clone() };
            let results = Results::new(Arc::clone(&shared), index, clock, seed());
            let overview = machine.overview.subscribe();
            handles.push(AgentHandle { reporter, overview, clock, results });
            machines.push(machine);
        }
        drop(sender);
        tokio::spawn(Driver::new(clock, machines, inputs).run());
        Ok(handles)
    }
}

/// A running agent. Once all handles and reporters of a driver are dropped,
/// its agents stop.
#[derive(Debug)]
pub struct AgentHandle {
    reporter: Reporter,
    overview: watch::Receiver<Overview>,
    clock: Clock,
    results: Results,
}

impl AgentHandle {
    /// Tells the agent something about itself; see [`Reporter::report`].
    ///
    /// # Errors
    /// If the agent has stopped.
    pub async fn report(&self, report: Report) -> Result<(), Stopped> {
        self.reporter.report(report).await
    }

    /// Something that can report, to hand to others.
    #[must_use]
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// What is going on, whenever it changes. Times in it are on the clock of
    /// [`AgentHandle::now`].
    #[must_use]
    pub fn overview(&self) -> watch::Receiver<Overview> {
        self.overview.clone()
    }

    /// Its results, for whoever takes them under a lease.
    #[must_use]
    pub fn results(&self) -> Results {
        self.results.clone()
    }

    /// All that is known of what is going on, at this moment.
    ///
    /// # Errors
    /// If the agent's driver has ended.
    pub async fn status(&self) -> Result<AgentStatus, Stopped> {
        self.reporter.ask().await.map(|answer| answer.status)
    }

    /// The agent's own time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.monotonic()
    }

    /// Waits until the agent has stopped.
    ///
    /// # Errors
    /// If it ended in another way.
    pub async fn stopped(&mut self) -> Result<Overview, EndedEarly> {
        let overview = self.overview.wait_for(|overview| overview.stopped).await;
        overview.map(|overview| overview.clone()).map_err(|_| EndedEarly)
    }

    /// Stops the agent and waits for it: at most
    /// [`STOP_WITHIN`](everbeat_core::limits::STOP_WITHIN).
    ///
    /// # Errors
    /// If it ended in another way.
    pub async fn stop(mut self) -> Result<Overview, EndedEarly> {
        // An agent that has stopped takes nothing: the same in the end.
        let _ = self.reporter.inputs.send(Input::Stop(self.reporter.index)).await;
        self.stopped().await
    }
}

/// Tells an agent what happens to it.
#[derive(Clone, Debug)]
pub struct Reporter {
    index: usize,
    inputs: mpsc::Sender<Input>,
}

/// The agent has stopped and takes no reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent has stopped")]
pub struct Stopped;

impl Reporter {
    /// Tells the agent something about itself. Waits only while very many
    /// reports are under way.
    ///
    /// # Errors
    /// If the agent's driver has stopped.
    pub async fn report(&self, report: Report) -> Result<(), Stopped> {
        self.inputs.send(Input::Report(self.index, report)).await.map_err(|_| Stopped)
    }

    /// The same, and says what became of it.
    pub(crate) async fn tell(&self, report: Report) -> Result<Told, Stopped> {
        let (told, answer) = oneshot::channel();
        self.inputs.send(Input::Tell(self.index, report, told)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Goes on with another tuning.
    pub(crate) async fn retune(&self, tuning: Tuning) -> Result<(), Stopped> {
        self.inputs.send(Input::Retune(self.index, tuning)).await.map_err(|_| Stopped)
    }

    /// Reads the token's file again, without a refusal.
    pub(crate) async fn read_token(&self) -> Result<Outcome, Stopped> {
        let (read, answer) = oneshot::channel();
        self.inputs.send(Input::ReadToken(self.index, read)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// How things stand.
    pub(crate) async fn ask(&self) -> Result<Answer, Stopped> {
        let (asked, answer) = oneshot::channel();
        self.inputs.send(Input::Status(self.index, asked)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

/// Opens the store early, so that a second process is refused before its
/// first beat. Whatever else is wrong is the machine's to deal with.
async fn take_lock(
    shared: &Shared,
    index: usize,
    within: tokio::time::Instant,
) -> Result<(), SpawnError> {
    let opening = shared.stores.run(move |stores| stores.open_early(index));
    match timeout_at(within, opening).await {
        Ok(Outcome::FileFailed(failure)) if failure.kind == FileFailureKind::Locked => {
            Err(SpawnError::Locked { path: failure.path, reason: failure.reason })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

async fn machine(
    shared: &Arc<Shared>,
    clock: Clock,
    index: usize,
    config: AgentConfig,
    within: tokio::time::Instant,
) -> Result<Machine, SpawnError> {
    let token = Arc::new(Token::new(config.token_file(), config.environment_token));
    load(shared, &token, within).await;
    let (seed, now) = (seed(), clock.now());
    let header = || RecordHeader::new((*config.core).clone(), seed, now);
    let record = config.record.as_ref().map(|path| Recorder::begin(path, &header()));
    let record = record.transpose().map_err(SpawnError::Record)?;
    let observers = record.into_iter().map(|record| Box::new(record) as Box<dyn Observer>);
    let heartbeat = Heartbeat::new(config.core.clone(), seed, now);
    let places = Places {
        workspace_id: config.core.workspace_id.clone(),
        platform_url: config.core.platform_url.clone(),
        token_file: token.file().to_owned(),
        state_dir: config.state_dir,
        results_file: config.results_file,
    };
    let context = Context {
        shared: Arc::clone(shared),
        index,
        config: config.core,
        token,
        inbound_secret_file: config.configs_dir.join(".platform_inbound_secret"),
    };
    Ok(Machine {
        observers: observers.collect(),
        overview: watch::Sender::new(heartbeat.overview()),
        heartbeat,
        context: Arc::new(context),
        places,
        running: Vec::new(),
    })
}

/// Reads the token before the first request; without one it goes out bare,
/// which a platform that has issued none accepts.
async fn load(shared: &Shared, token: &Arc<Token>, within: tokio::time::Instant) {
    let path = token.file().display().to_string();
    let reading = Arc::clone(token);
    let read = shared.secrets.run(move |()| reading.load());
    match timeout_at(within, read).await {
        Ok(Outcome::TokenLoaded { present: true, .. }) => {}
        Ok(Outcome::FileFailed(failure)) => tracing::warn!(
            "cannot {} the token file {}: {}; it is read again when the platform asks for a token",
            failure.operation,
            failure.path,
            failure.reason
        ),
        Ok(_) => tracing::info!(
            "no token in {path} yet; it is read again when the platform asks for one"
        ),
        Err(_) => tracing::warn!("{path} cannot be read in time; going on without a token"),
    }
}

fn paths(config: &AgentConfig) -> Paths {
    Paths {
        state_dir: config.state_dir.clone(),
        results_file: config.results_file.clone(),
        workspace_id: config.core.workspace_id.clone(),
    }
}

/// From the operating system: standard hash maps are seeded by it.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests;
