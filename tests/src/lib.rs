//! The harness of the end-to-end tests: the real program, the served
//! platform, real files, real signals.
//!
//! Nothing here sleeps for a fixed time: [`wait`] polls for a condition with a
//! deadline that is far beyond what a healthy run needs.

mod agent;
mod asking;
pub mod conformance;
mod control;
mod events;
mod fake;
mod files;
mod home;
mod http;
mod numbers;
mod platform;
mod process;
mod promtool;
mod reader;
mod scene;
pub mod schema;
mod shape;
mod shell;
pub mod wait;

pub use agent::Agent;
pub use asking::{Live, ask, asks, output, told};
pub use control::Control;
pub use events::{Events, SentEvent};
pub use fake::{Fake, Seen};
pub use files::{TempDir, Tmpfs, is_root, mode_of};
pub use home::Home;
pub use http::{Answer, request};
pub use numbers::{Numbers, cpu_time, memory_peak_kib, thread_count};
pub use platform::Platform;
pub use process::{Process, everbeat};
pub use promtool::promtool;
pub use reader::{Reader, Stream, take};
pub use scene::{Beats, Scene};
pub use shape::Shape;
pub use shell::Shell;
