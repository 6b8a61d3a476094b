//! Watching a machine at work.

use std::time::Duration;

use everbeat_core::{Command, Event, Notice, Now, Overview};

/// Sees all that one machine is told and all that it says, in order.
///
/// The driver calls it between two things that happen, so no method may
/// block: what takes time belongs behind a channel. Events, commands and
/// notices hold what the machine works with, secrets included (see
/// [`Secret`](everbeat_core::Secret)): what an observer hands on is its own
/// choice, and must not be those.
pub trait Observer: Send {
    /// The machine is about to be told this. `late` is how long after the
    /// moment that the machine had asked for; zero for all but ticks.
    fn event(&mut self, now: Now, late: Duration, event: &Event);

    /// It asked for this, and it is about to be carried out.
    fn command(&mut self, now: Now, command: &Command);

    /// It said this; `line` is the same for a person.
    fn notice(&mut self, now: Now, notice: &Notice, line: &str);

    /// All commands and notices that followed an event were handed out, and
    /// this is how things stand.
    fn turned(&mut self, now: Now, overview: &Overview);
}
