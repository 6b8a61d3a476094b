//! The queue of notices: bounded, and paced so that what repeats is said
//! once an hour.

use alloc::collections::VecDeque;
use core::mem::{Discriminant, discriminant};
use core::time::Duration;

use alloc::vec::Vec;

use crate::limits::NOTICES_MAX;
use crate::notice::Notice;
use crate::time::Instant;

/// A notice that can repeat at every request is said this often.
const PACE: Duration = Duration::from_secs(3_600);

#[derive(Debug, Default)]
pub(crate) struct Notices {
    queue: VecDeque<Notice>,
    dropped: u64,
    /// When each paced kind was last said: at most one entry a kind.
    said: Vec<(Discriminant<Notice>, Instant)>,
}

impl Notices {
    pub(crate) fn push(&mut self, now: Instant, notice: Notice) {
        if is_paced(&notice) && !self.may_say(now, &notice) {
            return;
        }
        if self.queue.len() >= NOTICES_MAX {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.queue.push_back(notice);
    }

    pub(crate) fn pop(&mut self) -> Option<Notice> {
        if let Some(notice) = self.queue.pop_front() {
            return Some(notice);
        }
        let dropped = core::mem::take(&mut self.dropped);
        (dropped > 0).then_some(Notice::NoticesDropped { dropped })
    }

    fn may_say(&mut self, now: Instant, notice: &Notice) -> bool {
        let kind = discriminant(notice);
        match self.said.iter_mut().find(|(said, _)| *said == kind) {
            Some((_, at)) if now.since(*at) < PACE => false,
            Some((_, at)) => {
                *at = now;
                true
            }
            None => {
                self.said.push((kind, now));
                true
            }
        }
    }
}

/// Whether the same notice could come with every request or row.
const fn is_paced(notice: &Notice) -> bool {
    match notice {
        Notice::TokenRefused { .. }
        | Notice::RegistrationNeeded
        | Notice::BadAnswer { .. }
        | Notice::MalformedRows { .. }
        | Notice::ForeignRows { .. }
        | Notice::WindowSaturated { .. }
        | Notice::ListTooLong { .. }
        | Notice::DiscoveredFull
        | Notice::AwaitedOverflow
        | Notice::TasksOverflow
        | Notice::ResultsHeld { .. }
        | Notice::FileTrouble { .. }
        | Notice::StrayFile { .. }
        | Notice::BudgetExhausted
        | Notice::NotifyFailed { .. }
        | Notice::EffectPanicked { .. } => true,
        Notice::OutageStarted { .. }
        | Notice::OutageContinues { .. }
        | Notice::OutageEnded { .. }
        | Notice::TaskExpired { .. }
        | Notice::TokenChanged
        | Notice::Registered { .. }
        | Notice::Resumed { .. }
        | Notice::ClientRebuilt { .. }
        | Notice::ResultsPlaced { .. }
        | Notice::BacklogSettled { .. }
        | Notice::StoreOpened { .. }
        | Notice::JournalTorn { .. }
        | Notice::JournalCorrupt { .. }
        | Notice::FolderEmptied
        | Notice::Announced { .. }
        | Notice::AnnouncementRefused { .. }
        | Notice::AnnouncementUnanswered { .. }
        | Notice::AnnouncedByReader { .. }
        | Notice::AnnouncedAgain { .. }
        | Notice::Notified { .. }
        | Notice::LateCompletion
        | Notice::NoticesDropped { .. }
        | Notice::Stopped => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_repeat_is_said_once_an_hour() {
        let mut notices = Notices::default();
        let mut said = |now: Instant, notice: Notice| {
            notices.push(now, notice);
            core::iter::from_fn(|| notices.pop()).count()
        };
        let began = Instant::from_millis(1);
        let just_before = Instant::from_nanos(began.plus(PACE).as_nanos() - 1);
        for (now, times) in [(began, 1), (began, 0), (just_before, 0), (began.plus(PACE), 1)] {
            assert_eq!(said(now, Notice::TasksOverflow), times, "{now}");
            assert_eq!(said(now, Notice::TokenChanged), 1, "that one is news each time");
        }
        assert_eq!(said(began.plus(PACE), Notice::DiscoveredFull), 1, "each kind has its hour");
        assert_eq!(said(began.plus(PACE + PACE / 2), Notice::TasksOverflow), 0);
    }

    #[test]
    fn what_nobody_polls_is_counted_and_that_is_said_once() {
        let mut notices = Notices::default();
        for _ in 0..NOTICES_MAX + 3 {
            notices.push(Instant::START, Notice::TokenChanged);
        }
        for _ in 0..NOTICES_MAX {
            assert_eq!(notices.pop(), Some(Notice::TokenChanged));
        }
        assert_eq!(notices.pop(), Some(Notice::NoticesDropped { dropped: 3 }));
        assert_eq!(notices.pop(), None);
    }
}
