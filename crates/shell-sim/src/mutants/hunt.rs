//! Plants a fault and looks for a broken promise.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use everbeat_core::planted::Fault;

use super::{ByHand, also_checked, by_hand};
use crate::explore::explore;
use crate::plan::Plan;
use crate::promises::watch::CHECKS;
use crate::{swarm, verdict};

/// Whether this program was built with `--cfg everbeat_planted`.
pub const CAN_PLANT: bool = cfg!(everbeat_planted);

/// Which seeds are tried, and for how long each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hunt {
    /// The first seed.
    pub from: u64,
    /// At most so many.
    pub seeds: u64,
    /// Hours of faults in each.
    pub hours: u64,
    /// Threads.
    pub jobs: usize,
}

/// What catches a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The last of so many seeds.
    Seeds(u64),
    /// A plan that was made by hand.
    Plan,
    /// An exhaustive search.
    Search,
}

/// A fault that was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// By what.
    pub how: How,
    /// The promise that was broken: `S4`.
    pub promise: String,
    /// What was said of it.
    pub said: String,
    /// Time of processors, all threads together.
    pub cpu: Duration,
}

impl Hunt {
    /// Plants `fault` in this process, looks for a broken promise by seeds
    /// and then by what was made by hand, and takes the fault out again.
    /// `None` if nothing was found: this check is worth nothing.
    ///
    /// One at a time: the switch is the process's.
    #[must_use]
    pub fn run(&self, fault: Fault) -> Option<Caught> {
        let began = cpu_time();
        plant(Some(fault));
        let found = self.sweep(fault).or_else(|| caught_by_hand(fault));
        plant(None);
        let cpu = cpu_time().saturating_sub(began);
        found.map(|(how, said)| {
            let promise = said.split(':').next().unwrap_or_default().to_owned();
            Caught { how, promise, said, cpu }
        })
    }

    /// The first seed of all that breaks a promise, with what was said.
    fn sweep(&self, fault: Fault) -> Option<(How, String)> {
        let next = AtomicU64::new(0);
        let first_broken = AtomicU64::new(self.seeds);
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                let sender = sender.clone();
                scope.spawn(|| {
                    let sender = sender;
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= first_broken.load(Ordering::Relaxed) {
                            return;
                        }
                        let (_, plan) = swarm::draw(self.from.wrapping_add(index), self.hours);
                        if let Some(said) = broken_by(&plan, fault) {
                            first_broken.fetch_min(index, Ordering::Relaxed);
                            let _ = sender.send((index, said));
                        }
                    }
                });
            }
            drop(sender);
        });
        let first = receiver.into_iter().min_by_key(|(index, _)| *index);
        first.map(|(index, said)| (How::Seeds(index + 1), said))
    }
}

fn broken_by(plan: &Plan, fault: Fault) -> Option<String> {
    let names = CHECKS.iter().map(|(name, _)| *name).chain(also_checked(fault).iter().copied());
    let names: Vec<&str> = names.collect();
    verdict::keeps(plan, &names).err().map(|broken| broken.said)
}

fn caught_by_hand(fault: Fault) -> Option<(How, String)> {
    match by_hand(fault)? {
        ByHand::Plan(plan, promise) => {
            let broken = verdict::keeps(&plan(), &[promise]).err()?;
            Some((How::Plan, broken.said))
        }
        ByHand::Search(scenario) => {
            let violation = explore(&scenario()).err()?;
            Some((How::Search, format!("S4: {}", violation.what)))
        }
    }
}

fn plant(fault: Option<Fault>) {
    #[cfg(everbeat_planted)]
    everbeat_core::planted::plant(fault);
    #[cfg(not(everbeat_planted))]
    let _ = fault;
}

/// What this process has used of all processors.
fn cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or_default())
}
