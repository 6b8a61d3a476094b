//! Everbeat on tokio: the core's machines with real sockets, files and
//! clocks.
//!
//! ```no_run
//! use everbeat_core::{Config, Report};
//! use everbeat_tokio::{Agent, AgentConfig};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let core = Config::new("my-workspace", "http://platform:8080").validate()?;
//! let agent = Agent::spawn(AgentConfig::new(core, "/configs")).await?;
//! let task = Report::TaskStarted { id: "1".into(), title: "reading".into(), ttl: None };
//! agent.report(task).await?;
//! println!("{:?}", *agent.overview().borrow());
//! agent.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Agent::spawn_fleet`] starts any number of agents in one task, with one
//! HTTP client. What happens is told through [`tracing`], under the target
//! `everbeat_tokio`.
//!
//! The feature `cli` (on by default) adds the command line of the binary
//! `everbeat` and the platform model over HTTP.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "the control socket asks the driver more than a handle does")
)]

mod agent;
mod body;
#[cfg(feature = "cli")]
pub mod cli;
mod client;
mod clock;
#[cfg(feature = "cli")]
mod control;
mod driver;
mod effects;
mod files;
#[cfg(feature = "cli")]
mod live;
mod log;
mod observe;
mod record;
mod results;
#[cfg(feature = "cli")]
pub mod serve;
#[cfg(feature = "cli")]
mod settings;
#[cfg(feature = "cli")]
mod supervise;
#[cfg(feature = "cli")]
mod telemetry;
#[cfg(test)]
mod testing;
mod tls;
mod token;

pub use agent::{Agent, AgentConfig, AgentHandle, EndedEarly, Reporter, SpawnError, Stopped};
pub use client::ClientError;
pub use everbeat_store::RealDisk;
pub use observe::Observer;
pub use results::{HandedOut, LeaseError, Results};
