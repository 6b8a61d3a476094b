//! What happens by itself, later.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finish::FinishStep;

/// Something due at a certain time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Look whether a workspace's liveness key has expired.
    Liveness { workspace: String },
    /// Look for external workspaces whose beats are too old.
    ExternalSweep,
    /// A pending delegation is dispatched.
    Dispatch { delegation: String },
    /// A delegation completes by itself.
    Complete { delegation: String },
    /// A delegation's rows change.
    Finish(FinishStep),
}

/// What is due, by time and then by order of entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Duration, u64), Due>,
    entered: u64,
}

impl Agenda {
    pub(crate) fn enter(&mut self, at: Duration, due: Due) {
        self.entries.insert((at, self.entered), due);
        self.entered += 1;
    }

    /// The next entry due at `now` or before, with its time.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<(Duration, Due)> {
        let entry = self.entries.first_entry()?;
        let (at, _) = *entry.key();
        (at <= now).then(|| (at, entry.remove()))
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }
}
