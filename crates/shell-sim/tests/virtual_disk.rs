//! The virtual disk is a disk: whatever is asked of it, it answers as the real
//! one does. What it loses in a power loss is what nobody synced.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use everbeat_sim::disk::{NameLoss, Tear, VirtualDisk};
use everbeat_store::{Access, Disk, DiskErrorKind, FileKind, RealDisk};
use proptest::prelude::*;

const NAMES: [&str; 4] = ["a", "b", "folder", "folder/c"];

/// A call as the algorithms of the store make it, on names and on the file
/// that was opened last.
#[derive(Clone, Debug)]
enum Op {
    Create(usize),
    Open(usize, bool),
    Read(usize),
    Write(Vec<u8>),
    Truncate(u64),
    Sync,
    Rename(usize, usize),
    RenameNoReplace(usize, usize),
    Remove(usize),
    Metadata(usize),
    MakeDir(usize),
    SyncDir,
    List(&'static str),
}

/// What is heard of a call: as far as both disks must agree.
type Heard = Result<String, DiskErrorKind>;

fn op() -> impl Strategy<Value = Op> {
    let name = 0..NAMES.len();
    // No algorithm renames folders, or from one folder to another.
    let file = 0..2_usize;
    prop_oneof![
        3 => name.clone().prop_map(Op::Create),
        3 => (name.clone(), any::<bool>()).prop_map(|(name, appends)| Op::Open(name, appends)),
        2 => (0..20_usize).prop_map(Op::Read),
        4 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Op::Write),
        1 => (0..20_u64).prop_map(Op::Truncate),
        1 => Just(Op::Sync),
        3 => (file.clone(), file.clone()).prop_map(|(from, to)| Op::Rename(from, to)),
        3 => (file.clone(), file).prop_map(|(from, to)| Op::RenameNoReplace(from, to)),
        2 => name.clone().prop_map(Op::Remove),
        2 => name.clone().prop_map(Op::Metadata),
        1 => name.prop_map(Op::MakeDir),
        1 => Just(Op::SyncDir),
        1 => prop_oneof![Just(""), Just("a"), Just("fold")].prop_map(Op::List),
    ]
}

/// A disk, its folder, and the file that was opened last.
struct Seat<'a, D: Disk> {
    disk: &'a D,
    root: &'a Path,
    file: Option<(D::File, bool)>,
}

impl<D: Disk> Seat<'_, D> {
    fn at(&self, name: usize) -> PathBuf {
        self.root.join(NAMES[name])
    }

    fn make(&mut self, op: &Op) -> Heard {
        let (disk, done) = (self.disk, |()| String::new());
        let heard = match op {
            Op::Create(name) => disk.create(&self.at(*name)).map(|file| {
                self.file = Some((file, true));
                String::new()
            }),
            Op::Open(name, appends) => {
                let access = if *appends { Access::Append } else { Access::Read };
                disk.open(&self.at(*name), access).map(|(file, metadata)| {
                    let is_file = metadata.kind == FileKind::File;
                    self.file = is_file.then_some((file, *appends));
                    format!("{:?} {}", metadata.kind, length(metadata.kind, metadata.length))
                })
            }
            Op::Read(bytes) => {
                let Some((file, _)) = &mut self.file else { return Ok("none".into()) };
                let mut buffer = vec![0; *bytes];
                disk.read(file, &mut buffer).map(|count| format!("{:?}", &buffer[..count]))
            }
            Op::Write(bytes) => {
                let Some((file, true)) = &mut self.file else { return Ok("none".into()) };
                disk.write(file, bytes).map(|count| count.to_string())
            }
            Op::Truncate(length) => {
                let Some((file, true)) = &mut self.file else { return Ok("none".into()) };
                disk.truncate(file, *length).map(done)
            }
            Op::Sync => {
                let Some((file, _)) = &mut self.file else { return Ok("none".into()) };
                disk.sync(file).map(done)
            }
            Op::Rename(from, to) => disk.rename(&self.at(*from), &self.at(*to)).map(done),
            Op::RenameNoReplace(from, to) => {
                disk.rename_no_replace(&self.at(*from), &self.at(*to)).map(done)
            }
            Op::Remove(name) => disk.remove(&self.at(*name)).map(done),
            Op::Metadata(name) => disk.metadata(&self.at(*name)).map(|found| {
                let found = found.map(|found| (found.kind, length(found.kind, found.length)));
                format!("{found:?}")
            }),
            Op::MakeDir(name) => disk.make_dir(&self.at(*name)).map(done),
            Op::SyncDir => disk.sync_dir(self.root).map(done),
            Op::List(prefix) => disk.list(self.root, prefix).map(|mut names| {
                names.sort();
                names.join(" ")
            }),
        };
        heard.map_err(|error| error.kind)
    }

    /// Every name, with what it holds.
    fn contents(&self) -> Vec<String> {
        let read = |name: &&str| {
            let Ok((mut file, metadata)) = self.disk.open(&self.root.join(name), Access::Read)
            else {
                return format!("{name}: nothing");
            };
            if metadata.kind != FileKind::File {
                return format!("{name}: {:?}", metadata.kind);
            }
            let mut buffer = vec![0; 4_096];
            let count = self.disk.read(&mut file, &mut buffer).unwrap();
            format!("{name}: {:?}", &buffer[..count])
        };
        NAMES.iter().map(read).collect()
    }
}

/// Of folders each file system has its own idea.
fn length(kind: FileKind, length: u64) -> u64 {
    if kind == FileKind::File { length } else { 0 }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let unique =
            format!("everbeat-disk-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(unique);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What fails is kept as a test, not as a seed.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn answers_as_the_real_one_does(ops in prop::collection::vec(op(), 1..60)) {
        let folder = Folder::new();
        let virtual_disk = VirtualDisk::new();
        virtual_disk.make_folder(Path::new("/disk"), false);
        let mut real = Seat { disk: &RealDisk, root: &folder.0, file: None };
        let mut virtually = Seat { disk: &virtual_disk, root: Path::new("/disk"), file: None };
        for (step, op) in ops.iter().enumerate() {
            let (heard, told) = (virtually.make(op), real.make(op));
            prop_assert_eq!(&heard, &told, "step {}, {:?}: the real one says {:?}", step, op, told);
        }
        prop_assert_eq!(virtually.contents(), real.contents());
    }

    /// Whatever the dice say: a file that was synced under a name that was
    /// synced is there, with at least what was synced of it, and what is there
    /// beyond is what was written.
    #[test]
    fn keeps_what_was_synced(
        synced in prop::collection::vec(any::<u8>(), 0..40),
        beyond in prop::collection::vec(any::<u8>(), 0..40),
        names in prop_oneof![
            Just(NameLoss::Prefix), Just(NameLoss::Subset), Just(NameLoss::SubsetByName),
        ],
        picks in prop::collection::vec(any::<usize>(), 1..40),
    ) {
        let disk = VirtualDisk::new();
        disk.make_folder(Path::new("/disk"), false);
        let (kept, fleeting) = (Path::new("/disk/kept"), Path::new("/disk/fleeting"));
        let mut file = disk.create(kept).unwrap();
        disk.write(&mut file, &synced).unwrap();
        disk.sync(&mut file).unwrap();
        disk.sync_dir(Path::new("/disk")).unwrap();
        disk.write(&mut file, &beyond).unwrap();
        let mut other = disk.create(fleeting).unwrap();
        disk.write(&mut other, &beyond).unwrap();

        let mut picks = picks.into_iter().cycle();
        disk.lose_power(names, Tear::AnyByte, &mut |options: usize| {
            picks.next().unwrap_or_default() % options
        });
        let found = disk.contents(kept).unwrap();
        let written: Vec<u8> = synced.iter().chain(&beyond).copied().collect();
        prop_assert!(found.len() >= synced.len() && written.starts_with(&found));
        let found = disk.contents(fleeting).unwrap_or_default();
        prop_assert!(beyond.starts_with(&found));
    }
}

/// A folder that the process does not see is missing to it, and only to it.
#[test]
fn a_hidden_folder_is_missing_and_comes_back() {
    let disk = VirtualDisk::new();
    disk.make_folder(Path::new("/disk"), false);
    let path = Path::new("/disk/a");
    let mut file = disk.create(path).unwrap();
    disk.hide(Some("/disk".into()));
    assert_eq!(disk.metadata(path), Ok(None));
    assert_eq!(disk.metadata(Path::new("/disk")), Ok(None));
    let missing = DiskErrorKind::Missing;
    assert_eq!(disk.open(path, Access::Append).unwrap_err().kind, missing);
    assert_eq!(disk.create(Path::new("/disk/b")).unwrap_err().kind, missing);
    assert_eq!(disk.rename(path, Path::new("/disk/b")).unwrap_err().kind, missing);
    assert_eq!(disk.list(Path::new("/disk"), "").unwrap_err().kind, missing);
    assert_eq!(disk.sync_dir(Path::new("/disk")).unwrap_err().kind, missing);
    assert_eq!(disk.make_dir(Path::new("/disk")).unwrap_err().kind, DiskErrorKind::Denied);
    // What is open stays open.
    assert_eq!(disk.write(&mut file, b"more"), Ok(4));
    disk.hide(None);
    assert_eq!(disk.contents(path).unwrap(), b"more");
    assert_eq!(disk.list(Path::new("/disk"), "").unwrap(), ["a"]);
}
