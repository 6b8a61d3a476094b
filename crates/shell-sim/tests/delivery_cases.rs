//! The cases that DELIVERY lists, one by one, on the real store.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test may panic")]

use std::cell::Cell;
use std::path::{Path, PathBuf};

use everbeat_core::{
    Action, Batch, FileFailureKind, JournalRecord, OpenedStore, Outcome, Placement, Repair,
    ResultKey, Status, StoredResult,
};
use everbeat_sim::disk::{Call, CallKind, Reader, Thing, Verdict, VirtualDisk};
use everbeat_sim::explore::{FOLDER, RESULTS_FILE, STATE_DIR, new_disk, paths};
use everbeat_store::placing::RESULTS_BYTES_MAX;
use everbeat_store::{DiskErrorKind, Paths, Store};

fn results() -> &'static Path {
    Path::new(RESULTS_FILE)
}

fn private(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!(".everbeat-ws-1-{name}"))
}

fn batch(number: u64, lines: &[&str]) -> Action {
    let result = |line: &&str| StoredResult {
        key: ResultKey { delegation_id: (*line).into(), status: Status::Completed },
        summary: (*line).into(),
        error: String::new(),
    };
    Action::StoreBatch(Batch {
        batch: number,
        lines: lines.iter().map(|line| (*line).into()).collect(),
        results: lines.iter().map(result).collect(),
    })
}

fn try_open(disk: &VirtualDisk) -> (Store<VirtualDisk>, Outcome) {
    open_at(disk, paths())
}

fn open_at(disk: &VirtualDisk, paths: Paths) -> (Store<VirtualDisk>, Outcome) {
    let mut store = Store::new(disk.clone(), paths);
    let outcome = store.carry_out(Action::OpenStore);
    (store, outcome)
}

fn open(disk: &VirtualDisk) -> (Store<VirtualDisk>, OpenedStore) {
    match try_open(disk) {
        (store, Outcome::StoreOpened(opened)) => (store, opened),
        (_, other) => panic!("not opened: {other:?}"),
    }
}

/// Stores a batch and says where it lies.
fn store(store: &mut Store<VirtualDisk>, number: u64, lines: &[&str]) -> Placement {
    match store.carry_out(batch(number, lines)) {
        Outcome::BatchStored { placement, .. } => placement,
        other => panic!("not stored: {other:?}"),
    }
}

fn place(store: &mut Store<VirtualDisk>, batch: u64) -> Placement {
    match store.carry_out(Action::PlaceBatch { batch }) {
        Outcome::BatchPlaced { placement } => placement,
        other => panic!("not placed: {other:?}"),
    }
}

fn held(placement: Placement) -> String {
    match placement {
        Placement::Held { reason } => reason,
        placed @ Placement::Placed { .. } => panic!("not held: {placed:?}"),
    }
}

fn standing(disk: &VirtualDisk) -> String {
    String::from_utf8(disk.contents(results()).expect("no results file")).unwrap()
}

fn failure(outcome: Outcome) -> (FileFailureKind, String) {
    match outcome {
        Outcome::FileFailed(failure) => (failure.kind, failure.reason),
        other => panic!("no failure: {other:?}"),
    }
}

const ALONE: Placement = Placement::Placed { merged: false };
const MERGED: Placement = Placement::Placed { merged: true };

#[test]
fn the_newest_batch_stands_first_and_nothing_else_is_left() {
    let disk = new_disk();
    let (mut agent, opened) = open(&disk);
    assert_eq!((opened.placement, opened.repairs), (None, vec![]));
    assert_eq!(store(&mut agent, 1, &["a"]), ALONE);
    assert_eq!(store(&mut agent, 2, &["b", "c"]), MERGED);
    assert_eq!(standing(&disk), "b\nc\na\n");
    assert_eq!(disk.names(FOLDER.as_ref()), [".everbeat-ws-1.marker", "results.jsonl"]);
}

#[test]
fn what_stands_at_the_results_path_is_kept_byte_for_byte() {
    for (there, expected) in [
        ("", "new\n"),
        ("\n", "new\n\n"),
        ("foreign\n", "new\nforeign\n"),
        ("no newline", "new\nno newline\n"),
        ("\u{e9}\r\n\0x\n", "new\n\u{e9}\r\n\0x\n"),
    ] {
        let disk = new_disk();
        let (mut agent, _) = open(&disk);
        assert!(disk.put(results(), Thing::File(there.into()), true));
        assert_eq!(store(&mut agent, 1, &["new"]), MERGED, "{there:?}");
        assert_eq!(standing(&disk), expected);
    }
}

#[test]
fn what_is_odd_holds_the_batch_until_it_is_gone() {
    let big = vec![b'x'; usize::try_from(RESULTS_BYTES_MAX).unwrap()];
    for (thing, is_mine, word) in [
        (Thing::Link, true, "cannot be read"),
        (Thing::Folder, true, "is a folder"),
        (Thing::Fifo, true, "not a regular file"),
        (Thing::File(b"theirs\n".to_vec()), false, "cannot be moved"),
        (Thing::File(big), true, "longer than 16 MiB"),
    ] {
        let disk = new_disk();
        let (mut agent, _) = open(&disk);
        disk.put(results(), thing.clone(), is_mine);
        let before = disk.contents(results());
        let reason = held(store(&mut agent, 1, &["a"]));
        assert!(reason.contains(word) && reason.contains(RESULTS_FILE), "{reason}");
        assert!(held(place(&mut agent, 1)).contains(word));
        assert_eq!(disk.contents(results()), before, "touched");
        let (_, opened) = open(&disk_after_restart(&disk));
        assert!(held(opened.placement.unwrap()).contains(word), "after a restart");
        disk.remove_by_hand(results());
        let (mut agent, opened) = open(&disk_after_restart(&disk));
        assert_eq!(opened.placement, Some(ALONE));
        assert_eq!(standing(&disk), "a\n");
        assert_eq!(store(&mut agent, 2, &["b"]), MERGED);
    }
}

fn disk_after_restart(disk: &VirtualDisk) -> VirtualDisk {
    disk.kill();
    disk.start();
    disk.clone()
}

#[test]
fn private_names_that_others_squat_are_left_alone() {
    let disk = new_disk();
    for name in ["1.new", "1.old", "7.new", "7.old"] {
        disk.put(&private(name), Thing::File(b"theirs\n".to_vec()), false);
    }
    let (mut agent, opened) = open(&disk);
    assert_eq!(opened.repairs.len(), 4, "{:?}", opened.repairs);
    let (kind, _) = failure(agent.carry_out(batch(1, &["a"])));
    assert_eq!(kind, FileFailureKind::Odd);

    disk.remove_by_hand(&private("1.new"));
    let (mut agent, _) = open(&disk_after_restart(&disk));
    assert_eq!(store(&mut agent, 1, &["a"]), ALONE, "A_1 is not needed");
    disk.put(&private("2.old"), Thing::File(b"theirs\n".to_vec()), false);
    assert!(held(store(&mut agent, 2, &["b"])).contains("2.old"));
    let (_, opened) = open(&disk_after_restart(&disk));
    assert!(held(opened.placement.unwrap()).contains("2.old"));
    disk.remove_by_hand(&private("2.old"));
    let (_, opened) = open(&disk_after_restart(&disk));
    assert_eq!(opened.placement, Some(MERGED));
    assert_eq!(standing(&disk), "b\na\n");
    assert_eq!(disk.contents(&private("7.old")), Some(b"theirs\n".to_vec()));
}

#[test]
fn no_space_for_the_merge_holds_the_batch_and_leaves_the_file() {
    let disk = new_disk();
    let (mut agent, _) = open(&disk);
    store(&mut agent, 1, &["a"]);
    let mut writes = 0;
    disk.set_hook(Some(Box::new(move |_, call: &Call| {
        let is_private = call.path.ends_with(".everbeat-ws-1-2.new");
        writes += u32::from(is_private && call.kind == CallKind::Write);
        if is_private && call.kind == CallKind::Write && writes > 1 {
            return Verdict::Partly(1, DiskErrorKind::Full);
        }
        Verdict::Go
    })));
    assert!(held(store(&mut agent, 2, &["b"])).contains("no space"));
    assert_eq!(standing(&disk), "a\n");
    assert_eq!(disk.contents(&private("2.new")), Some(b"b\n".to_vec()));
    disk.set_hook(None);
    assert_eq!(place(&mut agent, 2), MERGED);
    assert_eq!(standing(&disk), "b\na\n");
}

#[test]
fn an_old_consumed_file_is_left_to_the_reader() {
    let disk = new_disk();
    let consumed = results().with_extension("consumed");
    disk.put(&consumed, Thing::File(b"of a dead reader\n".to_vec()), true);
    let (mut agent, _) = open(&disk);
    store(&mut agent, 1, &["a"]);
    assert_eq!(disk.contents(&consumed), Some(b"of a dead reader\n".to_vec()));
    let mut reader = Reader::new(results());
    (0..3).for_each(|_| reader.step(&disk));
    assert_eq!(reader.taken(&disk), b"a\n");
    assert_eq!(store(&mut agent, 2, &["b"]), ALONE);
}

#[test]
fn the_results_file_alone_is_deleted() {
    let disk = new_disk();
    let (mut agent, _) = open(&disk);
    store(&mut agent, 1, &["a"]);
    disk.remove_by_hand(results());
    let probed = agent.carry_out(Action::ProbeResults);
    assert_eq!(probed, Outcome::ResultsProbed { present: false });
    assert_eq!(store(&mut agent, 2, &["b"]), ALONE);
    let (_, opened) = open(&disk_after_restart(&disk));
    assert_eq!(opened.repairs, []);
}

#[test]
fn an_emptied_folder_is_noticed_at_rest_and_at_the_start() {
    for restarts in [false, true] {
        let disk = new_disk();
        let (mut agent, _) = open(&disk);
        store(&mut agent, 1, &["a"]);
        disk.wipe_folder(FOLDER.as_ref());
        let opened = if restarts {
            open(&disk_after_restart(&disk)).1
        } else {
            failure(agent.carry_out(Action::ProbeResults));
            match agent.carry_out(Action::OpenStore) {
                Outcome::StoreOpened(opened) => opened,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(opened.repairs, [Repair::FolderEmptied]);
        assert_eq!(opened.records.last(), Some(&JournalRecord::Forgotten));
        let (_, opened) = open(&disk_after_restart(&disk));
        assert_eq!(opened.repairs, [], "told once");
    }
}

#[test]
fn an_emptied_folder_whose_results_were_taken_costs_nothing() {
    let disk = new_disk();
    let (mut agent, _) = open(&disk);
    store(&mut agent, 1, &["a"]);
    let records = vec![JournalRecord::Taken { through: 1 }];
    agent.carry_out(Action::AppendJournal { records });
    disk.wipe_folder(FOLDER.as_ref());
    let (_, opened) = open(&disk_after_restart(&disk));
    assert_eq!(opened.repairs, []);
}

#[test]
fn the_state_folder_is_lost_with_private_files_left() {
    let disk = new_disk();
    open(&disk);
    for (name, text) in [("1.new", "one\n"), ("5.new", "five\n"), ("4.old", "old\n")] {
        disk.put(&private(name), Thing::File(text.into()), true);
    }
    let (mut agent, opened) = open(&disk_after_restart(&disk));
    assert_eq!(opened.placement, None);
    assert_eq!(opened.repairs.len(), 2, "{:?}", opened.repairs);
    assert_eq!(standing(&disk), "old\n", "a file set aside is never deleted");
    assert_eq!(store(&mut agent, 1, &["a"]), MERGED);
    assert_eq!(standing(&disk), "a\nold\n");
}

/// The journal lost its last records, and a power loss brought back what was
/// set aside for the batch that they named: its number is not used again, or
/// that file would be in the way, or be removed as merged.
#[test]
fn a_number_that_the_journal_forgot_is_not_used_again() {
    let disk = new_disk();
    let (mut agent, _) = open(&disk);
    store(&mut agent, 1, &["a"]);
    disk.put(&private("2.old"), Thing::File(b"old\n".to_vec()), true);
    failure(agent.carry_out(batch(2, &["b"])));
    assert_eq!(standing(&disk), "a\n");

    let (mut agent, opened) = open(&disk_after_restart(&disk));
    assert_eq!(opened.placement, Some(MERGED));
    let skipped = JournalRecord::Stored { batch: 3, length: 0, results: vec![] };
    assert_eq!(opened.records.last(), Some(&skipped));
    assert_eq!(store(&mut agent, 4, &["b"]), MERGED);
    let mut reader = Reader::new(results());
    (0..3).for_each(|_| reader.step(&disk));
    assert_eq!(reader.taken(&disk), b"b\na\n");

    let (_, opened) = open(&disk_after_restart(&disk));
    assert_eq!(opened.repairs.len(), 1, "{:?}", opened.repairs);
    assert_eq!(standing(&disk), "old\n", "a file set aside is never deleted");
    let (_, opened) = open(&disk_after_restart(&disk));
    assert_eq!(opened.repairs, []);
}

/// What the journal forgot is not put in the way of a batch that is half way
/// there: only the reader could end that, who is told of nothing.
#[test]
fn what_the_journal_forgot_is_put_back_after_the_batch_is_placed() {
    let disk = new_disk();
    let (mut agent, _) = open(&disk);
    store(&mut agent, 1, &["a"]);
    disk.put(&private("9.old"), Thing::File(b"old\n".to_vec()), true);
    let is_set_aside = Cell::new(false);
    disk.set_hook(Some(Box::new(move |_: &VirtualDisk, call: &Call| {
        let is_rename = call.kind == CallKind::RenameNoReplace;
        if is_rename && call.path == results() {
            is_set_aside.set(true);
        }
        if is_rename && is_set_aside.get() && call.path == private("2.new") {
            Verdict::Die
        } else {
            Verdict::Go
        }
    })));
    failure(agent.carry_out(batch(2, &["b"])));
    disk.set_hook(None);
    assert_eq!(disk.contents(results()), None);

    let (_, opened) = open(&disk_after_restart(&disk));
    assert_eq!(opened.placement, Some(MERGED));
    assert_eq!(standing(&disk), "b\na\n");
    let mut reader = Reader::new(results());
    (0..3).for_each(|_| reader.step(&disk));
    open(&disk_after_restart(&disk));
    assert_eq!(standing(&disk), "old\n", "a file set aside is never deleted");
}

#[test]
fn two_agents_share_a_results_file() {
    let disk = new_disk();
    let mut other = paths();
    other.workspace_id = "ws-1-1".into();
    other.state_dir = "/state/other".into();
    let (mut one, _) = open(&disk);
    let (mut two, outcome) = open_at(&disk, other);
    assert!(matches!(outcome, Outcome::StoreOpened(_)), "{outcome:?}");
    assert_eq!(store(&mut one, 1, &["a"]), ALONE);
    assert_eq!(store(&mut two, 1, &["b"]), MERGED);
    assert_eq!(store(&mut one, 2, &["c"]), MERGED);
    assert_eq!(standing(&disk), "c\nb\na\n");
}

#[test]
fn something_new_stands_at_step_8_and_the_reader_takes_it() {
    let disk = new_disk();
    let (mut agent, _) = open(&disk);
    store(&mut agent, 1, &["a"]);
    disk.set_hook(Some(Box::new(|disk: &VirtualDisk, call: &Call| {
        if call.kind == CallKind::Metadata && call.path.ends_with(".everbeat-ws-1-2.old") {
            disk.put(results(), Thing::File(b"foreign\n".to_vec()), true);
        }
        Verdict::Go
    })));
    assert!(held(store(&mut agent, 2, &["b"])).contains("another program"));
    disk.set_hook(None);
    assert!(held(place(&mut agent, 2)).contains("another program"));
    let mut reader = Reader::new(results());
    (0..3).for_each(|_| reader.step(&disk));
    assert_eq!(reader.taken(&disk), b"foreign\n");
    assert_eq!(place(&mut agent, 2), MERGED);
    assert_eq!(standing(&disk), "b\na\n");
}

#[test]
fn another_users_file_in_a_folder_that_is_not_sticky_is_merged() {
    let disk = new_disk();
    disk.make_folder(FOLDER.as_ref(), false);
    let (mut agent, _) = open(&disk);
    disk.put(results(), Thing::File(b"theirs\n".to_vec()), false);
    assert_eq!(store(&mut agent, 1, &["a"]), MERGED);
    assert_eq!(standing(&disk), "a\ntheirs\n");
}

#[test]
fn the_second_agent_is_told_who_holds_the_lock() {
    let disk = new_disk();
    let (_first, _) = open(&disk);
    let (mut second, outcome) = try_open(&disk);
    let (kind, reason) = failure(outcome);
    assert_eq!(kind, FileFailureKind::Locked);
    assert!(reason.contains("process 4242"), "{reason}");
    failure(second.carry_out(Action::ProbeResults));
}

#[test]
fn opening_again_is_safe_when_folders_went_and_came_back() {
    let disk = new_disk();
    let (mut agent, _) = open(&disk);
    store(&mut agent, 1, &["a"]);
    disk.wipe_folder(STATE_DIR.as_ref());
    failure(agent.carry_out(batch(2, &["b"])));
    let Outcome::StoreOpened(opened) = agent.carry_out(Action::OpenStore) else { panic!() };
    assert_eq!(opened.records, [], "the journal is gone");
    assert_eq!(store(&mut agent, 1, &["b"]), MERGED);
    assert_eq!(standing(&disk), "b\na\n");
    let (_, outcome) = try_open(&disk);
    assert_eq!(failure(outcome).0, FileFailureKind::Locked, "the lock was taken anew");
}

#[test]
fn a_results_folder_that_is_missing_is_told_and_heals() {
    let disk = VirtualDisk::new();
    disk.make_folder("/state".as_ref(), false);
    let (mut agent, outcome) = try_open(&disk);
    assert_eq!(failure(outcome).0, FileFailureKind::Missing);
    disk.make_folder(FOLDER.as_ref(), true);
    assert!(matches!(agent.carry_out(Action::OpenStore), Outcome::StoreOpened(_)));
    assert_eq!(store(&mut agent, 1, &["a"]), ALONE);
}

#[test]
fn what_is_out_of_order_is_refused() {
    let disk = new_disk();
    let mut agent = Store::new(disk.clone(), paths());
    failure(agent.carry_out(batch(1, &["a"])));
    let (mut agent, _) = open(&disk);
    failure(agent.carry_out(batch(2, &["a"])));
    failure(agent.carry_out(batch(1, &["a"])));
    let (mut agent, _) = open(&disk_after_restart(&disk));
    failure(agent.carry_out(Action::PlaceBatch { batch: 3 }));
    failure(agent.carry_out(Action::RebuildClient));
}

#[test]
fn what_was_taken_before_the_journal_was_lost_says_nothing_of_new_batches() {
    let disk = new_disk();
    let (mut agent, _) = open(&disk);
    let records = vec![JournalRecord::Taken { through: 7 }];
    agent.carry_out(Action::AppendJournal { records });
    store(&mut agent, 1, &["a"]);
    disk.wipe_folder(FOLDER.as_ref());
    let (_, opened) = open(&disk_after_restart(&disk));
    assert_eq!(opened.repairs, [Repair::FolderEmptied]);
}
