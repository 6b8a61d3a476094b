//! `shrink`: the shortest plan that breaks the same promise.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use everbeat_sim::{saved, shrink};

use super::Drawn;
use super::interrupt::{self, Interrupt};
use super::say::say;

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    #[command(flatten)]
    drawn: Drawn,
    /// Where the shortest plan goes.
    #[arg(long)]
    out: PathBuf,
    /// Which promise; the first that is broken by default.
    #[arg(long)]
    promise: Option<String>,
}

pub(super) fn shrink(args: &ShrinkArgs) -> Result<ExitCode, Box<dyn Error>> {
    let plan = args.drawn.plan()?;
    let Some(first) = shrink::broken_promise(&plan) else {
        say!("all promises kept: there is nothing to shrink");
        return Ok(ExitCode::SUCCESS);
    };
    let promise = args.promise.clone().unwrap_or(first);
    eprintln!("shrinking {} entries that break {promise}", plan.entries.len());
    let interrupt = Interrupt::listen()?;
    let mut shown = plan.entries.len();
    let shortest = shrink::shrink(&plan, &promise, |left| {
        if left < shown {
            eprintln!("  {left} entries");
            shown = left;
        }
        !interrupt.came()
    });
    saved::write_plan(&args.out, &shortest, &format!("breaks {promise}"))?;
    say!("{} entries break {promise}", shortest.entries.len());
    say!("everbeat-sim run --plan {}", args.out.display());
    if interrupt.came() {
        say!("interrupted; to go on: everbeat-sim shrink --plan {0} --out {0}", args.out.display());
        return Ok(interrupt::EXIT_CODE.into());
    }
    Ok(ExitCode::FAILURE)
}
