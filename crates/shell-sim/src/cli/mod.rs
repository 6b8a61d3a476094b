//! The command line of the simulator.

mod interrupt;
mod mutants;
mod replaying;
mod run;
mod say;
mod scenario;
mod shrinking;
mod sweeping;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use everbeat_sim::plan::Plan;
use everbeat_sim::scenario::Scenario;
use everbeat_sim::{saved, swarm};

/// Runs the Everbeat agent in simulated worlds and checks its promises.
///
/// Exit codes: 0 all promises kept, 1 a promise broken (or, with
/// --require-coverage, something never exercised), 2 bad usage or a bad file,
/// 130 interrupted, 141 nobody reads the output any more.
#[derive(Debug, Parser)]
#[command(name = "everbeat-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run many seeds and count.
    Sweep(sweeping::SweepArgs),
    /// Add up the summaries of several sweeps.
    Merge {
        /// Files that `sweep --summary` wrote.
        #[arg(required = true)]
        summaries: Vec<PathBuf>,
        /// Write the sum here, too.
        #[arg(long)]
        summary: Option<PathBuf>,
    },
    /// Run one plan and judge it.
    Run(run::RunArgs),
    /// Find the shortest plan that breaks the same promise.
    Shrink(shrinking::ShrinkArgs),
    /// Plant each fault, sweep, and print which promise caught it.
    Mutants(mutants::MutantsArgs),
    /// Draw one run as a page to look at in a browser.
    Report(run::ReportArgs),
    /// Run a history again that `everbeat run --record` wrote, and compare.
    Replay {
        /// The record.
        record: PathBuf,
    },
}

/// Which plan: a seed's, or one from a file.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The seed that the plan is drawn from.
    #[arg(long)]
    seed: Option<u64>,
    /// A file that holds a plan.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// A file that holds a scenario; `run` prints what it promises and what
    /// came of it, or with --trace or --save-plan runs it as a plan.
    #[arg(long)]
    scenario: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Drawn {
    #[command(flatten)]
    source: Source,
    /// Hours of faults in a plan that is drawn from a seed.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8_760))]
    hours: u64,
}

impl Drawn {
    /// What the seed has drawn, if it is a seed.
    fn swarm(&self) -> Option<swarm::Swarm> {
        self.source.seed.map(|seed| swarm::draw(seed, self.hours).0)
    }

    fn plan(&self) -> Result<Plan, Box<dyn std::error::Error>> {
        match (&self.source.plan, &self.source.scenario, self.source.seed) {
            (Some(path), _, _) => Ok(saved::read_plan(path)?),
            (None, Some(path), _) => Ok(Scenario::read_plan(path)?),
            (None, None, seed) => Ok(swarm::draw(seed.unwrap_or_default(), self.hours).1),
        }
    }
}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let code = match cli.command {
        Command::Sweep(args) => sweeping::sweep(&args),
        Command::Merge { summaries, summary } => sweeping::merge(&summaries, summary.as_deref()),
        Command::Run(args) => run::run(&args),
        Command::Shrink(args) => shrinking::shrink(&args),
        Command::Mutants(args) => mutants::mutants(&args),
        Command::Report(args) => run::report(&args),
        Command::Replay { record } => replaying::replay(&record),
    };
    code.unwrap_or_else(|error| {
        eprintln!("everbeat-sim: {error}");
        ExitCode::from(2)
    })
}
