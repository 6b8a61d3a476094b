//! What the system promises, checked on what is seen of a run.
//!
//! Each promise looks at the world from outside: what the platform got, what
//! lies in files, what the reader took. It says in one line what was broken.

pub mod arrivals;
mod messages;
pub mod stream;
pub mod untold;
pub mod watch;

pub use messages::{Announcement, named_in};
