//! Taking under a lease in an exploration: a holder who acknowledges what he
//! was handed, or is gone without a word.

use everbeat_core::FileFailure;
use everbeat_store::{Store, Taken};

use super::driver::Told;
use super::world::lines;
use crate::disk::VirtualDisk;

/// Where the store keeps what is handed out.
pub(super) const FILE: &str = "/shared/.everbeat-ws-1.leased";

/// What the holder does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Take,
    Acknowledge,
}

/// What the store answered.
pub(super) enum Answer {
    Taken(Result<Option<Taken>, FileFailure>),
    Acknowledged(Result<bool, FileFailure>),
}

pub(super) fn carry_out(store: &Store<VirtualDisk>, step: Step) -> Answer {
    match step {
        Step::Take => Answer::Taken(store.take()),
        Step::Acknowledge => Answer::Acknowledged(store.acknowledge()),
    }
}

/// The holders, and what they have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Leases {
    left: u8,
    /// What the holder was handed and has not acknowledged.
    held: Option<Vec<u8>>,
    /// An acknowledgement is under way: until it returns, what is held was
    /// acknowledged if it does not stand on the disk any more.
    is_acknowledging: bool,
    /// All that was acknowledged.
    done: Vec<u8>,
}

impl Leases {
    pub(super) fn new(count: u8) -> Self {
        Self { left: count, ..Self::default() }
    }

    /// What may come next instead of a command of the core. Taking what is
    /// held already: the holder is gone without a word, and the lease ran out.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        let takes = (self.left > 0).then_some(Step::Take);
        let acknowledges = self.held.is_some().then_some(Step::Acknowledge);
        takes.into_iter().chain(acknowledges)
    }

    /// The same holders, once this step has begun.
    pub(super) fn begin(&mut self, step: Step) {
        match step {
            Step::Take => self.left -= 1,
            Step::Acknowledge => self.is_acknowledging = true,
        }
    }

    /// The answer, and what a power loss may bring back although it was
    /// acknowledged: nobody was told that it is gone for good.
    pub(super) fn landed(&mut self, answer: Answer, disk: &VirtualDisk) -> (Told, Vec<u8>) {
        match answer {
            Answer::Taken(Ok(taken)) => {
                self.held = taken.map(|taken| taken.bytes);
                (Told::Fine, Vec::new())
            }
            Answer::Acknowledged(Ok(was_there)) => {
                self.is_acknowledging = false;
                let held = self.held.take().unwrap_or_default();
                // Not there: the folder was emptied, and its results come
                // again; or it is done already.
                if was_there {
                    self.done.extend(held);
                }
                (Told::Fine, Vec::new())
            }
            Answer::Taken(Err(failure)) => (failed(&failure), Vec::new()),
            Answer::Acknowledged(Err(failure)) => (failed(&failure), self.interrupted(disk)),
        }
    }

    /// The process died, or a call failed: an acknowledgement that was under
    /// way went through or did not. Gives what it was for.
    pub(super) fn interrupted(&mut self, disk: &VirtualDisk) -> Vec<u8> {
        let held = self.held.take().unwrap_or_default();
        if !std::mem::take(&mut self.is_acknowledging) {
            return Vec::new();
        }
        if standing(disk).is_none() {
            self.done.extend(&held);
        }
        held
    }

    /// Every line that was acknowledged or waits to be.
    pub(super) fn lines(&self, disk: &VirtualDisk) -> Vec<Vec<u8>> {
        let standing = standing(disk);
        let acknowledging = match (&self.held, &standing) {
            (Some(held), None) if self.is_acknowledging => held.as_slice(),
            _ => &[],
        };
        let standing = standing.as_deref().unwrap_or_default();
        let all = lines(&self.done).chain(lines(standing)).chain(lines(acknowledging));
        all.map(<[u8]>::to_vec).collect()
    }
}

fn failed(failure: &FileFailure) -> Told {
    let FileFailure { operation, path, reason, .. } = failure;
    Told::Failed(format!("{operation} {path}: {reason}"))
}

fn standing(disk: &VirtualDisk) -> Option<Vec<u8>> {
    disk.contents(FILE.as_ref())
}
