//! Notices: typed, rate-limited words for logs and metrics.

use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// How much a [`Notice`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Of use when looking for a fault.
    Debug,
    /// A milestone.
    Info,
    /// Something to look at.
    Warning,
    /// Something is lost or will be.
    Error,
}

/// Which part of the agent a notice speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// The beat.
    Alive,
    /// Polling the delegations.
    Delegations,
    /// Waking the agent.
    Announce,
    /// Telling the user.
    Notify,
    /// Registering.
    Register,
    /// Journal and results file.
    Store,
}

/// Something worth saying. No notice holds a secret or a response's text;
/// every string in it is on one line and bounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice {
    /// A lane's first failure after success.
    OutageStarted {
        /// Which lane.
        lane: Lane,
        /// What failed.
        cause: String,
    },
    /// It still fails: said after 5 minutes, an hour, 6 hours, then daily.
    OutageContinues {
        /// Which lane.
        lane: Lane,
        /// What failed last.
        cause: String,
        /// Since the first failure.
        lasted: Duration,
        /// Failures in a row.
        failures: u32,
    },
    /// The lane works again.
    OutageEnded {
        /// Which lane.
        lane: Lane,
        /// Since the first failure.
        lasted: Duration,
        /// Failures in a row.
        failures: u32,
    },
    /// The platform refused the token, and the file holds no other.
    TokenRefused {
        /// Whether the file holds any.
        present: bool,
    },
    /// A new token is in use.
    TokenChanged,
    /// The workspace is registered (again).
    Registered {
        /// Whether the platform issued a token with it.
        token_issued: bool,
    },
    /// Registering would be needed but url or card is not configured.
    RegistrationNeeded,
    /// The clock jumped: the machine was suspended or starved.
    Resumed {
        /// How far.
        gap: Duration,
    },
    /// The shell was told to make its connections anew.
    ClientRebuilt {
        /// Failures in a row.
        failures: u32,
    },
    /// An answer was not what the endpoint gives.
    BadAnswer {
        /// Which lane asked.
        lane: Lane,
        /// What was wrong with it.
        problem: String,
    },
    /// Rows that could not be used.
    MalformedRows {
        /// How many in this list.
        rows: u32,
    },
    /// Finished rows that name another workspace as their source.
    ForeignRows {
        /// How many in this list.
        rows: u32,
    },
    /// All rows of a full page are new: some may have been missed.
    WindowSaturated {
        /// How many rows the page had.
        rows: u32,
    },
    /// The list was longer than what is looked at.
    ListTooLong {
        /// How many rows it had.
        rows: u32,
    },
    /// No room for more discovered results until the disk takes some.
    DiscoveredFull,
    /// An awaited delegation was forgotten for a newer one.
    AwaitedOverflow,
    /// Too many tasks at once: the report was ignored.
    TasksOverflow,
    /// Nobody renewed a task in its time: it ended by itself.
    TaskExpired {
        /// The agent's own name for it, on one line, cut.
        id: String,
    },
    /// Results are in the results file.
    ResultsPlaced {
        /// The batch.
        batch: u64,
        /// How many; 0 where an older batch was placed at last.
        results: u32,
        /// Whether older lines still lay there.
        merged: bool,
    },
    /// Results are safe but cannot be put at the results path.
    ResultsHeld {
        /// The batch.
        batch: u64,
        /// Path, cause, advice.
        reason: String,
    },
    /// Finished before the first run: settled silently.
    BacklogSettled {
        /// How many.
        results: u32,
    },
    /// The journal was opened.
    StoreOpened {
        /// Results that it remembers.
        remembered: u32,
        /// Of these, not announced yet.
        waiting: u32,
    },
    /// A file operation failed; it is retried.
    FileTrouble {
        /// What was being done.
        operation: String,
        /// To which file.
        path: String,
        /// The system's own words.
        reason: String,
    },
    /// The journal ended in a torn line: cut.
    JournalTorn {
        /// Bytes cut.
        bytes: u64,
    },
    /// The journal was corrupt and set aside: what it knew beyond the kept
    /// records may be told twice.
    JournalCorrupt {
        /// Where it lies now.
        set_aside: String,
        /// Records kept.
        kept: u64,
        /// Lines lost.
        lost: u64,
    },
    /// The results folder was emptied: untaken results are fetched again.
    FolderEmptied,
    /// A private file that should not exist.
    StrayFile {
        /// Which.
        path: String,
        /// What was done with it.
        done: String,
    },
    /// The agent was told.
    Announced {
        /// The message.
        message_id: String,
        /// Results in it.
        results: u32,
    },
    /// The message was refused; its results wait.
    AnnouncementRefused {
        /// The message.
        message_id: String,
        /// By what answer.
        cause: String,
    },
    /// The message was sent and nobody answered: waiting for the reader.
    AnnouncementUnanswered {
        /// The message.
        message_id: String,
    },
    /// The reader took what an unanswered message named.
    AnnouncedByReader {
        /// The message.
        message_id: String,
    },
    /// Still untaken after a while: announced again under the same id.
    AnnouncedAgain {
        /// The message.
        message_id: String,
    },
    /// The hour's self-messages are used up.
    BudgetExhausted,
    /// The user was told.
    Notified {
        /// Results in it.
        results: u32,
    },
    /// The user could not be told; it is not tried again.
    NotifyFailed {
        /// Why.
        cause: String,
    },
    /// A completion that nobody awaits.
    LateCompletion,
    /// A shell effect panicked.
    EffectPanicked {
        /// Which lane asked for it.
        lane: Lane,
    },
    /// Notices were dropped because nobody polled them.
    NoticesDropped {
        /// How many.
        dropped: u64,
    },
    /// The machine has stopped.
    Stopped,
}

impl Notice {
    /// How much it matters.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::ClientRebuilt { .. }
            | Self::AnnouncementRefused { .. }
            | Self::LateCompletion
            | Self::ListTooLong { .. } => Severity::Debug,
            Self::OutageEnded { .. }
            | Self::TokenChanged
            | Self::Registered { .. }
            | Self::Resumed { .. }
            | Self::ResultsPlaced { .. }
            | Self::BacklogSettled { .. }
            | Self::StoreOpened { .. }
            | Self::Announced { .. }
            | Self::AnnouncementUnanswered { .. }
            | Self::AnnouncedByReader { .. }
            | Self::AnnouncedAgain { .. }
            | Self::Notified { .. }
            | Self::Stopped => Severity::Info,
            Self::OutageStarted { .. }
            | Self::OutageContinues { .. }
            | Self::TokenRefused { .. }
            | Self::RegistrationNeeded
            | Self::BadAnswer { .. }
            | Self::MalformedRows { .. }
            | Self::ForeignRows { .. }
            | Self::WindowSaturated { .. }
            | Self::DiscoveredFull
            | Self::AwaitedOverflow
            | Self::TasksOverflow
            | Self::TaskExpired { .. }
            | Self::ResultsHeld { .. }
            | Self::FileTrouble { .. }
            | Self::JournalTorn { .. }
            | Self::FolderEmptied
            | Self::StrayFile { .. }
            | Self::BudgetExhausted
            | Self::NotifyFailed { .. }
            | Self::NoticesDropped { .. } => Severity::Warning,
            Self::JournalCorrupt { .. } | Self::EffectPanicked { .. } => Severity::Error,
        }
    }
}
