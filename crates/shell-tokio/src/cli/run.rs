//! `everbeat run`.

use std::convert::Infallible;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use tokio::sync::watch;

use everbeat_core::Overview;

use super::args::SettingsArgs;
use super::logging::{self, Logging};
use super::reports::seconds;
use super::service::Manager;
use super::signals::Signals;
use super::{Exit, check, runtime};
use crate::clock;
use crate::control::{App, BindError, Control, ControlSettings, Facts, Server, StartError};
use crate::live::Reloader;
use crate::live::reload::Running;
use crate::settings::Settings;
use crate::settings::layers::Sources;
use crate::supervise::{Asked, Job, Plan, Reaper, Restart, Shown, Supervisor};
use crate::telemetry::Telemetry;
use crate::{Agent, AgentConfig, AgentHandle, SpawnError};

/// The core stops within two seconds; this is for whatever else may hang.
const STOP_WITHIN: Duration = Duration::from_millis(2_700);

const EXIT_CODES: &str = "\
Exit codes:
  0  done, stopped as asked, or nothing wrong
  1  failed, unhealthy, refused by the agent; a second signal included
  2  wrong usage or configuration
  3  another process works in the same state folder
  4  no agent answers at the control socket
with a command, once it was started, its own:
  128 and the signal's number if one ended it
  127 if there is no such command, 126 if it cannot be started";

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
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
    /// Ends with code 0 when this process has ended, too: for a sidecar of a
    /// job
    #[arg(
        long,
        help_heading = "Life",
        value_name = "PID",
        allow_negative_numbers = true,
        conflicts_with = "command"
    )]
    exit_with_pid: Option<i32>,
    /// Takes in what the command leaves behind, and takes it away when it has
    /// ended; the first process of a container does so anyway
    #[arg(long, help_heading = "Life")]
    subreaper: bool,
    /// When the command is started again
    #[arg(long, help_heading = "Command", value_enum, value_name = "WHEN", default_value = "no")]
    restart: Restart,
    /// How long that waits at first; twice as long each time, a minute at most
    #[arg(
        long, help_heading = "Command", value_name = "TIME", value_parser = seconds,
        default_value = "1s"
    )]
    restart_delay: f64,
    /// How long the command has from SIGTERM to SIGKILL
    #[arg(
        long, help_heading = "Command", value_name = "TIME", value_parser = seconds,
        default_value = "10s"
    )]
    stop_within: f64,
    /// The agent's command and its arguments: it finds the control socket in
    /// EVERBEAT_CONTROL, gets signals passed on but SIGHUP, and does not
    /// outlive this process
    #[arg(
        last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments,
        conflicts_with_all = ["exit_with_stdin", "check"]
    )]
    command: Vec<OsString>,
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

impl RunArgs {
    fn plan(&self, control: &ControlSettings) -> Option<Plan> {
        let (program, arguments) = self.command.split_first()?;
        let socket = control.socket.as_ref().map(|place| &place.path);
        Some(Plan {
            program: program.clone(),
            arguments: arguments.to_vec(),
            restart: self.restart,
            restart_delay: Duration::from_secs_f64(self.restart_delay),
            stop_within: Duration::from_secs_f64(self.stop_within),
            // The command may work in another folder.
            control: socket.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        })
    }
}

pub(crate) fn run(args: &RunArgs, signals: Signals) -> ExitCode {
    let sources = args.settings.sources();
    let settings = Settings::read(&sources);
    if let Some(mode) = args.check {
        return check::check(settings, mode, args.json, signals).into();
    }
    let settings = match settings {
        Ok(settings) => settings,
        Err(problems) => {
            for problem in problems {
                eprintln!("everbeat: {problem}");
            }
            return Exit::Usage.into();
        }
    };
    let job = match args.exit_with_pid.map(Job::of).transpose() {
        Ok(job) => job,
        Err(error) => {
            eprintln!("everbeat: {error}");
            return Exit::Usage.into();
        }
    };
    let reading = (sources, Running::of(&settings));
    let logging = match logging::start(settings.log, settings.log_format) {
        Ok(logging) => logging,
        Err(error) => {
            eprintln!("everbeat: the log's thread cannot be started: {error}");
            return Exit::Failed.into();
        }
    };
    if args.exit_with_stdin
        && let Err(error) = signals.also_at_end_of_stdin()
    {
        tracing::error!("standard input cannot be watched: {error}");
        return Exit::Failed.into();
    }
    if let Some(job) = job
        && let Err(error) = signals.also_at_end_of(job)
    {
        tracing::error!("the other process cannot be watched: {error}");
        return Exit::Failed.into();
    }
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let exit = match runtime() {
        Ok(runtime) => {
            let plan = args.plan(&settings.control);
            let agent = AgentConfig { record: args.record.clone(), ..settings.agent };
            let life = Life { plan, subreaper: args.subreaper, signals };
            let beating = beat(agent, settings.control, reading, &logging, life);
            let exit = runtime.block_on(beating);
            // A name server that hangs must not hold up the end.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            tracing::error!("the runtime cannot be started: {error}");
            Exit::Failed.into()
        }
    };
    logging.finish();
    exit
}

/// What it lives for, and what ends it.
struct Life {
    plan: Option<Plan>,
    subreaper: bool,
    signals: Signals,
}

async fn beat(
    config: AgentConfig,
    control: ControlSettings,
    (sources, running): (Sources, Running),
    logging: &Logging,
    mut life: Life,
) -> ExitCode {
    introduce(&config);
    let telemetry = Telemetry::start();
    let observers = vec![telemetry.observer()];
    let about = config.clone();
    let state_dir = config.state_dir.display().to_string();
    let spawned = tokio::select! {
        spawned = Agent::spawn_observed(config, observers) => spawned,
        () = life.signals.asked() => {
            tracing::info!("asked to stop before the start was done");
            return Exit::Done.into();
        }
    };
    let mut agent = match spawned {
        Ok(agent) => agent,
        Err(error @ SpawnError::Locked { .. }) => {
            tracing::error!(
                "{error}; stop that one, or give this one a state folder of its own (--state-dir, \
                 now {state_dir})"
            );
            return Exit::Running.into();
        }
        Err(error @ (SpawnError::Client(_) | SpawnError::Thread(_) | SpawnError::Record(_))) => {
            tracing::error!("{error}");
            return Exit::Failed.into();
        }
    };
    let reloader = Reloader::new(sources, running, agent.reporter(), logging.level.clone());
    let manager = Manager::of_environment().map(Arc::new);
    tokio::spawn(reload_at_signals(reloader.clone(), manager.clone(), life.signals.reload()));
    let app = App::new(Control {
        agent: agent.reporter(),
        results: agent.results(),
        facts: Facts::new(&about, clock::wall(), agent.now()),
        telemetry,
        log: logging.level.clone(),
        tap: logging.tap.clone(),
        reloader,
        supervised: Shown::default(),
        connections: AtomicUsize::new(0),
        token: control.port.as_ref().map(|port| port.token.clone()),
    });
    let server = tokio::select! {
        started = Server::start(control, App::clone(&app)) => match started {
            Ok(server) => Some(server),
            Err(error) => {
                let exit = refused(&error);
                let _ = tokio::time::timeout(STOP_WITHIN, agent.stop()).await;
                return exit.into();
            }
        },
        () = life.signals.asked() => None,
    };
    if let Some(manager) = &manager {
        manager.ready();
    }
    let overview = agent.overview();
    let end = tokio::select! {
        end = live(&mut agent, &app, life, manager.as_deref()) => end,
        never = keep_alive(manager.as_deref(), &app, overview) => match never {},
    };
    if let Some(manager) = &manager {
        manager.stopping();
    }
    drop(app);
    tracing::info!("stopping: what is under way is finished; a second signal ends it at once");
    let stopped = tokio::time::timeout(STOP_WITHIN, agent.stop()).await;
    if let Some(server) = server {
        server.stop();
    }
    match (stopped, end) {
        (_, Err(failed)) => failed.into(),
        (Ok(Ok(_)), Ok(code)) => code,
        (Ok(Err(error)), Ok(_)) => {
            tracing::error!("a fault in this program: {error}");
            Exit::Failed.into()
        }
        (Err(_), Ok(_)) => {
            tracing::error!("it did not stop in time; the journal is consistent all the same");
            Exit::Failed.into()
        }
    }
}

/// Until somebody asks for the end, or the command has ended; gives what the
/// process is to end with if all else goes well.
async fn live(
    agent: &mut AgentHandle,
    app: &App,
    life: Life,
    manager: Option<&Manager>,
) -> Result<ExitCode, Exit> {
    let Life { plan, subreaper, mut signals } = life;
    let unhandled = |error: std::io::Error| {
        tracing::error!("child processes cannot be waited for: {error}");
        Exit::Failed
    };
    let mut reaper = Reaper::new(signals.target(), subreaper).map_err(unhandled)?;
    let mut is_faulty = false;
    let reporter = agent.reporter();
    let asked = async {
        let how = tokio::select! {
            ended = agent.stopped() => {
                tracing::error!("a fault in this program: the agent ended by itself ({ended:?})");
                is_faulty = true;
                Asked::Fault
            }
            how = signals.asked_how() => how,
        };
        if let Some(manager) = manager {
            manager.stopping();
        }
        how
    };
    let code = match plan {
        Some(plan) => {
            let (telemetry, shown) = (Arc::clone(&app.telemetry), app.supervised.clone());
            let supervisor = Supervisor::new(plan, reporter, telemetry, shown, reaper);
            ExitCode::from(supervisor.map_err(unhandled)?.run(asked).await)
        }
        None => tokio::select! {
            _ = asked => Exit::Done.into(),
            never = reaper.run() => match never {},
        },
    };
    if is_faulty { Err(Exit::Failed) } else { Ok(code) }
}

/// Tells the service manager, if there is one.
async fn keep_alive(
    manager: Option<&Manager>,
    app: &App,
    overview: watch::Receiver<Overview>,
) -> Infallible {
    match manager {
        Some(manager) => tokio::select! {
            never = manager.keep_alive(&app.agent) => never,
            never = manager.show(app, overview) => never,
        },
        None => std::future::pending().await,
    }
}

/// SIGHUP reads the configuration again.
async fn reload_at_signals(
    reloader: Reloader,
    manager: Option<Arc<Manager>>,
    mut asked: watch::Receiver<u64>,
) {
    while asked.changed().await.is_ok() {
        if let Some(manager) = &manager {
            manager.reloading();
        }
        reloader.reload().await;
        if let Some(manager) = &manager {
            manager.ready();
        }
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
