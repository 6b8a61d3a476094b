//! Everbeat's core: a heartbeat agent as a pure state machine.
//!
//! One [`Heartbeat`] is one workspace's agent. It takes [`Event`]s (answers,
//! failures, reports of the agent, the passing of time) and hands out
//! [`Command`]s (requests to send, files to write) and [`Notice`]s (things
//! worth saying). It reads no clock, opens no file, draws no random number:
//! time, seed and bytes come in as arguments, so the same history gives the
//! same commands, byte for byte, in production, in a simulator and in a
//! replay.
//!
#![doc = include_str!("../shell.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod alive;
mod announcer;
mod backoff;
mod body;
mod chance;
mod command;
mod config;
mod delegation_lane;
mod effects;
mod event;
mod heartbeat;
mod http;
mod journal;
pub mod limits;
mod line;
mod listed;
mod memory;
mod message;
mod notice;
mod notices;
mod notifier;
mod outage;
mod parent;
#[doc(hidden)]
pub mod planted;
mod record;
mod registration;
mod secret;
mod status;
mod store_lane;
mod text;
mod time;
mod timers;
mod vitals;
pub mod wire;

pub use body::Body;
pub use command::{Action, Batch, Command, CommandId};
pub use config::{
    Announce, Backlog, Config, ConfigError, Deliver, Notify, Tuning, ValidConfig, is_safe_id,
};
pub use event::{
    Event, FileFailure, FileFailureKind, OpenedStore, Outcome, Placement, Repair, Response,
    TransportFailure, TransportFailureKind,
};
pub use heartbeat::{Heartbeat, Overview, Wakeup};
pub use http::{HttpRequest, Method, lower};
pub use journal::{
    JournalRecord, ResultKey, Snapshot, SnapshotMessage, SnapshotResult, Status, StoredResult,
    Untold,
};
pub use notice::{Lane, Notice, Severity};
pub use record::{RECORD_VERSION, RecordHeader, RecordLine};
pub use secret::Secret;
pub use status::{
    AgentStatus, BeatStatus, DueWhy, LaneStatus, OutageStatus, Phase, PipelineStatus, StageStatus,
    TaskStatus, VitalsStatus, WakeStatus,
};
pub use time::{Instant, Now, WallTime};
pub use vitals::{Report, RuntimeMetadata, TaskReport};
