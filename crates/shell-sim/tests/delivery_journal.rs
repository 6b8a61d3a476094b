//! The journal: whatever happens to its bytes, the good beginning is kept,
//! and nothing goes without a word.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test may panic")]

use std::path::Path;

use everbeat_core::{
    Action, FileFailureKind, JournalRecord, OpenedStore, Outcome, Repair, Secret, Snapshot,
};
use everbeat_sim::disk::{Call, CallKind, NameLoss, Tear, Thing, Verdict, VirtualDisk};
use everbeat_sim::explore::{STATE_DIR, new_disk, paths};
use everbeat_store::{DiskErrorKind, Store, read_secret, write_secret};
use proptest::prelude::*;

const JOURNAL: &str = "/state/everbeat/journal.jsonl";

fn records(count: usize) -> Vec<JournalRecord> {
    (0..count).map(|index| JournalRecord::Awaited { delegation_id: format!("d{index}") }).collect()
}

fn open(disk: &VirtualDisk) -> OpenedStore {
    disk.start();
    match Store::new(disk.clone(), paths()).carry_out(Action::OpenStore) {
        Outcome::StoreOpened(opened) => opened,
        other => panic!("not opened: {other:?}"),
    }
}

/// A disk with a journal of `count` records, each of them one line.
fn with_records(count: usize) -> VirtualDisk {
    let disk = new_disk();
    let mut store = Store::new(disk.clone(), paths());
    store.carry_out(Action::OpenStore);
    let records = records(count);
    let written = store.carry_out(Action::AppendJournal { records });
    assert!(matches!(written, Outcome::JournalWritten { .. }), "{written:?}");
    disk
}

fn journal(disk: &VirtualDisk) -> Vec<u8> {
    disk.contents(JOURNAL.as_ref()).expect("there is always a journal")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn anything_at_the_end_costs_no_record(tail in proptest::collection::vec(any::<u8>(), 1..200)) {
        let disk = with_records(4);
        let good = journal(&disk);
        disk.append_by_hand(JOURNAL.as_ref(), &tail);
        let opened = open(&disk);
        prop_assert_eq!(opened.records, records(4));
        prop_assert_eq!(opened.repairs.len(), 1);
        prop_assert_eq!(journal(&disk), good);
        prop_assert_eq!(open(&disk).repairs, vec![]);
    }

    #[test]
    fn a_change_anywhere_keeps_what_stands_before(
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let disk = with_records(6);
        let good = journal(&disk);
        let at = at.index(good.len());
        let mut changed = good.clone();
        for (to, from) in changed[at..].iter_mut().zip(&bytes) {
            *to = *from;
        }
        disk.overwrite_by_hand(JOURNAL.as_ref(), &changed);
        let opened = open(&disk);
        let lines_before = good[..at].iter().filter(|byte| **byte == b'\n').count();
        prop_assert!(opened.records.len() + 1 >= lines_before);
        prop_assert!(records(6).starts_with(&opened.records));
        if changed == good {
            prop_assert_eq!(&opened.repairs, &vec![]);
        } else {
            prop_assert_eq!(opened.repairs.len(), 1);
            if let Repair::Corrupt { set_aside, kept, .. } = &opened.repairs[0] {
                prop_assert_eq!(disk.contents(Path::new(set_aside)), Some(changed));
                prop_assert_eq!(*kept, opened.records.len() as u64);
            }
        }
        prop_assert_eq!(open(&disk).repairs, vec![]);
    }

    #[test]
    fn any_bytes_at_all_are_set_aside(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let disk = with_records(1);
        disk.overwrite_by_hand(JOURNAL.as_ref(), &bytes);
        let opened = open(&disk);
        prop_assert_eq!(opened.records, vec![]);
        prop_assert!(
            matches!(opened.repairs[..], [Repair::Corrupt { kept: 0, .. }]),
            "{:?}", opened.repairs
        );
    }
}

/// A disk that goes bad again and again fills no folder with damaged journals
/// (S6); the newest are kept for whoever looks into it.
#[test]
fn s6_only_the_newest_damaged_journals_are_kept() {
    let disk = with_records(1);
    for _ in 0..12 {
        disk.overwrite_by_hand(JOURNAL.as_ref(), b"no journal\nat all\n");
        let opened = open(&disk);
        let [Repair::Corrupt { set_aside, .. }] = opened.repairs.as_slice() else {
            panic!("{:?}", opened.repairs);
        };
        assert!(disk.exists(Path::new(set_aside)), "the newest is there");
    }
    let names = disk.names(STATE_DIR.as_ref());
    let kept = names.iter().filter(|name| name.starts_with("journal-corrupt-")).count();
    assert_eq!(kept, 4, "{names:?}");
}

#[test]
fn a_corrupt_middle_is_kept_under_a_dated_name() {
    let disk = with_records(5);
    let mut bytes = journal(&disk);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    for expected in
        ["journal-corrupt-20260714T093000Z.jsonl", "journal-corrupt-20260714T093000Z-1.jsonl"]
    {
        disk.overwrite_by_hand(JOURNAL.as_ref(), &bytes);
        let opened = open(&disk);
        let [Repair::Corrupt { set_aside, kept, lost }] = &opened.repairs[..] else { panic!() };
        assert_eq!(Path::new(set_aside), Path::new(STATE_DIR).join(expected));
        assert_eq!((*kept, *lost), (1, 4));
    }
}

#[test]
fn setting_aside_survives_a_death_or_a_full_disk_at_any_call() {
    for at in 1..40 {
        for verdict in [Verdict::Die, Verdict::Fail(DiskErrorKind::Full)] {
            let disk = with_records(5);
            let mut bytes = journal(&disk);
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            disk.overwrite_by_hand(JOURNAL.as_ref(), &bytes);
            disk.start();
            disk.set_hook(Some(Box::new(move |disk: &VirtualDisk, call: &Call| {
                let hits = disk.calls() == at && (verdict == Verdict::Die || call.kind.writes());
                if hits { verdict } else { Verdict::Go }
            })));
            Store::new(disk.clone(), paths()).carry_out(Action::OpenStore);
            disk.set_hook(None);
            let names = disk.names(STATE_DIR.as_ref());
            let set_aside = names.iter().any(|name| name.starts_with("journal-corrupt-"));
            assert!(set_aside || journal(&disk) == bytes, "call {at}: the evidence is gone");
            assert_eq!(open(&disk).records, records(1), "call {at}, {verdict:?}");
        }
    }
}

#[test]
fn compaction_leaves_the_old_or_the_new_journal() {
    let snapshot = || JournalRecord::Snapshot(Snapshot { began: true, ..Snapshot::default() });
    for at in 1..12 {
        for loss in [None, Some(NameLoss::Prefix), Some(NameLoss::SubsetByName)] {
            for choice in 0..4 {
                let disk = with_records(3);
                let mut store = Store::new(disk.clone(), paths());
                disk.start();
                store.carry_out(Action::OpenStore);
                let first = disk.calls();
                disk.set_hook(Some(Box::new(move |disk: &VirtualDisk, call: &Call| {
                    match disk.calls() == first + at {
                        true if call.kind == CallKind::Write => Verdict::DiePartly(10),
                        true => Verdict::Die,
                        false => Verdict::Go,
                    }
                })));
                let done = store.carry_out(Action::CompactJournal { records: vec![snapshot()] });
                disk.set_hook(None);
                if let Some(loss) = loss {
                    let mut choose = move |options: usize| choice % options;
                    disk.lose_power(loss, Tear::AnyByte, &mut choose);
                }
                let opened = open(&disk);
                assert_eq!(opened.repairs, [], "call {at}");
                let is_new = opened.records == [snapshot()];
                assert!(is_new || opened.records == records(3), "{:?}", opened.records);
                let is_acknowledged = matches!(done, Outcome::JournalWritten { .. });
                assert!(is_new || !is_acknowledged, "acknowledged and lost");
            }
        }
    }
}

#[test]
fn after_a_failed_sync_the_journal_is_written_anew() {
    let disk = with_records(2);
    disk.start();
    let mut store = Store::new(disk.clone(), paths());
    store.carry_out(Action::OpenStore);
    disk.set_hook(Some(Box::new(|_, call: &Call| match call.kind {
        CallKind::Sync => Verdict::Fail(DiskErrorKind::Other),
        _ => Verdict::Go,
    })));
    let outcome = store.carry_out(Action::AppendJournal { records: vec![JournalRecord::Began] });
    assert!(matches!(outcome, Outcome::FileFailed(_)), "{outcome:?}");
    let renames = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = std::rc::Rc::clone(&renames);
    disk.set_hook(Some(Box::new(move |_, call: &Call| {
        counted.set(counted.get() + u32::from(call.kind == CallKind::Rename));
        Verdict::Go
    })));
    let Outcome::StoreOpened(opened) = store.carry_out(Action::OpenStore) else { panic!() };
    assert_eq!(opened.records.len(), 3, "what can be read counts");
    assert_eq!(renames.get(), 1);
    assert!(matches!(store.carry_out(Action::OpenStore), Outcome::StoreOpened(_)));
    assert_eq!(renames.get(), 1, "once is enough");
}

#[test]
fn compaction_that_forgets_the_last_batch_is_refused() {
    let disk = with_records(0);
    let mut store = Store::new(disk.clone(), paths());
    disk.start();
    store.carry_out(Action::OpenStore);
    let snapshot = JournalRecord::Snapshot(Snapshot { last_batch: 3, ..Snapshot::default() });
    let outcome = store.carry_out(Action::CompactJournal { records: vec![snapshot] });
    assert!(matches!(outcome, Outcome::FileFailed(_)), "{outcome:?}");
}

#[test]
fn a_journal_of_another_workspace_is_not_touched() {
    let disk = with_records(2);
    let before = journal(&disk);
    disk.start();
    let mut other = paths();
    other.workspace_id = "ws-2".into();
    let outcome = Store::new(disk.clone(), other).carry_out(Action::OpenStore);
    let Outcome::FileFailed(failure) = outcome else { panic!("{outcome:?}") };
    assert!(failure.reason.contains("ws-1") && failure.reason.contains("ws-2"), "{failure:?}");
    assert_eq!(journal(&disk), before);
}

#[test]
fn a_journal_that_somebody_changed_is_read_again_before_it_is_written() {
    let disk = with_records(2);
    disk.start();
    let mut store = Store::new(disk.clone(), paths());
    store.carry_out(Action::OpenStore);
    disk.append_by_hand(JOURNAL.as_ref(), b"half a line");
    let append = || Action::AppendJournal { records: vec![JournalRecord::Began] };
    let outcome = store.carry_out(append());
    assert!(matches!(outcome, Outcome::FileFailed(_)), "{outcome:?}");
    assert!(matches!(store.carry_out(append()), Outcome::FileFailed(_)), "not opened again");
    let Outcome::StoreOpened(opened) = store.carry_out(Action::OpenStore) else { panic!() };
    assert_eq!(opened.repairs, [Repair::TornTail { bytes: 11 }]);
    assert!(matches!(store.carry_out(append()), Outcome::JournalWritten { .. }));
}

#[test]
fn secrets_are_read_leniently_and_written_whole() {
    let disk = new_disk();
    let path = Path::new("/configs/deep/.auth_token");
    let secret = |text: &str| Secret::new(text).unwrap();
    assert_eq!(read_secret(&disk, path).unwrap(), None);
    write_secret(&disk, path, &secret("first")).unwrap();
    for (text, expected) in [
        ("  token \n\n", Some("token")),
        ("", None),
        (" \n", None),
        ("two words", None),
        ("\u{e9}", None),
        (&"x".repeat(4096), Some(&*"x".repeat(4096))),
        (&"x".repeat(4097), None),
        (&" ".repeat(100_000), None),
    ] {
        disk.overwrite_by_hand(path, text.as_bytes());
        assert_eq!(read_secret(&disk, path).unwrap(), expected.map(secret), "{text:?}");
    }
    write_secret(&disk, path, &secret("second")).unwrap();
    assert_eq!(disk.contents(path), Some(b"second".to_vec()));
    assert_eq!(disk.names(path.parent().unwrap()), [".auth_token"]);
}

#[test]
fn a_secret_is_old_or_new_after_a_death_at_any_call() {
    let path = Path::new("/configs/.auth_token");
    let secret = |text: &str| Secret::new(text).unwrap();
    for at in 1..20 {
        let disk = new_disk();
        write_secret(&disk, path, &secret("old")).unwrap();
        disk.sync_all();
        disk.start();
        disk.set_hook(Some(Box::new(move |disk: &VirtualDisk, _: &Call| {
            if disk.calls() == at { Verdict::DiePartly(1) } else { Verdict::Go }
        })));
        let written = write_secret(&disk, path, &secret("new"));
        disk.set_hook(None);
        disk.lose_power(NameLoss::SubsetByName, Tear::AnyByte, &mut |_: usize| 0);
        disk.start();
        let found = read_secret(&disk, path).unwrap().unwrap();
        assert!(found == secret("new") || (written.is_err() && found == secret("old")));
        write_secret(&disk, path, &secret("newer")).unwrap();
        assert_eq!(disk.names("/configs".as_ref()), [".auth_token"], "a stale file is left");
    }
}

#[test]
fn a_secret_that_is_no_regular_file_is_an_error() {
    for thing in [Thing::Link, Thing::Folder, Thing::Fifo] {
        let disk = new_disk();
        disk.put("/token".as_ref(), thing, true);
        let failure = read_secret(&disk, "/token".as_ref()).unwrap_err();
        assert_eq!(failure.kind, FileFailureKind::Odd);
    }
}
