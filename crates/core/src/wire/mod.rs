//! Shapes on the wire, one file for each endpoint.

pub(crate) mod answers;
pub(crate) mod delegations;
pub mod heartbeat;
pub mod register;
