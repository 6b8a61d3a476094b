//! What waits to be told: found when something has changed it, kept until
//! then.

use alloc::vec::Vec;

use super::Announcer;
use crate::journal::ResultKey;
use crate::limits::ANNOUNCED_RESULTS_MAX;
use crate::store_lane::StoreLane;
use crate::time::Instant;

/// Results that are placed and in no message, oldest first: those for the next
/// message.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) keys: Vec<ResultKey>,
    /// The memory's version that they were found in, and whether its last
    /// batch was held then; `None` if they are to be found again.
    found_in: Option<(u64, bool)>,
}

impl Waiting {
    /// Which results are in messages has changed.
    pub(super) const fn forget(&mut self) {
        self.found_in = None;
    }

    /// Takes them out, to be found again.
    pub(super) fn take(&mut self) -> Vec<ResultKey> {
        core::mem::take(self).keys
    }
}

impl Announcer {
    pub(super) fn find_waiting(&mut self, store: &StoreLane) {
        let memory = &store.memory;
        let state = (memory.version(), store.is_held());
        if self.waiting.found_in == Some(state) {
            debug_assert_eq!(self.waiting.keys, self.waiting_in(store));
            return;
        }
        self.waiting = Waiting { keys: self.waiting_in(store), found_in: Some(state) };
    }

    fn waiting_in(&self, store: &StoreLane) -> Vec<ResultKey> {
        let memory = &store.memory;
        if memory.untold_len() == 0 {
            return Vec::new();
        }
        let placed_through = memory.last_batch.saturating_sub(u64::from(store.is_held()));
        let mut in_message: Vec<&ResultKey> = self.unanswered().collect();
        in_message.sort_unstable();
        memory
            .untold()
            .filter(|(_, result)| result.batch <= placed_through)
            .map(|(key, _)| key)
            .filter(|key| in_message.binary_search(key).is_err())
            .take(ANNOUNCED_RESULTS_MAX)
            .cloned()
            .collect()
    }

    /// When there is something to do: at once for what waits, else when a
    /// message is to be sent again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        if self.waiting.keys.is_empty() {
            return self.unanswered.iter().map(|unanswered| unanswered.again_at).min();
        }
        Some(Instant::START)
    }
}
