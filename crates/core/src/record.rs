//! A history as data: what went into a machine and what came out.
//!
//! A record is JSON lines: a [`RecordHeader`], then [`RecordLine`]s in the
//! order in which they happened. The events are enough to run the history
//! again; the commands and notices are there to be compared. Credentials in
//! it are fingerprints or `[redacted]` (see [`Secret`](crate::Secret) and
//! [`Body`](crate::Body)), which lead the machine the same way.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::config::Config;
use crate::event::Event;
use crate::notice::Notice;
use crate::time::Now;

/// The version of a record's shape; readers refuse others.
pub const RECORD_VERSION: u32 = 1;

/// The first line of a record: how the machine began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordHeader {
    /// Always `record`.
    pub everbeat: String,
    /// See [`RECORD_VERSION`].
    pub version: u32,
    /// The configuration, before it was validated.
    pub config: Config,
    /// What the machine's jitter came from.
    pub seed: u64,
    /// When it was made.
    pub at: Now,
}

impl RecordHeader {
    /// The header for a machine that is made of these.
    #[must_use]
    pub fn new(config: Config, seed: u64, at: Now) -> Self {
        Self { everbeat: "record".into(), version: RECORD_VERSION, config, seed, at }
    }
}

/// One line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RecordLine {
    /// The machine was told this.
    Event {
        /// When.
        now: Now,
        /// What.
        event: Event,
    },
    /// It asked for this.
    Command(Command),
    /// It said this.
    Notice(Notice),
    /// The record ends here, though the machine went on.
    Ended {
        /// Why.
        why: String,
    },
}
