//! What the system promises, checked on what was seen of a run.
//!
//! Each check looks at the world from outside: what the platform got, what
//! lies in files, what the reader took. It says in one line what was broken.

pub mod contents;
pub mod liveness;
mod messages;
pub mod safety;

pub use messages::{Announcement, announcements, named_in};
