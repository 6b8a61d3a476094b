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
//! # The run loop
//!
//! A shell carries out what the machine asks for and tells it how it went.
//! This one has a clock of its own making and a platform that answers every
//! request with `200` and an empty list:
//!
//! ```
//! use everbeat_core::{
//!     Action, Body, Config, Event, Heartbeat, Instant, Now, OpenedStore, Outcome, Response,
//!     WallTime, lower,
//! };
//!
//! # fn main() -> Result<(), everbeat_core::ConfigError> {
//! let config = Config::new("my-workspace", "http://platform:8080").validate()?;
//! let mut now = Now { monotonic: Instant::START, wall: WallTime::from_unix_millis(0) };
//! let mut heartbeat = Heartbeat::new(config.clone(), 7, now);
//! let mut requests = Vec::new();
//!
//! while now.monotonic < Instant::from_millis(90_000) {
//!     // 1. Carry out every command. A real shell starts them and goes on.
//!     while let Some(command) = heartbeat.poll_command() {
//!         let outcome = if let Some(request) = lower(&config, &command.action) {
//!             requests.push(request.path.clone());
//!             Outcome::Response(Response {
//!                 status: 200,
//!                 retry_after_s: None,
//!                 body: Body::from("[]"),
//!                 complete: true,
//!             })
//!         } else {
//!             match command.action {
//!                 Action::OpenStore => Outcome::StoreOpened(OpenedStore::default()),
//!                 Action::AppendJournal { .. } => Outcome::JournalWritten { journal_bytes: 0 },
//!                 other => panic!("this little shell cannot {other:?}"),
//!             }
//!         };
//!         heartbeat.handle(now, Event::Completed { id: command.id, outcome });
//!     }
//!     // 2. Say what is worth saying.
//!     while let Some(notice) = heartbeat.poll_notice() {
//!         println!("{notice:?}");
//!     }
//!     // 3. Wait for a completion, a report, or the time that is due.
//!     let wakeup = heartbeat.next_wakeup().expect("it was not told to stop");
//!     now.monotonic = wakeup.at;
//!     heartbeat.handle(now, Event::Tick);
//! }
//! let beats = requests.iter().filter(|path| *path == "/registry/heartbeat").count();
//! assert!((3..=5).contains(&beats), "{beats} beats in 90 s");
//! # Ok(())
//! # }
//! ```
//!
//! # What a shell owes the machine
//!
//! - Every command but [`Action::Cancel`] and [`Action::RebuildClient`] is
//!   answered once, by an [`Event::Completed`] that names its id. The machine
//!   has time-outs of its own; the shell needs none.
//! - Commands run side by side, except that store commands
//!   ([`Action::is_store`]) go one after the other and never hold up the rest.
//! - [`Heartbeat::handle`] is called with [`Event::Tick`] no later than
//!   [`Heartbeat::next_wakeup`] says. Calls that are not needed change nothing.
//! - The bearer token is the shell's: it is added to each request that
//!   [`lower`] makes and never enters the machine.
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
