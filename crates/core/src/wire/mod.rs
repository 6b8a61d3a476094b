//! Shapes on the wire, one file for each endpoint.

pub mod heartbeat;
pub mod register;
