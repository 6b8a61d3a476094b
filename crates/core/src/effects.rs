//! What the lanes act through: the outbox, the commands in flight, the
//! timers, the notices, the clock's last reading and the dice.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::chance::Chance;
use crate::command::{Action, Command, CommandId};
use crate::notice::Notice;
use crate::notices::Notices;
use crate::time::{Instant, Now};
use crate::timers::{Timer, Timers};

/// The kinds of command; at most one of each is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Beat,
    Register,
    Poll,
    Parent,
    SelfMessage,
    Notify,
    Store,
    Token,
    SaveToken,
    SaveInbound,
}

impl Slot {
    pub(crate) const ALL: [Self; 10] = [
        Self::Beat,
        Self::Register,
        Self::Poll,
        Self::Parent,
        Self::SelfMessage,
        Self::Notify,
        Self::Store,
        Self::Token,
        Self::SaveToken,
        Self::SaveInbound,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Beat => "deadline of the beat",
            Self::Register => "deadline of the registration",
            Self::Poll => "deadline of the poll",
            Self::Parent => "deadline of the parent's lookup",
            Self::SelfMessage => "deadline of the self-message",
            Self::Notify => "deadline of the notification",
            Self::Store => "deadline of the store",
            Self::Token => "deadline of the token's reading",
            Self::SaveToken => "deadline of the token's writing",
            Self::SaveInbound => "deadline of the inbound secret's writing",
        }
    }
}

/// A command that was started and not answered yet.
#[derive(Clone, Copy, Debug)]
struct Flight {
    id: CommandId,
    deadline: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) now: Now,
    pub(crate) chance: Chance,
    pub(crate) timers: Timers,
    notices: Notices,
    commands: VecDeque<Command>,
    flights: [Option<Flight>; Slot::ALL.len()],
    last_id: u64,
}

impl Effects {
    pub(crate) fn new(seed: u64, now: Now) -> Self {
        Self {
            now,
            chance: Chance::new(seed),
            timers: Timers::default(),
            notices: Notices::default(),
            commands: VecDeque::new(),
            flights: [None; Slot::ALL.len()],
            last_id: 0,
        }
    }

    /// The monotonic time of this call.
    pub(crate) fn at(&self) -> Instant {
        self.now.monotonic
    }

    /// Starts `action` in `slot`, to be answered within `deadline` if given.
    pub(crate) fn start(&mut self, slot: Slot, deadline: Option<Duration>, action: Action) {
        self.abandon(slot);
        let id = self.next_id();
        let deadline = deadline.map(|within| self.at().plus(within));
        self.flights[slot as usize] = Some(Flight { id, deadline });
        self.commands.push_back(Command { id, deadline, action });
    }

    /// A command that nobody answers.
    pub(crate) fn tell_shell(&mut self, action: Action) {
        if self.commands.iter().any(|command| command.action == action) {
            return;
        }
        let id = self.next_id();
        self.commands.push_back(Command { id, deadline: None, action });
    }

    pub(crate) fn is_busy(&self, slot: Slot) -> bool {
        self.flights[slot as usize].is_some()
    }

    /// Stops waiting for what is in flight in `slot`, if anything is.
    pub(crate) fn abandon(&mut self, slot: Slot) -> bool {
        let Some(flight) = self.flights[slot as usize].take() else {
            return false;
        };
        let queued = self.commands.iter().position(|command| command.id == flight.id);
        match queued {
            Some(index) => drop(self.commands.remove(index)),
            None => self.tell_shell(Action::Cancel { command: flight.id }),
        }
        true
    }

    /// The slot that awaits `id`, now free; `None` if nobody awaits it.
    pub(crate) fn land(&mut self, id: CommandId) -> Option<Slot> {
        let awaits =
            |slot: &Slot| self.flights[*slot as usize].is_some_and(|flight| flight.id == id);
        let slot = Slot::ALL.into_iter().find(awaits)?;
        self.flights[slot as usize] = None;
        // A guess at an id that was not handed out yet ends it all the same.
        self.commands.retain(|command| command.id != id);
        Some(slot)
    }

    /// A slot whose deadline has passed, now free and its command cancelled.
    pub(crate) fn expire(&mut self) -> Option<Slot> {
        let now = self.at();
        let is_over = |slot: &Slot| {
            let deadline = self.flights[*slot as usize].and_then(|flight| flight.deadline);
            deadline.is_some_and(|deadline| deadline <= now)
        };
        let slot = Slot::ALL.into_iter().find(is_over)?;
        self.abandon(slot);
        Some(slot)
    }

    /// The earliest deadline in flight, with its name.
    pub(crate) fn next_deadline(&self) -> Option<(Instant, &'static str)> {
        let deadline = |slot: Slot| Some((self.flights[slot as usize]?.deadline?, slot));
        let first = Slot::ALL.into_iter().filter_map(deadline).min_by_key(|(at, _)| *at);
        first.map(|(at, slot)| (at, slot.name()))
    }

    /// Sets `timer` to `delay` from now.
    pub(crate) fn set_in(&mut self, timer: Timer, delay: Duration) {
        let at = self.at().plus(delay);
        self.timers.set(timer, at);
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.notices.push(self.now.monotonic, notice);
    }

    pub(crate) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop()
    }

    fn next_id(&mut self) -> CommandId {
        self.last_id += 1;
        CommandId(self.last_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(fx: &mut Effects, slot: Slot, action: Action) -> CommandId {
        fx.start(slot, Some(Duration::from_secs(10)), action);
        fx.commands.back().expect("it was queued").id
    }

    #[test]
    fn what_was_not_handed_out_is_taken_back_and_what_was_is_cancelled() {
        let mut fx = Effects::new(1, Now::default());
        let poll = started(&mut fx, Slot::Poll, Action::FetchDelegations);
        started(&mut fx, Slot::Token, Action::ReloadToken);
        let first = fx.poll_command().expect("the poll");
        assert_eq!((first.id, first.deadline), (poll, Some(Instant::from_millis(10_000))));
        assert!(fx.abandon(Slot::Token) && !fx.abandon(Slot::Token) && fx.abandon(Slot::Poll));
        let cancel = fx.poll_command().map(|command| command.action);
        assert_eq!(cancel, Some(Action::Cancel { command: poll }));
        assert_eq!(fx.poll_command(), None);
        assert_eq!(fx.land(poll), None, "nobody awaits it");
    }

    #[test]
    fn a_deadline_is_over_when_it_has_come() {
        let mut fx = Effects::new(1, Now::default());
        started(&mut fx, Slot::Poll, Action::FetchDelegations);
        let (at, _) = fx.next_deadline().expect("one is set");
        fx.now.monotonic = Instant::from_nanos(at.as_nanos() - 1);
        assert_eq!(fx.expire(), None);
        fx.now.monotonic = at;
        assert_eq!((fx.expire(), fx.expire(), fx.next_deadline()), (Some(Slot::Poll), None, None));
    }
}
