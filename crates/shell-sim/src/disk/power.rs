//! A power loss: what was not synced may be gone, all of it or in part.

use super::state::{Content, DiskState, FileContent, FolderContent};

/// Which of a folder's unsynced changes survive a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameLoss {
    /// Some first ones, in order (`[o]`).
    Prefix,
    /// Any of them; a removal acts only on the file that was meant (`[f]`).
    Subset,
    /// Any of them; a removal acts on whatever stands at the name (`[n]`).
    SubsetByName,
}

/// Where unsynced bytes may break off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// At any byte.
    AnyByte,
    /// After each line and in the middle of each: enough to tell whole lines
    /// from torn ones, and few enough to try all.
    LinesAndMiddles,
}

/// Decides what is left open: drawn from a seed, or each way in turn.
pub trait Choices {
    /// A number below `options`, which is at least 1.
    fn choose(&mut self, options: usize) -> usize;
}

impl<F: FnMut(usize) -> usize> Choices for F {
    fn choose(&mut self, options: usize) -> usize {
        self(options)
    }
}

impl DiskState {
    pub(super) fn lose_power(&mut self, names: NameLoss, tear: Tear, choices: &mut dyn Choices) {
        for node in self.nodes.values_mut() {
            match &mut node.content {
                Content::File(file) => file.lose_power(tear, choices),
                Content::Folder(folder) => folder.lose_power(names, choices),
                Content::Link | Content::Fifo => {}
            }
        }
        self.drop_unreachable();
    }

    /// Forgets what no name leads to any more.
    pub(super) fn drop_unreachable(&mut self) {
        let mut reachable = std::collections::BTreeSet::from([1]);
        let mut queue = vec![1];
        while let Some(inode) = queue.pop() {
            if let Ok(folder) = self.folder(inode) {
                let held = folder.names.values().chain(folder.synced.values()).copied();
                let held = held.chain(folder.unsynced.iter().map(super::state::NameChange::inode));
                queue.extend(held.filter(|inode| reachable.insert(*inode)));
            }
        }
        self.nodes.retain(|inode, _| reachable.contains(inode));
    }
}

impl FolderContent {
    fn lose_power(&mut self, loss: NameLoss, choices: &mut dyn Choices) {
        let changes = std::mem::take(&mut self.unsynced);
        let mut names = std::mem::take(&mut self.synced);
        match loss {
            NameLoss::Prefix => {
                let survive = choices.choose(changes.len() + 1);
                changes.iter().take(survive).for_each(|change| change.apply(&mut names));
            }
            NameLoss::Subset | NameLoss::SubsetByName => {
                for change in &changes {
                    match (choices.choose(2), loss) {
                        (0, _) => {}
                        (_, NameLoss::Subset) => change.apply_to_own(&mut names),
                        (_, _) => change.apply(&mut names),
                    }
                }
            }
        }
        self.synced = names.clone();
        self.names = names;
    }
}

impl FileContent {
    fn lose_power(&mut self, tear: Tear, choices: &mut dyn Choices) {
        if self.bytes == self.synced {
            return;
        }
        let same = |(now, then): &(&u8, &u8)| now == then;
        let common = self.bytes.iter().zip(&self.synced).take_while(same).count();
        let survive = match tear {
            Tear::AnyByte => {
                let lengths = self.bytes.len() - common + 1;
                let choice = choices.choose(lengths + 1);
                (choice > 0).then(|| common + choice - 1)
            }
            Tear::LinesAndMiddles => {
                let lengths = break_points(&self.bytes, common);
                let choice = choices.choose(lengths.len() + 1);
                choice.checked_sub(1).and_then(|index| lengths.get(index)).copied()
            }
        };
        if let Some(length) = survive {
            self.bytes.truncate(length);
            self.synced = self.bytes.clone();
        } else {
            self.bytes = self.synced.clone();
        }
    }
}

/// The lengths from `start` on at which a write that is broken off leaves
/// something of its own kind: nothing, part of a line, whole lines, all.
#[must_use]
pub fn break_points(bytes: &[u8], start: usize) -> Vec<usize> {
    let mut points = vec![start];
    let mut line = start;
    for (index, _) in bytes.iter().enumerate().skip(start).filter(|(_, byte)| **byte == b'\n') {
        points.push(line.midpoint(index));
        points.push(index + 1);
        line = index + 1;
    }
    points.push(line.midpoint(bytes.len()));
    points.push(bytes.len());
    points.retain(|point| *point >= start);
    points.sort_unstable();
    points.dedup();
    points
}
