//! The calls of a process: [`Disk`] over the virtual disk.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use everbeat_store::{Access, Disk, DiskError, DiskErrorKind, FileKind, Metadata};

use super::state::{Content, DiskState, FileContent, FolderContent, Node, missing, odd};
use super::{Call, CallKind, OpenFile, Shared, Verdict, VirtualDisk};

/// An open file; it is closed when its last clone is dropped.
#[derive(Clone, Debug)]
pub struct VirtualFile {
    handle: Rc<Handle>,
}

struct Handle {
    number: u64,
    path: PathBuf,
    shared: Weak<Shared>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path.fmt(f)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade()
            && let Ok(mut open) = shared.open.try_borrow_mut()
        {
            open.remove(&self.number);
        }
    }
}

impl VirtualDisk {
    /// Makes one call: asks the hook, acts, and notes what was heard.
    fn call<T>(
        &self,
        call: Call,
        digest: impl Fn(&T, &mut DefaultHasher),
        act: impl FnOnce(&mut DiskState) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        match self.verdict(&call)? {
            Verdict::Go | Verdict::Short(_) | Verdict::Partly(..) | Verdict::DiePartly(_) => {}
            Verdict::Fail(kind) => {
                let failed = DiskError::new(kind, "injected");
                self.observe(&call, |hasher| kind.hash(hasher));
                return Err(failed);
            }
            Verdict::Die => return Err(self.die()),
        }
        let result = if !self.is_hidden(&call) {
            act(&mut self.shared.state.borrow_mut())
        } else if call.kind == CallKind::MakeDir {
            Err(DiskError::new(DiskErrorKind::Denied, "EACCES"))
        } else {
            // There it would see nothing.
            act(&mut DiskState::new())
        };
        self.observe(&call, |hasher| match &result {
            Ok(value) => digest(value, hasher),
            Err(error) => error.kind.hash(hasher),
        });
        result
    }

    /// Whether it names what the process does not see.
    fn is_hidden(&self, call: &Call) -> bool {
        call.kind.names() && !(self.sees(&call.path) && self.sees(&call.to))
    }

    fn verdict(&self, call: &Call) -> Result<Verdict, DiskError> {
        if self.is_dead() {
            return Err(Self::error_of_the_dead());
        }
        self.shared.process.borrow_mut().calls += 1;
        let hook = self.shared.hook.borrow_mut().take();
        let Some(mut hook) = hook else { return Ok(Verdict::Go) };
        let verdict = hook(self, call);
        self.set_hook(Some(hook));
        // The hook may have killed the process by hand.
        if self.is_dead() { Err(Self::error_of_the_dead()) } else { Ok(verdict) }
    }

    fn die(&self) -> DiskError {
        self.kill();
        Self::error_of_the_dead()
    }

    fn observe(&self, call: &Call, digest: impl FnOnce(&mut DefaultHasher)) {
        if !self.shared.observes.get() {
            return;
        }
        let mut process = self.shared.process.borrow_mut();
        let mut hasher = DefaultHasher::new();
        process.observed.hash(&mut hasher);
        call.hash(&mut hasher);
        digest(&mut hasher);
        process.observed = hasher.finish();
    }

    pub(super) fn open_inodes(&self) -> BTreeSet<u64> {
        let beside = self.shared.beside.borrow().upgrade();
        let mut inodes: BTreeSet<u64> =
            self.shared.open.borrow().values().map(|open| open.inode).collect();
        if let Some(beside) = beside {
            inodes.extend(beside.open.borrow().values().map(|open| open.inode));
        }
        inodes
    }

    fn opened(&self, inode: u64, path: &Path) -> VirtualFile {
        let mut next = self.shared.next_handle.borrow_mut();
        *next += 1;
        let open = OpenFile { inode, read_to: 0, is_locked: false };
        self.shared.open.borrow_mut().insert(*next, open);
        let shared = Rc::downgrade(&self.shared);
        VirtualFile { handle: Rc::new(Handle { number: *next, path: path.into(), shared }) }
    }

    fn with_open<T>(
        &self,
        file: &VirtualFile,
        act: impl FnOnce(&mut OpenFile) -> T,
    ) -> Result<T, DiskError> {
        let mut open = self.shared.open.borrow_mut();
        open.get_mut(&file.handle.number).map(act).ok_or_else(|| odd("EBADF"))
    }

    fn inode_of(&self, file: &VirtualFile) -> Result<u64, DiskError> {
        self.with_open(file, |open| open.inode)
    }

    /// Writes as much as the hook allows.
    fn write_some(&self, file: &VirtualFile, bytes: &[u8]) -> Result<usize, DiskError> {
        let path = file.handle.path.clone();
        let call = Call { kind: CallKind::Write, path, to: PathBuf::new(), bytes: bytes.into() };
        let inode = self.inode_of(file);
        let put = |bytes: &[u8]| {
            let mut state = self.shared.state.borrow_mut();
            let content = &mut state.file_mut(inode.clone()?)?.bytes;
            content.extend_from_slice(bytes);
            // A file has one position, and what is written stands at its end.
            self.with_open(file, |open| {
                if !bytes.is_empty() {
                    open.read_to = content.len();
                }
            })
        };
        let part = |length: usize| bytes.get(..length).unwrap_or(bytes);
        let result = match self.verdict(&call)? {
            Verdict::Go => put(bytes).map(|()| bytes.len()),
            Verdict::Short(length) => put(part(length)).map(|()| part(length).len()),
            Verdict::Fail(kind) => Err(DiskError::new(kind, "injected")),
            Verdict::Partly(length, kind) => {
                put(part(length)).and(Err(DiskError::new(kind, "injected")))
            }
            Verdict::Die => return Err(self.die()),
            Verdict::DiePartly(length) => {
                put(part(length))?;
                return Err(self.die());
            }
        };
        self.observe(&call, |hasher| match &result {
            Ok(count) => count.hash(hasher),
            Err(error) => error.kind.hash(hasher),
        });
        result
    }
}

fn on(kind: CallKind, path: &Path) -> Call {
    Call { kind, path: path.into(), to: PathBuf::new(), bytes: Vec::new() }
}

fn nothing(_: &(), _: &mut DefaultHasher) {}

fn digest_metadata(metadata: &Metadata, hasher: &mut DefaultHasher) {
    (metadata.id, metadata.length, metadata.kind, metadata.owned_by_me).hash(hasher);
}

impl Disk for VirtualDisk {
    type File = VirtualFile;

    fn create(&self, path: &Path) -> Result<VirtualFile, DiskError> {
        let in_use = self.open_inodes();
        let content = Content::File(FileContent::default());
        let node = Node { is_mine: true, content };
        let digest = |inode: &u64, hasher: &mut DefaultHasher| inode.hash(hasher);
        let inode =
            self.call(on(CallKind::Create, path), digest, |state| state.add(path, node, &in_use))?;
        Ok(self.opened(inode, path))
    }

    fn open(&self, path: &Path, access: Access) -> Result<(VirtualFile, Metadata), DiskError> {
        let metadata = self.call(on(CallKind::Open, path), digest_metadata, |state| {
            let metadata = state.metadata(state.find(path)?).ok_or_else(missing)?;
            match (metadata.kind, access) {
                (FileKind::Link, _) => Err(odd("ELOOP")),
                (FileKind::Folder, Access::Append) => Err(odd("EISDIR")),
                (FileKind::Other, Access::Append) => Err(odd("ENXIO")),
                (FileKind::File | FileKind::Folder | FileKind::Other, _) => Ok(metadata),
            }
        })?;
        Ok((self.opened(metadata.id.inode, path), metadata))
    }

    fn read(&self, file: &mut VirtualFile, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let inode = self.inode_of(file);
        let read_to = self.with_open(file, |open| open.read_to);
        let digest = |bytes: &Vec<u8>, hasher: &mut DefaultHasher| bytes.hash(hasher);
        let bytes = self.call(on(CallKind::Read, &file.handle.path), digest, |state| {
            let bytes = &state.file(inode?)?.bytes;
            let rest = bytes.get(read_to?..).unwrap_or_default();
            Ok(rest[..rest.len().min(buffer.len())].to_vec())
        })?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.with_open(file, |open| open.read_to += bytes.len())?;
        Ok(bytes.len())
    }

    fn write(&self, file: &mut VirtualFile, bytes: &[u8]) -> Result<usize, DiskError> {
        self.write_some(file, bytes)
    }

    fn truncate(&self, file: &mut VirtualFile, length: u64) -> Result<(), DiskError> {
        let inode = self.inode_of(file);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.call(on(CallKind::Truncate, &file.handle.path), nothing, |state| {
            state.file_mut(inode?).map(|file| file.bytes.resize(length, 0))
        })
    }

    fn sync(&self, file: &mut VirtualFile) -> Result<(), DiskError> {
        let inode = self.inode_of(file);
        self.call(on(CallKind::Sync, &file.handle.path), nothing, |state| {
            state.file_mut(inode?).map(|file| file.synced.clone_from(&file.bytes))
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let call = Call { to: to.into(), ..on(CallKind::Rename, from) };
        self.call(call, nothing, |state| state.rename(from, to))
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let call = Call { to: to.into(), ..on(CallKind::RenameNoReplace, from) };
        self.call(call, nothing, |state| {
            state.find(from)?;
            match state.find(to) {
                Ok(_) => Err(DiskError::new(DiskErrorKind::Exists, "EEXIST")),
                Err(_) => state.rename(from, to),
            }
        })
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.call(on(CallKind::Remove, path), nothing, |state| state.remove(path))
    }

    fn metadata(&self, path: &Path) -> Result<Option<Metadata>, DiskError> {
        let digest = |metadata: &Option<Metadata>, hasher: &mut DefaultHasher| {
            if let Some(metadata) = metadata {
                digest_metadata(metadata, hasher);
            }
        };
        self.call(on(CallKind::Metadata, path), digest, |state| match state.find(path) {
            Err(error) if error.kind == DiskErrorKind::Missing => Ok(None),
            found => Ok(state.metadata(found?)),
        })
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.call(on(CallKind::SyncDir, path), nothing, |state| {
            let inode = if path.parent().is_none() { 1 } else { state.find(path)? };
            state.folder_mut(inode).map(FolderContent::sync)
        })
    }

    fn make_dir(&self, path: &Path) -> Result<(), DiskError> {
        let in_use = self.open_inodes();
        let content = Content::Folder(FolderContent::default());
        let node = Node { is_mine: true, content };
        self.call(on(CallKind::MakeDir, path), nothing, |state| {
            state.add(path, node, &in_use).map(|_| ())
        })
    }

    fn list(&self, path: &Path, prefix: &str) -> Result<Vec<String>, DiskError> {
        let digest = |names: &Vec<String>, hasher: &mut DefaultHasher| names.hash(hasher);
        self.call(on(CallKind::List, path), digest, |state| {
            let names = state.folder(state.find(path)?)?.names.keys();
            Ok(names.filter(|name| name.starts_with(prefix)).cloned().collect())
        })
    }

    fn try_lock(&self, file: &mut VirtualFile) -> Result<bool, DiskError> {
        let inode = self.inode_of(file);
        let digest = |taken: &bool, hasher: &mut DefaultHasher| taken.hash(hasher);
        let taken = self.call(on(CallKind::Lock, &file.handle.path), digest, |_| {
            let inode = inode?;
            let open = self.shared.open.borrow();
            let mut others = open.iter().filter(|(number, _)| **number != file.handle.number);
            let held = others.any(|(_, open)| open.inode == inode && open.is_locked);
            let beside = self.shared.beside.borrow().upgrade();
            Ok(!held && !beside.is_some_and(|beside| beside.holds_lock(inode)))
        })?;
        self.with_open(file, |open| open.is_locked = taken)?;
        Ok(taken)
    }

    fn process_id(&self) -> u32 {
        4_242
    }

    fn unix_seconds(&self) -> u64 {
        *self.shared.unix_seconds.borrow()
    }

    #[cfg(everbeat_planted)]
    fn link(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let call = Call { to: to.into(), ..on(CallKind::Link, from) };
        self.call(call, nothing, |state| {
            let inode = state.find(from)?;
            let (folder, name) = state.split(to)?;
            if state.folder(folder)?.names.contains_key(name) {
                return Err(DiskError::new(DiskErrorKind::Exists, "EEXIST"));
            }
            let change = super::state::NameChange::Added { name: name.into(), inode };
            state.folder_mut(folder).map(|folder| folder.change(change))
        })
    }
}
