//! Planted faults: the store's stand in the core's list, so that one switch
//! plants them all.

pub use everbeat_core::planted::{Fault, active};
