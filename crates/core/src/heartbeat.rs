//! The machine.

use crate::command::Command;
use crate::config::ValidConfig;
use crate::event::Event;
use crate::notice::Notice;
use crate::time::{Instant, Now};

/// When the machine wants to be called again, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// Not before this is anything due.
    pub at: Instant,
    /// What is due then.
    pub reason: &'static str,
}

/// What is going on, for status pages and tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Overview {
    /// When the platform last accepted a beat.
    pub last_accepted_beat: Option<Instant>,
    /// Beats accepted since the start.
    pub beats_accepted: u64,
    /// Failed beats in a row.
    pub beat_failures: u32,
    /// Polls answered well since the start.
    pub polls_accepted: u64,
    /// Results discovered but not stored yet.
    pub discovered: usize,
    /// Results stored but not announced yet.
    pub unannounced: usize,
    /// Results remembered.
    pub remembered: usize,
    /// Self-messages accepted since the start.
    pub self_messages_accepted: u64,
    /// Whether the journal is open.
    pub store_open: bool,
    /// Whether the last batch could not be placed yet.
    pub held: bool,
    /// Whether the machine has stopped.
    pub stopped: bool,
}

/// One workspace's heartbeat agent.
#[derive(Debug)]
pub struct Heartbeat {
    config: ValidConfig,
}

impl Heartbeat {
    /// A machine that starts at `now`; `seed` decides all its jitter.
    #[must_use]
    pub fn new(config: ValidConfig, seed: u64, now: Now) -> Self {
        let _ = (seed, now);
        Self { config }
    }

    /// Takes one event. Never fails, never panics, whatever comes.
    pub fn handle(&mut self, now: Now, event: Event) {
        let _ = (now, event, &self.config);
    }

    /// The next command to carry out. Call until `None` after each
    /// [`Heartbeat::handle`]; only `handle` makes new ones.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<Command> {
        None
    }

    /// The next notice. Only [`Heartbeat::handle`] makes new ones.
    #[must_use]
    pub fn poll_notice(&mut self) -> Option<Notice> {
        None
    }

    /// When to call [`Heartbeat::handle`] with a tick at the latest; `None`
    /// once stopped. Changes only in `handle`.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Wakeup> {
        None
    }

    /// Whether everything is over after [`Event::Stop`].
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        false
    }

    /// What is going on.
    #[must_use]
    pub fn overview(&self) -> Overview {
        Overview::default()
    }
}
