//! The command line of `everbeat`.

mod args;
mod ask;
mod check;
mod config_show;
mod demo;
mod doctor;
mod follow;
mod health;
mod logging;
mod manual;
mod pipe;
mod platform;
mod reload;
mod reports;
mod results;
mod run;
mod service;
mod signals;
mod status;
mod task_run;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use args::SettingsArgs;
use signals::Signals;

use crate::supervise::become_command;

/// What the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Stopped as asked, or nothing wrong.
    Done = 0,
    /// Anything that is none of the others.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Another process works in the same state folder.
    Running = 3,
    /// No agent answers at the control socket.
    NoAgent = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, stopped as asked, or nothing wrong
  1  failed, unhealthy, refused by the agent; a second signal included
  2  wrong usage or configuration
  3  another process works in the same state folder
  4  no agent answers at the control socket";

/// Keeps an agent's workspace alive on its platform, and brings the results of
/// its delegations home: each exactly once.
#[derive(Debug, Parser)]
#[command(name = "everbeat", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the agent until SIGTERM or SIGINT; a second one ends it at once.
    /// With a command, runs that, too, and ends as it ends
    Run(run::RunArgs),
    /// Shows the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Serves a model of the platform, for development and tests
    Platform(platform::PlatformArgs),
    /// Shows it all at work: an agent, a platform, trouble, and a table of what
    /// was promised and counted
    Demo(demo::DemoArgs),
    /// Says on one screen whether a running agent is well, what waits, what is
    /// wrong and what to do
    Status(status::StatusArgs),
    /// Says whether a running agent is healthy, within 2 s, for a container's
    /// health check
    Health(health::HealthArgs),
    /// Finds out what is wrong: network, clock, token, disk, socket; with or
    /// without a running agent
    Doctor(doctor::DoctorArgs),
    /// Shows what happens to a running agent
    Events(follow::EventsArgs),
    /// Shows the log of a running agent, at any level
    Logs(follow::LogsArgs),
    /// Changes how much a running agent logs, for a while
    LogLevel(reload::LogLevelArgs),
    /// Makes a running agent read its configuration anew: all or nothing
    Reload(reload::ReloadArgs),
    /// Takes results from a running agent
    Results(results::ResultsArgs),
    /// Reports a task that begins or ends
    Task(reports::TaskArgs),
    /// Reports that the agent is stuck, or works again
    Wedge(reports::WedgeArgs),
    /// Reports that something went well, or failed
    Outcome(reports::OutcomeArgs),
    /// Reports that a delegation's result is awaited
    Await(reports::AwaitArgs),
    /// Makes a beat due now
    Beat(reports::BeatArgs),
    /// Prints what completes the commands in a shell
    Completions(manual::CompletionsArgs),
    /// Prints the manual's pages
    Man(manual::ManArgs),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Prints every value that holds and where it came from
    Show {
        #[command(flatten)]
        settings: SettingsArgs,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(failed) = become_command() {
        return failed;
    }
    // Before anything else: nothing that is slow to start can swallow one.
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("everbeat: signals cannot be handled: {error}");
            return Exit::Failed.into();
        }
    };
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version too; nothing is to be done if nobody reads it.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(Exit::Usage.into(), ExitCode::from);
        }
    };
    match cli.command {
        Command::Run(args) => return run::run(&args, signals),
        Command::Config { command: ConfigCommand::Show { settings, json } } => {
            config_show::show(&settings, json)
        }
        Command::Platform(args) => platform::run(&args, signals),
        Command::Demo(args) => demo::run(&args, signals),
        Command::Status(args) => status::status(&args, signals),
        Command::Health(args) => health::health(&args, signals),
        Command::Doctor(args) => doctor::doctor(&args, signals),
        Command::Events(args) => follow::events(&args, signals),
        Command::Logs(args) => follow::logs(&args, signals),
        Command::LogLevel(args) => reload::log_level(&args, signals),
        Command::Reload(args) => reload::reload(&args, signals),
        Command::Results(args) => results::results(&args, signals),
        Command::Task(args) => return reports::task(&args, signals),
        Command::Wedge(args) => reports::wedge(&args, signals),
        Command::Outcome(args) => reports::outcome(&args, signals),
        Command::Await(args) => reports::awaiting(&args, signals),
        Command::Beat(args) => reports::beat(&args, signals),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    }
    .into()
}

/// A runtime of one thread. A name server that hangs holds a thread for each
/// try: there is room for some.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(64)
        .thread_name("everbeat-blocking")
        .build()
}

/// To standard output; a reader that has left is no failure.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// To standard error, as a line; a reader that has left is no failure.
pub(crate) fn talk(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
