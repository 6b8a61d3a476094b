//! The virtual disk as the world uses it: trouble on demand, a reader that
//! comes between any two calls, and what stands in the stream.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use everbeat_core::{Action, FileFailureKind, Outcome};
use everbeat_store::{DiskErrorKind, Store};

use super::process::{CONFIGS, FOLDER, LEASED, RESULTS, paths, state_dir};
use crate::dice::Dice;
use crate::disk::{Call, CallKind, NameLoss, Reader, Tear, Thing, Verdict, VirtualDisk};
use crate::plan::{DiskTrouble, Folder, Names, Odd};

/// The disk, its troubles and the reader.
pub(super) struct Files {
    pub(super) disk: VirtualDisk,
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    reader: Reader,
    dice: Dice,
    /// Steps that the reader still takes.
    reader_steps: u32,
    /// Calls until the process dies.
    dies_after: Option<u32>,
    trouble: Option<(DiskTrouble, Option<u32>)>,
    /// Calls until a single one fails.
    errs_after: Option<u32>,
    is_read_only: bool,
    /// Calls until a second process is started.
    second_after: Option<u32>,
    /// What a second process did that it must not.
    intrusion: Option<String>,
    /// Grows whenever what the readers can see may have changed.
    changes: u64,
}

/// The results stream in its parts, in the order of the lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamParts<'a> {
    /// What the reader has read.
    pub taken: &'a [u8],
    /// What holders of leases have acknowledged.
    pub acknowledged: &'a [u8],
    /// What it has renamed and not yet read.
    pub held: &'a [u8],
    /// What is handed out under a lease.
    pub leased: &'a [u8],
    /// What lies in the results file.
    pub lying: &'a [u8],
}

/// Stands in a file of another user: no result, and nothing that the agent
/// may take for one.
const FOREIGN_FILE: &[u8] = b"another user's\n";

impl Files {
    pub(super) fn new(seed: u64) -> Self {
        let disk = VirtualDisk::new();
        disk.make_folder(Path::new(CONFIGS), false);
        disk.make_folder(Path::new(FOLDER), true);
        let inner = Rc::new(RefCell::new(Inner {
            reader: Reader::new(Path::new(RESULTS)),
            dice: Dice::new(seed ^ 0xD15C),
            reader_steps: 0,
            dies_after: None,
            trouble: None,
            errs_after: None,
            is_read_only: false,
            second_after: None,
            intrusion: None,
            changes: 0,
        }));
        let seen = Rc::clone(&inner);
        disk.set_hook(Some(Box::new(move |disk, call| seen.borrow_mut().verdict(disk, call))));
        Self { disk, inner }
    }

    pub(super) fn kill_after(&self, calls: u32) {
        self.inner.borrow_mut().dies_after = Some(calls);
    }

    pub(super) fn fail(&self, how: DiskTrouble, calls: Option<u32>) {
        self.inner.borrow_mut().trouble = Some((how, calls));
    }

    /// The call after so many more fails, and only that.
    pub(super) fn err_after(&self, calls: u32) {
        self.inner.borrow_mut().errs_after = Some(calls);
    }

    pub(super) fn remount(&self, is_read_only: bool) {
        self.inner.borrow_mut().is_read_only = is_read_only;
    }

    /// Takes a folder out of everybody's sight, or brings all of them back.
    pub(super) fn hide(&self, folder: Option<Folder>) {
        self.disk.hide(folder.map(|folder| match folder {
            Folder::Results => FOLDER.into(),
            Folder::State => state_dir(),
        }));
    }

    /// A second process starts after so many more calls of the first.
    pub(super) fn start_second_after(&self, calls: u32) {
        let mut inner = self.inner.borrow_mut();
        if calls == 0 {
            inner.start_second(&self.disk);
        } else {
            inner.second_after = Some(calls);
        }
    }

    /// What a second process did that it must not, if there was such a thing.
    pub(super) fn intrusion(&self) -> Option<String> {
        self.inner.borrow().intrusion.clone()
    }

    /// Grows whenever the stream may be another one, or a second process did
    /// something.
    pub(super) fn changes(&self) -> u64 {
        self.inner.borrow().changes
    }

    pub(super) fn heal(&self) {
        self.hide(None);
        let mut inner = self.inner.borrow_mut();
        inner.trouble = None;
        inner.dies_after = None;
        inner.errs_after = None;
        inner.is_read_only = false;
        inner.second_after = None;
    }

    pub(super) fn lose_power(&self, names: Names) {
        let names = match names {
            Names::Prefix => NameLoss::Prefix,
            Names::Subset => NameLoss::Subset,
            Names::SubsetByName => NameLoss::SubsetByName,
        };
        let mut inner = self.inner.borrow_mut();
        inner.changes += 1;
        // The reader goes with the machine; what it had renamed is its own.
        inner.reader.die(&self.disk);
        inner.reader_steps = 0;
        let dice = &mut inner.dice;
        let mut choose =
            |options: usize| usize::try_from(dice.below(options as u64)).unwrap_or_default();
        self.disk.lose_power(names, Tear::AnyByte, &mut choose);
        inner.dies_after = None;
    }

    pub(super) fn wipe_folder(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.changes += 1;
        inner.reader.die(&self.disk);
        inner.reader_steps = 0;
        self.disk.wipe_folder(Path::new(FOLDER));
    }

    /// Puts something odd at the results path if nothing stands there.
    pub(super) fn put_odd(&self, what: Odd) -> bool {
        let (thing, is_mine) = match what {
            Odd::Folder => (Thing::Folder, true),
            Odd::Link => (Thing::Link, true),
            Odd::Fifo => (Thing::Fifo, true),
            Odd::Foreign => (Thing::File(FOREIGN_FILE.into()), false),
        };
        self.disk.put(Path::new(RESULTS), thing, is_mine)
    }

    pub(super) fn remove_odd(&self) {
        let path = Path::new(RESULTS);
        if self.disk.exists(path) && self.disk.own_contents(path).is_none() {
            self.disk.remove_by_hand(path);
        }
    }

    /// Overwrites a byte in the middle of the journal, as a bad disk does.
    pub(super) fn spoil_journal(&self) {
        let path = state_dir().join("journal.jsonl");
        if let Some(mut bytes) = self.disk.contents(&path) {
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte = byte.wrapping_add(1);
            }
            self.disk.overwrite_by_hand(&path, &bytes);
        }
    }

    /// The reader takes what lies there, now or between the agent's calls.
    pub(super) fn read(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.changes += 1;
        if !self.disk.sees(Path::new(RESULTS)) {
            return;
        }
        if inner.dice.below(4) == 0 {
            inner.reader_steps += 3;
        } else {
            (0..3).for_each(|_| inner.reader.step(&self.disk));
        }
    }

    /// Puts a file in place, durably, as another process would.
    pub(super) fn put_file(&self, path: &Path, bytes: &[u8]) {
        if !self.disk.overwrite_by_hand(path, bytes) {
            self.disk.put(path, Thing::File(bytes.to_vec()), true);
            self.disk.sync_all();
        }
    }

    /// What is handed out under a lease, or was and is to be again.
    pub(super) fn leased(&self) -> Option<Vec<u8>> {
        self.disk.own_contents(Path::new(LEASED))
    }

    /// Shows `look` the stream.
    pub(super) fn with_stream<T>(
        &self,
        acknowledged: &[u8],
        look: impl FnOnce(&StreamParts<'_>) -> T,
    ) -> T {
        let reader = &self.inner.borrow().reader;
        look(&StreamParts {
            taken: reader.has_read(),
            acknowledged,
            held: &reader.holds(&self.disk),
            leased: &self.leased().unwrap_or_default(),
            lying: &self.disk.own_contents(Path::new(RESULTS)).unwrap_or_default(),
        })
    }
}

impl Inner {
    fn verdict(&mut self, disk: &VirtualDisk, call: &Call) -> Verdict {
        let is_results = |path: &Path| [RESULTS, LEASED].iter().any(|one| path.as_os_str() == *one);
        if call.kind.writes() && (is_results(&call.path) || is_results(&call.to)) {
            self.changes += 1;
        }
        let may_step = self.reader_steps > 0 && disk.sees(Path::new(RESULTS));
        if may_step && self.dice.below(3) == 0 {
            self.reader_steps -= 1;
            self.changes += 1;
            self.reader.step(disk);
        }
        if count_down(&mut self.second_after) {
            self.start_second(disk);
        }
        if let Some(left) = self.dies_after.as_mut() {
            if *left == 0 {
                self.dies_after = None;
                return if call.kind == CallKind::Write {
                    let bytes = call.bytes.len() as u64;
                    let part = self.dice.below(bytes + 1);
                    Verdict::DiePartly(usize::try_from(part).unwrap_or_default())
                } else {
                    Verdict::Die
                };
            }
            *left -= 1;
        }
        self.trouble_with(call)
    }

    /// As a second process starts: it opens the store, and ends when it may
    /// not. One that may has a lock that the first did not hold, and ends, too.
    fn start_second(&mut self, disk: &VirtualDisk) {
        if !(disk.sees(Path::new(RESULTS)) && disk.sees(&state_dir())) {
            return;
        }
        self.changes += 1;
        let is_locked = disk.holds_lock(&state_dir().join("lock"));
        let before = is_locked.then(|| disk.digest());
        let outcome = Store::new(disk.beside(), paths()).carry_out(Action::OpenStore);
        let is_refused = matches!(
            &outcome,
            Outcome::FileFailed(failure) if failure.kind == FileFailureKind::Locked
        );
        if is_locked && !is_refused {
            self.intrusion = Some(format!("a second process was let in: {outcome:?}"));
        } else if before.is_some_and(|before| disk.digest() != before) {
            self.intrusion = Some("a second process that was refused changed files".into());
        }
    }

    fn trouble_with(&mut self, call: &Call) -> Verdict {
        if count_down(&mut self.errs_after) {
            return Verdict::Fail(DiskErrorKind::Other);
        }
        if self.is_read_only && call.kind.writes() {
            return Verdict::Fail(DiskErrorKind::ReadOnly);
        }
        let Some((how, left)) = &mut self.trouble else {
            return Verdict::Go;
        };
        let verdict = match how {
            DiskTrouble::Full if call.kind == CallKind::Write => {
                Verdict::Partly(call.bytes.len() / 2, DiskErrorKind::Full)
            }
            DiskTrouble::ReadOnly if call.kind.writes() => Verdict::Fail(DiskErrorKind::ReadOnly),
            DiskTrouble::Broken => Verdict::Fail(DiskErrorKind::Other),
            DiskTrouble::Full | DiskTrouble::ReadOnly => return Verdict::Go,
        };
        if let Some(left) = left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.trouble = None;
            }
        }
        verdict
    }
}

/// Counts a call down; true for the one that was meant.
fn count_down(left: &mut Option<u32>) -> bool {
    match left {
        None => false,
        Some(0) => {
            *left = None;
            true
        }
        Some(calls) => {
            *calls -= 1;
            false
        }
    }
}
