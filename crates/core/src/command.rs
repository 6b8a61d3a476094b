//! Commands: the effects that a shell carries out.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::journal::{JournalRecord, StoredResult};
use crate::secret::Secret;
use crate::time::Instant;
use crate::wire::heartbeat::HeartbeatBody;
use crate::wire::register::RegisterBody;

/// Names one command of one machine; never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub u64);

/// One effect to carry out.
///
/// Every command but [`Action::Cancel`] and [`Action::RebuildClient`] is
/// answered by one [`Event::Completed`](crate::Event) with its id. A command
/// of which nothing comes back is given up by the core at its deadline: it
/// then emits [`Action::Cancel`] and ignores what comes later.
#[must_use = "a command does nothing until a shell carries it out"]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// What the completion must name.
    pub id: CommandId,
    /// When the core stops waiting. File commands have none: they cannot be
    /// taken back, so the core waits for their answer however late.
    pub deadline: Option<Instant>,
    /// What to do.
    pub action: Action,
}

/// What a [`Command`] asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// `POST /registry/heartbeat`. Answered by `Response` or
    /// `TransportFailed`.
    PostHeartbeat(HeartbeatBody),
    /// `POST /registry/register`.
    Register(RegisterBody),
    /// `GET /workspaces/{own id}/delegations`.
    FetchDelegations,
    /// `GET /workspaces/{workspace_id}`: the own row, then the parent's.
    FetchWorkspace {
        /// Whose row; validated, safe in a path.
        workspace_id: String,
    },
    /// `POST /workspaces/{own id}/a2a`: the message that wakes the agent.
    SendSelfMessage {
        /// Derived from the results it names; the same on every retry.
        message_id: String,
        /// What the agent reads.
        text: String,
    },
    /// `POST /workspaces/{own id}/notify`: a line in the user's chat.
    Notify {
        /// What the user reads.
        message: String,
    },

    /// Take the lock, read the journal, repair journal and results file.
    /// Answered by `StoreOpened` or `FileFailed`. Repeated after every file
    /// failure; must be safe to repeat at any time.
    OpenStore,
    /// Store one batch and place it. Answered by `BatchStored` (durable, and
    /// placed or held) or `FileFailed` (nothing is certain: reopen).
    StoreBatch(Batch),
    /// Try again to place the stored batch. Answered by `BatchPlaced` or
    /// `FileFailed`.
    PlaceBatch {
        /// The last stored batch.
        batch: u64,
    },
    /// Append records to the journal and sync. Answered by `JournalWritten`
    /// or `FileFailed`.
    AppendJournal {
        /// In order.
        records: Vec<JournalRecord>,
    },
    /// Replace the journal by these records, atomically. Answered like
    /// `AppendJournal`.
    CompactJournal {
        /// Usually one snapshot.
        records: Vec<JournalRecord>,
    },
    /// Is there a results file? Answered by `ResultsProbed` or `FileFailed`.
    ProbeResults,

    /// Read the bearer token again. Answered by `TokenLoaded` or
    /// `FileFailed`. Not queued behind the store.
    ReloadToken,
    /// Write the bearer token (atomically, 0600) and use it. If its file holds
    /// another one by now than was last read or written, leave and use that:
    /// somebody provisioned it meanwhile. Answered by `SecretSaved` or
    /// `FileFailed`.
    SaveToken(#[serde(with = "lone_secret")] Secret),
    /// Write the platform's inbound secret (atomically, 0600). Answered by
    /// `SecretSaved` or `FileFailed`.
    SaveInboundSecret(#[serde(with = "lone_secret")] Secret),

    /// Stop working on `command`, if that is still possible. No answer.
    Cancel {
        /// The command that is no longer awaited.
        command: CommandId,
    },
    /// Drop all connections and resolve names anew. No answer.
    RebuildClient,
}

impl Action {
    /// Whether a completion is expected.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        !matches!(self, Self::Cancel { .. } | Self::RebuildClient)
    }

    /// Whether the store carries it out (one at a time, in order).
    #[must_use]
    pub const fn is_store(&self) -> bool {
        matches!(
            self,
            Self::OpenStore
                | Self::StoreBatch(_)
                | Self::PlaceBatch { .. }
                | Self::AppendJournal { .. }
                | Self::CompactJournal { .. }
                | Self::ProbeResults
        )
    }
}

/// A batch of results for the results file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// One more than the last stored batch.
    pub batch: u64,
    /// The lines for the results file, each without its newline: one JSON
    /// object of ASCII text, no longer than
    /// [`LINE_BYTES_MAX`](crate::limits::LINE_BYTES_MAX).
    pub lines: Vec<String>,
    /// What the journal remembers of them, in the same order.
    pub results: Vec<StoredResult>,
}

/// A secret that is all of a command's payload: beside the command's tag there
/// is only room for members.
mod lone_secret {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::secret::Secret;

    #[derive(Serialize, Deserialize)]
    struct Lone<S> {
        secret: S,
    }

    pub(super) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        Lone { secret }.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        Lone::deserialize(from).map(|lone: Lone<Secret>| lone.secret)
    }
}
