//! `run` and `report`: one plan.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use everbeat_sim::plan::Plan;
use everbeat_sim::promises::watch::{Broken, Watch};
use everbeat_sim::report::{self, About};
use everbeat_sim::scenario::{Scenario, What};
use everbeat_sim::swarm::Swarm;
use everbeat_sim::verdict::{self, Judged};
use everbeat_sim::world::{TraceHeader, TraceLine};
use serde::Serialize;

use super::Drawn;
use super::say::say;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    drawn: Drawn,
    /// Write what happened here, as JSON lines.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Write the plan here, to change and run it again.
    #[arg(long)]
    save_plan: Option<PathBuf>,
    #[command(flatten)]
    lanes: Lanes,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    drawn: Drawn,
    /// Where the page goes.
    #[arg(long, default_value = "everbeat-report.html")]
    out: PathBuf,
    #[command(flatten)]
    lanes: Lanes,
}

#[derive(Debug, Args)]
struct Lanes {
    /// Tell of so many workspaces of a fleet, from the first.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    workspaces: u32,
}

/// A plan that was run with its trace, to its end or to the first promise that
/// was broken.
struct Told {
    header: TraceHeader,
    lines: Vec<TraceLine>,
    broken: Vec<Broken>,
    judged: Option<Judged>,
}

fn tell(plan: &Plan) -> Told {
    let (judged, mut lines, broken) = match verdict::judge_traced(plan, Watch::of_all()) {
        Ok((judged, lines)) => {
            let broken = judged.broken.clone();
            (Some(judged), lines, broken)
        }
        Err(refused) => (None, Vec::new(), vec![refused]),
    };
    lines.extend(broken.iter().map(Broken::as_line));
    Told { header: TraceHeader::of(plan.clone()), lines, broken, judged }
}

pub(super) fn run(args: &RunArgs) -> Result<ExitCode, Box<dyn Error>> {
    if let (Some(path), None) = (&args.drawn.source.scenario, &args.save_plan) {
        let scenario = Scenario::read(path)?;
        match (&scenario.what, &args.trace) {
            (_, None) => return Ok(super::scenario::run(&scenario)),
            (What::Fleet(plan), Some(trace)) => {
                let fleet = (&scenario, plan);
                return super::scenario::run_fleet(fleet, trace, args.lanes.workspaces);
            }
            (What::World(_), Some(_)) => {}
        }
    }
    let plan = args.drawn.plan()?;
    if let Some(swarm) = args.drawn.swarm() {
        tell_swarm(&swarm, &plan);
    }
    if let Some(path) = &args.save_plan {
        everbeat_sim::saved::write_plan(path, &plan, "")?;
        say!("the plan is in {}", path.display());
    }
    let told = tell(&plan);
    if let Some(path) = &args.trace {
        write_trace(path, &told.header, &told.lines)?;
        say!("what happened is in {}", path.display());
    }
    if let Some(Judged { world, watch, .. }) = &told.judged {
        let hours = world.now().as_secs_f64() / 3_600.0;
        say!(
            "{hours:.1} hours, {} requests, {} results, {} starts, digest {:016x}",
            world.seen.sent.len(),
            watch.results(),
            world.seen.starts.len(),
            world.seen.digest,
        );
    }
    Ok(verdict_of(&told.broken))
}

/// What the seed has drawn: the setup, which kinds are on and how often.
fn tell_swarm(swarm: &Swarm, plan: &Plan) {
    say!("seed {}, {} hours of faults", swarm.seed, swarm.hours);
    let setup = serde_json::to_value(&plan.setup).unwrap_or_default();
    let setup = setup.as_object().into_iter().flatten();
    let setup: Vec<String> = setup
        .map(|(name, value)| format!("{name}={}", value.to_string().replace('"', "")))
        .collect();
    say!("  setup  {}", setup.join(" "));
    let on = swarm.tenths_an_hour.iter();
    let on: Vec<String> =
        on.map(|(name, tenths)| format!("{name} {}.{}/h", tenths / 10, tenths % 10)).collect();
    say!("  on     {}", on.join(", "));
    say!("  off    {}", swarm.off.join(", "));
    if let Some(at_ms) = swarm.busy_hour_at_ms {
        say!("  busy   results come one by one from minute {}", at_ms / 60_000);
    }
}

fn verdict_of(broken: &[Broken]) -> ExitCode {
    for line in broken {
        say!("BROKEN {line}");
    }
    if broken.is_empty() {
        say!("all promises kept");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

pub(super) fn write_trace(
    path: &Path,
    header: &impl Serialize,
    lines: &[TraceLine],
) -> Result<(), Box<dyn Error>> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::fs::File::create(path).map_err(named)?;
    let mut out = std::io::BufWriter::new(file);
    writeln!(out, "{}", serde_json::to_string(header)?).map_err(named)?;
    for line in lines {
        writeln!(out, "{}", serde_json::to_string(line)?).map_err(named)?;
    }
    out.flush().map_err(named)?;
    Ok(())
}

pub(super) fn report(args: &ReportArgs) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(path) = &args.drawn.source.scenario {
        let scenario = Scenario::read(path)?;
        if let What::Fleet(plan) = &scenario.what {
            let fleet = (&scenario, plan);
            return super::scenario::report_fleet(fleet, &args.out, args.lanes.workspaces);
        }
    }
    let told = tell(&args.drawn.plan()?);
    write_page(&args.out, &report::page(&About::world(&told.header), &told.lines))?;
    Ok(verdict_of(&told.broken))
}

pub(super) fn write_page(path: &Path, page: &str) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    say!("the page is {}", path.display());
    Ok(())
}
