//! The server's process ends and comes back, perhaps as a later version.

use std::time::Duration;

use crate::faults::OutageKind;
use crate::options::{Options, Version};
use crate::platform::Platform;
use crate::rate_limit::RateLimiter;

impl Platform {
    /// From now on each peer has so many requests a minute, or as many as it
    /// likes; what it had before is not counted.
    pub fn limit_rate(&mut self, per_minute: Option<u32>) {
        self.limiter = RateLimiter::default();
        self.options.rate_limit = per_minute;
    }

    /// The server's process ends and is back after `away`; until then it shows
    /// as `kind` says. What only the process knew is forgotten (the windows of
    /// the rate limit); workspaces, tokens, rows, queues and liveness keys
    /// outlive it. Answers that were under way are the caller's to cut.
    pub fn restart(&mut self, away: Duration, kind: OutageKind) {
        self.limiter = RateLimiter::default();
        self.outage(away, kind);
    }

    /// What comes back is the summer's version over the same database:
    /// delegations are listed from the ledger, answers carry a generation and
    /// the inbound secret. One that is that version already stays as it is.
    pub fn upgrade(&mut self, away: Duration, kind: OutageKind) {
        if self.options.version != Version::Summer {
            let later = Options::summer(self.options.seed);
            self.options.version = later.version;
            self.options.inbound_secret = later.inbound_secret;
            self.options.generation = later.generation;
            self.options.ledger = later.ledger;
        }
        self.restart(away, kind);
    }
}
