//! The notifier: tells the user, each result at most once, and never gets in
//! the way of anything else.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::command::Action;
use crate::config::{Notify, ValidConfig};
use crate::effects::{Effects, Slot};
use crate::event::Outcome;
use crate::journal::{JournalRecord, ResultKey, Status};
use crate::limits::{BATCH_RESULTS_MAX, DISCOVERED_MAX};
use crate::memory::Remembered;
use crate::message::{self, NotificationLine};
use crate::notice::Notice;
use crate::planted::{self, Fault};
use crate::store_lane::StoreLane;
use crate::time::{Instant, scale};
use crate::timers::Timer;
use crate::wire::answers::{self, is_success};
use crate::wire::delegations::FoldedResult;

#[derive(Debug)]
pub(crate) struct Notifier {
    waiting: VecDeque<Waiting>,
    /// What the journal is being told of, with the text to send then.
    journalling: Option<(Vec<ResultKey>, String)>,
    in_flight: u32,
    not_before: Instant,
}

/// A result that the user has not been told of, with the words for it.
#[derive(Debug)]
struct Waiting {
    key: ResultKey,
    line: NotificationLine,
}

impl Notifier {
    pub(crate) const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            journalling: None,
            in_flight: 0,
            not_before: Instant::START,
        }
    }

    /// The journal is open (again): what it stored and never told anybody of
    /// still waits.
    pub(crate) fn store_opened(&mut self, config: &ValidConfig, store: &StoreLane) {
        self.journalling = None;
        let waiting = |(key, result): (&ResultKey, &Remembered)| {
            let words = result.untold.as_ref().filter(|_| !result.notified)?;
            let line = NotificationLine::new(key.status, &words.summary, &words.error, "");
            is_wanted(config, key).then(|| Waiting { key: key.clone(), line })
        };
        self.waiting = store.memory.untold().filter_map(waiting).collect();
    }

    /// These results are durable now.
    pub(crate) fn stored(&mut self, config: &ValidConfig, results: &[FoldedResult]) {
        for result in results.iter().filter(|result| is_wanted(config, &result.key)) {
            let shows_text = config.notify == Notify::All;
            let preview = if shows_text { result.response_preview.as_str() } else { "" };
            let status = result.key.status;
            let line = NotificationLine::new(status, &result.summary, &result.error, preview);
            self.waiting.push_back(Waiting { key: result.key.clone(), line });
        }
        while self.waiting.len() > DISCOVERED_MAX {
            self.waiting.pop_front();
        }
    }

    /// Takes the next step if one is due: at most one notification in a
    /// quarter of the interval, and none while the platform is away.
    pub(crate) fn advance(
        &mut self,
        store: &mut StoreLane,
        platform_is_well: bool,
        fx: &mut Effects,
    ) {
        let is_busy = self.journalling.is_some() || fx.is_busy(Slot::Notify);
        let may = store.is_open() && platform_is_well;
        if self.waiting.is_empty() || is_busy || !may {
            return;
        }
        let is_unpaced = planted::active(Fault::NotifyUnpaced);
        if fx.at() < self.not_before && !is_unpaced {
            fx.timers.set(Timer::Notify, self.not_before);
            return;
        }
        let most = if is_unpaced { 1 } else { BATCH_RESULTS_MAX.min(self.waiting.len()) };
        let told: Vec<Waiting> = self.waiting.drain(..most).collect();
        let text = message::notification_text(told.iter().map(|waiting| &waiting.line));
        let keys: Vec<ResultKey> = told.into_iter().map(|waiting| waiting.key).collect();
        store.append(JournalRecord::Notified { keys: keys.clone() });
        self.journalling = Some((keys, text));
    }

    /// A record became durable: the notification that waited for it goes out.
    pub(crate) fn journalled(
        &mut self,
        config: &ValidConfig,
        fx: &mut Effects,
        record: &JournalRecord,
    ) {
        let JournalRecord::Notified { keys } = record else {
            return;
        };
        let Some((_, message)) = self.journalling.take_if(|(waiting, _)| waiting == keys) else {
            return;
        };
        self.in_flight = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        self.not_before = fx.at().plus(scale(config.interval, 1, 4));
        fx.start(Slot::Notify, Some(config.request_deadline()), Action::Notify { message });
    }

    /// A notification came to its end. Says whether the token was refused.
    pub(crate) fn landed(&mut self, fx: &mut Effects, outcome: Outcome) -> bool {
        let results = core::mem::take(&mut self.in_flight);
        let (cause, token_refused) = match outcome.into_response() {
            Ok(response) if is_success(response.status) => {
                fx.notice(Notice::Notified { results });
                return false;
            }
            Ok(response) => {
                let cause = answers::error_text(response.status, &response.body.0);
                (cause, matches!(response.status, 401 | 403))
            }
            Err(failure) => (failure.cause, false),
        };
        fx.notice(Notice::NotifyFailed { cause });
        token_refused
    }
}

fn is_wanted(config: &ValidConfig, key: &ResultKey) -> bool {
    match config.notify {
        Notify::All => true,
        Notify::Failures => key.status == Status::Failed,
        Notify::None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn of_what_waits_for_the_user_the_newest_are_kept() {
        let config = Config::new("ws", "http://p").validate().unwrap();
        let result = |number: usize| FoldedResult {
            key: ResultKey { delegation_id: alloc::format!("d{number}"), status: Status::Failed },
            target_id: String::new(),
            source_id: String::new(),
            summary: String::new(),
            response_preview: String::new(),
            error: String::new(),
        };
        let mut notifier = Notifier::new();
        let ends = |notifier: &Notifier| {
            let first = notifier.waiting.front().map(|waiting| waiting.key.delegation_id.clone());
            (notifier.waiting.len(), first.unwrap_or_default())
        };
        let full: Vec<FoldedResult> = (0..DISCOVERED_MAX).map(result).collect();
        notifier.stored(&config, &full);
        assert_eq!(ends(&notifier), (DISCOVERED_MAX, "d0".into()));
        notifier.stored(&config, &[result(7_000), result(7_001)]);
        assert_eq!(ends(&notifier), (DISCOVERED_MAX, "d2".into()));
    }
}
