//! The agent behind a workspace, as far as its callers can tell.

use serde::{Deserialize, Serialize};

/// What comes back when a workspace's agent is called (PROTOCOL 1.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum AgentMode {
    /// 200 with a result, after its turn; delivered at arrival.
    Answers,
    /// 200 with a JSON-RPC error, after its turn; delivered at arrival.
    RpcError,
    /// 202: the message waits until a beat drains it.
    Queues,
    /// 503, `Retry-After: 30`, `busy`.
    Busy {
        /// Adds `native_session: true`.
        #[serde(default)]
        native_session: bool,
    },
    /// 503, `Retry-After: 15`, `waking`.
    Waking,
    /// 503, `restarting`.
    Restarting,
    /// 402: the budget is spent.
    NoBudget,
    /// 502: nothing listens there.
    Unreachable,
    /// 502: its address is not public.
    NotRoutable,
    /// 502 after its turn: its answer could not be read.
    AnswerLost {
        /// What the platform says, and whether it was delivered.
        delivery_confirmed: bool,
    },
    /// The agent's own status (300 and above) with an error text.
    Status {
        /// Passed through.
        status: u16,
    },
}

/// A message that waits for a workspace's agent.
#[derive(Clone, Debug)]
pub(crate) struct QueueItem {
    pub(crate) queue_id: String,
    pub(crate) message_id: String,
    pub(crate) caller: Option<String>,
    pub(crate) text: String,
    pub(crate) attempts: u32,
}
