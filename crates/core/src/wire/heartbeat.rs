//! `POST /registry/heartbeat`.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the agent's adapter can do by itself, and its overrides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeMetadata {
    /// For instance `heartbeat`, `scheduler`, `session`, `status_mgmt`,
    /// `retry`, `activity_decoration`, `channel_dispatch`.
    #[serde(default)]
    pub capabilities: BTreeMap<String, bool>,
    /// Seconds; absent means the platform's default. Never zero on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<u32>,
}

/// The body of a beat: always all of it, whatever the beat is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatBody {
    /// The workspace that is alive.
    pub workspace_id: String,
    /// Errors / requests since the last accepted beat, 0 to 1.
    pub error_rate: f64,
    /// The last error, or the wedge's reason; empty if none.
    pub sample_error: String,
    /// Tasks under way, at most 2^31 - 1.
    pub active_tasks: u32,
    /// What the agent says that it is doing; empty if nothing.
    pub current_task: String,
    /// Monotonic time since the process started, at most 2^31 - 1.
    pub uptime_seconds: u32,
    /// `wedged`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_state: Option<String>,
    /// Absent only while the agent has said nothing of it: the platform
    /// takes its absence as a wish to clear what it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_metadata: Option<Arc<RuntimeMetadata>>,
    /// The agent's card, where one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_card: Option<Arc<Value>>,
    /// Whether any task is under way.
    pub is_busy: bool,
    /// `"1"`.
    pub schema_version: Cow<'static, str>,
    /// The last `generation` that the platform sent; 0 for none.
    pub observed_generation: u64,
}
