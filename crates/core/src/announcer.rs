//! The announcer: wakes the agent with one message for all that waits.
//!
//! A message goes through three stages: its name is journalled, it is sent,
//! and its fate is journalled. An unanswered one (the platform answers after
//! the agent's whole turn) is neither repeated nor forgotten: the results
//! file is the evidence.

mod status;
mod unanswered;
mod waiting;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::backoff;
use crate::command::Action;
use crate::config::ValidConfig;
use crate::effects::{Effects, Slot};
use crate::event::Outcome;
use crate::journal::{JournalRecord, ResultKey};
use crate::limits::{RETRY_AFTER_MAX, SELF_MESSAGE_DEADLINE, UNANSWERED_MAX};
use crate::message::{self, MessageLine};
use crate::notice::{Lane, Notice};
use crate::outage::Outage;
use crate::parent::Parent;
use crate::planted::{self, Fault};
use crate::store_lane::StoreLane;
use crate::time::Instant;
use crate::timers::Timer;
use crate::wire::answers::{self, SelfMessageAnswer};
use unanswered::Unanswered;
use waiting::Waiting;

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(crate) struct Announcer {
    stage: Stage,
    parent: Parent,
    outage: Outage,
    /// No message before this: cooldown, or what a refusal asked for.
    not_before: Instant,
    /// When messages were sent in the last hour, oldest first.
    sent: VecDeque<Instant>,
    unanswered: VecDeque<Unanswered>,
    waiting: Waiting,
    accepted: u64,
    last_accepted: Option<(Instant, Message)>,
    attempts: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Message {
    id: String,
    keys: Vec<ResultKey>,
}

#[derive(Debug)]
enum Stage {
    Idle,
    /// Before a message: who is the parent?
    LookingUp,
    /// The journal does not know of the message yet.
    Journalling(Message),
    Sending(Message),
}

impl Announcer {
    pub(crate) fn new(fx: &Effects) -> Self {
        Self {
            stage: Stage::Idle,
            parent: Parent::default(),
            outage: Outage::new(Lane::Announce),
            not_before: fx.at(),
            sent: VecDeque::new(),
            unanswered: VecDeque::new(),
            waiting: Waiting::default(),
            accepted: 0,
            last_accepted: None,
            attempts: 0,
        }
    }

    /// The journal is open (again). What it calls unanswered and this process
    /// never sent was sent by an earlier one, if `is_first`; else its sending
    /// was prevented by the failure that closed the journal.
    pub(crate) fn store_opened(
        &mut self,
        config: &ValidConfig,
        store: &mut StoreLane,
        fx: &mut Effects,
        is_first: bool,
    ) {
        if matches!(self.stage, Stage::Journalling(_)) {
            self.stage = Stage::Idle;
        }
        if is_first && store.memory.spoke {
            self.not_before = self.not_before.max(fx.at().plus(config.cooldown));
        }
        // What the folder's loss made unknown is told anew, by another message.
        self.unanswered.retain(|unanswered| store.memory.is_announcing(&unanswered.message.id));
        self.waiting.forget();
        let journalled: Vec<Message> = store
            .memory
            .announcing()
            .map(|(id, keys)| Message { id: id.clone(), keys: keys.clone() })
            .collect();
        for message in journalled {
            if self.is_under_way(&message.id) {
                continue;
            }
            if is_first {
                self.add_unanswered(store, fx, message, config.reannounce_after);
            } else {
                store.append(JournalRecord::Refused { message_id: message.id });
            }
        }
        self.taken(store, fx);
    }

    /// Takes the next step if one is due, and says when the next one will be.
    pub(crate) fn advance(
        &mut self,
        config: &ValidConfig,
        store: &mut StoreLane,
        fx: &mut Effects,
    ) {
        if !matches!(self.stage, Stage::Idle) || !store.is_open() {
            return;
        }
        fx.timers.clear(Timer::Announce);
        self.find_waiting(store);
        let anything_waits = !self.waiting.keys.is_empty();
        let Some(due) = self.next_due() else {
            return;
        };
        let due = due.max(self.not_before(fx)).max(self.budget_from(config));
        if due > fx.at() {
            if anything_waits && self.budget_from(config) == due {
                fx.notice(Notice::BudgetExhausted);
            }
            if planted::active(Fault::CooldownDrops) && anything_waits {
                let waiting = self.waiting.take();
                let id = message::message_id(&config.workspace_id, &waiting);
                store.append(JournalRecord::Announcing { message_id: id.clone(), keys: waiting });
                store.append(JournalRecord::Announced { message_id: id });
                return;
            }
            fx.timers.set(Timer::Announce, due);
            return;
        }
        if !self.parent.is_fresh(fx.at()) {
            self.stage = Stage::LookingUp;
            self.parent.look_up(config, fx);
            return;
        }
        self.begin(config, store, fx);
    }

    fn not_before(&self, fx: &Effects) -> Instant {
        if planted::active(Fault::WallClockCooldown) {
            return fx.at().plus(self.not_before.since(wall_as_instant(fx)));
        }
        self.not_before
    }

    /// The cooldown may be another now: what was sent last counts by it.
    pub(crate) fn retuned(&mut self, config: &ValidConfig) {
        if let Some(last) = self.sent.back() {
            self.not_before = self.not_before.max(last.plus(config.cooldown));
        }
    }

    /// When the hour's budget allows the next message.
    fn budget_from(&self, config: &ValidConfig) -> Instant {
        let most = config.self_messages_per_hour_max as usize;
        let nth_last = self.sent.len().checked_sub(most).and_then(|index| self.sent.get(index));
        nth_last.map_or(Instant::START, |sent| sent.plus(HOUR))
    }

    /// A lookup's request came to its end.
    pub(crate) fn parent_landed(
        &mut self,
        config: &ValidConfig,
        store: &mut StoreLane,
        fx: &mut Effects,
        outcome: Outcome,
    ) {
        let is_over = self.parent.landed(fx, outcome);
        if is_over && matches!(self.stage, Stage::LookingUp) {
            self.stage = Stage::Idle;
            // While the journal is closed nobody knows what waits.
            if store.is_open() {
                self.find_waiting(store);
                self.begin(config, store, fx);
            }
        }
    }

    /// Begins a message for what waits, or else one again that nobody
    /// answered. With too many of these what waits has no room: the first of
    /// them is sent again at once, to make some.
    fn begin(&mut self, config: &ValidConfig, store: &mut StoreLane, fx: &mut Effects) {
        let something_waits = !self.waiting.keys.is_empty();
        if something_waits && self.unanswered.len() < UNANSWERED_MAX {
            let waiting = self.waiting.take();
            let mut id = message::message_id(&config.workspace_id, &waiting);
            if planted::active(Fault::UnstableMessageId) {
                id = alloc::format!("{id}-{}", self.attempts);
            }
            let message = Message { id, keys: waiting };
            store.append(JournalRecord::Announcing {
                message_id: message.id.clone(),
                keys: message.keys.clone(),
            });
            self.stage = Stage::Journalling(message);
            return;
        }
        let now = fx.at();
        let first = self.unanswered.iter_mut().min_by_key(|unanswered| unanswered.again_at);
        if let Some(unanswered) = first.filter(|first| something_waits || first.again_at <= now) {
            let message = unanswered.try_again(now);
            fx.notice(Notice::AnnouncedAgain { message_id: message.id.clone() });
            self.send(config, store, fx, message);
        }
    }

    /// A record became durable: a message that waited for it goes out.
    pub(crate) fn journalled(
        &mut self,
        config: &ValidConfig,
        store: &StoreLane,
        fx: &mut Effects,
        record: &JournalRecord,
    ) {
        let JournalRecord::Announcing { message_id, .. } = record else {
            return;
        };
        let is_awaited =
            matches!(&self.stage, Stage::Journalling(message) if message.id == *message_id);
        if !is_awaited {
            return;
        }
        if let Stage::Journalling(message) = core::mem::replace(&mut self.stage, Stage::Idle) {
            self.send(config, store, fx, message);
        }
    }

    fn send(
        &mut self,
        config: &ValidConfig,
        store: &StoreLane,
        fx: &mut Effects,
        message: Message,
    ) {
        let lines: Vec<MessageLine<'_>> = message
            .keys
            .iter()
            .filter_map(|key| {
                let untold = store.memory.get(key)?.untold.as_ref()?;
                Some(MessageLine {
                    status: key.status,
                    delegation_id: &key.delegation_id,
                    summary: &untold.summary,
                    error: &untold.error,
                })
            })
            .collect();
        let text = message::self_message_text(&lines, config.announce, self.parent.name());
        let action = Action::SendSelfMessage { message_id: message.id.clone(), text };
        fx.start(Slot::SelfMessage, Some(SELF_MESSAGE_DEADLINE), action);
        self.attempts += 1;
        self.count_sent(config, fx);
        self.stage = Stage::Sending(message);
    }

    fn count_sent(&mut self, config: &ValidConfig, fx: &Effects) {
        self.not_before = fx.at().plus(config.cooldown);
        if planted::active(Fault::NoCooldown) {
            self.not_before = fx.at();
        }
        if planted::active(Fault::WallClockCooldown) {
            self.not_before = wall_as_instant(fx).plus(config.cooldown);
        }
        let most = config.self_messages_per_hour_max as usize;
        while self.sent.len() >= most.min(4_096) {
            self.sent.pop_front();
        }
        self.sent.push_back(fx.at());
    }

    /// A self-message came to its end.
    pub(crate) fn landed(
        &mut self,
        config: &ValidConfig,
        store: &mut StoreLane,
        fx: &mut Effects,
        outcome: Outcome,
    ) -> bool {
        let Stage::Sending(message) = core::mem::replace(&mut self.stage, Stage::Idle) else {
            return false;
        };
        let mut token_refused = false;
        let answer = match outcome.into_response() {
            Ok(response) => {
                token_refused = matches!(response.status, 401 | 403);
                let answer = answers::classify_self_message(response.status, &response.body.0);
                with_header(answer, response.retry_after_s)
            }
            Err(failure) if failure.may_have_acted => SelfMessageAnswer::Unknown,
            Err(failure) => {
                SelfMessageAnswer::Refused { cause: failure.cause, retry_after_s: None }
            }
        };
        let is_doubtful = matches!(answer, SelfMessageAnswer::Doubtful { .. });
        let is_unpaced = is_doubtful && planted::active(Fault::DoubtsUnpaced);
        if answer != SelfMessageAnswer::Accepted && !is_unpaced {
            let sent = self.sent.back().copied().unwrap_or(fx.at());
            self.not_before = self.not_before.max(sent.plus(retry_pace(config)));
        }
        match answer {
            SelfMessageAnswer::Accepted => self.was_accepted(store, fx, message),
            SelfMessageAnswer::Refused { cause, retry_after_s } => {
                self.was_refused(store, fx, message, cause, retry_after_s);
            }
            SelfMessageAnswer::Doubtful { cause } => {
                if let Some(notice) = self.outage.failed(fx.at(), cause.clone()) {
                    fx.notice(notice);
                }
                fx.notice(Notice::AnnouncementRefused { message_id: message.id.clone(), cause });
                let wait = config.cooldown.max(retry_pace(config));
                self.wait_for_reader(store, fx, message, wait);
            }
            SelfMessageAnswer::Unknown => {
                fx.notice(Notice::AnnouncementUnanswered { message_id: message.id.clone() });
                self.wait_for_reader(store, fx, message, config.reannounce_after);
            }
        }
        token_refused
    }

    fn was_accepted(&mut self, store: &mut StoreLane, fx: &mut Effects, message: Message) {
        self.accepted = self.accepted.saturating_add(1);
        if let Some(notice) = self.outage.ended(fx.at()) {
            fx.notice(notice);
        }
        let results = u32::try_from(message.keys.len()).unwrap_or(u32::MAX);
        fx.notice(Notice::Announced { message_id: message.id.clone(), results });
        self.unanswered.retain(|unanswered| unanswered.message.id != message.id);
        self.waiting.forget();
        settle(store, message.id.clone());
        self.last_accepted = Some((fx.at(), message));
    }

    fn was_refused(
        &mut self,
        store: &mut StoreLane,
        fx: &mut Effects,
        message: Message,
        cause: String,
        retry_after_s: Option<u64>,
    ) {
        if let Some(notice) = self.outage.failed(fx.at(), cause.clone()) {
            fx.notice(notice);
        }
        fx.notice(Notice::AnnouncementRefused { message_id: message.id.clone(), cause });
        if let Some(seconds) = retry_after_s {
            let wait = Duration::from_secs(seconds).min(RETRY_AFTER_MAX);
            self.not_before = self.not_before.max(fx.at().plus(wait));
        }
        // One that was unanswered before stays so: its results may be told.
        if !self.unanswered.iter().any(|unanswered| unanswered.message.id == message.id) {
            let record = JournalRecord::Refused { message_id: message.id };
            store.memory.apply(record.clone());
            store.append(record);
        }
        if !planted::active(Fault::TakenForgotten) {
            self.taken(store, fx);
        }
    }

    /// Whether the agent was told is for the results file to say; the reader
    /// may have been quicker than the platform.
    fn wait_for_reader(
        &mut self,
        store: &mut StoreLane,
        fx: &mut Effects,
        message: Message,
        wait: Duration,
    ) {
        // One that the folder's loss made unknown is told anew, by another.
        if !store.memory.is_announcing(&message.id) {
            return;
        }
        self.add_unanswered(store, fx, message, wait);
        self.taken(store, fx);
        store.probe();
    }

    fn add_unanswered(
        &mut self,
        store: &mut StoreLane,
        fx: &Effects,
        message: Message,
        wait: Duration,
    ) {
        if self.unanswered.iter().any(|unanswered| unanswered.message.id == message.id) {
            return;
        }
        if self.unanswered.len() >= UNANSWERED_MAX
            && let Some(oldest) = self.unanswered.pop_front()
        {
            settle(store, oldest.message.id);
        }
        self.waiting.forget();
        self.unanswered.push_back(Unanswered::new(message, fx.at(), wait));
    }

    /// More is known of what the reader took: that is an answer, too.
    pub(crate) fn taken(&mut self, store: &mut StoreLane, fx: &mut Effects) {
        let (told, open): (VecDeque<_>, VecDeque<_>) = core::mem::take(&mut self.unanswered)
            .into_iter()
            .partition(|unanswered| store.memory.are_told(&unanswered.message.keys));
        self.unanswered = open;
        self.waiting.forget();
        for unanswered in told {
            // One that is being sent again gets its answer in any case.
            if self.is_under_way(&unanswered.message.id) {
                self.unanswered.push_back(unanswered);
                continue;
            }
            let message_id = unanswered.message.id;
            fx.notice(Notice::AnnouncedByReader { message_id: message_id.clone() });
            settle(store, message_id);
        }
    }

    /// The machine stops: what is in flight becomes unanswered, as the
    /// journal already has it.
    pub(crate) fn stop(&mut self, fx: &mut Effects) {
        // One that was sent stays so, for a journal that is being opened.
        if !matches!(self.stage, Stage::Sending(_)) {
            self.stage = Stage::Idle;
        }
        fx.abandon(Slot::Parent);
        fx.abandon(Slot::SelfMessage);
    }
}

/// For a planted fault only: the wall clock, as if it were the other one.
fn wall_as_instant(fx: &Effects) -> Instant {
    let millis = u64::try_from(fx.now.wall.unix_millis()).unwrap_or_default();
    Instant::START.plus(Duration::from_millis(millis))
}

/// From a message that failed to the next, whichever it is: the hour's budget
/// lasts as long, so that failures alone never use it up.
fn retry_pace(config: &ValidConfig) -> Duration {
    let share = HOUR / config.self_messages_per_hour_max.max(1);
    share.max(backoff::floor(config.interval))
}

/// The results of this message are told, at once and in the journal.
fn settle(store: &mut StoreLane, message_id: String) {
    let record = JournalRecord::Announced { message_id };
    store.memory.apply(record.clone());
    store.append(record);
}

/// The header's `Retry-After` counts where the body names none.
fn with_header(answer: SelfMessageAnswer, header_s: Option<u64>) -> SelfMessageAnswer {
    match answer {
        SelfMessageAnswer::Refused { cause, retry_after_s } => {
            SelfMessageAnswer::Refused { cause, retry_after_s: retry_after_s.or(header_s) }
        }
        SelfMessageAnswer::Accepted
        | SelfMessageAnswer::Doubtful { .. }
        | SelfMessageAnswer::Unknown => answer,
    }
}

#[cfg(test)]
mod tests;
