//! The simulator: the production agent on a virtual clock, network, disk and
//! platform, deterministic to the byte.
//!
//! A [`Plan`](plan::Plan) says everything that is done to a
//! [`World`](world::World); what was [`Seen`](world::Seen) of it from outside
//! is what the promises are checked on.
#![forbid(unsafe_code)]

pub mod agenda;
pub mod dice;
pub mod disk;
pub mod explore;
pub mod fleet;
mod lists;
pub mod mutants;
pub mod plan;
pub mod promises;
pub mod replay;
pub mod report;
pub mod saved;
pub mod scenario;
pub mod script;
pub mod shrink;
pub mod swarm;
pub mod sweep;
pub mod verdict;
mod wire;
pub mod world;
