//! What is on the disk: files and folders, and of each what a power loss
//! would leave.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use everbeat_store::{DiskError, DiskErrorKind, FileId, FileKind, Metadata};

const ROOT: u64 = 1;

/// Everything on the disk; cloning it is taking a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct DiskState {
    pub(super) nodes: BTreeMap<u64, Node>,
}

/// A file, a folder, or something odd, whatever its names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) is_mine: bool,
    pub(super) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Content {
    File(FileContent),
    Folder(FolderContent),
    Link,
    Fifo,
}

/// A file's bytes as they are read now, and as they were last synced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct FileContent {
    pub(super) bytes: Vec<u8>,
    pub(super) synced: Vec<u8>,
}

/// A folder's names as they are seen now, as they were last synced, and what
/// was done between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct FolderContent {
    pub(super) is_sticky: bool,
    pub(super) names: BTreeMap<String, u64>,
    pub(super) synced: BTreeMap<String, u64>,
    pub(super) unsynced: Vec<NameChange>,
}

/// One change of a folder's names that is not synced yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum NameChange {
    Added { name: String, inode: u64 },
    Removed { name: String, inode: u64 },
    Renamed { from: String, to: String, inode: u64 },
}

impl FolderContent {
    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced.push(change);
    }
}

impl NameChange {
    /// Removals act on whatever stands at the name.
    pub(super) fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Added { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            Self::Removed { name, .. } => {
                names.remove(name);
            }
            Self::Renamed { from, to, inode } => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }

    /// Removals act only on the file that was meant.
    pub(super) fn apply_to_own(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Added { .. } => self.apply(names),
            Self::Removed { name, inode } => {
                if names.get(name) == Some(inode) {
                    names.remove(name);
                }
            }
            Self::Renamed { from, to, inode } => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
        }
    }
}

impl DiskState {
    pub(super) fn new() -> Self {
        let root = Node { is_mine: true, content: Content::Folder(FolderContent::default()) };
        Self { nodes: BTreeMap::from([(ROOT, root)]) }
    }

    /// The folder that holds `path`, and the name in it.
    pub(super) fn split<'a>(&self, path: &'a Path) -> Result<(u64, &'a str), DiskError> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(missing)?;
        let mut inode = ROOT;
        for component in path.parent().into_iter().flat_map(Path::components) {
            if let Component::Normal(name) = component {
                let name = name.to_str().ok_or_else(missing)?;
                inode = *self.folder(inode)?.names.get(name).ok_or_else(missing)?;
            }
        }
        self.folder(inode)?;
        Ok((inode, name))
    }

    pub(super) fn find(&self, path: &Path) -> Result<u64, DiskError> {
        let (folder, name) = self.split(path)?;
        self.folder(folder)?.names.get(name).copied().ok_or_else(missing)
    }

    pub(super) fn folder(&self, inode: u64) -> Result<&FolderContent, DiskError> {
        match self.nodes.get(&inode).map(|node| &node.content) {
            Some(Content::Folder(folder)) => Ok(folder),
            Some(Content::File(_) | Content::Link | Content::Fifo) | None => Err(odd("ENOTDIR")),
        }
    }

    pub(super) fn folder_mut(&mut self, inode: u64) -> Result<&mut FolderContent, DiskError> {
        match self.nodes.get_mut(&inode).map(|node| &mut node.content) {
            Some(Content::Folder(folder)) => Ok(folder),
            Some(Content::File(_) | Content::Link | Content::Fifo) | None => Err(odd("ENOTDIR")),
        }
    }

    pub(super) fn file(&self, inode: u64) -> Result<&FileContent, DiskError> {
        match self.nodes.get(&inode).map(|node| &node.content) {
            Some(Content::File(file)) => Ok(file),
            Some(Content::Folder(_) | Content::Link | Content::Fifo) | None => Err(odd("EBADF")),
        }
    }

    pub(super) fn file_mut(&mut self, inode: u64) -> Result<&mut FileContent, DiskError> {
        match self.nodes.get_mut(&inode).map(|node| &mut node.content) {
            Some(Content::File(file)) => Ok(file),
            Some(Content::Folder(_) | Content::Link | Content::Fifo) | None => Err(odd("EBADF")),
        }
    }

    pub(super) fn metadata(&self, inode: u64) -> Option<Metadata> {
        let node = self.nodes.get(&inode)?;
        let (kind, length) = match &node.content {
            Content::File(file) => (FileKind::File, file.bytes.len() as u64),
            Content::Folder(_) => (FileKind::Folder, 0),
            Content::Link => (FileKind::Link, 0),
            Content::Fifo => (FileKind::Other, 0),
        };
        Some(Metadata { id: FileId { device: 1, inode }, length, kind, owned_by_me: node.is_mine })
    }

    /// Puts something new at a path where nothing stands.
    pub(super) fn add(
        &mut self,
        path: &Path,
        node: Node,
        in_use: &BTreeSet<u64>,
    ) -> Result<u64, DiskError> {
        let (folder, name) = self.split(path)?;
        if self.folder(folder)?.names.contains_key(name) {
            return Err(DiskError::new(DiskErrorKind::Exists, "EEXIST"));
        }
        let inode = self.free_inode(in_use);
        self.nodes.insert(inode, node);
        self.folder_mut(folder)?.change(NameChange::Added { name: name.into(), inode });
        Ok(inode)
    }

    /// The lowest number that nothing refers to: file systems use them again,
    /// too.
    fn free_inode(&mut self, in_use: &BTreeSet<u64>) -> u64 {
        let mut referred = in_use.clone();
        referred.insert(ROOT);
        for node in self.nodes.values() {
            if let Content::Folder(folder) = &node.content {
                referred.extend(folder.names.values().chain(folder.synced.values()));
                referred.extend(folder.unsynced.iter().map(NameChange::inode));
            }
        }
        self.nodes.retain(|inode, _| referred.contains(inode));
        let mut inode = ROOT;
        while referred.contains(&inode) {
            inode += 1;
        }
        inode
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let inode = self.find(from)?;
        let (folder, from) = self.split(from)?;
        let (to_folder, to) = self.split(to)?;
        if folder != to_folder {
            return Err(DiskError::new(DiskErrorKind::Other, "EXDEV"));
        }
        self.check_may_move(folder, inode)?;
        let replaced = self.folder(folder)?.names.get(to).copied();
        if let Some(replaced) = replaced {
            if replaced == inode {
                // POSIX: two names of one file, nothing happens.
                return Ok(());
            }
            self.check_may_move(folder, replaced)?;
            let is_folder = |inode| self.folder(inode).is_ok();
            if is_folder(replaced) != is_folder(inode) {
                return Err(odd("EISDIR"));
            }
        }
        let change = NameChange::Renamed { from: from.into(), to: to.into(), inode };
        self.folder_mut(folder)?.change(change);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> Result<(), DiskError> {
        let inode = self.find(path)?;
        let (folder, name) = self.split(path)?;
        self.check_may_move(folder, inode)?;
        if self.folder(inode).is_ok() {
            return Err(odd("EISDIR"));
        }
        self.folder_mut(folder)?.change(NameChange::Removed { name: name.into(), inode });
        Ok(())
    }

    /// In a sticky folder only its owner may move a file.
    fn check_may_move(&self, folder: u64, inode: u64) -> Result<(), DiskError> {
        let is_mine = self.nodes.get(&inode).is_some_and(|node| node.is_mine);
        if self.folder(folder)?.is_sticky && !is_mine {
            return Err(DiskError::new(DiskErrorKind::Denied, "EPERM"));
        }
        Ok(())
    }
}

impl NameChange {
    pub(super) fn inode(&self) -> u64 {
        match self {
            Self::Added { inode, .. }
            | Self::Removed { inode, .. }
            | Self::Renamed { inode, .. } => *inode,
        }
    }
}

pub(super) fn missing() -> DiskError {
    DiskError::new(DiskErrorKind::Missing, "ENOENT")
}

pub(super) fn odd(reason: &str) -> DiskError {
    DiskError::new(DiskErrorKind::Odd, reason)
}
