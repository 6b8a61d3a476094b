//! Every bound in one place, with their relations checked at compile time.

use core::time::Duration;

/// Body of `GET /workspaces/{id}/delegations`: larger ones are refused.
pub const LIST_BYTES_MAX: usize = 1 << 20;
/// Body of every other answer.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Rows of one list that are looked at (the platform sends 50).
pub const ROWS_MAX: usize = 200;
/// Rows in a full page of the platform's list.
pub const PAGE_ROWS: usize = 50;
/// Bytes of a delegation id.
pub const DELEGATION_ID_BYTES_MAX: usize = 256;
/// Bytes of a row's summary, error or preview that are kept.
pub const TEXT_BYTES_MAX: usize = 8 << 10;
/// Bytes of one line of the results file.
pub const LINE_BYTES_MAX: usize = 256 << 10;
/// Results in one batch.
pub const BATCH_RESULTS_MAX: usize = 100;
/// Results that wait in memory for the disk.
pub const DISCOVERED_MAX: usize = 400;
/// Results that are remembered of those that are told and no longer listed.
pub const REMEMBERED_MAX: usize = 4_096;
/// Results that are remembered at once: what waits for the disk comes on top
/// until the next list, with which the oldest are forgotten. Untold and listed
/// ones never push past this, since no more are taken while
/// [`REMEMBERED_MAX`] less a list of them is untold.
pub const REMEMBERED_AT_ONCE_MAX: usize = REMEMBERED_MAX + DISCOVERED_MAX;
/// The same after the journal was read, until a list comes: what was forgotten
/// stands there, too, until it is compacted.
pub const REMEMBERED_READ_MAX: usize = 2 * REMEMBERED_AT_ONCE_MAX;
/// Delegations that the agent can wait for at once (`deliver: awaited`).
pub const AWAITED_MAX: usize = 512;
/// Tasks that the agent can run at once.
pub const TASKS_MAX: usize = 256;
/// How long a task can run without a report of it, if it is to end by itself.
pub const TASK_TTL_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Ids that a status names of each stage of the pipeline; the rest is counted.
pub const STATUS_IDS_MAX: usize = 50;
/// Results that one self-message speaks of, named or counted.
pub const ANNOUNCED_RESULTS_MAX: usize = 1_000;
/// Results named in one self-message; the rest is counted.
pub const NAMED_RESULTS_MAX: usize = 20;
/// Results in one user notification; the rest is counted.
pub const NOTIFIED_RESULTS_MAX: usize = 10;
/// Unanswered self-messages that are kept apart.
pub const UNANSWERED_MAX: usize = 8;
/// Characters of a summary in a self-message.
pub const SUMMARY_CHARS: usize = 80;
/// Characters of an error in a self-message.
pub const ERROR_CHARS: usize = 100;
/// Characters of an id in a self-message.
pub const ID_CHARS: usize = 8;
/// Bytes of `sample_error` and of a wedge's reason.
pub const SAMPLE_ERROR_BYTES_MAX: usize = 1_024;
/// Bytes of the current task's title.
pub const TASK_BYTES_MAX: usize = 1_024;
/// Bytes of the agent card as JSON.
pub const AGENT_CARD_BYTES_MAX: usize = 64 << 10;
/// Notices that wait to be polled; later ones are dropped and counted.
pub const NOTICES_MAX: usize = 256;
/// The journal is compacted when it is longer than this and has doubled.
pub const JOURNAL_BYTES_MIN: u64 = 256 << 10;

/// How long the platform keeps a workspace online without a beat.
pub const LIVENESS_TTL: Duration = Duration::from_secs(180);
/// Longest wait after a failure.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Longest `Retry-After` that is honoured.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// Deadline of a beat and of every other short request, before the interval
/// bounds it.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Deadline of a self-message: the platform answers after the agent's turn.
pub const SELF_MESSAGE_DEADLINE: Duration = Duration::from_secs(120);
/// How long a parent's name is believed.
pub const PARENT_NAME_TTL: Duration = Duration::from_secs(3_600);
/// The first beat goes out within this of the start.
pub const FIRST_BEAT_SPREAD: Duration = Duration::from_secs(1);
/// A beat that is due after a refused one waits this long for the token to be
/// read again.
pub const TOKEN_WAIT: Duration = Duration::from_secs(1);
/// At most one beat for a change in this time.
pub const CHANGE_BEAT_GAP: Duration = Duration::from_secs(1);
/// From [`Event::Stop`](crate::Event::Stop) to the end at the latest.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Requests in any window of one interval, whatever the platform answers or
/// does not answer (S5): each lane waits a sixth of the interval at least
/// between two requests that the platform is the cause of, a registration a
/// whole one, a notification a quarter, and a lookup of the parent takes two.
/// Beats for a change that the agent itself reports come on top: one in
/// [`CHANGE_BEAT_GAP`].
pub const REQUESTS_PER_INTERVAL_MAX: usize = 48;
/// Failures in a row after which the shell makes its connections anew.
pub const FAILURES_BEFORE_REBUILD: u32 = 10;

const _: () = assert!(REMEMBERED_MAX > 2 * (ROWS_MAX + DISCOVERED_MAX));
const _: () = assert!(2 * ROWS_MAX <= DISCOVERED_MAX, "each listed id may have ended twice");
const _: () = assert!(ROWS_MAX >= 2 * PAGE_ROWS);
const _: () = assert!(LINE_BYTES_MAX > 4 * 6 * TEXT_BYTES_MAX);
const _: () = assert!(BACKOFF_MAX.as_secs() < LIVENESS_TTL.as_secs() / 2);
