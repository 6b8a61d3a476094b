//! `mutants`: plants one fault after the other and looks who notices.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use everbeat_core::planted::Fault;
use everbeat_sim::mutants::{self, CAN_PLANT, Caught, How, Hunt};

use super::say::say;
use super::sweeping::{parse_part, processors};

/// Of all faults, so many must be caught by seeds.
const BY_SEEDS_MIN: usize = 25;

#[derive(Debug, Args)]
pub(super) struct MutantsArgs {
    /// At most so many seeds for each.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Hours of faults for each seed; 40 healed minutes follow.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=8_760))]
    hours: u64,
    /// Only these, by name.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Of all mutants only the part I of N, counted from 1: `2/3`.
    #[arg(long, value_parser = parse_part, conflicts_with = "only")]
    part: Option<(u64, u64)>,
    /// Threads; as many as there are processors by default.
    #[arg(long)]
    jobs: Option<usize>,
    /// Only say which there are and what must catch them.
    #[arg(long)]
    list: bool,
    /// Print the table as Markdown.
    #[arg(long)]
    markdown: bool,
}

pub(super) fn mutants(args: &MutantsArgs) -> Result<ExitCode, Box<dyn Error>> {
    let faults = chosen(args)?;
    if args.list {
        for fault in faults {
            let promises = mutants::expected(fault).join(", ");
            say!("{:<30} {promises:<10} {}", mutants::name(fault), fault.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !CAN_PLANT {
        return Err("this program has no faults to plant: `make mutants` builds one that has, \
                    with RUSTC_WORKSPACE_WRAPPER=.ci/planted-rustc"
            .into());
    }
    let jobs = args.jobs.unwrap_or_else(processors);
    let hunt = Hunt { from: args.from, seeds: args.seeds, hours: args.hours, jobs };
    let table = Table { markdown: args.markdown };
    say!(
        "{} mutants, up to {} seeds of {} hours each from {}\n",
        faults.len(),
        args.seeds,
        args.hours,
        args.from
    );
    table.head();
    let (began, mut by_seeds, mut missed) = (Instant::now(), 0, Vec::new());
    let mut cpu = Duration::ZERO;
    for fault in &faults {
        let caught = hunt.run(*fault);
        table.row(*fault, caught.as_ref());
        match caught {
            Some(caught) => {
                by_seeds += usize::from(matches!(caught.how, How::Seeds(_)));
                cpu += caught.cpu;
            }
            None => missed.push(mutants::name(*fault)),
        }
    }
    say!(
        "\n{} of {} mutants caught, {by_seeds} of them by a sweep; took {:.0} s, {:.0} s of \
         processors",
        faults.len() - missed.len(),
        faults.len(),
        began.elapsed().as_secs_f64(),
        cpu.as_secs_f64()
    );
    if !missed.is_empty() {
        say!("not caught: {}", missed.join(", "));
        say!("everbeat-sim mutants --only {} --seeds {}", missed.join(","), args.seeds * 5);
        return Ok(ExitCode::FAILURE);
    }
    if faults.len() == Fault::ALL.len() && by_seeds < BY_SEEDS_MIN {
        say!("a sweep must catch {BY_SEEDS_MIN} of them");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(args: &MutantsArgs) -> Result<Vec<Fault>, String> {
    if args.only.is_empty() {
        let (i, n) = args.part.unwrap_or((1, 1));
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        return Ok(mutants::part((number(i), number(n))));
    }
    let find = |name: &String| {
        let fault = Fault::ALL.iter().find(|fault| mutants::name(**fault) == *name);
        fault.copied().ok_or_else(|| format!("no mutant is called {name:?}: see mutants --list"))
    };
    args.only.iter().map(find).collect()
}

struct Table {
    markdown: bool,
}

impl Table {
    fn head(&self) {
        self.cells(["mutant", "caught by", "seeds", "CPU s", "what it does"]);
        if self.markdown {
            say!("|---|---|--:|--:|---|");
        }
    }

    fn row(&self, fault: Fault, caught: Option<&Caught>) {
        let name = mutants::name(fault);
        let Some(caught) = caught else {
            let promises = mutants::expected(fault).join(", ");
            let said = format!("NOT CAUGHT, {promises} should; {}", fault.about());
            return self.cells([name.as_str(), "-", "-", "-", said.as_str()]);
        };
        let seeds = match caught.how {
            How::Seeds(seeds) => seeds.to_string(),
            How::Plan => "by plan".to_owned(),
            How::Search => "by search".to_owned(),
        };
        let cpu = format!("{:.2}", caught.cpu.as_secs_f64());
        self.cells([name.as_str(), &caught.promise, &seeds, &cpu, fault.about()]);
    }

    fn cells(&self, [name, promise, seeds, cpu, about]: [&str; 5]) {
        if self.markdown {
            say!("| {name} | {promise} | {seeds} | {cpu} | {about} |");
        } else {
            say!("{name:<30} {promise:<10} {seeds:>9} {cpu:>7}  {about}");
        }
    }
}
