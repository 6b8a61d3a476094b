//! What was finished, what the reader took and what the agent was told: the
//! books that the demo is judged by. Nothing here does anything but count.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Taken;

/// Stands in every response's text, beyond what a summary shows: it must
/// reach the results file and nothing else.
pub(crate) const ANSWER: &str = "The answer is";
/// Stands in every word of a result that is not this workspace's.
pub(crate) const FOREIGN: &str = "none of your business";
/// Entries kept apart; more only occur with `--forever`.
const KEPT_MAX: usize = 20_000;

/// How a delegation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Completed,
    Failed,
}

impl Ended {
    const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// One result of ours.
#[derive(Debug)]
struct Entry {
    ended: Ended,
    /// The peer's words, which the reader must find.
    words: String,
    in_stream: u32,
    /// The message that told of it.
    told_in: Option<String>,
    /// A kill came between its end and the reader.
    was_killed: bool,
    /// Somebody's trouble came between its end and its message: one that was
    /// sent into silence is not sent again once the reader has the result.
    was_unheard: bool,
}

impl Entry {
    const fn may_stay_untold(&self) -> bool {
        self.was_killed || self.was_unheard
    }
}

/// The books. Sums that only grow, and the entries that they come from.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    results: BTreeMap<String, Entry>,
    /// Ids of what is not ours.
    foreign: BTreeSet<String>,
    /// Entries that were in order and are no longer kept apart.
    retired: usize,
    pub(crate) finished: usize,
    pub(crate) failed: usize,
    pub(crate) foreign_finished: usize,
    /// Lines of the stream.
    pub(crate) lines: usize,
    pub(crate) torn: usize,
    /// Lines with another's or nobody's result.
    pub(crate) strangers: usize,
    /// Lines without the peer's words.
    pub(crate) wordless: usize,
    /// Files that the reader took, and those that others could have read.
    pub(crate) files: usize,
    pub(crate) open_files: usize,
    pub(crate) messages: usize,
    /// Results that were told in two different messages.
    pub(crate) told_twice: usize,
    pub(crate) notifications: usize,
    /// Messages and notifications with a response's text.
    pub(crate) leaks: usize,
    /// Messages and notifications with another's result.
    pub(crate) foreign_told: usize,
}

impl Ledger {
    /// A delegation of ours ends, with these words.
    pub(crate) fn finish(&mut self, id: &str, ended: Ended, words: &str) {
        let entry = Entry {
            ended,
            words: words.into(),
            in_stream: 0,
            told_in: None,
            was_killed: false,
            was_unheard: false,
        };
        self.results.insert(id.into(), entry);
        self.finished += 1;
        self.failed += usize::from(ended == Ended::Failed);
        self.retire();
    }

    /// Whether its end was entered already.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.results.contains_key(id)
    }

    /// One of another workspace's ends, listed among ours.
    pub(crate) fn finish_foreign(&mut self, id: &str) {
        self.foreign.insert(id.into());
        self.foreign_finished += 1;
        while self.foreign.len() > KEPT_MAX {
            self.foreign.pop_first();
        }
    }

    /// The reader took a file.
    pub(crate) fn read(&mut self, taken: &Taken) {
        self.files += 1;
        self.open_files += usize::from(taken.open_to_others);
        self.torn += taken.torn;
        for line in &taken.lines {
            self.lines += 1;
            let text = |name: &str| line[name].as_str().unwrap_or_default();
            let entry = self.results.get_mut(text("delegation_id"));
            match entry.filter(|entry| entry.ended.name() == text("status")) {
                Some(entry) => {
                    entry.in_stream += 1;
                    let shown = [text("summary"), text("response_preview")];
                    let has_words = shown.iter().any(|shown| shown.contains(&entry.words));
                    self.wordless += usize::from(!has_words);
                }
                None => self.strangers += 1,
            }
        }
    }

    /// The agent sent itself a message. A retry comes under the same id.
    pub(crate) fn message(&mut self, id: &str, text: &str) {
        self.messages += 1;
        self.words_told(text);
        for named in text.lines().filter_map(named_in) {
            // By the first characters of its id.
            let from = self.results.range_mut(named.to_owned()..).next();
            let Some((_, entry)) = from.filter(|(id, _)| id.starts_with(named)) else {
                self.foreign_told += 1;
                continue;
            };
            match &entry.told_in {
                Some(before) if before != id => self.told_twice += 1,
                Some(_) | None => entry.told_in = Some(id.into()),
            }
        }
    }

    /// The user was told something.
    pub(crate) fn notification(&mut self, text: &str) {
        self.notifications += 1;
        self.words_told(text);
    }

    fn words_told(&mut self, text: &str) {
        self.leaks += usize::from(text.contains(ANSWER));
        self.foreign_told += usize::from(text.contains(FOREIGN));
    }

    /// The agent's process was killed. Says how many results were on their
    /// way at that moment.
    pub(crate) fn killed(&mut self) -> usize {
        let under_way = self.results.values_mut().filter(|entry| entry.in_stream == 0);
        under_way.map(|entry| entry.was_killed = true).count()
    }

    /// Somebody's trouble begins or ends: what was not told yet may have been
    /// told to nobody.
    pub(crate) fn unheard(&mut self) {
        let untold = self.results.values_mut().filter(|entry| entry.told_in.is_none());
        untold.for_each(|entry| entry.was_unheard = true);
    }

    /// Results that were on their way when a kill came.
    pub(crate) fn under_way_at_kills(&self) -> usize {
        self.results.values().filter(|entry| entry.was_killed).count()
    }

    /// Results that no line of the stream has (yet).
    pub(crate) fn missing(&self) -> usize {
        self.results.values().filter(|entry| entry.in_stream == 0).count()
    }

    /// Lines beyond the first of a result.
    pub(crate) fn doubled(&self) -> usize {
        let more = self.results.values().map(|entry| entry.in_stream.saturating_sub(1) as usize);
        more.sum()
    }

    /// Results that stand in the stream.
    pub(crate) fn arrived(&self) -> usize {
        self.retired + self.results.len() - self.missing()
    }

    /// Results that no message named.
    pub(crate) fn unnamed(&self) -> usize {
        self.results.values().filter(|entry| entry.told_in.is_none()).count()
    }

    /// Results that no message named, other than those whose message may
    /// have been what a kill or somebody's trouble cut off.
    pub(crate) fn untold(&self) -> usize {
        let untold = |entry: &&Entry| entry.told_in.is_none() && !entry.may_stay_untold();
        self.results.values().filter(untold).count()
    }

    /// The first ids that are lost or doubled, for a person to look into.
    pub(crate) fn culprits(&self) -> Vec<&str> {
        let wrong = self.results.iter().filter(|(_, entry)| entry.in_stream != 1);
        wrong.map(|(id, _)| id.as_str()).take(5).collect()
    }

    /// The oldest in order are folded into a number: memory stays bounded.
    fn retire(&mut self) {
        while self.results.len() > KEPT_MAX {
            let Some(oldest) = self.results.first_entry() else { return };
            let entry = oldest.get();
            if entry.in_stream != 1 || (entry.told_in.is_none() && !entry.may_stay_untold()) {
                return;
            }
            oldest.remove();
            self.retired += 1;
        }
    }
}

/// The id in `- [completed] Delegation d0000012: …`.
fn named_in(line: &str) -> Option<&str> {
    let (_, rest) = line.strip_prefix("- [")?.split_once("] Delegation ")?;
    rest.split(':').next()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn line(id: &str, status: &str, words: &str) -> String {
        format!(
            "{{\"delegation_id\":\"{id}\",\"status\":\"{status}\",\"summary\":\"\",\
             \"response_preview\":\"{words}\"}}\n"
        )
    }

    pub(crate) fn read(ledger: &mut Ledger, text: &str) {
        ledger.read(&Taken::parse(text.as_bytes()));
    }

    #[test]
    fn lines_are_counted_against_what_was_finished() {
        let mut ledger = Ledger::default();
        ledger.finish("d0000001", Ended::Completed, "K-1");
        ledger.finish("d0000002", Ended::Failed, "boom");
        assert_eq!((ledger.missing(), ledger.arrived()), (2, 0));
        read(&mut ledger, &line("d0000001", "completed", "The answer is K-1."));
        assert_eq!((ledger.missing(), ledger.arrived(), ledger.doubled()), (1, 1, 0));
        // Under another status it is none of those that were finished.
        read(&mut ledger, &line("d0000002", "completed", "boom"));
        assert_eq!((ledger.missing(), ledger.strangers), (1, 1));
        read(&mut ledger, &line("d0000002", "failed", ""));
        assert_eq!((ledger.missing(), ledger.wordless), (0, 1));
        read(&mut ledger, &line("d0000001", "completed", "K-1"));
        assert_eq!((ledger.doubled(), ledger.culprits()), (1, vec!["d0000001"]));
    }

    #[test]
    fn a_result_is_told_in_one_message_but_that_may_come_twice() {
        let mut ledger = Ledger::default();
        ledger.finish("d0000001", Ended::Completed, "K-1");
        let text = "Ready:\n- [completed] Delegation d0000001: \"done\"\n\nReport.";
        ledger.message("m-1", text);
        ledger.message("m-1", text);
        assert_eq!((ledger.told_twice, ledger.untold()), (0, 0));
        ledger.message("m-2", text);
        assert_eq!((ledger.told_twice, ledger.foreign_told, ledger.leaks), (1, 0, 0));
        ledger.message("m-3", "- [failed] Delegation d9999999: \"x\"");
        ledger.notification(&format!("{ANSWER} K-1"));
        assert_eq!((ledger.foreign_told, ledger.leaks), (1, 1));
    }

    #[test]
    fn only_what_was_under_way_at_a_kill_may_stay_untold() {
        let mut ledger = Ledger::default();
        ledger.finish("d0000001", Ended::Completed, "K-1");
        read(&mut ledger, &line("d0000001", "completed", "K-1"));
        ledger.finish("d0000002", Ended::Completed, "K-2");
        assert_eq!((ledger.killed(), ledger.under_way_at_kills(), ledger.untold()), (1, 1, 1));
        ledger.unheard();
        ledger.finish("d0000003", Ended::Completed, "K-3");
        assert_eq!((ledger.under_way_at_kills(), ledger.untold()), (1, 1));
    }

    #[test]
    fn a_result_is_named_by_the_beginning_of_its_id() {
        let mut ledger = Ledger::default();
        ledger.finish("d0000001-and-more", Ended::Completed, "K-1");
        ledger.message("m-1", "- [completed] Delegation d0000001: \"done\"");
        assert_eq!((ledger.untold(), ledger.foreign_told), (0, 0));
        ledger.message("m-1", "- [completed] Delegation d0000002: \"done\"");
        assert_eq!(ledger.foreign_told, 1);
    }
}
