//! What a sweep has seen, for people.

use std::collections::BTreeMap;

use everbeat_sim::sweep::Tally;

use super::say::say;

/// Prints the tally; says whether it holds a violation.
pub(super) fn print(tally: &Tally) -> bool {
    say!("");
    say!("{:>12}  seeds", tally.seeds);
    say!("{:>12.1}  simulated days", tally.days());
    say!("{:>12}  requests", tally.requests);
    say!("{:>12}  results in streams", tally.results);
    counts("done to the worlds", &tally.acts);
    counts("told to the agents", &tally.events);
    counts("asked by the agents", &tally.actions);
    counts("said by the agents", &tally.notices);
    counts("looked at by the checks", &tally.checks);
    let missing = tally.not_met();
    if !missing.is_empty() {
        say!("\nnever exercised:\n  {}", missing.join("\n  "));
    }
    say!("");
    let violations: u64 = tally.violations.values().sum();
    say!("{violations:>12}  violations");
    for (promise, count) in &tally.violations {
        say!("{count:>12}    {promise}");
    }
    violations > 0
}

fn counts(title: &str, counts: &BTreeMap<String, u64>) {
    say!("\n{title}:");
    let cells: Vec<String> =
        counts.iter().map(|(name, count)| format!("{name:<24}{count:>10}")).collect();
    for row in cells.chunks(2) {
        say!("  {}", row.join("    "));
    }
}
