//! Words for commands and notices, and lists of them all.

use everbeat_core::{Action, Notice};

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

/// Every notice that a world without programming errors can bring about. The
/// others tell of a shell that misbehaves (`effect_panicked`,
/// `notices_dropped`, `late_completion`) or of limits that have tests of
/// their own (`tasks_overflow`, `awaited_overflow`, `stray_file`).
pub const NOTICE_NAMES: [&str; 31] = [
    "outage_started",
    "outage_continues",
    "outage_ended",
    "token_refused",
    "token_changed",
    "registered",
    "registration_needed",
    "resumed",
    "client_rebuilt",
    "bad_answer",
    "malformed_rows",
    "foreign_rows",
    "window_saturated",
    "list_too_long",
    "discovered_full",
    "results_placed",
    "results_held",
    "store_opened",
    "file_trouble",
    "journal_torn",
    "journal_corrupt",
    "folder_emptied",
    "announced",
    "announcement_refused",
    "announcement_unanswered",
    "announced_by_reader",
    "announced_again",
    "budget_exhausted",
    "notified",
    "notify_failed",
    "stopped",
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

/// A notice's name, as it is serialised.
#[must_use]
pub fn notice_name(notice: &Notice) -> String {
    let value = serde_json::to_value(notice).unwrap_or_default();
    value.get("type").and_then(|name| name.as_str()).unwrap_or("unknown").to_owned()
}
