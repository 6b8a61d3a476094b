//! A disk in memory that behaves like a real one on its worst day: it loses
//! what was not synced, tears writes, fills up, fails, and lets a process die
//! between any two calls.

mod calls;
mod power;
mod reader;
mod scenery;
mod state;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use everbeat_store::{DiskError, DiskErrorKind};

pub use calls::VirtualFile;
pub use power::{Choices, NameLoss, Tear, break_points};
pub use reader::Reader;
pub use scenery::Thing;
use state::{Content, DiskState};

/// A process's view of a virtual disk. Clones are the same process on the
/// same disk.
#[derive(Clone)]
pub struct VirtualDisk {
    shared: Rc<Shared>,
}

struct Shared {
    state: Rc<RefCell<DiskState>>,
    /// Another process on the same disk, as long as it lives.
    beside: RefCell<Weak<Self>>,
    open: RefCell<BTreeMap<u64, OpenFile>>,
    next_handle: RefCell<u64>,
    process: RefCell<Process>,
    hook: RefCell<Option<Hook>>,
    unix_seconds: RefCell<u64>,
    /// What the process does not see, with all that lies in it.
    hidden: RefCell<Option<PathBuf>>,
    /// Whether what the process hears is digested: only where disks are
    /// restored does anybody ask.
    observes: Cell<bool>,
}

/// One open file of the process.
#[derive(Clone, Debug)]
struct OpenFile {
    inode: u64,
    read_to: usize,
    is_locked: bool,
}

/// The process that makes the calls.
#[derive(Clone, Debug, Default)]
struct Process {
    is_dead: bool,
    calls: u64,
    /// A digest of all that the process has asked and heard since the disk was
    /// restored: equal digests mean equal knowledge.
    observed: u64,
}

/// Sees each call before it happens and decides what becomes of it. It may
/// do things to the disk by hand.
pub type Hook = Box<dyn FnMut(&VirtualDisk, &Call) -> Verdict>;

/// One call, as a [`Hook`] sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// Which.
    pub kind: CallKind,
    /// On which file.
    pub path: PathBuf,
    /// The new name of a rename; otherwise empty.
    pub to: PathBuf,
    /// The bytes to write; otherwise empty.
    pub bytes: Vec<u8>,
}

/// Kinds of [`Call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named like the methods of Disk")]
pub enum CallKind {
    Create,
    Open,
    Read,
    Write,
    Truncate,
    Sync,
    Rename,
    RenameNoReplace,
    Remove,
    Metadata,
    SyncDir,
    MakeDir,
    List,
    Lock,
    Link,
}

impl CallKind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Create,
        Self::Open,
        Self::Read,
        Self::Write,
        Self::Truncate,
        Self::Sync,
        Self::Rename,
        Self::RenameNoReplace,
        Self::Remove,
        Self::Metadata,
        Self::SyncDir,
        Self::MakeDir,
        Self::List,
        Self::Lock,
        Self::Link,
    ];

    /// Whether the call is about what stands at a name, not about an open file.
    #[must_use]
    pub const fn names(self) -> bool {
        match self {
            Self::Create
            | Self::Open
            | Self::Rename
            | Self::RenameNoReplace
            | Self::Remove
            | Self::Metadata
            | Self::SyncDir
            | Self::MakeDir
            | Self::List
            | Self::Link => true,
            Self::Read | Self::Write | Self::Truncate | Self::Sync | Self::Lock => false,
        }
    }

    /// Whether the call changes what is on the disk.
    #[must_use]
    pub const fn writes(self) -> bool {
        match self {
            Self::Create
            | Self::Write
            | Self::Truncate
            | Self::Rename
            | Self::RenameNoReplace
            | Self::Remove
            | Self::MakeDir
            | Self::Link => true,
            Self::Open
            | Self::Read
            | Self::Sync
            | Self::Metadata
            | Self::SyncDir
            | Self::List
            | Self::Lock => false,
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It happens.
    Go,
    /// A write takes only this many bytes.
    Short(usize),
    /// It fails without effect.
    Fail(DiskErrorKind),
    /// A write leaves this many bytes, then fails.
    Partly(usize, DiskErrorKind),
    /// The process dies before it.
    Die,
    /// The process dies when this many bytes are written.
    DiePartly(usize),
}

/// A disk as it was at one moment.
#[derive(Clone, Debug)]
pub struct Saved {
    state: DiskState,
    open: BTreeMap<u64, OpenFile>,
}

impl Shared {
    fn holds_lock(&self, inode: u64) -> bool {
        self.open.borrow().values().any(|open| open.inode == inode && open.is_locked)
    }
}

impl Default for VirtualDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl VirtualDisk {
    /// An empty disk with a live process.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Rc::new(RefCell::new(DiskState::new())), 1_784_021_400)
    }

    fn on(state: Rc<RefCell<DiskState>>, unix_seconds: u64) -> Self {
        let shared = Shared {
            state,
            beside: RefCell::default(),
            open: RefCell::default(),
            next_handle: RefCell::default(),
            process: RefCell::default(),
            hook: RefCell::new(None),
            unix_seconds: RefCell::new(unix_seconds),
            hidden: RefCell::default(),
            observes: Cell::new(false),
        };
        Self { shared: Rc::new(shared) }
    }

    /// The view of another process on the same disk, without a hook: each has
    /// files of its own open and sees the other's locks. One at a time.
    #[must_use]
    pub fn beside(&self) -> Self {
        let other = Self::on(Rc::clone(&self.shared.state), *self.shared.unix_seconds.borrow());
        *other.shared.beside.borrow_mut() = Rc::downgrade(&self.shared);
        *self.shared.beside.borrow_mut() = Rc::downgrade(&other.shared);
        other
    }

    /// Lets `hook` see every call from now on, or nothing.
    pub fn set_hook(&self, hook: Option<Hook>) {
        *self.shared.hook.borrow_mut() = hook;
    }

    /// From now on the process does not see this folder and cannot make it
    /// anew, as if its volume were not mounted; what it has open stays open.
    pub fn hide(&self, folder: Option<PathBuf>) {
        *self.shared.hidden.borrow_mut() = folder;
    }

    /// Whether the process would see what stands at `path`.
    #[must_use]
    pub fn sees(&self, path: &Path) -> bool {
        let hidden = self.shared.hidden.borrow();
        !hidden.as_deref().is_some_and(|hidden| path.starts_with(hidden))
    }

    /// Ends the process: its files are closed, its locks released, and each
    /// further call fails without effect until [`VirtualDisk::start`].
    pub fn kill(&self) {
        self.shared.process.borrow_mut().is_dead = true;
        self.shared.open.borrow_mut().clear();
    }

    /// A new process begins, on the disk as it is.
    pub fn start(&self) {
        *self.shared.process.borrow_mut() = Process::default();
        self.shared.open.borrow_mut().clear();
    }

    /// Whether the process is dead.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.shared.process.borrow().is_dead
    }

    /// Ends the process and loses, as chosen, what was not synced.
    pub fn lose_power(&self, names: NameLoss, tear: Tear, choices: &mut dyn Choices) {
        self.kill();
        self.shared.state.borrow_mut().lose_power(names, tear, choices);
    }

    /// Calls since the process began.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared.process.borrow().calls
    }

    /// Sets the clock, in seconds since 1970.
    pub fn set_unix_seconds(&self, seconds: u64) {
        *self.shared.unix_seconds.borrow_mut() = seconds;
    }

    /// Whether the process holds a lock on the file that stands at `path`.
    #[must_use]
    pub fn holds_lock(&self, path: &Path) -> bool {
        let standing = self.shared.state.borrow().find(path);
        standing.is_ok_and(|inode| self.shared.holds_lock(inode))
    }

    /// The disk as it is, with the files that are open.
    #[must_use]
    pub fn save(&self) -> Saved {
        let mut state = self.shared.state.borrow_mut();
        if self.shared.open.borrow().is_empty() {
            state.drop_unreachable();
        }
        Saved { state: state.clone(), open: self.shared.open.borrow().clone() }
    }

    /// The disk becomes what it was; the process lives and has observed
    /// nothing.
    pub fn restore(&self, saved: &Saved) {
        *self.shared.state.borrow_mut() = saved.state.clone();
        *self.shared.open.borrow_mut() = saved.open.clone();
        let mut process = self.shared.process.borrow_mut();
        process.is_dead = false;
        process.observed = 0;
        self.shared.observes.set(true);
    }

    /// A digest of what is on the disk and what a power loss would leave.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.shared.state.borrow().hash(&mut hasher);
        hasher.finish()
    }

    /// A digest of what the process has asked and heard since the disk was
    /// restored.
    #[must_use]
    pub fn observed(&self) -> u64 {
        self.shared.process.borrow().observed
    }

    /// The bytes of the regular file at `path`, if one stands there.
    #[must_use]
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.shared.state.borrow();
        let inode = state.find(path).ok()?;
        state.file(inode).ok().map(|file| file.bytes.clone())
    }

    /// The same of a file that belongs to the process's user.
    #[must_use]
    pub fn own_contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.shared.state.borrow();
        let inode = state.find(path).ok()?;
        let is_mine = state.nodes.get(&inode).is_some_and(|node| node.is_mine);
        state.file(inode).ok().filter(|_| is_mine).map(|file| file.bytes.clone())
    }

    /// Whether anything stands at `path`.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        self.shared.state.borrow().find(path).is_ok()
    }

    /// The names in a folder, sorted.
    #[must_use]
    pub fn names(&self, path: &Path) -> Vec<String> {
        let state = self.shared.state.borrow();
        let Ok(inode) = state.find(path) else { return Vec::new() };
        state.folder(inode).map(|folder| folder.names.keys().cloned().collect()).unwrap_or_default()
    }

    fn error_of_the_dead() -> DiskError {
        DiskError::new(DiskErrorKind::Other, "the process is dead")
    }

    /// The bytes of all files that were renamed to `path` since its folder
    /// was last synced: what a power loss may bring back.
    #[must_use]
    pub fn moved_unsynced(&self, path: &Path) -> Vec<u8> {
        let state = self.shared.state.borrow();
        let Ok((folder, name)) = state.split(path) else { return Vec::new() };
        let Ok(folder) = state.folder(folder) else { return Vec::new() };
        let moved = folder.unsynced.iter().filter_map(|change| match change {
            state::NameChange::Renamed { to, inode, .. } if to == name => Some(*inode),
            state::NameChange::Renamed { .. }
            | state::NameChange::Added { .. }
            | state::NameChange::Removed { .. } => None,
        });
        moved
            .filter_map(|inode| match state.nodes.get(&inode).map(|node| &node.content) {
                Some(Content::File(file)) => Some(file.bytes.clone()),
                Some(Content::Folder(_) | Content::Link | Content::Fifo) | None => None,
            })
            .flatten()
            .collect()
    }
}
