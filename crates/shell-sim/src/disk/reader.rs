//! The program that takes the results file: it renames it away, reads it and
//! removes it, one step at a time, and may die between any two. What belongs to
//! another user it cannot move.

use std::path::{Path, PathBuf};

use super::VirtualDisk;

/// The reader, and what it took.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reader {
    results_file: PathBuf,
    step: Step,
    taken: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Idle,
    Renamed,
    Read,
}

impl Reader {
    /// A reader of this file that has taken nothing.
    #[must_use]
    pub fn new(results_file: &Path) -> Self {
        Self { results_file: results_file.into(), step: Step::Idle, taken: Vec::new() }
    }

    /// Whether the next step would do anything.
    #[must_use]
    pub fn can_step(&self, disk: &VirtualDisk) -> bool {
        self.step != Step::Idle || disk.own_contents(&self.results_file).is_some()
    }

    /// Whether it is between two steps.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.step != Step::Idle
    }

    /// Does the next of its three steps.
    pub fn step(&mut self, disk: &VirtualDisk) {
        self.step = match self.step {
            Step::Idle => {
                if disk.own_contents(&self.results_file).is_some()
                    && disk.move_by_hand(&self.results_file, &self.consumed())
                {
                    Step::Renamed
                } else {
                    Step::Idle
                }
            }
            Step::Renamed => {
                self.take(disk);
                Step::Read
            }
            Step::Read => {
                disk.remove_by_hand(&self.consumed());
                Step::Idle
            }
        };
    }

    /// Dies where it is. What it had renamed is its own, read or not.
    pub fn die(&mut self, disk: &VirtualDisk) {
        if self.step == Step::Renamed {
            self.take(disk);
        }
        self.step = Step::Idle;
    }

    /// All that it took, in order, what it holds unread among it; a line that
    /// ends a file without a newline has one here.
    #[must_use]
    pub fn taken(&self, disk: &VirtualDisk) -> Vec<u8> {
        let mut reader = self.clone();
        reader.die(disk);
        reader.taken
    }

    /// What it has read so far, in order.
    #[must_use]
    pub fn has_read(&self) -> &[u8] {
        &self.taken
    }

    /// What it has renamed and not yet read.
    #[must_use]
    pub fn holds(&self, disk: &VirtualDisk) -> Vec<u8> {
        let held = (self.step == Step::Renamed).then(|| disk.contents(&self.consumed()));
        held.flatten().unwrap_or_default()
    }

    fn take(&mut self, disk: &VirtualDisk) {
        self.taken.extend(disk.contents(&self.consumed()).unwrap_or_default());
        if self.taken.last().is_some_and(|last| *last != b'\n') {
            self.taken.push(b'\n');
        }
    }

    fn consumed(&self) -> PathBuf {
        self.results_file.with_extension("consumed")
    }
}
