//! Prometheus' own tool, where it is installed.

use std::path::Path;
use std::process::Command;

/// Runs `promtool` with these arguments; false, with a line that says so, if
/// it is not installed. `EVERBEAT_PROMTOOL` names it, or is `required`.
///
/// # Panics
/// If it finds something wrong, or is required and missing.
pub fn promtool(folder: &Path, args: &[&str]) -> bool {
    let given = std::env::var_os("EVERBEAT_PROMTOOL").filter(|given| !given.is_empty());
    let is_required = given.as_deref().is_some_and(|given| given == "required");
    let tool = given.filter(|_| !is_required).unwrap_or_else(|| "promtool".into());
    match Command::new(tool).args(args).current_dir(folder).output() {
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
