//! From what a machine is told and says to events and counts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use everbeat_core::{
    Action, Batch, Command, CommandId, Event, Instant, JournalRecord, Notice, Now, Outcome,
    Overview, Report, ResultKey,
};
use serde_json::{Value, json};

use super::kind::Kind;
use super::metrics::{Announcement, Ended, severity_name};
use super::route::{Route, StatusClass};
use super::{Fields, Telemetry};
use crate::observe::Observer;

/// Messages whose results are remembered until they are told.
const MESSAGES_MAX: usize = 64;
/// Ids in one event.
const IDS_MAX: usize = 50;

/// Watches one machine.
pub(super) struct Watcher {
    telemetry: Arc<Telemetry>,
    flights: Vec<Flight>,
    messages: VecDeque<(String, Vec<String>)>,
    /// How late the tick of this turn was.
    late: Duration,
    /// A look at the delegations that ended in this turn.
    poll: Option<Fields>,
    discovered: usize,
}

/// A command under way.
struct Flight {
    id: CommandId,
    started: Instant,
    deadline: Option<Instant>,
    late: Duration,
    what: What,
}

enum What {
    Request(Route),
    Store { batch: u64, ids: Vec<String> },
    Other,
}

impl Watcher {
    pub(super) fn new(telemetry: Arc<Telemetry>) -> Self {
        let (flights, messages) = (Vec::new(), VecDeque::new());
        Self { telemetry, flights, messages, late: Duration::ZERO, poll: None, discovered: 0 }
    }

    fn publish(&self, now: Now, kind: Kind, fields: Fields) {
        self.telemetry.publish(now.wall, kind, fields);
    }

    fn take_flight(&mut self, id: CommandId) -> Option<Flight> {
        let index = self.flights.iter().position(|flight| flight.id == id)?;
        Some(self.flights.swap_remove(index))
    }

    fn completed(&mut self, now: Now, id: CommandId, outcome: &Outcome) {
        self.file_outcome(outcome);
        let Some(flight) = self.take_flight(id) else { return };
        match &flight.what {
            What::Request(route) => {
                let status = match outcome {
                    Outcome::Response(response) => Some(response.status),
                    Outcome::TransportFailed(_)
                    | Outcome::StoreOpened(_)
                    | Outcome::BatchStored { .. }
                    | Outcome::BatchPlaced { .. }
                    | Outcome::JournalWritten { .. }
                    | Outcome::ResultsProbed { .. }
                    | Outcome::TokenLoaded { .. }
                    | Outcome::SecretSaved
                    | Outcome::FileFailed(_)
                    | Outcome::Panicked => None,
                };
                self.answered(now, &flight, *route, status);
            }
            What::Store { batch, ids } if matches!(outcome, Outcome::BatchStored { .. }) => {
                self.telemetry.metrics().stored(ids.len());
                let mut fields = ids_fields(ids);
                fields.insert("batch".into(), json!(batch));
                self.publish(now, Kind::Results, fields);
            }
            What::Store { .. } | What::Other => {}
        }
    }

    /// What the journal's size is, and which messages it knows.
    fn file_outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::StoreOpened(opened) => {
                self.telemetry.metrics().journal(opened.journal_bytes);
                opened.records.iter().for_each(|record| self.journalled(record));
            }
            Outcome::BatchStored { journal_bytes, .. }
            | Outcome::JournalWritten { journal_bytes } => {
                self.telemetry.metrics().journal(*journal_bytes);
            }
            Outcome::Response(_)
            | Outcome::TransportFailed(_)
            | Outcome::BatchPlaced { .. }
            | Outcome::ResultsProbed { .. }
            | Outcome::TokenLoaded { .. }
            | Outcome::SecretSaved
            | Outcome::FileFailed(_)
            | Outcome::Panicked => {}
        }
    }

    fn journalled(&mut self, record: &JournalRecord) {
        match record {
            JournalRecord::Announcing { message_id, keys } => self.message(message_id, keys),
            JournalRecord::Snapshot(snapshot) => {
                for message in &snapshot.announcing {
                    self.message(&message.message_id, &message.keys);
                }
            }
            JournalRecord::Refused { message_id } | JournalRecord::Announced { message_id } => {
                self.messages.retain(|(known, _)| known != message_id);
            }
            JournalRecord::Began
            | JournalRecord::Stored { .. }
            | JournalRecord::Settled { .. }
            | JournalRecord::Notified { .. }
            | JournalRecord::Taken { .. }
            | JournalRecord::Forgotten
            | JournalRecord::Awaited { .. }
            | JournalRecord::AwaitDropped { .. } => {}
        }
    }

    fn message(&mut self, message_id: &str, keys: &[ResultKey]) {
        self.messages.retain(|(known, _)| known != message_id);
        if self.messages.len() >= MESSAGES_MAX {
            self.messages.pop_front();
        }
        let ids = keys.iter().map(|key| key.delegation_id.clone()).collect();
        self.messages.push_back((message_id.to_owned(), ids));
    }

    /// A request came to its end; without a status there was no answer.
    fn answered(&mut self, now: Now, flight: &Flight, route: Route, status: Option<u16>) {
        let metrics = self.telemetry.metrics();
        metrics.request(route, status.map_or(StatusClass::None, StatusClass::of));
        let took = now.monotonic.since(flight.started);
        let ended = match status {
            Some(200..=299) => Ended::Accepted,
            Some(_) => Ended::Refused,
            None => Ended::Failed,
        };
        let fields = || {
            let took_s = took.as_secs_f64();
            fields(json!({"outcome": ended.name(), "status": status, "took_s": took_s}))
        };
        match route {
            Route::Heartbeat => {
                metrics.beat(ended, flight.late, took);
                let mut fields = fields();
                fields.insert("lateness_s".into(), json!(flight.late.as_secs_f64()));
                self.publish(now, Kind::Beat, fields);
            }
            Route::Delegations => {
                metrics.poll(ended);
                let mut fields = fields();
                fields.insert("lateness_s".into(), json!(flight.late.as_secs_f64()));
                self.poll = Some(fields);
            }
            Route::Register | Route::Workspace | Route::SelfMessage | Route::Notify => {}
        }
    }

    /// The core waits no longer: past the deadline that is a failure, before
    /// it nobody wants to know any more.
    fn cancelled(&mut self, now: Now, id: CommandId) {
        let Some(flight) = self.take_flight(id) else { return };
        let is_overdue = flight.deadline.is_some_and(|deadline| deadline <= now.monotonic);
        if let (What::Request(route), true) = (&flight.what, is_overdue) {
            self.answered(now, &flight, *route, None);
        }
    }

    fn told(&self, now: Now, outcome: Announcement, message_id: &str) {
        self.telemetry.metrics().announcement(outcome);
        let known = self.messages.iter().find(|(known, _)| known == message_id);
        let mut fields = ids_fields(known.map_or(&[], |(_, ids)| ids.as_slice()));
        fields.insert("message_id".into(), json!(message_id));
        fields.insert("outcome".into(), json!(outcome.name()));
        self.publish(now, Kind::Wake, fields);
    }
}

impl Observer for Watcher {
    fn event(&mut self, now: Now, late: Duration, event: &Event) {
        self.late = late;
        match event {
            Event::Completed { id, outcome } => self.completed(now, *id, outcome),
            Event::Report(report) if is_shown(report) => {
                self.publish(now, Kind::Task, report_fields(report));
            }
            Event::Report(_) | Event::Tick | Event::Retune(_) | Event::Stop => {}
        }
    }

    fn command(&mut self, now: Now, command: &Command) {
        let what = match &command.action {
            Action::Cancel { command } => return self.cancelled(now, *command),
            Action::RebuildClient => return,
            Action::StoreBatch(Batch { batch, results, .. }) => {
                let ids = results.iter().map(|result| result.key.delegation_id.clone());
                What::Store { batch: *batch, ids: ids.collect() }
            }
            Action::AppendJournal { records } => {
                let begun = records.iter().filter(|it| is_announcing(it));
                begun.for_each(|record| self.journalled(record));
                What::Other
            }
            Action::PostHeartbeat(_)
            | Action::Register(_)
            | Action::FetchDelegations
            | Action::FetchWorkspace { .. }
            | Action::SendSelfMessage { .. }
            | Action::Notify { .. }
            | Action::OpenStore
            | Action::PlaceBatch { .. }
            | Action::CompactJournal { .. }
            | Action::ProbeResults
            | Action::ReloadToken
            | Action::SaveToken(_)
            | Action::SaveInboundSecret(_) => {
                Route::of(&command.action).map_or(What::Other, What::Request)
            }
        };
        let (started, late) = (now.monotonic, self.late);
        self.flights.push(Flight {
            id: command.id,
            started,
            deadline: command.deadline,
            late,
            what,
        });
    }

    fn notice(&mut self, now: Now, notice: &Notice, line: &str) {
        let mut fields = fields(serde_json::to_value(notice).unwrap_or_default());
        in_seconds(&mut fields);
        let name = fields.remove("type").unwrap_or_default();
        let severity = notice.severity();
        self.telemetry.metrics().notice(name.as_str().unwrap_or("unknown"), severity);
        fields.insert("notice".into(), name);
        fields.insert("severity".into(), severity_name(severity).into());
        fields.insert("line".into(), line.into());
        self.publish(now, Kind::Notice, fields);
        if let Some((outcome, message_id)) = announcement(notice) {
            self.told(now, outcome, message_id);
        }
    }

    fn turned(&mut self, now: Now, overview: &Overview) {
        self.late = Duration::ZERO;
        if let Some(mut fields) = self.poll.take() {
            let new = overview.discovered.saturating_sub(self.discovered);
            fields.insert("new".into(), json!(new));
            self.publish(now, Kind::Poll, fields);
        }
        self.discovered = overview.discovered;
    }
}

/// What went well or wrong comes a thousand at a time: it is in the status. A
/// beat that somebody wants is an event of its own.
const fn is_shown(report: &Report) -> bool {
    match report {
        Report::TaskStarted { .. }
        | Report::TaskEnded { .. }
        | Report::CurrentTask { .. }
        | Report::Wedged { .. }
        | Report::WedgeCleared
        | Report::Metadata(_)
        | Report::TaskList { .. }
        | Report::Awaiting { .. }
        | Report::AwaitDropped { .. } => true,
        Report::Success | Report::Error { .. } | Report::Outcomes { .. } | Report::BeatNow => false,
    }
}

const fn is_announcing(record: &JournalRecord) -> bool {
    matches!(record, JournalRecord::Announcing { .. })
}

fn announcement(notice: &Notice) -> Option<(Announcement, &str)> {
    let (outcome, message_id) = match notice {
        Notice::Announced { message_id, .. } => (Announcement::Accepted, message_id),
        Notice::AnnouncementRefused { message_id, .. } => (Announcement::Refused, message_id),
        Notice::AnnouncementUnanswered { message_id } => (Announcement::Unanswered, message_id),
        Notice::AnnouncedByReader { message_id } => (Announcement::Taken, message_id),
        Notice::AnnouncedAgain { message_id } => (Announcement::Repeated, message_id),
        Notice::OutageStarted { .. }
        | Notice::OutageContinues { .. }
        | Notice::OutageEnded { .. }
        | Notice::TokenRefused { .. }
        | Notice::TokenChanged
        | Notice::Registered { .. }
        | Notice::RegistrationNeeded
        | Notice::Resumed { .. }
        | Notice::ClientRebuilt { .. }
        | Notice::BadAnswer { .. }
        | Notice::MalformedRows { .. }
        | Notice::ForeignRows { .. }
        | Notice::WindowSaturated { .. }
        | Notice::ListTooLong { .. }
        | Notice::DiscoveredFull
        | Notice::AwaitedOverflow
        | Notice::TasksOverflow
        | Notice::TaskExpired { .. }
        | Notice::ResultsPlaced { .. }
        | Notice::ResultsHeld { .. }
        | Notice::BacklogSettled { .. }
        | Notice::StoreOpened { .. }
        | Notice::FileTrouble { .. }
        | Notice::JournalTorn { .. }
        | Notice::JournalCorrupt { .. }
        | Notice::FolderEmptied
        | Notice::StrayFile { .. }
        | Notice::BudgetExhausted
        | Notice::Notified { .. }
        | Notice::NotifyFailed { .. }
        | Notice::LateCompletion
        | Notice::EffectPanicked { .. }
        | Notice::NoticesDropped { .. }
        | Notice::Stopped => return None,
    };
    Some((outcome, message_id))
}

/// At most fifty of them; `count` is exact.
fn ids_fields(ids: &[String]) -> Fields {
    let shown = ids.get(..IDS_MAX).unwrap_or(ids);
    fields(json!({"ids": shown, "count": ids.len()}))
}

/// As it was reported; of a whole list the ids.
fn report_fields(report: &Report) -> Fields {
    let mut fields = fields(serde_json::to_value(report).unwrap_or_default());
    in_seconds(&mut fields);
    if let Report::TaskList { tasks, .. } = report {
        let ids: Vec<_> = tasks.iter().map(|task| task.id.clone()).collect();
        fields.remove("tasks");
        fields.extend(ids_fields(&ids));
    }
    fields
}

fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Fields::new()
        }
    }
}

/// Durations come as seconds and nanoseconds: `lasted` becomes `lasted_s`.
fn in_seconds(fields: &mut Fields) {
    let seconds = |value: &Value| {
        let (secs, nanos) = (value.get("secs")?.as_u64()?, value.get("nanos")?.as_u64()?);
        Some(Duration::new(secs, u32::try_from(nanos).ok()?).as_secs_f64())
    };
    let durations: Vec<_> =
        fields.iter().filter_map(|(key, value)| Some((key.clone(), seconds(value)?))).collect();
    for (key, seconds) in durations {
        fields.remove(&key);
        fields.insert(format!("{key}_s"), json!(seconds));
    }
}
