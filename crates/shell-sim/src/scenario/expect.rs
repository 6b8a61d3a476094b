//! What was promised, beside what was counted.

use std::collections::BTreeSet;
use std::time::Duration;

use everbeat_core::Severity;
use toml::Spanned;

use super::spec::Expect;
use super::time::shown;
use super::{Misfit, Report};
use crate::fleet::Fleet;
use crate::plan::OWN;
use crate::promises::stream::Stream;
use crate::promises::watch::{ALWAYS, CHECKS, Watch};
use crate::verdict::Judged;
use crate::world::{NOTICE_NAMES, notice_name};

/// One expectation and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What is looked at.
    pub what: String,
    /// What must be.
    pub promised: String,
    /// What is.
    pub counted: String,
    /// Whether it is as promised.
    pub holds: bool,
}

impl Row {
    pub(super) fn new(
        what: impl Into<String>,
        promised: impl Into<String>,
        counted: impl Into<String>,
        holds: bool,
    ) -> Self {
        Self { what: what.into(), promised: promised.into(), counted: counted.into(), holds }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().chain(ALWAYS).map(|(name, _)| *name)
}

/// Looks for what was promised, to the end of the run.
pub(super) fn watch(expect: &Expect) -> Watch {
    Watch::of(expect.promises.iter().map(String::as_str)).to_the_end()
}

/// Whether every word of it is known, and fits what is run.
pub(super) fn check(expect: &Spanned<Expect>, is_fleet: bool) -> Result<(), Misfit> {
    let (at, expect) = (expect.span().start, expect.get_ref());
    let wrong = |reason: String| Err(Misfit::new(at, reason));
    for promise in &expect.promises {
        if !names().any(|name| name == promise) {
            let known: BTreeSet<&str> = names().collect();
            let known: Vec<&str> = known.into_iter().collect();
            return wrong(format!("expect.promises: {promise:?} is none of {}", known.join(", ")));
        }
    }
    for name in expect.says.iter().chain(&expect.never_says) {
        if !NOTICE_NAMES.contains(&name.as_str()) {
            return wrong(format!("expect.says: {name:?} is no notice"));
        }
    }
    let of_world = !expect.promises.is_empty()
        || !expect.says.is_empty()
        || !expect.never_says.is_empty()
        || expect.silence_max.is_some()
        || expect.notifications_max.is_some()
        || expect.registrations_max.is_some();
    let of_fleet = expect.peak_over_mean_max.is_some()
        || expect.tries_over_mean_max.is_some()
        || expect.all_online_within.is_some()
        || expect.online.is_some()
        || expect.containers_restarted_max.is_some();
    if is_fleet && of_world {
        return wrong("expect: promises, says, silence and notifications are one agent's".into());
    }
    if !is_fleet && of_fleet {
        return wrong("expect: peaks and who is online are a fleet's".into());
    }
    Ok(())
}

/// Builds the table, leaving out what nothing was said of.
#[derive(Default)]
struct Table(Vec<Row>);

impl Table {
    fn exactly(&mut self, what: &str, promised: Option<u64>, counted: u64) {
        if let Some(promised) = promised {
            let holds = counted == promised;
            self.0.push(Row::new(what, promised.to_string(), counted.to_string(), holds));
        }
    }

    fn at_least(&mut self, what: &str, least: Option<u64>, counted: u64) {
        if let Some(least) = least {
            let promised = format!("at least {least}");
            self.0.push(Row::new(what, promised, counted.to_string(), counted >= least));
        }
    }

    fn at_most(&mut self, what: &str, most: Option<u64>, counted: u64) {
        if let Some(most) = most {
            let promised = format!("at most {most}");
            self.0.push(Row::new(what, promised, counted.to_string(), counted <= most));
        }
    }

    fn ratio(&mut self, what: &str, most: Option<f64>, counted: f64) {
        if let Some(most) = most {
            let promised = format!("at most {most:.2}");
            self.0.push(Row::new(what, promised, format!("{counted:.2}"), counted <= most));
        }
    }

    fn within(&mut self, what: &str, most: Option<Duration>, counted: Option<Duration>) {
        if let Some(most) = most {
            let holds = counted.is_some_and(|counted| counted <= most);
            let counted = counted.map_or("never".into(), shown);
            self.0.push(Row::new(what, format!("within {}", shown(most)), counted, holds));
        }
    }
}

pub(super) fn of_world(expect: &Expect, judged: &Judged) -> Report {
    let world = &judged.world;
    let mut table = Table::default();
    for promise in &expect.promises {
        let broken = judged.watch.verdict(promise).and_then(Result::err);
        let counted = broken.map_or("yes".into(), ToString::to_string);
        table.0.push(Row::new(format!("promise {promise}"), "holds", counted, broken.is_none()));
    }
    // What is promised without being asked for: an end, and no panic.
    let others = judged.broken.iter().filter(|broken| !judged.watch.broken().contains(broken));
    for broken in others {
        table.0.push(Row::new("the run", "comes to its end", broken.to_string(), false));
    }
    let seen = &world.seen;
    let beats = &seen.accepted_beats;
    let results = Stream::of(world).results() as u64;
    table.exactly("results", expect.results, results);
    table.at_least("beats", expect.beats_min, beats.len() as u64);
    table.at_most("beats", expect.beats_max, beats.len() as u64);
    table.at_most("requests", expect.requests_max, seen.sent.len() as u64);
    let ends = std::iter::once(Duration::ZERO).chain(beats.iter().copied());
    let gaps = ends.zip(beats.iter().copied().chain([world.now()]));
    let silence = gaps.map(|(from, to)| to.saturating_sub(from)).max();
    table.within("longest silence", expect.silence_max.map(|span| span.0), silence);
    let messages = seen.accepted_messages.len() as u64;
    table.at_least("self-messages", expect.self_messages_min, messages);
    table.at_most("self-messages", expect.self_messages_max, messages);
    let own = world.platform.workspace(OWN);
    let told = own.map_or(0, |own| own.notifications.total());
    table.at_most("notifications", expect.notifications_max, told);
    let registered = own.map_or(0, |own| own.registrations.total());
    table.at_most("registrations", expect.registrations_max, registered);
    table.exactly("starts", expect.starts, seen.starts.len() as u64);
    let shown = seen.notices.iter().filter(|(_, notice)| notice.severity() >= Severity::Info);
    table.at_most("log lines", expect.log_lines_max, shown.count() as u64);
    let said: BTreeSet<&str> = seen.notices.iter().map(|(_, notice)| notice_name(notice)).collect();
    let yes_no = |said: bool| if said { "said" } else { "not said" };
    for name in &expect.says {
        let is_said = said.contains(name.as_str());
        table.0.push(Row::new(format!("notice {name}"), "said", yes_no(is_said), is_said));
    }
    for name in &expect.never_says {
        let is_said = said.contains(name.as_str());
        table.0.push(Row::new(format!("notice {name}"), "not said", yes_no(is_said), !is_said));
    }
    let summary = format!(
        "{}, {} requests, {} beats, {results} results, {messages} self-messages",
        super::time::shown(world.now()),
        seen.sent.len(),
        beats.len(),
    );
    Report { summary, rows: table.0 }
}

pub(super) fn of_fleet(expect: &Expect, fleet: &Fleet) -> Report {
    let (seen, end) = (&fleet.seen, fleet.plan().lasts);
    let minute = Duration::from_secs(60);
    let mean = seen.tried.mean(end.saturating_sub(minute), end).max(f64::MIN_POSITIVE);
    let from = seen.returns.first().map_or(Duration::ZERO, |first| first.went);
    let (served, tried) = (seen.served.peak(from, end), seen.tried.peak(from, end));
    let mut table = Table::default();
    let over = |peak: u32| f64::from(peak) / mean;
    table.ratio("peak of requests / mean", expect.peak_over_mean_max, over(served));
    table.ratio("peak of tries / mean", expect.tries_over_mean_max, over(tried));
    let within = expect.all_online_within.map(|span| span.0);
    table.within("all online again", within, seen.slowest_return());
    table.exactly("online at the end", expect.online, u64::from(seen.online));
    table.at_most("containers restarted", expect.containers_restarted_max, seen.restarts);
    table.exactly("results", expect.results, seen.stored.len() as u64);
    if expect.results.is_some() {
        table.exactly("results missing", Some(0), seen.missing() as u64);
        table.exactly("results twice or foreign", Some(0), seen.surplus() as u64);
    }
    table.at_least("beats", expect.beats_min, seen.beats);
    table.at_most("beats", expect.beats_max, seen.beats);
    table.at_most("requests", expect.requests_max, seen.tried.total());
    table.at_least("self-messages", expect.self_messages_min, seen.accepted_messages);
    table.at_most("self-messages", expect.self_messages_max, seen.accepted_messages);
    table.exactly("starts", expect.starts, seen.starts);
    table.at_most("log lines", expect.log_lines_max, seen.log_lines);
    let summary = format!(
        "{} agents, {}, {} requests, {} beats; in a second: {mean:.0} at rest, at most {served} \
         served, {tried} tried",
        fleet.plan().agents,
        shown(end),
        seen.tried.total(),
        seen.beats,
    );
    Report { summary, rows: table.0 }
}
