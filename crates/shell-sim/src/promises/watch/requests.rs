//! S5 and S9, L8: how much is asked and said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use everbeat_core::{Lane, Notice, Severity, limits};

use super::{Checked, Promise, View};
use crate::promises::messages::{Announcement, named_in};
use crate::world::{Request, ResultName, Sent};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Lines that an outage of a day may say.
const LINES_MAX: usize = 30;

/// The times of what one process did in a window.
#[derive(Default)]
struct Window {
    process: u64,
    times: VecDeque<Duration>,
}

impl Window {
    /// Adds one; says how many there are now in a window of this length, and
    /// since when.
    fn add(&mut self, process: u64, at: Duration, length: Duration) -> (usize, Duration) {
        // A process that was started anew begins its own count.
        if self.process != process {
            *self = Self { process, times: VecDeque::new() };
        }
        while self.times.front().is_some_and(|first| at - *first >= length) {
            self.times.pop_front();
        }
        self.times.push_back(at);
        (self.times.len(), self.times.front().copied().unwrap_or(at))
    }
}

/// S5: in any window of one interval no more than a stated number of requests.
#[derive(Default)]
pub(super) struct RequestBudget {
    requests: u64,
    window: Window,
}

impl Promise for RequestBudget {
    fn sent(&mut self, view: &View<'_>, sent: &Sent) -> Checked {
        self.requests += 1;
        let interval = view.world.config().interval;
        let (count, from) = self.window.add(sent.process, sent.at, interval);
        if count <= limits::REQUESTS_PER_INTERVAL_MAX {
            return Ok(());
        }
        // What the agent itself reports comes on top, one a second at most.
        let reports = view.world.seen.acts.of("report").min(interval.as_secs() + 1);
        let most = limits::REQUESTS_PER_INTERVAL_MAX as u64 + reports;
        if count as u64 <= most {
            return Ok(());
        }
        Err(format!("S5: more than {most} requests in one interval from {from:?}"))
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.requests
    }
}

/// S9: the agent cannot drive itself. No more messages than results, the same
/// results under the same id, which names no others, and a budget per hour.
#[derive(Default)]
pub(super) struct NoSelfDrive {
    ids: BTreeSet<String>,
    by_results: BTreeMap<Vec<String>, String>,
    by_id: BTreeMap<String, Vec<ResultName>>,
    window: Window,
}

impl Promise for NoSelfDrive {
    fn sent(&mut self, view: &View<'_>, sent: &Sent) -> Checked {
        let Request::SelfMessage { id, text } = &sent.what else {
            return Ok(());
        };
        // A message that does not name all of its results may be any.
        if Announcement::read(id, text).more == 0 {
            let lines = text.lines().filter(|line| line.starts_with('-'));
            let lines = lines.map(str::to_owned).collect();
            let earlier = self.by_results.insert(lines, id.clone());
            if earlier.is_some_and(|earlier| earlier != *id) {
                return Err("S9: the same results under another id".into());
            }
        }
        let named = named_in(text);
        if self.by_id.get(id).is_some_and(|earlier| *earlier != named) {
            return Err(format!("S9: message {id} names other results than before"));
        }
        self.by_id.insert(id.clone(), named);
        // The budget is one process's: each start costs a cooldown at least.
        let most = view.world.config().self_messages_per_hour_max as usize;
        let (count, from) = self.window.add(sent.process, sent.at, HOUR);
        if count > most {
            return Err(format!("S9: over {most} messages in the hour from {from:?}"));
        }
        Ok(())
    }

    fn delivered(&mut self, view: &View<'_>, told: &Announcement) -> Checked {
        self.ids.insert(told.id.clone());
        let (messages, results) = (self.ids.len(), view.arrivals.ever_arrived());
        let more = messages.saturating_sub(results + view.world.seen.denied.len());
        if !view.world.may_come_again(more.div_ceil(results.max(1)), Duration::ZERO) {
            return Err(format!("S9: {messages} messages for {results} results"));
        }
        Ok(())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.ids.len() as u64
    }
}

/// L8: however lanes fail and recover, that one still fails is said once a
/// minute at the most.
#[derive(Default)]
pub(super) struct SaidSeldom {
    said: u64,
    last: BTreeMap<Lane, Duration>,
}

impl Promise for SaidSeldom {
    fn said(&mut self, view: &View<'_>, notice: &Notice) -> Checked {
        let Notice::OutageContinues { lane, .. } = notice else {
            return Ok(());
        };
        self.said += 1;
        let now = view.now();
        let since = self.last.insert(*lane, now).map(|last| now - last);
        match since.filter(|since| *since < Duration::from_secs(60)) {
            Some(since) => Err(format!("L8: {lane:?} is said to fail {since:?} after the last")),
            None => Ok(()),
        }
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.said
    }
}

/// L8: an outage of a day says at most 30 lines.
#[derive(Default)]
pub(super) struct QuietOutage {
    lines: Window,
    said: u64,
}

impl Promise for QuietOutage {
    fn said(&mut self, view: &View<'_>, notice: &Notice) -> Checked {
        if notice.severity() < Severity::Info {
            return Ok(());
        }
        self.said += 1;
        let (lines, from) = self.lines.add(0, view.now(), DAY);
        if lines > LINES_MAX {
            return Err(format!("L8: over {LINES_MAX} lines in the day from {from:?}"));
        }
        Ok(())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.said
    }
}
