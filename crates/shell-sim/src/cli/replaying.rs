//! `replay`: a production history, again.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;

use everbeat_sim::replay;

use super::say::say;

pub(super) fn replay(path: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| named(&error))?;
    let found = replay::replay(BufReader::new(file)).map_err(|error| named(&error))?;
    say!("{} events fed, {} commands and notices compared", found.events, found.outputs);
    let Some(difference) = found.difference else {
        say!("the same came out");
        return Ok(ExitCode::SUCCESS);
    };
    for line in &difference.before {
        say!("  {line}");
    }
    say!("first difference, at {}:{}:", path.display(), difference.line);
    say!("- {}", difference.then);
    say!("+ {}", difference.now);
    Ok(ExitCode::FAILURE)
}
