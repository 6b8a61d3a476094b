//! Words for commands, events and notices, and lists of them all.

use everbeat_core::{Action, Event, Notice, Outcome, Placement, Report, TransportFailureKind};

macro_rules! notices {
    (
        wanted { $($name:ident $word:literal,)+ }
        others { $($other:ident $other_word:literal,)+ }
    ) => {
        /// Every notice that a sweep must bring about.
        pub const NOTICE_NAMES: &[&str] = &[$($word),+];

        /// A notice's name, as it is serialised.
        #[must_use]
        pub const fn notice_name(notice: &Notice) -> &'static str {
            match notice {
                $(Notice::$name { .. } => $word,)+
                $(Notice::$other { .. } => $other_word,)+
            }
        }
    };
}

// A new notice stands in one of the two lists, or this does not compile. The
// others tell of a shell that misbehaves, or of limits that have tests of
// their own.
notices! {
    wanted {
    OutageStarted "outage_started",
    OutageContinues "outage_continues",
    OutageEnded "outage_ended",
    TokenRefused "token_refused",
    TokenChanged "token_changed",
    Registered "registered",
    RegistrationNeeded "registration_needed",
    Resumed "resumed",
    ClientRebuilt "client_rebuilt",
    BadAnswer "bad_answer",
    MalformedRows "malformed_rows",
    ForeignRows "foreign_rows",
    WindowSaturated "window_saturated",
    ListTooLong "list_too_long",
    DiscoveredFull "discovered_full",
    TaskExpired "task_expired",
    ResultsPlaced "results_placed",
    ResultsHeld "results_held",
    BacklogSettled "backlog_settled",
    StoreOpened "store_opened",
    FileTrouble "file_trouble",
    JournalTorn "journal_torn",
    JournalCorrupt "journal_corrupt",
    FolderEmptied "folder_emptied",
    StrayFile "stray_file",
    Announced "announced",
    AnnouncementRefused "announcement_refused",
    AnnouncementUnanswered "announcement_unanswered",
    AnnouncedByReader "announced_by_reader",
    AnnouncedAgain "announced_again",
    BudgetExhausted "budget_exhausted",
    Notified "notified",
    NotifyFailed "notify_failed",
    Stopped "stopped",
    }
    others {
    AwaitedOverflow "awaited_overflow",
    TasksOverflow "tasks_overflow",
    LateCompletion "late_completion",
    EffectPanicked "effect_panicked",
    NoticesDropped "notices_dropped",
    }
}

use super::Request;

/// Every name that [`action_name`] gives.
pub const ACTION_NAMES: [&str; 17] = [
    "beat",
    "register",
    "poll",
    "lookup",
    "self_message",
    "notify",
    "open_store",
    "store_batch",
    "place_batch",
    "append_journal",
    "compact_journal",
    "probe_results",
    "reload_token",
    "save_token",
    "save_inbound_secret",
    "cancel",
    "rebuild_client",
];

/// A word for an action.
#[must_use]
pub const fn action_name(action: &Action) -> &'static str {
    match action {
        Action::PostHeartbeat(_) => "beat",
        Action::Register(_) => "register",
        Action::FetchDelegations => "poll",
        Action::FetchWorkspace { .. } => "lookup",
        Action::SendSelfMessage { .. } => "self_message",
        Action::Notify { .. } => "notify",
        Action::OpenStore => "open_store",
        Action::StoreBatch(_) => "store_batch",
        Action::PlaceBatch { .. } => "place_batch",
        Action::AppendJournal { .. } => "append_journal",
        Action::CompactJournal { .. } => "compact_journal",
        Action::ProbeResults => "probe_results",
        Action::ReloadToken => "reload_token",
        Action::SaveToken(_) => "save_token",
        Action::SaveInboundSecret(_) => "save_inbound_secret",
        Action::Cancel { .. } => "cancel",
        Action::RebuildClient => "rebuild_client",
    }
}

/// What the core can be told: each report, and each way for a command to end.
/// The others are a shell's that misbehaves.
pub const EVENT_NAMES: [&str; 31] = [
    "tick",
    "stop",
    "retune",
    "task_started",
    "task_list",
    "task_ended",
    "current_task",
    "success",
    "error",
    "outcomes",
    "wedged",
    "wedge_cleared",
    "metadata",
    "awaiting",
    "await_dropped",
    "beat_now",
    "answered_2xx",
    "answered_3xx",
    "answered_4xx",
    "answered_5xx",
    "answered_in_part",
    "not_sent",
    "no_answer",
    "store_opened",
    "batch_placed",
    "batch_held",
    "journal_written",
    "results_probed",
    "token_loaded",
    "secret_saved",
    "file_failed",
];

/// A word for an event: of a report its kind, of a command's end how it ended.
#[must_use]
pub const fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Tick => "tick",
        Event::Stop => "stop",
        Event::Retune(_) => "retune",
        Event::Report(report) => match report {
            Report::TaskStarted { .. } => "task_started",
            Report::TaskList { .. } => "task_list",
            Report::TaskEnded { .. } => "task_ended",
            Report::CurrentTask { .. } => "current_task",
            Report::Success => "success",
            Report::Error { .. } => "error",
            Report::Outcomes { .. } => "outcomes",
            Report::Wedged { .. } => "wedged",
            Report::WedgeCleared => "wedge_cleared",
            Report::Metadata(_) => "metadata",
            Report::Awaiting { .. } => "awaiting",
            Report::AwaitDropped { .. } => "await_dropped",
            Report::BeatNow => "beat_now",
        },
        Event::Completed { outcome, .. } => outcome_name(outcome),
    }
}

const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Response(response) if !response.complete => "answered_in_part",
        Outcome::Response(response) => match response.status {
            200..=299 => "answered_2xx",
            300..=399 => "answered_3xx",
            400..=499 => "answered_4xx",
            _ => "answered_5xx",
        },
        Outcome::TransportFailed(failure) => match failure.kind {
            TransportFailureKind::NotSent => "not_sent",
            TransportFailureKind::NoAnswer => "no_answer",
            TransportFailureKind::BadAnswer => "bad_answer",
        },
        Outcome::StoreOpened(_) => "store_opened",
        Outcome::BatchStored { placement, .. } | Outcome::BatchPlaced { placement } => {
            match placement {
                Placement::Placed { .. } => "batch_placed",
                Placement::Held { .. } => "batch_held",
            }
        }
        Outcome::JournalWritten { .. } => "journal_written",
        Outcome::ResultsProbed { .. } => "results_probed",
        Outcome::TokenLoaded { .. } => "token_loaded",
        Outcome::SecretSaved => "secret_saved",
        Outcome::FileFailed(_) => "file_failed",
        Outcome::Panicked => "panicked",
    }
}

/// What an action sends; `token` is the fingerprint of the one that goes with
/// it.
pub(super) fn sent(action: &Action, token: u64) -> Option<Request> {
    Some(match action {
        Action::PostHeartbeat(_) => Request::Beat { token },
        Action::Register(_) => Request::Register,
        Action::FetchDelegations => Request::Poll,
        Action::FetchWorkspace { .. } => Request::Lookup,
        Action::SendSelfMessage { message_id, text } => {
            Request::SelfMessage { id: message_id.clone(), text: text.clone() }
        }
        Action::Notify { message } => Request::Notify { text: message.clone() },
        Action::OpenStore
        | Action::StoreBatch(_)
        | Action::PlaceBatch { .. }
        | Action::AppendJournal { .. }
        | Action::CompactJournal { .. }
        | Action::ProbeResults
        | Action::ReloadToken
        | Action::SaveToken(_)
        | Action::SaveInboundSecret(_)
        | Action::Cancel { .. }
        | Action::RebuildClient => return None,
    })
}
