//! What is sent and stored: S1, S2, L1's and L2's contents.

use std::collections::BTreeSet;

use everbeat_core::limits;

use super::{Checked, Promise, View};
use crate::plan::{FOREIGN_MARK, PREVIEW_MARK};
use crate::promises::messages::named_in;
use crate::world::{Request, ResultName, Sent};

/// Stands before the text of every self-message.
const HEADER: &str = "Delegation results are ready.";

/// S1: a result of another source reaches neither the results file, nor a
/// self-message, nor a notification.
#[derive(Default)]
pub(super) struct ForeignStayOut;

fn is_foreign(name: &ResultName) -> bool {
    name.0.starts_with('f')
}

impl Promise for ForeignStayOut {
    fn streamed(&mut self, view: &View<'_>) -> Checked {
        match view.stream.new_lines().iter().find(|line| is_foreign(&line.name)) {
            Some(line) => Err(format!("S1: {} stands in the results stream", line.name.0)),
            None => Ok(()),
        }
    }

    fn sent(&mut self, _: &View<'_>, sent: &Sent) -> Checked {
        match &sent.what {
            Request::SelfMessage { text, .. }
                if text.contains(FOREIGN_MARK) || named_in(text).iter().any(is_foreign) =>
            {
                Err("S1: a self-message tells of a foreign result".into())
            }
            Request::Notify { text } if text.contains(FOREIGN_MARK) => {
                Err("S1: the user is told of a foreign result".into())
            }
            Request::SelfMessage { .. }
            | Request::Notify { .. }
            | Request::Beat { .. }
            | Request::Poll
            | Request::Register
            | Request::Lookup => Ok(()),
        }
    }

    fn looked_at(&self, view: &View<'_>) -> u64 {
        view.world.seen.acts.of("finish_foreign")
    }
}

/// S2: a self-message carries no response text, and of a peer's words no more
/// than is stated, each on its line.
#[derive(Default)]
pub(super) struct QuotedAndCut {
    messages: u64,
}

impl Promise for QuotedAndCut {
    fn sent(&mut self, _: &View<'_>, sent: &Sent) -> Checked {
        let Request::SelfMessage { text, .. } = &sent.what else {
            return Ok(());
        };
        self.messages += 1;
        if text.contains(PREVIEW_MARK) {
            return Err("S2: a message holds response text".into());
        }
        let odd = text.lines().find(|line| !is_allowed_line(line));
        odd.map_or(Ok(()), |line| Err(format!("S2: a message has the line {line:?}")))
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.messages
    }
}

fn is_allowed_line(line: &str) -> bool {
    let quoted = |words: &str, most: usize| {
        let inside = words.strip_prefix('"').and_then(|words| words.strip_suffix('"'));
        inside.is_some_and(|inside| !inside.contains('"') && inside.chars().count() <= most)
    };
    let is_plain = !line.chars().any(|shown| shown.is_control() || shown == '\u{2028}');
    let named = line.strip_prefix("- [").and_then(|rest| rest.split_once("] Delegation "));
    let is_known = match (named, line.strip_prefix("  Error: ")) {
        (Some((_, rest)), _) => match rest.split_once(": ") {
            Some((id, words)) => id.chars().count() <= limits::ID_CHARS && quoted(words, 80),
            None => rest.chars().count() <= limits::ID_CHARS,
        },
        (None, Some(words)) => quoted(words, 100),
        (None, None) => {
            line.is_empty()
                || line.starts_with(HEADER)
                || line.starts_with("- and ")
                || line.starts_with("Words in quotes come from other workspaces")
                || line.starts_with("IMPORTANT: Report these results back to your parent 'boss'")
                || line.starts_with("Report results using send_message_to_user")
        }
    };
    is_plain && is_known
}

/// L1: every beat carries all that the agent has reported. The platform takes
/// the absence of the runtime metadata as a wish to clear it.
#[derive(Default)]
pub(super) struct BeatsCarryAll;

impl Promise for BeatsCarryAll {
    fn sent(&mut self, view: &View<'_>, _: &Sent) -> Checked {
        if view.world.seen.bare_beats.is_empty() {
            return Ok(());
        }
        Err("L1: a beat lacks the metadata that an earlier one had".into())
    }

    fn looked_at(&self, view: &View<'_>) -> u64 {
        view.world.seen.events.of("metadata")
    }
}

/// L2: a result whose text stood in the first list that named it, or in the
/// very next one, has that text in the stream, whichever row brought it. What
/// was lost on the way with a process or a folder is stored from a later list,
/// which may hold fewer of its rows.
#[derive(Default)]
pub(super) struct RowsAreFolded {
    with_text: u64,
    /// What stands in the stream without a text. One that the very next list
    /// shows should have been waited for.
    poor: BTreeSet<ResultName>,
}

impl RowsAreFolded {
    fn is_poor(view: &View<'_>, name: &ResultName) -> bool {
        let listed = view.arrivals.listed_as(name);
        listed.is_some_and(|listed| listed.has_text && view.arrivals.lost() <= listed.first)
    }

    fn check(&self, view: &View<'_>) -> Checked {
        let poor = self.poor.iter().find(|name| Self::is_poor(view, name));
        poor.map_or(Ok(()), |name| {
            Err(format!("L2: {name:?} is stored without the text that its rows had"))
        })
    }
}

impl Promise for RowsAreFolded {
    fn listed(&mut self, view: &View<'_>) -> Checked {
        if self.poor.is_empty() {
            return Ok(());
        }
        self.check(view)?;
        // The list after the first has come: what it lacked is not asked for.
        self.poor.retain(|name| view.arrivals.newly_listed().contains(name));
        Ok(())
    }

    fn streamed(&mut self, view: &View<'_>) -> Checked {
        for line in view.stream.new_lines() {
            if line.has_text {
                self.with_text += 1;
            } else {
                self.poor.insert(line.name.clone());
            }
        }
        self.check(view)
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.with_text
    }
}
