//! Threads that wait for files, so that nothing else has to.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use everbeat_core::{Action, FileFailure, Outcome};
use everbeat_store::{Paths, RealDisk, Store, Taken};
use tokio::sync::oneshot;

/// One thread with a queue; it owns `S` and ends when this is dropped.
///
/// A file system that hangs holds up what is queued behind it and nothing
/// else: each kind of file that must not wait for another has its own worker.
#[derive(Debug)]
pub(crate) struct Worker<S> {
    jobs: mpsc::Sender<Job<S>>,
}

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

impl<S: Send + 'static> Worker<S> {
    pub(crate) fn start(name: &str, mut state: S) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job<S>>();
        thread::Builder::new().name(name.into()).spawn(move || {
            while let Ok(job) = queue.recv() {
                job(&mut state);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Carries out `job` on the thread, after those that were given before
    /// it. Dropping the future before the job has begun takes it back: behind
    /// a file system that hangs, the queue holds nothing that nobody wants.
    pub(crate) async fn run(
        &self,
        job: impl FnOnce(&mut S) -> Outcome + Send + 'static,
    ) -> Outcome {
        self.ask(job).await.unwrap_or(Outcome::Panicked)
    }

    /// The same for what no command of the core asks for; `None` after a
    /// panic.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let job = move |state: &mut S| {
            if !answer.is_closed() {
                // The thread outlives a panic, which whoever asked hears of.
                let _ = answer.send(catch_unwind(AssertUnwindSafe(|| job(state))));
            }
        };
        self.jobs.send(Box::new(job)).ok()?;
        answered.await.ok()?.ok()
    }
}

/// The stores of all machines, by their index.
pub(crate) struct Stores(Vec<OneStore>);

struct OneStore {
    store: Store<RealDisk>,
    /// What opening it before the machine's start gave.
    opened: Option<Outcome>,
}

impl Stores {
    pub(crate) fn new(paths: impl IntoIterator<Item = Paths>) -> Self {
        let new = |paths| OneStore { store: Store::new(RealDisk, paths), opened: None };
        Self(paths.into_iter().map(new).collect())
    }

    /// Opens a store before its machine asks for it, and keeps what comes of
    /// it: repairs are told once.
    pub(crate) fn open_early(&mut self, index: usize) -> Outcome {
        let Some(one) = self.0.get_mut(index) else { return Outcome::Panicked };
        let outcome = one.store.carry_out(Action::OpenStore);
        one.opened = Some(outcome.clone());
        outcome
    }

    /// Takes what lies at the results path, for the holder of a lease.
    pub(crate) fn take(&mut self, index: usize) -> Result<Option<Taken>, FileFailure> {
        self.0.get(index).map_or(Ok(None), |one| one.store.take())
    }

    /// Forgets what was taken.
    pub(crate) fn acknowledge(&mut self, index: usize) -> Result<bool, FileFailure> {
        self.0.get(index).map_or(Ok(false), |one| one.store.acknowledge())
    }

    pub(crate) fn carry_out(&mut self, index: usize, action: Action) -> Outcome {
        let Some(one) = self.0.get_mut(index) else { return Outcome::Panicked };
        match one.opened.take() {
            Some(opened) if action == Action::OpenStore => opened,
            Some(_) | None => one.store.carry_out(action),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_outcome_and_the_thread_goes_on() {
        let worker = Worker::start("test", 0_u64).unwrap();
        let panicked = worker.run(|_| panic!("on purpose")).await;
        assert_eq!(panicked, Outcome::Panicked);
        let next = worker.run(|_| Outcome::SecretSaved).await;
        assert_eq!(next, Outcome::SecretSaved);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_begun() {
        let worker = Worker::start("test", 0_u64).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let first = worker.run(move |_| {
            let _ = held.recv();
            Outcome::SecretSaved
        });
        let second = worker.run(|count| {
            *count += 1;
            Outcome::SecretSaved
        });
        let mut first = Box::pin(first);
        let mut second = Box::pin(second);
        let pause = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(pause, &mut first).await.is_err());
        assert!(tokio::time::timeout(pause, &mut second).await.is_err());
        drop(second);
        release.send(()).unwrap();
        first.await;
        let counted = worker.run(|count| Outcome::JournalWritten { journal_bytes: *count }).await;
        assert_eq!(counted, Outcome::JournalWritten { journal_bytes: 0 });
    }
}
