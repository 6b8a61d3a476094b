//! What was promised and what was counted.

use std::time::Duration;

use super::ledger::Ledger;
use super::pulse::{Excuse, Pulse};
use super::timeline::{Paint, count, seconds};

/// L6: from being asked to stop to the end.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Everything that was counted.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) ledger: Ledger,
    pub(crate) pulse: Pulse,
    pub(crate) ending: Ending,
    /// Times that the agent was killed.
    pub(crate) kills: usize,
}

/// What is only known at the end.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// From SIGTERM to the end, and the exit code.
    pub(crate) stopped: Option<(Duration, Option<i32>)>,
    pub(crate) log_lines: usize,
    /// Where a secret or a response's text was found that should not be there.
    pub(crate) found_in: Vec<String>,
    /// Files and log lines that were searched for them.
    pub(crate) searched: usize,
    /// Why the story could not be told to its end.
    pub(crate) broken_off: Option<String>,
}

/// One promise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kept: bool,
    promise: &'static str,
    counted: Vec<String>,
}

impl Row {
    fn new<const N: usize>(kept: bool, promise: &'static str, counted: [String; N]) -> Self {
        Self { kept, promise, counted: counted.into() }
    }
}

impl Books {
    /// Whether every promise was kept.
    pub(crate) fn all_kept(&self) -> bool {
        self.rows().iter().all(|row| row.kept)
    }

    /// The table. What could not be seen, since it did not happen, has no row.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = vec![self.exactly_once(), self.foreign(), self.words()];
        rows.extend([self.beats(), self.messages(), self.cooldown(), self.no_answers()]);
        rows.extend([self.kills(), self.token(), self.outage()].into_iter().flatten());
        rows.extend([self.budget(), self.secrets(), self.private_files()]);
        rows.extend(self.stop());
        rows.extend(
            self.ending
                .broken_off
                .iter()
                .map(|why| Row::new(false, "The story is told to its end", [why.clone()])),
        );
        rows
    }

    fn exactly_once(&self) -> Row {
        let ledger = &self.ledger;
        let (lost, doubled) = (ledger.missing(), ledger.doubled());
        let kept = lost == 0 && doubled == 0 && ledger.torn == 0;
        let found = format!(
            "{} finished, {} of them in the stream:",
            count(ledger.finished, "result"),
            ledger.arrived()
        );
        let wrong = format!("{lost} lost, {doubled} doubled, {}", count(ledger.torn, "torn line"));
        let mut row = Row::new(kept, "Every result arrives exactly once", [found, wrong]);
        if lost + doubled > 0 {
            row.counted.push(format!("look for {}", ledger.culprits().join(", ")));
        }
        row
    }

    fn foreign(&self) -> Row {
        let through = self.ledger.strangers + self.ledger.foreign_told;
        let counted = format!("{} listed, {through} got through", self.ledger.foreign_finished);
        Row::new(through == 0, "Another workspace's results stay out", [counted])
    }

    fn words(&self) -> Row {
        let ledger = &self.ledger;
        let counted = format!(
            "{} completed, {} failed: {} without their words",
            ledger.finished - ledger.failed,
            ledger.failed,
            ledger.wordless
        );
        Row::new(ledger.wordless == 0, "The reader finds answer or error", [counted])
    }

    fn beats(&self) -> Row {
        let pulse = &self.pulse;
        let (gap, allowed) = (pulse.longest_gap, pulse.gap_allowed());
        let slack = format!(
            "allowed {}, {} of it for transport and load",
            seconds(allowed),
            seconds(pulse.slack())
        );
        let counted = format!("{} beats, longest gap {}:", pulse.beats, seconds(gap));
        let kept = gap <= allowed && pulse.beats > 0;
        Row::new(kept, "The heart beats while the platform answers", [counted, slack])
    }

    fn messages(&self) -> Row {
        let ledger = &self.ledger;
        let kept =
            ledger.messages <= ledger.finished && ledger.told_twice == 0 && ledger.untold() == 0;
        let counted = format!(
            "{} for {}: {} told twice, {} never",
            count(ledger.messages, "message"),
            count(ledger.finished, "result"),
            ledger.told_twice,
            ledger.untold()
        );
        Row::new(kept, "The agent is told, and never for nothing", [counted])
    }

    fn cooldown(&self) -> Row {
        let pulse = &self.pulse;
        let closest = pulse.closest_messages.map_or("only one".into(), seconds);
        let counted = format!("closest two: {closest}, at least {}", seconds(pulse.cooldown()));
        Row::new(pulse.is_cooldown_kept(), "Messages keep their distance", [counted])
    }

    fn no_answers(&self) -> Row {
        let ledger = &self.ledger;
        let counted = format!(
            "{} and {} to the user: {} with any",
            count(ledger.messages, "message"),
            count(ledger.notifications, "note"),
            ledger.leaks
        );
        Row::new(ledger.leaks == 0, "Messages carry no answer's text", [counted])
    }

    fn kills(&self) -> Option<Row> {
        let back = self.pulse.recoveries(Excuse::Down);
        (self.kills > 0).then(|| {
            let counted = format!(
                "{} with {} under way; beats again after",
                count(self.kills, "kill"),
                count(self.ledger.under_way_at_kills(), "result"),
            );
            let times =
                format!("{} at most, allowed {}", seconds(back.slowest), seconds(back.allowed));
            Row::new(back.late == 0, "kill -9 is survived", [counted, times])
        })
    }

    fn token(&self) -> Option<Row> {
        let followed = self.pulse.recoveries(Excuse::Token);
        (followed.count > 0).then(|| {
            let counted = format!(
                "{} refused; used {} after it was there,",
                count(usize::try_from(self.pulse.beats_unauthorised).unwrap_or(0), "beat"),
                seconds(followed.slowest)
            );
            let allowed = format!("allowed {}", seconds(followed.allowed));
            Row::new(followed.late == 0, "A new token is picked up", [counted, allowed])
        })
    }

    fn outage(&self) -> Option<Row> {
        let back = self.pulse.recoveries(Excuse::Outage);
        (back.count > 0).then(|| {
            let counted = format!(
                "away for {}, {} tried; beats again after",
                seconds(self.pulse.outages),
                count(usize::try_from(self.pulse.refused).unwrap_or(0), "request")
            );
            let times = format!("{}, allowed {}", seconds(back.slowest), seconds(back.allowed));
            Row::new(back.late == 0, "An outage is waited out", [counted, times])
        })
    }

    fn budget(&self) -> Row {
        let (busiest, allowed) = (self.pulse.busiest, Pulse::requests_allowed());
        let counted =
            format!("at most {} in an interval, allowed {allowed}", count(busiest, "request"));
        Row::new(busiest <= allowed, "Nobody is hammered", [counted])
    }

    fn secrets(&self) -> Row {
        let Ending { found_in, searched, log_lines, .. } = &self.ending;
        let counted = format!(
            "{} of the log and {} searched: {} found",
            count(*log_lines, "line"),
            count(*searched, "file"),
            found_in.len()
        );
        let mut row = Row::new(found_in.is_empty(), "No secret is written down", [counted]);
        row.counted.extend(found_in.iter().take(3).cloned());
        row
    }

    fn private_files(&self) -> Row {
        let ledger = &self.ledger;
        let counted =
            format!("{} taken, {} open to others", count(ledger.files, "file"), ledger.open_files);
        Row::new(ledger.open_files == 0, "Results are for their owner only", [counted])
    }

    fn stop(&self) -> Option<Row> {
        let (took, code) = self.ending.stopped?;
        let code_text = code.map_or("none".into(), |code| code.to_string());
        let counted = format!(
            "after {}, allowed {}; exit code {code_text}",
            seconds(took),
            seconds(STOP_WITHIN)
        );
        // What the machine is late by is not the agent's.
        let in_time = took <= STOP_WITHIN + self.pulse.slack();
        Some(Row::new(in_time && code == Some(0), "Asked to stop, it stops", [counted]))
    }

    /// For a terminal.
    pub(crate) fn table(&self, paint: Paint) -> String {
        let mut text = paint.bold(&format!("  {:<44}{}", "Promised", "Counted"));
        text.push('\n');
        for row in self.rows() {
            let mark = if row.kept { paint.good("✓") } else { paint.bad("✗") };
            for (index, counted) in row.counted.iter().enumerate() {
                if index == 0 {
                    text.push_str(&format!("{mark} {:<44}{counted}\n", row.promise));
                } else {
                    text.push_str(&format!("  {:<44}{counted}\n", ""));
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
