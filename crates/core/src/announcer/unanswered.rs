//! A message whose fate is unknown: when it is tried again.

use core::time::Duration;

use super::Message;
use crate::time::Instant;

/// The wait doubles with each try, so often at the most: what an outage left
/// behind is told within four times the first wait after it.
const DOUBLINGS_MAX: u32 = 2;

#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) message: Message,
    /// When it is announced again if the results still lie untaken.
    pub(super) again_at: Instant,
    /// From one try to the next at first.
    wait: Duration,
    tries: u32,
}

impl Unanswered {
    pub(super) fn new(message: Message, now: Instant, wait: Duration) -> Self {
        Self { message, again_at: now.plus(wait), wait, tries: 0 }
    }

    /// The message for another try, which waits longer than this one did.
    pub(super) fn try_again(&mut self, now: Instant) -> Message {
        self.tries = self.tries.saturating_add(1);
        let wait = self.wait.saturating_mul(1 << self.tries.min(DOUBLINGS_MAX));
        self.again_at = now.plus(wait);
        self.message.clone()
    }
}
