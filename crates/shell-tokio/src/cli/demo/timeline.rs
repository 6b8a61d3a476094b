//! What a person reads: one line for each thing that happened.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::super::print;

/// Who a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The demo itself, which makes the trouble.
    Demo,
    /// The platform's side.
    Platform,
    /// The agent's process.
    Agent,
    /// The other workspace, which does the delegated work.
    Peer,
    /// Whoever takes the results file.
    Reader,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// As it should be.
    Good,
    /// Trouble, made on purpose or met.
    Trouble,
    /// Neither.
    Plain,
}

/// The timeline's writer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    started_at: Instant,
    paint: Paint,
}

impl Timeline {
    pub(crate) fn start(started_at: Instant) -> Self {
        Self { started_at, paint: Paint::for_stdout() }
    }

    /// For what is written beside the timeline.
    pub(crate) const fn paint(&self) -> Paint {
        self.paint
    }

    /// One line of it.
    pub(crate) fn say(&self, who: Who, mark: Mark, words: &str) {
        print(&line(self.paint, self.started_at.elapsed(), who, mark, words));
    }

    /// A headline: what is about to be shown.
    pub(crate) fn chapter(&self, words: &str) {
        print(&format!("\n{}\n", self.paint.bold(words)));
    }

    /// Anything else.
    pub(crate) fn text(&self, words: &str) {
        print(&format!("{words}\n"));
    }
}

fn line(paint: Paint, at: Duration, who: Who, mark: Mark, words: &str) -> String {
    let (name, color) = match who {
        Who::Demo => ("demo", "35"),
        Who::Platform => ("platform", "34"),
        Who::Agent => ("agent", "36"),
        Who::Peer => ("peer", "33"),
        Who::Reader => ("reader", "32"),
    };
    let mark = match mark {
        Mark::Good => paint.good("✓"),
        Mark::Trouble => paint.bad("✗"),
        Mark::Plain => paint.dim("·"),
    };
    let at = paint.dim(&format!("+{:>6.1}s", at.as_secs_f64()));
    let name = paint.colored(color, &format!("{name:<8}"));
    format!("{at}  {name}  {mark} {words}\n")
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// None where nobody would see them, and none where they are not wanted
    /// (`NO_COLOR`).
    pub(crate) fn for_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { on: std::io::stdout().is_terminal() && !unwanted && !dumb }
    }

    pub(crate) fn good(self, words: &str) -> String {
        self.colored("32", words)
    }

    pub(crate) fn bad(self, words: &str) -> String {
        self.colored("1;31", words)
    }

    pub(crate) fn dim(self, words: &str) -> String {
        self.colored("2", words)
    }

    pub(crate) fn bold(self, words: &str) -> String {
        self.colored("1", words)
    }

    fn colored(self, code: &str, words: &str) -> String {
        if self.on { format!("\x1b[{code}m{words}\x1b[0m") } else { words.to_owned() }
    }
}

/// `1 result`, `2 results`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// `0.34 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_columns_and_colours_only_where_wanted() {
        let at = Duration::from_millis(3_240);
        let plain = line(Paint { on: false }, at, Who::Agent, Mark::Good, "back");
        assert_eq!(plain, "+   3.2s  agent     ✓ back\n");
        let painted = line(Paint { on: true }, at, Who::Agent, Mark::Trouble, "gone");
        assert!(painted.contains("\x1b[1;31m✗\x1b[0m gone"), "{painted:?}");
    }
}
