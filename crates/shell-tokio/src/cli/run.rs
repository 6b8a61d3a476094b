//! `everbeat run`.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::sync::watch;

use super::args::SettingsArgs;
use super::logging::{self, Logging};
use super::service::Manager;
use super::signals::Signals;
use super::{Exit, check, runtime};
use crate::clock;
use crate::control::{App, BindError, Control, ControlSettings, Facts, Server, StartError};
use crate::live::Reloader;
use crate::live::reload::Running;
use crate::settings::Settings;
use crate::settings::layers::Sources;
use crate::telemetry::Telemetry;
use crate::{Agent, AgentConfig, Reporter, SpawnError};

/// The core stops within two seconds; this is for whatever else may hang.
const STOP_WITHIN: Duration = Duration::from_millis(2_700);

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Checks configuration and folders and ends, without leaving a trace;
    /// `online` also asks the platform
    #[arg(
        long, help_heading = "Check", value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true,
        default_missing_value = "offline", hide_possible_values = true
    )]
    check: Option<CheckMode>,
    /// Records the machine's history here, for `everbeat-sim replay`: no
    /// secrets, but the words of peers; at most 256 MiB
    #[arg(long, help_heading = "Diagnosis", value_name = "FILE")]
    record: Option<std::path::PathBuf>,
    /// Ends at the end of standard input, too: for whoever starts this as a
    /// child that must not outlive it
    #[arg(long, help_heading = "Life")]
    exit_with_stdin: bool,
    /// What --check finds, as JSON
    #[arg(long, help_heading = "Check", requires = "check")]
    json: bool,
}

/// How far `--check` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckMode {
    /// Nothing leaves this machine.
    Offline,
    /// The platform is asked.
    Online,
}

pub(crate) fn run(args: &RunArgs, signals: Signals) -> Exit {
    let sources = args.settings.sources();
    let settings = Settings::read(&sources);
    if let Some(mode) = args.check {
        return check::check(settings, mode, args.json, signals);
    }
    let settings = match settings {
        Ok(settings) => settings,
        Err(problems) => {
            for problem in problems {
                eprintln!("everbeat: {problem}");
            }
            return Exit::Usage;
        }
    };
    let reading = (sources, Running::of(&settings));
    let logging = match logging::start(settings.log, settings.log_format) {
        Ok(logging) => logging,
        Err(error) => {
            eprintln!("everbeat: the log's thread cannot be started: {error}");
            return Exit::Failed;
        }
    };
    if args.exit_with_stdin
        && let Err(error) = signals.also_at_end_of_stdin()
    {
        tracing::error!("standard input cannot be watched: {error}");
        return Exit::Failed;
    }
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let exit = match runtime() {
        Ok(runtime) => {
            let agent = AgentConfig { record: args.record.clone(), ..settings.agent };
            let beating = beat(agent, settings.control, reading, &logging, signals);
            let exit = runtime.block_on(beating);
            // A name server that hangs must not hold up the end.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            tracing::error!("the runtime cannot be started: {error}");
            Exit::Failed
        }
    };
    logging.finish();
    exit
}

async fn beat(
    config: AgentConfig,
    control: ControlSettings,
    (sources, running): (Sources, Running),
    logging: &Logging,
    mut signals: Signals,
) -> Exit {
    introduce(&config);
    let telemetry = Telemetry::start();
    let observers = vec![telemetry.observer()];
    let about = config.clone();
    let state_dir = config.state_dir.display().to_string();
    let spawned = tokio::select! {
        spawned = Agent::spawn_observed(config, observers) => spawned,
        () = signals.asked() => {
            tracing::info!("asked to stop before the start was done");
            return Exit::Done;
        }
    };
    let mut agent = match spawned {
        Ok(agent) => agent,
        Err(error @ SpawnError::Locked { .. }) => {
            tracing::error!(
                "{error}; stop that one, or give this one a state folder of its own (--state-dir, \
                 now {state_dir})"
            );
            return Exit::Running;
        }
        Err(error @ (SpawnError::Client(_) | SpawnError::Thread(_) | SpawnError::Record(_))) => {
            tracing::error!("{error}");
            return Exit::Failed;
        }
    };
    let reloader = Reloader::new(sources, running, agent.reporter(), logging.level.clone());
    tokio::spawn(reload_at_signals(reloader.clone(), signals.reload()));
    let app = App::new(Control {
        agent: agent.reporter(),
        results: agent.results(),
        facts: Facts::new(&about, clock::wall(), agent.now()),
        telemetry,
        log: logging.level.clone(),
        tap: logging.tap.clone(),
        reloader,
        connections: AtomicUsize::new(0),
        token: control.port.as_ref().map(|port| port.token.clone()),
    });
    let server = tokio::select! {
        started = Server::start(control, app) => match started {
            Ok(server) => Some(server),
            Err(error) => {
                let exit = refused(&error);
                let _ = tokio::time::timeout(STOP_WITHIN, agent.stop()).await;
                return exit;
            }
        },
        () = signals.asked() => None,
    };
    let reporter = agent.reporter();
    let manager = Manager::of_environment();
    if let Some(manager) = &manager {
        manager.ready();
    }
    tokio::select! {
        ended = agent.stopped() => {
            tracing::error!("a fault in this program: the agent ended by itself ({ended:?})");
            return Exit::Failed;
        }
        () = keep_alive(manager.as_ref(), &reporter) => {}
        () = signals.asked() => {}
    }
    if let Some(manager) = &manager {
        manager.stopping();
    }
    drop(reporter);
    tracing::info!("asked to stop: finishing what is under way; a second signal ends it at once");
    let stopped = tokio::time::timeout(STOP_WITHIN, agent.stop()).await;
    if let Some(server) = server {
        server.stop();
    }
    match stopped {
        Ok(Ok(_)) => Exit::Done,
        Ok(Err(error)) => {
            tracing::error!("a fault in this program: {error}");
            Exit::Failed
        }
        Err(_) => {
            tracing::error!("it did not stop in time; the journal is consistent all the same");
            Exit::Failed
        }
    }
}

/// Never ends.
async fn keep_alive(manager: Option<&Manager>, agent: &Reporter) {
    match manager {
        Some(manager) => manager.keep_alive(agent).await,
        None => std::future::pending().await,
    }
}

/// SIGHUP reads the configuration again.
async fn reload_at_signals(reloader: Reloader, mut asked: watch::Receiver<u64>) {
    while asked.changed().await.is_ok() {
        reloader.reload().await;
    }
}

/// Why there is no control socket, and what that means for the process.
fn refused(error: &StartError) -> Exit {
    match error {
        StartError::Bind(BindError::Living(_)) => {
            tracing::error!("{error}; stop that one, or give this one another (--control)");
            Exit::Running
        }
        StartError::Bind(
            BindError::TooLong(_)
            | BindError::Odd { .. }
            | BindError::Socket { .. }
            | BindError::Address { .. },
        ) => {
            tracing::error!("{error}; without one: --control none");
            Exit::Usage
        }
        StartError::Thread(_) => {
            tracing::error!("{error}");
            Exit::Failed
        }
    }
}

fn introduce(config: &AgentConfig) {
    let core = &config.core;
    tracing::info!(
        workspace = core.workspace_id,
        "everbeat {}: beats go to {} every {:?}, results to {}, state to {}",
        env!("CARGO_PKG_VERSION"),
        core.platform_url,
        core.interval,
        config.results_file.display(),
        config.state_dir.display()
    );
    if core.dev_timing {
        tracing::warn!("dev_timing is set: durations of 10ms are allowed; not for production");
    }
}
