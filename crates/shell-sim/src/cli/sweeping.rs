//! `sweep` and `merge`: many seeds.

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use everbeat_sim::saved;
use everbeat_sim::sweep::{Failure, Sweep, Tally};

use super::interrupt::{self, Interrupt};
use super::say::say;
use super::table;

#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Hours of faults for each seed; 40 healed minutes follow.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8_760))]
    hours: u64,
    /// Threads; as many as there are processors by default.
    #[arg(long)]
    jobs: Option<usize>,
    /// Of all these seeds, only the part I of N, counted from 1: `2/8`.
    #[arg(long, value_parser = parse_part)]
    shard: Option<(u64, u64)>,
    /// Write what was seen here as JSON, for `merge`.
    #[arg(long)]
    summary: Option<PathBuf>,
    /// Where the plans of failures go.
    #[arg(long, default_value = "sim-failures")]
    failures: PathBuf,
    /// Exit 1 if a kind of fault, event, command or notice was never met, or a
    /// check never had anything to look at.
    #[arg(long)]
    require_coverage: bool,
    /// Go on after so many failures.
    #[arg(long, default_value_t = 5)]
    failures_max: usize,
}

pub(super) fn parse_part(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((i, n)) if (1..=n).contains(&i) => Ok((i, n)),
        Some(_) | None => Err("I/N with 1 <= I <= N, for instance 2/8".into()),
    }
}

pub(super) fn sweep(args: &SweepArgs) -> Result<ExitCode, Box<dyn Error>> {
    let jobs = args.jobs.unwrap_or_else(processors);
    let (from, seeds) = range(args);
    let sweep = Sweep { from, seeds, hours: args.hours, jobs };
    let interrupt = Interrupt::listen()?;
    say!("seeds {from} to {}, {} hours each, {jobs} jobs", from + seeds, args.hours);
    let mut progress = Progress::new(seeds);
    let mut total = Tally::default();
    let mut failed = 0;
    let failures = sweep.run(|tally, failure| {
        total = tally.clone();
        failed += usize::from(failure.is_some());
        progress.show(tally, failed);
        failed < args.failures_max && !interrupt.came()
    });
    progress.end();
    let is_broken = table::print(&total);
    if let Some(path) = &args.summary {
        std::fs::write(path, serde_json::to_string_pretty(&total)? + "\n")
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let is_whole = total.seeds == seeds;
    if !is_whole {
        let why = if interrupt.came() { "interrupted" } else { "enough failures" };
        say!("\n{why}: {} of {seeds} seeds are done; to go on:", total.seeds);
        say!("  {}", rest(args, from + total.seeds, seeds - total.seeds));
    }
    tell_failures(args, &failures)?;
    if interrupt.came() && !is_whole {
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    let lacks = args.require_coverage && !total.not_met().is_empty();
    if lacks {
        say!("\nthe sweep must meet everything: the list above says what it never did");
    }
    Ok(if is_broken || lacks { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The command that runs what is left; the summaries of both can be merged.
fn rest(args: &SweepArgs, from: u64, seeds: u64) -> String {
    let mut command =
        format!("everbeat-sim sweep --from {from} --seeds {seeds} --hours {}", args.hours);
    let mut add = |flag: &str, value: &dyn std::fmt::Display| {
        command.push_str(&format!(" --{flag} {value}"));
    };
    if let Some(jobs) = args.jobs {
        add("jobs", &jobs);
    }
    if let Some(path) = &args.summary {
        add("summary", &path.with_extension(format!("from-{from}.json")).display());
    }
    add("failures", &args.failures.display());
    command
}

pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn range(args: &SweepArgs) -> (u64, u64) {
    let (i, n) = args.shard.unwrap_or((1, 1));
    let share = |part: u64| args.seeds * part / n;
    (args.from + share(i - 1), share(i) - share(i - 1))
}

/// The last lines of a failure: how to see it again.
fn tell_failures(args: &SweepArgs, failures: &[Failure]) -> Result<(), Box<dyn Error>> {
    for failure in failures {
        let path = args.failures.join(format!("seed-{}.json", failure.seed));
        let broken: Vec<String> = failure.broken.iter().map(ToString::to_string).collect();
        saved::write_plan(&path, &failure.plan, &broken.join("; "))?;
        say!("\nseed {}:", failure.seed);
        for line in &broken {
            say!("  {line}");
        }
        say!("  everbeat-sim run --seed {} --hours {}", failure.seed, args.hours);
        say!("  everbeat-sim run --plan {}", path.display());
    }
    Ok(())
}

pub(super) fn merge(
    summaries: &[PathBuf],
    summary: Option<&Path>,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut total = Tally::default();
    for path in summaries {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        let tally: Tally = serde_json::from_str(&text).map_err(|error| named(&error))?;
        total.add(&tally);
    }
    let is_broken = table::print(&total);
    if let Some(path) = summary {
        std::fs::write(path, serde_json::to_string_pretty(&total)? + "\n")
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One line that is written over and over, on a terminal only.
struct Progress {
    seeds: u64,
    began: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    fn new(seeds: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { seeds, began: Instant::now(), shown: None, is_terminal }
    }

    fn show(&mut self, tally: &Tally, failed: usize) {
        let pause = Duration::from_millis(if self.is_terminal { 200 } else { 10_000 });
        if self.shown.is_some_and(|shown| shown.elapsed() < pause) {
            return;
        }
        self.shown = Some(Instant::now());
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let rate = tally.seeds as f64 / seconds;
        let left = (self.seeds - tally.seeds) as f64 / rate.max(0.001);
        let filled = usize::try_from(tally.seeds * 24 / self.seeds.max(1)).unwrap_or(24);
        let bar = format!("{}{}", "#".repeat(filled), ".".repeat(24_usize.saturating_sub(filled)));
        let line = format!(
            "[{bar}] {}/{} seeds, {:.0} days, {rate:.1}/s, {left:.0} s left, {failed} failed",
            tally.seeds,
            self.seeds,
            tally.days(),
        );
        if self.is_terminal {
            eprint!("\r{line:<100}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    fn end(&self) {
        if self.is_terminal {
            eprintln!();
        }
        let seconds = self.began.elapsed().as_secs_f64();
        say!("took {seconds:.1} s");
    }
}
