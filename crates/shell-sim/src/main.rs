//! `everbeat-sim`: the agent in simulated worlds.

mod cli;

use std::process::ExitCode;

/// A sweep spends a fifth of its time on allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
