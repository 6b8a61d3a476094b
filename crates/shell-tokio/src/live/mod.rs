//! What can be changed while the process runs: its log level, and what of its
//! configuration needs no restart.

pub(crate) mod log_level;
pub(crate) mod reload;

pub(crate) use log_level::LogLevel;
pub(crate) use reload::Reloader;
