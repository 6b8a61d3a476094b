//! S4, L2 and L4: what arrives and is told, by the reference model.

use std::collections::VecDeque;
use std::time::Duration;

use everbeat_core::limits;

use super::{Checked, Promise, Turn, View};
use crate::promises::messages::Announcement;
use crate::promises::untold::Waiting;
use crate::world::{Request, ResultName, Sent, World};

/// How long the healed world has for what the faults have left behind.
const SETTLES_WITHIN: Duration = Duration::from_secs(1_800);
/// What was listed or stored so shortly before the end may still wait.
const UNDER_WAY: Duration = Duration::from_secs(180);
/// What was held back under faults goes first: a hundred in a message, a
/// message in a cooldown, each up to an unanswered call long.
const HELD_BACK: Duration = Duration::from_secs(300);

/// When the next of what waits since then must have settled.
fn next_due(view: &View<'_>, since: impl Iterator<Item = Duration>) -> Option<Duration> {
    let due = since.map(|since| since.max(view.healed()) + SETTLES_WITHIN);
    due.filter(|due| *due >= view.now()).min()
}

/// S4: every result that a list brought stands in the stream exactly once.
#[derive(Default)]
pub(super) struct ExactlyOnce {
    lines: u64,
    due: Option<Duration>,
}

impl ExactlyOnce {
    /// What left the platform's window while disk and processes failed could
    /// not be stored; what a healed agent was told of must be.
    fn check(view: &View<'_>, within: Duration) -> Checked {
        let is_late = |(name, since): &(&ResultName, Duration)| {
            (*since).max(view.healed()) + within <= view.now() && !view.may_be_unknown(name)
        };
        view.arrivals.awaited().find(is_late).map_or(Ok(()), |(name, since)| {
            Err(format!("S4: {name:?}, listed at {since:?}, is not in the stream"))
        })
    }
}

impl Promise for ExactlyOnce {
    fn streamed(&mut self, view: &View<'_>) -> Checked {
        if let Some(intrusion) = view.world.intrusion() {
            return Err(format!("S4: {intrusion}"));
        }
        if let Some(line) = view.stream.torn() {
            return Err(format!("S4: a torn line in the stream: {line:?}"));
        }
        for line in view.stream.new_lines() {
            self.lines += 1;
            let (name, count) = (&line.name, view.stream.count(&line.name));
            if view.arrivals.listed_as(name).is_none() {
                return Err(format!("S4: {name:?} is in the stream and was never listed"));
            }
            // A power loss can bring back both names of a batch: its own, and
            // the one that the reader has taken.
            if !view.may_come_again(name, count as usize / 2) {
                return Err(format!("S4: {name:?} stands in the stream {count} times"));
            }
        }
        Ok(())
    }

    fn listed(&mut self, view: &View<'_>) -> Checked {
        self.due = next_due(view, view.arrivals.awaited().map(|(_, since)| since));
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.due
    }

    fn overdue(&mut self, view: &View<'_>) -> Checked {
        Self::check(view, SETTLES_WITHIN)?;
        self.listed(view)
    }

    fn ends(&mut self, view: &View<'_>) -> Checked {
        Self::check(view, UNDER_WAY)
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.lines
    }
}

/// L2: every finished delegation that a poll lists is stored and announced in
/// time.
#[derive(Default)]
pub(super) struct ToldInTime {
    /// Whether the whole run is asked, or what is listed once the healed world
    /// has settled. The former is for a world whose platform takes messages
    /// and whose disk works.
    always: bool,
    listed: u64,
    due: VecDeque<Due>,
}

struct Due {
    name: ResultName,
    listed: Duration,
    due: Duration,
    is_told: bool,
}

impl ToldInTime {
    pub(super) fn always() -> Self {
        Self { always: true, ..Self::default() }
    }

    fn within(world: &World) -> Duration {
        let config = world.config();
        // A result without text waits one poll, a sixth of an interval later.
        let twin = config.interval / 4;
        // The platform answers a message after the agent's turn: until then
        // the next one waits.
        let turn = Duration::from_millis(world.plan.setup.turn_ms);
        let turn = turn.min(limits::SELF_MESSAGE_DEADLINE);
        let slack = config.request_deadline() * 2 + turn + super::beats::ROUND_TRIP;
        twin + config.cooldown + config.interval + slack
    }
}

impl Promise for ToldInTime {
    fn listed(&mut self, view: &View<'_>) -> Checked {
        let (now, since) = (view.now(), view.healed() + HELD_BACK);
        if !self.always && now < since {
            return Ok(());
        }
        for name in view.arrivals.newly_listed() {
            self.listed += 1;
            let due = now + Self::within(view.world);
            self.due.push_back(Due { name: name.clone(), listed: now, due, is_told: false });
        }
        Ok(())
    }

    fn delivered(&mut self, _: &View<'_>, told: &Announcement) -> Checked {
        for due in &mut self.due {
            due.is_told |= told.more > 0 || told.names.contains(&due.name);
        }
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.due.front().map(|due| due.due)
    }

    fn overdue(&mut self, view: &View<'_>) -> Checked {
        let Some(Due { name, listed, is_told, .. }) = self.due.pop_front() else {
            return Ok(());
        };
        if view.arrivals.is_settled(&name) {
            return Ok(());
        }
        if view.stream.count(&name) == 0 {
            return Err(format!("L2: {name:?}, listed at {listed:?}, is not stored"));
        }
        if !is_told {
            return Err(format!("L2: {name:?}, listed at {listed:?}, is not told"));
        }
        Ok(())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.listed
    }
}

/// L2 needs lists: the healed world is polled every interval or so, whatever
/// became of the polls before.
#[derive(Default)]
pub(super) struct PollsGoOn {
    polls: u64,
    due: Option<Duration>,
}

impl PollsGoOn {
    fn due_after(view: &View<'_>, last: Duration) -> Option<Duration> {
        let config = view.world.config();
        let last = last.max(view.healed() + HELD_BACK);
        Some(last + config.interval * 2 + config.request_deadline())
    }
}

impl Promise for PollsGoOn {
    fn turned(&mut self, view: &View<'_>, _: Turn) -> Checked {
        self.due = self.due.or(Self::due_after(view, Duration::ZERO));
        Ok(())
    }

    fn sent(&mut self, view: &View<'_>, sent: &Sent) -> Checked {
        if sent.what == Request::Poll {
            self.polls += u64::from(sent.at > view.healed() + HELD_BACK);
            self.due = Self::due_after(view, sent.at);
        }
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.due
    }

    fn overdue(&mut self, _: &View<'_>) -> Checked {
        Err("L2: no poll for two intervals and a deadline".into())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.polls
    }
}

/// L4: after a crash at any point and a restart nothing that was discovered is
/// lost. In the healed world nothing that stands in the stream waits for long
/// to be told; once it was sent, the reader's taking it tells that it was.
#[derive(Default)]
pub(super) struct NothingWaits {
    arrived: u64,
    due: Option<Duration>,
}

impl NothingWaits {
    fn check(view: &View<'_>, within: Duration) -> Checked {
        let is_overdue =
            |waiting: &Waiting| waiting.since.max(view.healed()) + within <= view.now();
        let oldest = view.arrivals.untold().oldest(&view.stream.unread(), is_overdue);
        oldest.map_or(Ok(()), |(name, waiting)| {
            Err(format!("L4: {name:?} still waits to be told: {waiting:?}"))
        })
    }

    fn next_due(view: &View<'_>) -> Option<Duration> {
        next_due(view, view.arrivals.untold().since())
    }
}

impl Promise for NothingWaits {
    fn streamed(&mut self, view: &View<'_>) -> Checked {
        self.arrived += view.stream.new_lines().len() as u64;
        self.due = Self::next_due(view);
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.due
    }

    fn overdue(&mut self, view: &View<'_>) -> Checked {
        Self::check(view, SETTLES_WITHIN)?;
        self.due = Self::next_due(view);
        Ok(())
    }

    fn ends(&mut self, view: &View<'_>) -> Checked {
        Self::check(view, UNDER_WAY)
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.arrived
    }
}
