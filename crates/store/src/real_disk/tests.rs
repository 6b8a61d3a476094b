use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::PathBuf;

use everbeat_core::{Action, Batch, Outcome, Placement};

use super::*;
use crate::testing::TempDir;
use crate::{Paths, Store};

fn kind<T: std::fmt::Debug>(result: Result<T, DiskError>) -> DiskErrorKind {
    result.expect_err("it should fail").kind
}

#[test]
fn a_new_file_is_private_and_replaces_nothing() {
    let dir = TempDir::new();
    let path = dir.join("new");
    let mut file = RealDisk.create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(RealDisk.write(&mut file, b"abc").unwrap(), 3);
    assert_eq!(kind(RealDisk.create(&path)), DiskErrorKind::Exists);
    symlink(dir.join("nowhere"), dir.join("dangling")).unwrap();
    assert_eq!(kind(RealDisk.create(&dir.join("dangling"))), DiskErrorKind::Exists);
    assert!(!dir.join("nowhere").exists());
    assert_eq!(kind(RealDisk.create(&dir.join("no/such"))), DiskErrorKind::Missing);
}

#[test]
fn opening_follows_no_link_and_waits_for_nobody() {
    let dir = TempDir::new();
    fs::write(dir.join("file"), "text").unwrap();
    symlink(dir.join("file"), dir.join("link")).unwrap();
    fs::create_dir(dir.join("folder")).unwrap();
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, dir.join("fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let open = |name: &str, access| {
        RealDisk.open(&dir.join(name), access).map(|(_, metadata)| metadata.kind)
    };
    for access in [Access::Read, Access::Append] {
        assert_eq!(open("file", access).unwrap(), FileKind::File);
        assert_eq!(kind(open("link", access)), DiskErrorKind::Odd);
        assert_eq!(kind(open("nothing", access)), DiskErrorKind::Missing);
        assert_eq!(open("fifo", access).unwrap(), FileKind::Other);
    }
    assert_eq!(open("folder", Access::Read).unwrap(), FileKind::Folder);
    assert_eq!(kind(open("folder", Access::Append)), DiskErrorKind::Odd);
    let link = RealDisk.metadata(&dir.join("link")).unwrap().unwrap();
    assert_eq!((link.kind, link.owned_by_me), (FileKind::Link, true));
    assert_eq!(RealDisk.metadata(&dir.join("nothing")).unwrap(), None);
}

#[test]
fn appending_goes_to_the_end_whatever_was_read_or_cut() {
    let dir = TempDir::new();
    let path = dir.join("file");
    fs::write(&path, "one\ntwo\n").unwrap();
    let (mut file, _) = RealDisk.open(&path, Access::Append).unwrap();
    let mut bytes = [0; 3];
    assert_eq!(RealDisk.read(&mut file, &mut bytes).unwrap(), 3);
    RealDisk.truncate(&mut file, 4).unwrap();
    RealDisk.write(&mut file, b"new\n").unwrap();
    RealDisk.sync(&mut file).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\nnew\n");
}

#[test]
fn a_careful_rename_replaces_nothing_and_a_plain_one_does() {
    let dir = TempDir::new();
    let (from, to) = (dir.join("from"), dir.join("to"));
    fs::write(&from, "new").unwrap();
    fs::write(&to, "old").unwrap();
    assert_eq!(kind(RealDisk.rename_no_replace(&from, &to)), DiskErrorKind::Exists);
    assert_eq!(fs::read_to_string(&to).unwrap(), "old");
    RealDisk.rename(&from, &to).unwrap();
    assert_eq!(kind(RealDisk.rename_no_replace(&from, &to)), DiskErrorKind::Missing);
    RealDisk.rename_no_replace(&to, &from).unwrap();
    assert_eq!(fs::read_to_string(&from).unwrap(), "new");
    RealDisk.remove(&from).unwrap();
    assert_eq!(kind(RealDisk.remove(&from)), DiskErrorKind::Missing);
}

#[test]
fn folders_are_private_listed_by_prefix_and_synced() {
    let dir = TempDir::new();
    let folder = dir.join("folder");
    RealDisk.make_dir(&folder).unwrap();
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(kind(RealDisk.make_dir(&folder)), DiskErrorKind::Exists);
    assert_eq!(kind(RealDisk.make_dir(&dir.join("a/b"))), DiskErrorKind::Missing);
    for name in [".everbeat-1", ".everbeat-2", "other"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let mut names = RealDisk.list(&folder, ".everbeat-").unwrap();
    names.sort();
    assert_eq!(names, [".everbeat-1", ".everbeat-2"]);
    RealDisk.sync_dir(&folder).unwrap();
    assert_eq!(kind(RealDisk.sync_dir(&dir.join("none"))), DiskErrorKind::Missing);
}

#[test]
fn one_lock_at_a_time() {
    let dir = TempDir::new();
    let path = dir.join("lock");
    let mut first = RealDisk.create(&path).unwrap();
    let (mut second, _) = RealDisk.open(&path, Access::Append).unwrap();
    assert!(RealDisk.try_lock(&mut first).unwrap());
    assert!(!RealDisk.try_lock(&mut second).unwrap());
    drop(first);
    assert!(RealDisk.try_lock(&mut second).unwrap());
}

fn paths(dir: &TempDir, results_file: PathBuf) -> Paths {
    Paths { state_dir: dir.join("state/deep"), results_file, workspace_id: "ws-1".into() }
}

fn batch(batch: u64) -> Action {
    let lines = vec![format!("{{\"delegation_id\":\"d-{batch}\"}}")];
    Action::StoreBatch(Batch { batch, lines, results: Vec::new() })
}

fn placement(outcome: Outcome) -> Placement {
    if let Outcome::BatchStored { placement, .. } | Outcome::BatchPlaced { placement } = outcome {
        return placement;
    }
    panic!("not stored: {outcome:?}")
}

#[test]
fn the_store_stores_merges_and_recovers_on_real_files() {
    let dir = TempDir::new();
    let results = dir.join("results.jsonl");
    let mut store = Store::new(RealDisk, paths(&dir, results.clone()));
    assert!(matches!(store.carry_out(Action::OpenStore), Outcome::StoreOpened(_)));
    assert_eq!(placement(store.carry_out(batch(1))), Placement::Placed { merged: false });
    assert_eq!(placement(store.carry_out(batch(2))), Placement::Placed { merged: true });
    let text = fs::read_to_string(&results).unwrap();
    assert_eq!(text, "{\"delegation_id\":\"d-2\"}\n{\"delegation_id\":\"d-1\"}\n");
    assert_eq!(fs::metadata(&results).unwrap().permissions().mode() & 0o777, 0o600);
    fs::rename(&results, dir.join("results.consumed")).unwrap();
    let probed = store.carry_out(Action::ProbeResults);
    assert_eq!(probed, Outcome::ResultsProbed { present: false });
    drop(store);
    let mut store = Store::new(RealDisk, paths(&dir, results.clone()));
    let Outcome::StoreOpened(opened) = store.carry_out(Action::OpenStore) else {
        panic!("not opened again")
    };
    assert_eq!(opened.repairs, []);
    assert_eq!(placement(store.carry_out(batch(3))), Placement::Placed { merged: false });
}

#[test]
fn a_second_store_names_the_first_ones_process() {
    let dir = TempDir::new();
    let mut first = Store::new(RealDisk, paths(&dir, dir.join("results.jsonl")));
    let mut second = Store::new(RealDisk, paths(&dir, dir.join("results.jsonl")));
    assert!(matches!(first.carry_out(Action::OpenStore), Outcome::StoreOpened(_)));
    let Outcome::FileFailed(failure) = second.carry_out(Action::OpenStore) else {
        panic!("two stores at once")
    };
    assert_eq!(failure.kind, everbeat_core::FileFailureKind::Locked);
    assert!(failure.reason.contains(&std::process::id().to_string()), "{}", failure.reason);
}

#[test]
fn what_is_odd_at_the_results_path_holds_the_batch() {
    let dir = TempDir::new();
    type Make = fn(&Path);
    let odd: [(&str, Make); 3] = [
        ("folder", |path| fs::DirBuilder::new().mode(0o700).create(path).unwrap()),
        ("link", |path| symlink("/etc/passwd", path).unwrap()),
        ("fifo", |path| {
            let mode = Mode::RUSR | Mode::WUSR;
            rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }),
    ];
    for (name, make) in odd {
        let folder = dir.join(name);
        fs::create_dir(&folder).unwrap();
        let results = folder.join("results.jsonl");
        make(&results);
        let state_dir = folder.join("state");
        let paths = Paths { state_dir, ..paths(&dir, results.clone()) };
        let mut store = Store::new(RealDisk, paths);
        store.carry_out(Action::OpenStore);
        let placed = placement(store.carry_out(batch(1)));
        assert!(matches!(placed, Placement::Held { .. }), "{name}: {placed:?}");
        if results.is_dir() { fs::remove_dir(&results) } else { fs::remove_file(&results) }
            .unwrap();
        let placed = placement(store.carry_out(Action::PlaceBatch { batch: 1 }));
        assert_eq!(placed, Placement::Placed { merged: false }, "{name}");
    }
}
