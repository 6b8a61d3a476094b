//! `run --scenario`: what was promised and what was counted.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use everbeat_sim::scenario::Scenario;

use super::say::say;

pub(super) fn run(path: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let scenario = Scenario::read(path)?;
    say!("{}: {}\n{}\n", scenario.name, scenario.title, scenario.shows);
    let report = scenario.run();
    say!("{}\n", report.summary);
    say!("  {:<28} {:<18} counted", "what", "promised");
    for row in &report.rows {
        let mark = if row.holds { " " } else { "!" };
        say!("{mark} {:<28} {:<18} {}", row.what, row.promised, row.counted);
    }
    let broken = report.rows.iter().filter(|row| !row.holds).count();
    if report.holds() {
        say!("\nall as promised");
        Ok(ExitCode::SUCCESS)
    } else {
        say!("\n{broken} not as promised");
        Ok(ExitCode::FAILURE)
    }
}
