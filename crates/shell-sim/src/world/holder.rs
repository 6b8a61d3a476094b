//! The agent as the holder of a lease: it takes its results from the process
//! that runs, and says when it is done with them, or is gone before.

use std::time::Duration;

use super::{Happening, Party, World};

/// How long a lease lasts.
const LEASE: Duration = Duration::from_secs(60);
/// The agent's turn with what it was handed, where the plan leaves it to that.
const TURN: Duration = Duration::from_secs(2);

/// What the agent has, and what it was done with.
#[derive(Debug, Default)]
pub(super) struct Holder {
    held: Option<Held>,
    /// All that was acknowledged.
    done: Vec<u8>,
}

#[derive(Debug)]
struct Held {
    lease: String,
    bytes: Vec<u8>,
    /// How long the agent takes with it.
    holds: Duration,
}

impl Holder {
    pub(super) fn done(&self) -> &[u8] {
        &self.done
    }
}

impl World {
    /// The agent takes its results in its turn, and what it was handed and
    /// left without a word.
    pub(super) fn turn_comes(&mut self) {
        let leases = self.plan.setup.leases;
        if !leases {
            self.read_results();
        }
        if leases || self.files.leased().is_some() {
            self.take_leased(Some(TURN));
        }
    }

    /// The agent takes what waits, if the process answers and nobody else
    /// has a lease. It acknowledges after `holds`, and never if `None`.
    pub(super) fn take_leased(&mut self, holds: Option<Duration>) {
        let now = self.clocks.agent(self.now).monotonic;
        if self.is_asleep() {
            return;
        }
        let Some(process) = &mut self.process else {
            return;
        };
        let handed_out = process.hand_out(now, LEASE);
        self.tell_trace(Party::Reader, "takes a lease", || match &handed_out {
            Some((lease, bytes)) => format!("{} bytes under {lease}", bytes.len()),
            None => "nothing is handed out".into(),
        });
        if let Some((lease, bytes)) = handed_out
            && let Some(holds) = holds
        {
            let acknowledges = Happening::Acknowledges { lease: lease.clone() };
            self.agenda.put(self.now + holds, acknowledges);
            self.holder.held = Some(Held { lease, bytes, holds });
        }
        self.kill_if_dead();
    }

    /// The agent is done with what it was handed, and takes what came
    /// meanwhile.
    pub(super) fn acknowledges(&mut self, lease: &str) {
        let Some(held) = self.holder.held.take_if(|held| held.lease == lease) else {
            return;
        };
        let Some(process) = self.process.as_mut() else {
            return;
        };
        let Some(acknowledged) = process.acknowledge(lease) else {
            return;
        };
        // Where the answer is a failure, the file tells: what does not stand
        // there is never handed out again. What an emptied folder took is
        // stored once more.
        let is_done = acknowledged.unwrap_or_else(|_| self.files.leased().is_none());
        if is_done {
            self.holder.done.extend(&held.bytes);
        }
        self.tell_trace(Party::Reader, "acknowledges", || format!("{lease}: {is_done}"));
        self.kill_if_dead();
        if is_done {
            self.take_leased(Some(held.holds));
        }
    }
}
