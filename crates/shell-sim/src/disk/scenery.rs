//! What others do to the disk: by hand, outside the process, durable at once
//! only where said so.

use std::path::Path;

use super::VirtualDisk;
use super::state::{Content, FileContent, FolderContent, NameChange, Node};

/// Something that others put on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A regular file.
    File(Vec<u8>),
    /// An empty folder.
    Folder,
    /// A symbolic link to nowhere.
    Link,
    /// A FIFO.
    Fifo,
}

impl VirtualDisk {
    /// Makes a folder of the process's user, and those above it; durable.
    pub fn make_folder(&self, path: &Path, is_sticky: bool) {
        for folder in path.ancestors().collect::<Vec<_>>().into_iter().rev().skip(1) {
            if !self.exists(folder) {
                self.put(folder, Thing::Folder, true);
            }
        }
        let mut state = self.shared.state.borrow_mut();
        if let Ok(inode) = state.find(path)
            && let Ok(folder) = state.folder_mut(inode)
        {
            folder.is_sticky = is_sticky;
        }
        drop(state);
        self.sync_all();
    }

    /// Puts something at a path where nothing stands; not synced. False if
    /// that is not possible.
    pub fn put(&self, path: &Path, thing: Thing, is_mine: bool) -> bool {
        let content = match thing {
            Thing::File(bytes) => Content::File(FileContent { bytes, synced: Vec::new() }),
            Thing::Folder => Content::Folder(FolderContent::default()),
            Thing::Link => Content::Link,
            Thing::Fifo => Content::Fifo,
        };
        let in_use = self.open_inodes();
        let node = Node { is_mine, content };
        self.shared.state.borrow_mut().add(path, node, &in_use).is_ok()
    }

    /// Adds bytes to a file that stands there.
    pub fn append_by_hand(&self, path: &Path, bytes: &[u8]) -> bool {
        let mut state = self.shared.state.borrow_mut();
        let Ok(inode) = state.find(path) else { return false };
        state.file_mut(inode).map(|file| file.bytes.extend_from_slice(bytes)).is_ok()
    }

    /// Replaces a file's bytes, durably.
    pub fn overwrite_by_hand(&self, path: &Path, bytes: &[u8]) -> bool {
        let mut state = self.shared.state.borrow_mut();
        let Ok(inode) = state.find(path) else { return false };
        let replace = |file: &mut FileContent| {
            file.bytes = bytes.into();
            file.synced = bytes.into();
        };
        state.file_mut(inode).map(replace).is_ok()
    }

    /// Renames as root would; not synced. False if that is not possible.
    pub fn move_by_hand(&self, from: &Path, to: &Path) -> bool {
        let mut state = self.shared.state.borrow_mut();
        state.rename(from, to).is_ok()
    }

    /// Removes as root would; not synced. False if that is not possible.
    pub fn remove_by_hand(&self, path: &Path) -> bool {
        let mut state = self.shared.state.borrow_mut();
        let Ok(inode) = state.find(path) else { return false };
        let Ok((folder, name)) = state.split(path) else { return false };
        let change = NameChange::Removed { name: name.into(), inode };
        state.folder_mut(folder).map(|folder| folder.change(change)).is_ok()
    }

    /// Empties a folder, durably: a container made anew.
    pub fn wipe_folder(&self, path: &Path) {
        let mut state = self.shared.state.borrow_mut();
        if let Ok(inode) = state.find(path)
            && let Ok(folder) = state.folder_mut(inode)
        {
            *folder = FolderContent { is_sticky: folder.is_sticky, ..FolderContent::default() };
        }
    }

    /// Everything becomes durable.
    pub fn sync_all(&self) {
        for node in self.shared.state.borrow_mut().nodes.values_mut() {
            match &mut node.content {
                Content::File(file) => file.synced.clone_from(&file.bytes),
                Content::Folder(folder) => folder.sync(),
                Content::Link | Content::Fifo => {}
            }
        }
    }
}

impl FolderContent {
    pub(super) fn sync(&mut self) {
        self.unsynced.clear();
        self.synced.clone_from(&self.names);
    }
}
