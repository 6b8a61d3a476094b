//! The workspace platform as a pure state machine: requests in, answers out,
//! time as input.
//!
//! No clock, thread, socket, hash order or randomness beyond a seed: the same
//! options and the same calls give the same answers, byte for byte. The
//! simulator drives it in memory, the tokio shell serves it over HTTP. Which
//! behaviour is modelled stands in PROTOCOL; its sections are cited where
//! each rule is tested.
//!
//! ```
//! use std::time::Duration;
//! use everbeat_platform::{NewWorkspace, Options, Platform, Request};
//!
//! let mut platform = Platform::new(Options::development(1));
//! platform.tick(Duration::ZERO, 1_775_000_000_000);
//! let token = platform.create_workspace(NewWorkspace::named("ws-1")).unwrap().token;
//! let beat = serde_json::json!({"workspace_id": "ws-1"});
//! let request = Request::post("/registry/heartbeat", &beat).with_bearer(&token.unwrap());
//! let reply = platform.handle(Duration::from_secs(1), 1_775_000_001_000, &request);
//! assert_eq!(reply.answer.status, 200);
//! assert_eq!(platform.workspace("ws-1").unwrap().beats.total(), 1);
//! ```
#![doc = include_str!("../ADMIN.md")]
#![forbid(unsafe_code)]

mod a2a;
mod activity;
mod admin;
mod admin_routes;
mod admin_state;
mod agenda;
mod agent;
mod bind;
mod chance;
mod clock;
mod delegate;
mod delegations;
mod faults;
mod finish;
mod heartbeat;
mod listing;
mod notify;
mod observe;
mod options;
mod overview;
mod platform;
mod rate_limit;
mod register;
mod request;
mod restart;
mod route;
mod rows;
mod status;
mod tenant;
mod tokens;
mod workspace;
mod workspaces;

pub use admin::{AdminError, Created, NewWorkspace};
pub use agent::AgentMode;
pub use delegations::{Delegation, NewDelegation};
pub use faults::{Fault, FaultEffect, OutageKind};
pub use finish::{Finish, FinishOutcome, FinishStyle};
pub use observe::{
    Beat, Delivered, EventKind, Fate, Message, Notification, Poll, Registration, Ring, SeenRequest,
    WorkspaceEvent,
};
pub use options::{Options, Version};
pub use overview::{DelegationLine, RowLine, WorkspaceLine};
pub use platform::Platform;
pub use request::{Answer, Delivery, Reply, Request};
pub use route::Route;
pub use status::Status;
pub use tokens::Tokens;
pub use workspace::Workspace;
