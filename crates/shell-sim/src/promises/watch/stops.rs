//! L6: asked to stop, the agent ends. And S8, which runs a plan twice.

use std::collections::VecDeque;
use std::time::Duration;

use everbeat_core::{Notice, limits};

use super::{Checked, Promise, Turn, View};
use crate::world::World;

/// L6: asked to stop, the process ends within the stated time. A machine that
/// sleeps stops nothing.
#[derive(Default)]
pub(super) struct EndsInTime {
    stops: u64,
    /// When each was asked, and by when it must have ended.
    due: VecDeque<(Duration, Duration)>,
}

impl Promise for EndsInTime {
    fn turned(&mut self, view: &View<'_>, turn: Turn) -> Checked {
        if turn == Turn::AskedToStop {
            self.stops += 1;
            self.due.push_back((view.now(), view.now() + limits::STOP_WITHIN));
        }
        Ok(())
    }

    fn due(&self) -> Option<Duration> {
        self.due.front().map(|(_, due)| *due)
    }

    fn overdue(&mut self, view: &View<'_>) -> Checked {
        let Some((asked, due)) = self.due.pop_front() else {
            return Ok(());
        };
        let seen = &view.world.seen;
        let stop = seen.stops.iter().rfind(|stop| stop.asked == asked);
        if stop.is_none_or(|stop| stop.ended.is_some_and(|ended| ended <= due)) {
            return Ok(());
        }
        let slept = seen.sleeps.iter().zip(&seen.wakes).rfind(|(slept, _)| **slept >= asked);
        match slept.filter(|(slept, woke)| **slept <= due && **woke > due) {
            Some((_, woke)) => {
                self.due.push_front((asked, *woke + limits::STOP_WITHIN));
                Ok(())
            }
            None => Err(format!("L6: asked to stop at {asked:?}, it has not ended")),
        }
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.stops
    }
}

/// L6: a stop leaves the journal consistent. For a plan that does nothing else
/// to it.
#[derive(Default)]
pub(super) struct JournalConsistent {
    stops: u64,
}

impl Promise for JournalConsistent {
    fn turned(&mut self, _: &View<'_>, turn: Turn) -> Checked {
        self.stops += u64::from(turn == Turn::AskedToStop);
        Ok(())
    }

    fn said(&mut self, _: &View<'_>, notice: &Notice) -> Checked {
        if matches!(notice, Notice::JournalCorrupt { .. } | Notice::JournalTorn { .. }) {
            return Err(format!("L6: {notice:?}"));
        }
        Ok(())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.stops
    }
}

/// S8: the same plan gives the same commands, byte for byte.
#[derive(Default)]
pub(super) struct Deterministic;

impl Promise for Deterministic {
    fn ends(&mut self, view: &View<'_>) -> Checked {
        // The first world still stands, so the second lies elsewhere in memory.
        let again = Box::new(World::run(&view.world.plan)?);
        if again.seen.digest != view.world.seen.digest {
            return Err("S8: two runs of one plan differ".into());
        }
        Ok(())
    }

    fn looked_at(&self, view: &View<'_>) -> u64 {
        view.world.seen.actions.total()
    }
}
