//! Events: what a shell tells the core.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::command::CommandId;
use crate::config::Tuning;
use crate::journal::JournalRecord;
use crate::text;
use crate::vitals::Report;

/// Something that happened outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Time has passed. Spurious ticks change nothing.
    Tick,
    /// A command came to its end. An id that is not awaited changes nothing.
    Completed {
        /// Which command.
        id: CommandId,
        /// How it ended.
        outcome: Outcome,
    },
    /// The agent says something about itself.
    Report(Report),
    /// Go on with another tuning; one that is not allowed changes nothing.
    Retune(Tuning),
    /// Finish up; [`Heartbeat::is_stopped`](crate::Heartbeat::is_stopped)
    /// turns true within [`STOP_WITHIN`](crate::limits::STOP_WITHIN).
    Stop,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Outcome {
    /// The platform answered.
    Response(Response),
    /// The platform did not answer.
    TransportFailed(TransportFailure),
    /// [`Action::OpenStore`](crate::Action::OpenStore) went well.
    StoreOpened(OpenedStore),
    /// The batch is durable and journalled.
    BatchStored {
        /// Bytes of the batch's own lines.
        length: u64,
        /// Where it lies now.
        placement: Placement,
        /// The journal's size.
        journal_bytes: u64,
    },
    /// [`Action::PlaceBatch`](crate::Action::PlaceBatch) came to an end.
    BatchPlaced {
        /// Where the batch lies now.
        placement: Placement,
    },
    /// The records are durable.
    JournalWritten {
        /// The journal's size.
        journal_bytes: u64,
    },
    /// Whether something stands at the results path.
    ResultsProbed {
        /// True if so.
        present: bool,
    },
    /// The token file was read.
    TokenLoaded {
        /// Whether the token differs from the one used until now.
        changed: bool,
        /// Whether there is one.
        present: bool,
    },
    /// The secret is durable (or was already the same).
    SecretSaved,
    /// A file could not be read or written.
    FileFailed(FileFailure),
    /// The effect panicked in the shell.
    Panicked,
}

/// Why a request has no answer, as the lanes see it.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    /// Whether the platform may have seen the request.
    pub(crate) may_have_acted: bool,
    /// One bounded line.
    pub(crate) cause: String,
}

impl Outcome {
    /// The status of an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        if let Self::Response(response) = self { Some(response.status) } else { None }
    }

    /// The answer to a request. Whatever is no answer, even a completion of
    /// another kind, is a failure that may have reached the platform, unless
    /// it is known not to have been sent.
    pub(crate) fn into_response(self) -> Result<Response, NoAnswer> {
        let (may_have_acted, cause) = match self {
            Self::Response(response) => return Ok(response),
            Self::TransportFailed(TransportFailure { kind, detail }) => {
                let cause = text::cut_chars(&text::one_line(&detail), 200);
                (kind != TransportFailureKind::NotSent, cause)
            }
            Self::Panicked => (true, "the request panicked in the shell".into()),
            Self::StoreOpened(_)
            | Self::BatchStored { .. }
            | Self::BatchPlaced { .. }
            | Self::JournalWritten { .. }
            | Self::ResultsProbed { .. }
            | Self::TokenLoaded { .. }
            | Self::SecretSaved
            | Self::FileFailed(_) => (true, "the shell answered with another kind".into()),
        };
        Err(NoAnswer { may_have_acted, cause })
    }

    /// What kept a file command from its proper answer.
    pub(crate) fn into_file_failure(self) -> FileFailure {
        match self {
            Self::FileFailed(failure) => failure,
            Self::Response(_)
            | Self::TransportFailed(_)
            | Self::StoreOpened(_)
            | Self::BatchStored { .. }
            | Self::BatchPlaced { .. }
            | Self::JournalWritten { .. }
            | Self::ResultsProbed { .. }
            | Self::TokenLoaded { .. }
            | Self::SecretSaved
            | Self::Panicked => FileFailure {
                operation: "carry out a file command".into(),
                path: "-".into(),
                kind: FileFailureKind::Other,
                reason: "the shell answered with another kind, or panicked".into(),
            },
        }
    }
}

/// An answer of the platform, as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// The `Retry-After` header in seconds from now (an HTTP date already
    /// turned into seconds by the shell, zero if past).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// The body, as far as it came.
    pub body: Body,
    /// False if the body was longer than the limit or broke off: then `body`
    /// is its beginning. The status counts all the same.
    #[serde(default = "complete")]
    pub complete: bool,
}

const fn complete() -> bool {
    true
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportFailure {
    /// What kind of failure.
    pub kind: TransportFailureKind,
    /// For a person; without secrets, bounded by the core when used.
    pub detail: String,
}

/// Kinds of [`TransportFailure`]; they differ in what the platform may have
/// done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportFailureKind {
    /// No connection (name, route, refusal, TLS): the platform saw nothing.
    NotSent,
    /// Sent at least in part, but no complete answer came: the platform may
    /// have acted.
    NoAnswer,
    /// What came is not valid HTTP. (A body that is too long or breaks off is
    /// a [`Response`] that is not complete.)
    BadAnswer,
}

/// What [`Action::OpenStore`](crate::Action::OpenStore) found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedStore {
    /// Every record in the journal, in order.
    pub records: Vec<JournalRecord>,
    /// Where the last stored batch lies; `None` if nothing was ever stored.
    pub placement: Option<Placement>,
    /// The journal's size.
    pub journal_bytes: u64,
    /// What had to be repaired.
    pub repairs: Vec<Repair>,
}

/// Where the last stored batch lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Placement {
    /// At the results path.
    Placed {
        /// True if it was put before lines that still lay there untaken.
        merged: bool,
    },
    /// In its private file: something is odd at the results path.
    Held {
        /// What, for a person: path, cause, advice.
        reason: String,
    },
}

/// Something that opening the store set right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Repair {
    /// The journal ended in the middle of a line.
    TornTail {
        /// Bytes cut.
        bytes: u64,
    },
    /// The journal was corrupt before its last line and was set aside.
    Corrupt {
        /// Where it lies now.
        set_aside: String,
        /// How many records before the damage were kept.
        kept: u64,
        /// Lines that could not be kept.
        lost: u64,
    },
    /// The results folder was emptied: see
    /// [`JournalRecord::Forgotten`](crate::JournalRecord::Forgotten).
    FolderEmptied,
    /// A private file that should not exist.
    Stray {
        /// Which.
        path: String,
        /// What was done with it.
        done: String,
    },
}

/// A failed file operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFailure {
    /// What was being done, as a verb: `open`, `sync`, `rename` …
    pub operation: String,
    /// To which file.
    pub path: String,
    /// What went wrong.
    pub kind: FileFailureKind,
    /// The system's own words.
    pub reason: String,
}

/// Kinds of [`FileFailure`], by what a person can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFailureKind {
    /// No space, quota or file size limit.
    Full,
    /// A read-only file system.
    ReadOnly,
    /// Permission denied.
    Denied,
    /// The file or a folder on its path does not exist.
    Missing,
    /// Another process holds the lock.
    Locked,
    /// Not what it should be: a link, a folder, someone else's.
    Odd,
    /// Anything else.
    Other,
}
