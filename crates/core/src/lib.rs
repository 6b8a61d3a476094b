//! Everbeat's core: a heartbeat agent as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod body;
mod chance;
mod command;
mod config;
mod event;
mod heartbeat;
mod http;
mod journal;
pub mod limits;
mod notice;
#[doc(hidden)]
pub mod planted;
mod secret;
mod time;
mod vitals;
pub mod wire;

pub use body::Body;
pub use command::{Action, Batch, Command, CommandId};
pub use config::{
    Announce, Backlog, Config, ConfigError, Deliver, Notify, ValidConfig, is_safe_id,
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
pub use secret::Secret;
pub use time::{Instant, Now, WallTime};
pub use vitals::{Report, RuntimeMetadata};
