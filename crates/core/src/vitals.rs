//! What the agent reports of itself.

use alloc::string::String;

use serde::{Deserialize, Serialize};

pub use crate::wire::heartbeat::RuntimeMetadata;

/// One thing that the agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Report {
    /// A task began, or its title changed. Beats soon.
    TaskStarted {
        /// The agent's own name for the task.
        id: String,
        /// What a person reads.
        title: String,
    },
    /// A task ended, however. Beats soon. Unknown ids change nothing.
    TaskEnded {
        /// The name given at its start.
        id: String,
    },
    /// Replaces the title shown as `current_task`, with or without a task
    /// (empty: back to the newest task's title). Beats soon.
    CurrentTask {
        /// What a person reads.
        title: String,
    },
    /// A request or a task went well: counts one request, clears the wedge.
    Success,
    /// Something failed: counts one request and one error.
    Error {
        /// Shown as `sample_error`, cut to 1024 bytes.
        message: String,
    },
    /// The agent cannot go on. The first reason stays until cleared. Beats
    /// soon.
    Wedged {
        /// Shown as `sample_error`, cut to 1024 bytes.
        reason: String,
    },
    /// The agent can go on. Beats soon.
    WedgeCleared,
    /// What the adapter can do. Goes with every beat from now on.
    Metadata(RuntimeMetadata),
    /// The agent waits for this delegation (`deliver: awaited`).
    Awaiting {
        /// The platform's id of the delegation.
        delegation_id: String,
    },
}
