//! What the journal remembers: the records, and nothing of files.
//!
//! The journal is a sequence of [`JournalRecord`]s. Folding them from the
//! first to the last gives the durable part of the delivery pipeline; the
//! store crate writes each as one checksummed line and gives them all back
//! when it opens the journal.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

mod read;

/// A terminal status of a delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The other workspace finished the work.
    Completed,
    /// The work ended without a result.
    Failed,
}

impl Status {
    /// The word that the platform uses: `completed` or `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// What makes a result one result: `completed` after `failed` is news.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResultKey {
    /// The platform's id of the delegation (1 to 256 bytes, no controls).
    pub delegation_id: String,
    /// How it ended.
    pub status: Status,
}

/// What of a stored result is needed to announce it after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "read::Stored")]
pub struct StoredResult {
    /// Which result.
    #[serde(flatten)]
    pub key: ResultKey,
    /// The summary, already cut to what an announcement shows.
    pub summary: String,
    /// The error, already cut to what an announcement shows; empty if none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// One step that must survive a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JournalRecord {
    /// The first poll of an empty journal has been dealt with.
    Began,
    /// Batch `batch` lies synced in its private file of `length` bytes.
    /// Written by the store in the middle of storing a batch.
    Stored {
        /// Number of the batch, from 1, without gaps.
        batch: u64,
        /// Bytes of the batch's own lines in the private file.
        length: u64,
        /// The results in the batch, in file order.
        results: Vec<StoredResult>,
    },
    /// These are never told (the backlog of a workspace that moved over).
    Settled {
        /// Which results.
        keys: Vec<ResultKey>,
    },
    /// A self-message with this id is about to be sent for these results.
    Announcing {
        /// The message's id; the same results give the same id.
        message_id: String,
        /// The results that it names.
        keys: Vec<ResultKey>,
    },
    /// The self-message was refused: its results wait for another one.
    Refused {
        /// The message's id.
        message_id: String,
    },
    /// The self-message was accepted, or its results were seen taken.
    Announced {
        /// The message's id.
        message_id: String,
    },
    /// The user is about to be notified of these (at most once each).
    Notified {
        /// Which results.
        keys: Vec<ResultKey>,
    },
    /// The results file was seen absent when batches up to this were placed:
    /// the reader has them.
    Taken {
        /// The last batch that is known taken.
        through: u64,
    },
    /// The results folder was emptied behind the agent's back: results of
    /// batches later than the last `Taken` are unknown again. Written by the
    /// store while it opens.
    Forgotten,
    /// The agent waits for this delegation (`deliver: awaited`).
    Awaited {
        /// The platform's id of the delegation.
        delegation_id: String,
    },
    /// The agent does not wait for it any more.
    AwaitDropped {
        /// The platform's id of the delegation.
        delegation_id: String,
    },
    /// Everything so far, in one record: what compaction writes first.
    Snapshot(Snapshot),
}

/// The durable state of the pipeline, complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// See [`JournalRecord::Began`].
    pub began: bool,
    /// Number of the last stored batch; 0 before the first.
    pub last_batch: u64,
    /// Bytes of the last stored batch's own lines.
    pub last_length: u64,
    /// See [`JournalRecord::Taken`].
    pub taken_through: u64,
    /// Whether any self-message was ever begun.
    #[serde(default)]
    pub spoke: bool,
    /// All remembered results, oldest first.
    pub results: Vec<SnapshotResult>,
    /// Self-messages that were sent and neither accepted nor refused.
    pub announcing: Vec<SnapshotMessage>,
    /// Delegations that the agent waits for, oldest first.
    pub awaited: Vec<String>,
}

/// One remembered result in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "read::Remembered")]
pub struct SnapshotResult {
    /// Which result.
    #[serde(flatten)]
    pub key: ResultKey,
    /// The batch that it was stored in; 0 if it was settled unstored.
    pub batch: u64,
    /// What an announcement still has to show; absent once it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<Untold>,
    /// Whether the user was notified of it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub notified: bool,
}

/// The words of a result that waits to be announced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// The summary, cut.
    pub summary: String,
    /// The error, cut; empty if none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// One unanswered self-message in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMessage {
    /// The message's id.
    pub message_id: String,
    /// The results that it named.
    pub keys: Vec<ResultKey>,
}
