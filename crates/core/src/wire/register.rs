//! `POST /registry/register`.

use alloc::string::String;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of a registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegisterBody {
    /// The workspace.
    pub id: String,
    /// Where the platform reaches the agent.
    pub url: String,
    /// The agent's card.
    pub agent_card: Value,
    /// How the platform reaches the agent: always `push`.
    pub delivery_mode: String,
}
