//! L3: a new token is used.

use std::collections::VecDeque;
use std::time::Duration;

use super::beats::{ROUND_TRIP, grace, regular};
use super::{Checked, Promise, Turn, View};
use crate::plan::Act;
use crate::world::{Request, Sent};

/// L3: after a token rotation the next beat uses the new token.
#[derive(Default)]
pub(super) struct NewTokenIsUsed {
    /// Whether every rotation is asked, or those of the healed world. The
    /// former is for a plan without other faults.
    always: bool,
    written: u64,
    due: VecDeque<Written>,
}

/// A token in its file.
struct Written {
    token: u64,
    at: Duration,
    due: Duration,
    is_newest: bool,
    is_sent: bool,
    is_accepted: bool,
}

impl NewTokenIsUsed {
    pub(super) fn always() -> Self {
        Self { always: true, ..Self::default() }
    }
}

impl Promise for NewTokenIsUsed {
    fn turned(&mut self, view: &View<'_>, turn: Turn) -> Checked {
        let seen = &view.world.seen;
        let since = view.healed() + grace(view.world);
        let written = seen.token_files.last().filter(|_| turn == Turn::TokenWritten);
        if let Some((at, token)) = written.copied().filter(|(at, _)| self.always || *at >= since) {
            self.written += 1;
            let due = at + regular(view.world) + Duration::from_secs(1);
            let newest = seen.rotations.last().is_none_or(|(_, newest)| *newest == token);
            self.due.push_back(Written {
                token,
                at,
                due,
                is_newest: newest,
                is_sent: false,
                is_accepted: false,
            });
        }
        Ok(())
    }

    fn sent(&mut self, _: &View<'_>, sent: &Sent) -> Checked {
        if let Request::Beat { token: with } = sent.what {
            self.due.iter_mut().for_each(|due| due.is_sent |= due.token == with);
        }
        Ok(())
    }

    fn beat_accepted(&mut self, _: &View<'_>) -> Checked {
        self.due.iter_mut().for_each(|due| due.is_accepted = true);
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.due.front().map(|due| due.due)
    }

    fn overdue(&mut self, view: &View<'_>) -> Checked {
        let Some(Written { at, due, is_newest, is_sent, is_accepted, .. }) = self.due.pop_front()
        else {
            return Ok(());
        };
        let within = |other: Duration| other > at && other <= due;
        let rotates = |act: &Act| matches!(act, Act::RotateToken { .. });
        let mut plan = view.world.plan.entries.iter();
        let mut files =
            view.world.seen.token_files.iter().rev().take_while(|(other, _)| *other > at);
        let overtaken = files.any(|(other, _)| within(*other))
            || plan.any(|entry| rotates(&entry.act) && within(Duration::from_millis(entry.at_ms)));
        if is_newest && !overtaken && !(is_sent && is_accepted) {
            return Err(format!("L3: the token written at {at:?} brings no beat in time"));
        }
        Ok(())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.written
    }
}

/// L3: where the new token stands in the file at once, the refused beat is
/// repeated at once: no gap shows. For a plan without other faults.
#[derive(Default)]
pub(super) struct RepeatedAtOnce {
    beats: u64,
    last: Option<Duration>,
}

impl Promise for RepeatedAtOnce {
    fn beat_accepted(&mut self, view: &View<'_>) -> Checked {
        self.beats += 1;
        let now = view.now();
        let gap = self.last.replace(now).map(|last| now - last);
        if gap.is_none_or(|gap| gap <= regular(view.world) + 3 * ROUND_TRIP) {
            return Ok(());
        }
        let late =
            |act: &Act| matches!(act, Act::RotateToken { file_late_ms } if *file_late_ms > 0);
        if view.world.plan.entries.iter().any(|entry| late(&entry.act)) {
            return Ok(());
        }
        Err(format!("L3: {gap:?} between two beats"))
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.beats
    }
}
