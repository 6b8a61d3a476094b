//! Prometheus' own tool, where it is installed.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `promtool` with these arguments and this input; false, with a line that says so, if
/// it is not installed. `EVERBEAT_PROMTOOL` names it, or is `required`.
///
/// # Panics
/// If it finds something wrong, or is required and missing.
pub fn promtool(folder: &Path, args: &[&str], input: &str) -> bool {
    let given = std::env::var_os("EVERBEAT_PROMTOOL").filter(|given| !given.is_empty());
    let is_required = given.as_deref().is_some_and(|given| given == "required");
    let tool = given.filter(|_| !is_required).unwrap_or_else(|| "promtool".into());
    let mut command = Command::new(tool);
    command.args(args).current_dir(folder).stdin(Stdio::piped());
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let output = spawned.and_then(|mut child| {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    });
    match output {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "promtool {args:?}: {said}");
            true
        }
        Err(error) => {
            assert!(!is_required, "promtool is required and cannot be run: {error}");
            println!("skipped: promtool is not installed");
            false
        }
    }
}
