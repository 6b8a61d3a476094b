//! The delegation lane: polls the list of delegations and hands on what is
//! finished and new.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::alive::{self, AliveLane};
use crate::backoff;
use crate::body::Body;
use crate::command::Action;
use crate::config::{Backlog, Deliver, ValidConfig};
use crate::effects::{Effects, Slot};
use crate::event::{Outcome, Response};
use crate::journal::{JournalRecord, ResultKey};
use crate::limits::{PAGE_ROWS, ROWS_MAX};
use crate::listed::Listed;
use crate::notice::{Lane, Notice};
use crate::outage::Outage;
use crate::planted::{self, Fault};
use crate::status::LaneStatus;
use crate::store_lane::StoreLane;
use crate::time::{Instant, scale};
use crate::timers::Timer;
use crate::wire::answers::{self, is_success};
use crate::wire::delegations::{self, FoldedResult, Page};

/// Bodies up to this size are kept to recognise an equal one.
const KEPT_BODY_BYTES_MAX: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct DelegationLane {
    outage: Outage,
    accepted: u64,
    last_accepted: Option<Instant>,
    /// The token was refused; one retry at once when it changes.
    refused: bool,
    retried: bool,
    /// The last page's body, if nothing of it waits for another poll.
    settled_body: Option<Body>,
    /// Delegation ids (or row ids) of the last page.
    listed: Listed,
    has_listed: bool,
    /// Completed results without text that wait one poll for their twin.
    awaiting_twin: Vec<FoldedResult>,
    /// The backlog's settling is under way: nothing else counts until then.
    settling: bool,
}

impl DelegationLane {
    pub(crate) const fn new() -> Self {
        Self {
            outage: Outage::new(Lane::Delegations),
            accepted: 0,
            last_accepted: None,
            refused: false,
            retried: false,
            settled_body: None,
            listed: Listed::new(),
            has_listed: false,
            awaiting_twin: Vec::new(),
            settling: false,
        }
    }

    pub(crate) const fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(crate) fn status(&self, fx: &Effects, now: Instant) -> LaneStatus {
        LaneStatus {
            last_accepted_age: self.last_accepted.map(|at| now.since(at)),
            next_due_in: fx.timers.get(Timer::Poll).map(|at| at.since(now)),
            accepted: self.accepted,
            failures_in_a_row: self.outage.failures(),
            in_flight: fx.is_busy(Slot::Poll),
            outage: self.outage.status(now),
        }
    }

    /// The journal is open (again): poll soon, and believe nothing of what
    /// was known of the list.
    pub(crate) fn store_opened(&mut self, config: &ValidConfig, fx: &mut Effects) {
        self.settled_body = None;
        self.settling = false;
        let soon = Duration::from_secs(2).min(scale(config.interval, 1, 4));
        let delay = fx.chance.between(scale(soon, 1, 2), soon);
        let earliest = fx.at().plus(delay);
        fx.timers.set_no_later(Timer::Poll, earliest);
    }

    /// There is room for results again.
    pub(crate) fn has_room_again(&mut self) {
        self.settled_body = None;
    }

    /// The timer of the poll is due.
    pub(crate) fn due(
        &mut self,
        config: &ValidConfig,
        alive: &AliveLane,
        store: &StoreLane,
        fx: &mut Effects,
    ) {
        self.schedule_regular(config, alive, fx);
        if store.is_open() && !self.settling && !fx.is_busy(Slot::Poll) {
            self.retried = false;
            self.poll(config, fx);
        }
    }

    fn poll(&self, config: &ValidConfig, fx: &mut Effects) {
        let mut within = Some(config.request_deadline());
        if planted::active(Fault::PollWithoutDeadline) {
            within = None;
        }
        fx.start(Slot::Poll, within, Action::FetchDelegations);
    }

    fn schedule_regular(&self, config: &ValidConfig, alive: &AliveLane, fx: &mut Effects) {
        let jitter = fx.chance.below(alive::jitter_max(config));
        let offset = scale(config.interval, 1, 2);
        let at = alive.next_on_grid(config, fx, offset).plus(jitter);
        fx.timers.set(Timer::Poll, at);
    }

    fn sooner(config: &ValidConfig, fx: &mut Effects) {
        let floor = backoff::floor(config.interval);
        let delay = fx.chance.between(floor, floor + scale(floor, 1, 4));
        let at = fx.at().plus(delay);
        fx.timers.set_no_later(Timer::Poll, at);
    }

    /// A poll came to its end. Says whether the token was refused.
    pub(crate) fn landed(
        &mut self,
        config: &ValidConfig,
        store: &mut StoreLane,
        fx: &mut Effects,
        outcome: Outcome,
    ) -> bool {
        match outcome.into_response() {
            Ok(response) if is_success(response.status) && response.complete => {
                self.refused = false;
                self.listed_well(config, store, fx, response);
                false
            }
            Ok(response) if is_success(response.status) => {
                let problem = "the list is longer than 1 MiB or broke off";
                self.bad_answer(config, fx, problem.into());
                false
            }
            Ok(response) => {
                let cause = answers::error_text(response.status, &response.body.0);
                self.refused = matches!(response.status, 401 | 403);
                self.failed(config, fx, cause, response.retry_after_s);
                self.refused
            }
            Err(failure) => {
                self.failed(config, fx, failure.cause, None);
                false
            }
        }
    }

    fn failed(
        &mut self,
        config: &ValidConfig,
        fx: &mut Effects,
        cause: String,
        retry_after_s: Option<u64>,
    ) {
        if let Some(notice) = self.outage.failed(fx.at(), cause) {
            fx.notice(notice);
        }
        let failures = self.outage.failures();
        let delay = match retry_after_s {
            Some(seconds) => backoff::retry_after(&mut fx.chance, config.interval, seconds),
            None => backoff::delay(&mut fx.chance, config.interval, failures),
        };
        fx.set_in(Timer::Poll, delay);
    }

    fn bad_answer(&mut self, config: &ValidConfig, fx: &mut Effects, problem: String) {
        fx.notice(Notice::BadAnswer { lane: Lane::Delegations, problem: problem.clone() });
        self.failed(config, fx, problem, None);
    }

    /// The token has changed: a refused poll is repeated once at once.
    pub(crate) fn token_changed(&mut self, config: &ValidConfig, fx: &mut Effects) {
        if self.refused && !self.retried && !fx.is_busy(Slot::Poll) {
            self.retried = true;
            self.poll(config, fx);
        }
    }

    fn listed_well(
        &mut self,
        config: &ValidConfig,
        store: &mut StoreLane,
        fx: &mut Effects,
        response: Response,
    ) {
        let body = response.body;
        let is_repeated = self.settled_body.as_ref() == Some(&body);
        if !is_repeated {
            match self.read_list(config, store, fx, &body.0) {
                Ok(is_settled) => {
                    let is_kept = is_settled && body.0.len() <= KEPT_BODY_BYTES_MAX;
                    self.settled_body = is_kept.then_some(body);
                }
                Err(problem) => {
                    self.bad_answer(config, fx, problem);
                    return;
                }
            }
        }
        self.accepted = self.accepted.saturating_add(1);
        self.last_accepted = Some(fx.at());
        if let Some(notice) = self.outage.ended(fx.at()) {
            fx.notice(notice);
        }
    }

    /// Says whether nothing of the list waits for another poll.
    fn read_list(
        &mut self,
        config: &ValidConfig,
        store: &mut StoreLane,
        fx: &mut Effects,
        body: &[u8],
    ) -> Result<bool, String> {
        // A backlog is settled whole, whatever is known of it.
        let is_news = |key: &ResultKey| !store.memory.began || Self::is_news(config, store, key);
        let text = delegations::text_of(body);
        let page = delegations::parse(&text, &config.workspace_id, is_news)?;
        Ok(self.take_page(config, store, fx, page))
    }

    /// Says whether nothing of the page waits for another poll.
    fn take_page(
        &mut self,
        config: &ValidConfig,
        store: &mut StoreLane,
        fx: &mut Effects,
        page: Page<'_>,
    ) -> bool {
        Self::tell_of_rows(&page, fx);
        if !store.memory.began {
            if config.backlog == Backlog::None {
                self.settle_backlog(store, fx, page);
                return false;
            }
            store.append(JournalRecord::Began);
        }
        let saturated = self.is_saturated(store, &page);
        if saturated {
            fx.notice(Notice::WindowSaturated { rows: page.rows });
        }
        self.has_listed = true;
        self.listed.become_of(&page.ids);
        let waited = core::mem::take(&mut self.awaiting_twin);
        let has_room = self.take_results(config, store, page.results, waited);
        if !has_room {
            fx.notice(Notice::DiscoveredFull);
        }
        if saturated || !self.awaiting_twin.is_empty() {
            Self::sooner(config, fx);
        }
        store.memory.forget_oldest(|delegation_id| self.listed.contains(delegation_id));
        has_room && self.awaiting_twin.is_empty()
    }

    fn tell_of_rows(page: &Page<'_>, fx: &mut Effects) {
        if page.malformed > 0 {
            fx.notice(Notice::MalformedRows { rows: page.malformed });
        }
        if page.foreign > 0 {
            fx.notice(Notice::ForeignRows { rows: page.foreign });
        }
        if page.rows as usize > ROWS_MAX {
            fx.notice(Notice::ListTooLong { rows: page.rows });
        }
    }

    /// A full page of rows none of which was seen before: some may have
    /// fallen out of the window between two polls.
    fn is_saturated(&self, store: &StoreLane, page: &Page<'_>) -> bool {
        let has_history = self.has_listed || store.memory.len() > 0;
        let is_known = |id: &str| self.listed.contains(id) || store.memory.knows_delegation(id);
        let rows = page.rows as usize;
        has_history && rows >= PAGE_ROWS && !page.ids.iter().any(|id| is_known(id))
    }

    /// Whether a result is wanted and not known.
    fn is_news(config: &ValidConfig, store: &StoreLane, key: &ResultKey) -> bool {
        let is_wanted =
            config.deliver == Deliver::All || store.memory.is_awaited(&key.delegation_id);
        is_wanted && !store.knows(key)
    }

    /// Hands on what is new; false if there was no room for all of it.
    fn take_results(
        &mut self,
        config: &ValidConfig,
        store: &mut StoreLane,
        results: Vec<FoldedResult>,
        waited: Vec<FoldedResult>,
    ) -> bool {
        let mut has_room = true;
        let is_in = |results: &[FoldedResult], key: &ResultKey| {
            results.iter().any(|result| result.key == *key)
        };
        // What waited for a twin and is listed no more is taken as it is.
        let gone: Vec<FoldedResult> =
            waited.iter().filter(|result| !is_in(&results, &result.key)).cloned().collect();
        for result in gone.into_iter().chain(results) {
            // One that was taken just now may have made this one known.
            if !Self::is_news(config, store, &result.key) {
                continue;
            }
            let waits = !result.has_text() && !is_in(&waited, &result.key);
            if waits && !planted::active(Fault::NoTwinWait) {
                self.awaiting_twin.push(result);
            } else {
                has_room &= store.discover(result);
            }
        }
        has_room
    }

    fn settle_backlog(&mut self, store: &mut StoreLane, fx: &mut Effects, page: Page<'_>) {
        let keys: Vec<ResultKey> = page.results.into_iter().map(|result| result.key).collect();
        let results = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        fx.notice(Notice::BacklogSettled { results });
        store.append(JournalRecord::Settled { keys });
        store.append(JournalRecord::Began);
        self.settling = true;
    }

    /// A record became durable.
    pub(crate) fn journalled(&mut self, record: &JournalRecord) {
        if matches!(record, JournalRecord::Began) {
            self.settling = false;
        }
    }
}
