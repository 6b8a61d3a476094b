//! `run --scenario`: what was promised and what was counted; and a fleet's
//! trace and page.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use everbeat_sim::fleet::FleetPlan;
use everbeat_sim::report::{About, page};
use everbeat_sim::scenario::{FleetTold, Report, Scenario};
use everbeat_sim::world::TraceHeader;

use super::run::write_trace;
use super::say::say;

pub(super) fn run(scenario: &Scenario) -> ExitCode {
    announce(scenario);
    tell(&scenario.run())
}

/// The trace tells of so many workspaces.
pub(super) fn run_fleet(
    (scenario, plan): (&Scenario, &FleetPlan),
    trace: &Path,
    workspaces: u32,
) -> Result<ExitCode, Box<dyn Error>> {
    announce(scenario);
    let FleetTold { report, lines, .. } = scenario.run_fleet(plan, workspaces);
    write_trace(trace, &TraceHeader::of(plan), &lines)?;
    say!("what happened is in {}", trace.display());
    Ok(tell(&report))
}

/// The page has so many lanes.
pub(super) fn report_fleet(
    (scenario, plan): (&Scenario, &FleetPlan),
    out: &Path,
    workspaces: u32,
) -> Result<ExitCode, Box<dyn Error>> {
    announce(scenario);
    let told = scenario.run_fleet(plan, workspaces);
    let about = About::fleet(&TraceHeader::of(plan.clone()), &told.seen);
    super::run::write_page(out, &page(&about, &told.lines))?;
    Ok(tell(&told.report))
}

fn announce(scenario: &Scenario) {
    say!("{}: {}\n{}\n", scenario.name, scenario.title, scenario.shows);
}

fn tell(report: &Report) -> ExitCode {
    say!("{}\n", report.summary);
    say!("  {:<28} {:<18} counted", "what", "promised");
    for row in &report.rows {
        let mark = if row.holds { " " } else { "!" };
        say!("{mark} {:<28} {:<18} {}", row.what, row.promised, row.counted);
    }
    let broken = report.rows.iter().filter(|row| !row.holds).count();
    if report.holds() {
        say!("\nall as promised");
        ExitCode::SUCCESS
    } else {
        say!("\n{broken} not as promised");
        ExitCode::FAILURE
    }
}
