use super::*;
use crate::command::CommandId;
use crate::config::Config;
use crate::journal::{Status, StoredResult};
use crate::limits::ROWS_MAX;
use crate::time::Now;

/// A lane whose journal, if these records are all of it, was just opened.
fn opened(records: Vec<JournalRecord>) -> (StoreLane, Effects, ValidConfig) {
    let config = Config::new("ws", "http://p").validate().unwrap();
    let mut fx = Effects::new(1, Now::default());
    let mut lane = StoreLane::new(&mut fx);
    fx.timers.clear(Timer::Store);
    lane.advance(&mut fx, false);
    let opened = OpenedStore { records, ..OpenedStore::default() };
    answer(&mut lane, &config, &mut fx, Outcome::StoreOpened(opened));
    (lane, fx, config)
}

/// Answers the command that is under way.
fn answer(lane: &mut StoreLane, config: &ValidConfig, fx: &mut Effects, outcome: Outcome) {
    let command: CommandId = fx.poll_command().expect("a command").id;
    assert_eq!(fx.land(command), Some(Slot::Store));
    lane.landed(config, fx, outcome);
}

fn next(lane: &mut StoreLane, fx: &mut Effects) -> Option<Action> {
    lane.advance(fx, false);
    let command = fx.poll_command()?;
    fx.land(command.id);
    Some(command.action)
}

fn key(number: usize) -> ResultKey {
    ResultKey { delegation_id: format!("d{number}"), status: Status::Failed }
}

fn result(number: usize) -> FoldedResult {
    FoldedResult {
        key: key(number),
        target_id: String::new(),
        source_id: String::new(),
        summary: String::new(),
        response_preview: String::new(),
        error: String::new(),
    }
}

fn untold(results: usize) -> JournalRecord {
    let stored = |number: usize| StoredResult {
        key: key(number),
        summary: String::new(),
        error: String::new(),
    };
    JournalRecord::Stored { batch: 1, length: 1, results: (0..results).map(stored).collect() }
}

#[test]
fn so_many_results_wait_for_the_disk_and_no_more() {
    let (mut lane, _, _) = opened(vec![]);
    assert!((0..DISCOVERED_MAX).all(|number| lane.discover(result(number))));
    assert!(!lane.discover(result(DISCOVERED_MAX)));
    assert_eq!(lane.discovered(), DISCOVERED_MAX);
}

#[test]
fn what_waits_for_the_disk_finds_room_in_the_memory_later() {
    let most = REMEMBERED_MAX - ROWS_MAX;
    let (mut lane, _, _) = opened(vec![untold(most - 2)]);
    let taken = [most, most + 1, most + 2].map(|number| lane.discover(result(number)));
    assert_eq!(taken, [true, true, false]);
}

#[test]
fn a_journal_is_compacted_beyond_its_bound() {
    for (journal_bytes, is_compacted) in [
        (JOURNAL_BYTES_MIN - 1, false),
        (JOURNAL_BYTES_MIN, false),
        (JOURNAL_BYTES_MIN + 1, true),
        (2 * JOURNAL_BYTES_MIN, true),
    ] {
        let (mut lane, mut fx, _) = opened(vec![]);
        lane.journal_bytes = journal_bytes;
        let action = next(&mut lane, &mut fx);
        let compacts = matches!(action, Some(Action::CompactJournal { .. }));
        assert_eq!(compacts, is_compacted, "{journal_bytes}");
    }
}

#[test]
fn a_journal_is_compacted_that_holds_more_of_what_was_forgotten_than_is_remembered() {
    let (mut lane, mut fx, _) = opened(vec![]);
    lane.memory.forgotten = REMEMBERED_MAX;
    assert_eq!(next(&mut lane, &mut fx), None);
    lane.memory.forgotten += 1;
    assert!(matches!(next(&mut lane, &mut fx), Some(Action::CompactJournal { .. })));
    assert_eq!(lane.memory.forgotten, 0);
}

/// Of what is awaited the oldest words may go; nothing else does.
#[test]
fn awaits_that_wait_for_the_journal_push_out_nothing_else() {
    let (mut lane, mut fx, _) = opened(vec![]);
    lane.append(JournalRecord::Refused { message_id: "m".into() });
    for number in 0..=AWAITED_MAX {
        lane.await_delegation(format!("d{number}"), &mut fx);
    }
    let Some(Action::AppendJournal { records }) = next(&mut lane, &mut fx) else {
        panic!("they go to the journal");
    };
    assert_eq!(records.len(), 1 + AWAITED_MAX);
    assert_eq!(records[0], JournalRecord::Refused { message_id: "m".into() });
    assert_eq!(records[1], JournalRecord::Awaited { delegation_id: "d1".into() });
}

#[test]
fn an_id_that_no_delegation_can_have_is_not_awaited() {
    let (mut lane, mut fx, _) = opened(vec![]);
    let longest = "d".repeat(DELEGATION_ID_BYTES_MAX);
    for id in ["", "a\u{1}", &format!("{longest}d")] {
        lane.await_delegation(id.into(), &mut fx);
        assert!(!lane.memory.is_awaited(id), "{id:?}");
    }
    lane.await_delegation(longest.clone(), &mut fx);
    assert!(lane.memory.is_awaited(&longest));
}

#[test]
fn the_results_file_is_looked_at_as_long_as_something_lies_there_untaken() {
    let (mut lane, mut fx, config) = opened(vec![untold(1)]);
    lane.probe();
    assert_eq!(next(&mut lane, &mut fx), Some(Action::ProbeResults));
    lane.landed(&config, &mut fx, Outcome::ResultsProbed { present: false });
    let taken = JournalRecord::Taken { through: 1 };
    assert_eq!(next(&mut lane, &mut fx), Some(Action::AppendJournal { records: vec![taken] }));
    lane.landed(&config, &mut fx, Outcome::JournalWritten { journal_bytes: 1 });
    lane.probe();
    assert_eq!(next(&mut lane, &mut fx), None);
}

#[test]
fn what_was_about_to_be_told_is_decided_anew_after_a_failure() {
    let (mut lane, mut fx, config) = opened(vec![untold(1)]);
    let lost = [
        JournalRecord::Announcing { message_id: "m".into(), keys: vec![key(0)] },
        JournalRecord::Notified { keys: vec![key(0)] },
        JournalRecord::Settled { keys: vec![key(1)] },
        JournalRecord::Began,
    ];
    let kept = [
        JournalRecord::Refused { message_id: "m".into() },
        JournalRecord::Announced { message_id: "n".into() },
        JournalRecord::Taken { through: 1 },
        JournalRecord::Awaited { delegation_id: "a".into() },
        JournalRecord::AwaitDropped { delegation_id: "a".into() },
    ];
    for record in lost.iter().chain(&kept) {
        lane.append(record.clone());
    }
    assert!(matches!(next(&mut lane, &mut fx), Some(Action::AppendJournal { .. })));
    lane.landed(&config, &mut fx, Outcome::Panicked);
    assert!(!lane.is_open());
    assert!(lane.queue.iter().eq(&kept), "{:?}", lane.queue);
}
