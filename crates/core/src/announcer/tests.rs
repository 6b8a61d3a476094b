use alloc::vec;

use super::*;
use crate::config::Config;
use crate::event::Response;
use crate::journal::{Status, StoredResult};
use crate::time::Now;

fn key() -> ResultKey {
    ResultKey { delegation_id: "d1".into(), status: Status::Failed }
}

fn message() -> Message {
    Message { id: "m".into(), keys: vec![key()] }
}

/// A journal that has the result, and of the message what `knows_message` says.
fn opened(fx: &mut Effects, knows_message: bool) -> StoreLane {
    let mut store = StoreLane::new(fx);
    let result = StoredResult { key: key(), summary: String::new(), error: String::new() };
    store.memory.apply(JournalRecord::Stored { batch: 1, length: 1, results: vec![result] });
    if knows_message {
        let Message { id, keys } = message();
        store.memory.apply(JournalRecord::Announcing { message_id: id, keys });
    }
    store
}

/// The folder may be emptied while a message is on its way, and its results be
/// found and stored again before the answer is there.
#[test]
fn a_message_that_the_journal_lost_holds_nothing_back() {
    let config = Config::new("ws", "http://p").validate().unwrap();
    for (knows_message, unanswered, waiting) in [(true, 1, vec![]), (false, 0, vec![key()])] {
        let mut fx = Effects::new(1, Now::default());
        let mut store = opened(&mut fx, knows_message);
        let mut announcer = Announcer::new(&fx);
        announcer.stage = Stage::Sending(message());
        announcer.landed(&config, &mut store, &mut fx, Outcome::Panicked);
        announcer.find_waiting(&store);
        assert_eq!((announcer.unanswered.len(), &announcer.waiting.keys), (unanswered, &waiting));

        let mut announcer = Announcer::new(&fx);
        announcer.add_unanswered(&mut store, &fx, message(), config.reannounce_after);
        announcer.store_opened(&config, &mut store, &mut fx, false);
        announcer.find_waiting(&store);
        assert_eq!((announcer.unanswered.len(), &announcer.waiting.keys), (unanswered, &waiting));
    }
}

/// Messages whose answers say that the agent failed, each in doubt and tried
/// again: together they once used up the hour's budget, and what came next
/// waited an hour for an agent that was well again.
#[test]
fn failures_alone_do_not_use_up_the_budget() {
    let config = Config { cooldown: Duration::from_secs(5), ..Config::new("ws", "http://p") };
    let config = config.validate().unwrap();
    let body = r#"{"error":"agent returned an error"}"#;
    let doubtful =
        || Response { status: 500, retry_after_s: None, body: body.into(), complete: true };
    let mut fx = Effects::new(1, Now::default());
    let mut store = StoreLane::new(&mut fx);
    let mut announcer = Announcer::new(&fx);
    for number in 0..2 * UNANSWERED_MAX {
        let key = ResultKey { delegation_id: alloc::format!("d{number}"), ..key() };
        let result =
            StoredResult { key: key.clone(), summary: String::new(), error: String::new() };
        store.memory.apply(JournalRecord::Stored { batch: 1, length: 1, results: vec![result] });
        let message = Message { id: alloc::format!("m{number}"), keys: vec![key.clone()] };
        let (message_id, keys) = (message.id.clone(), vec![key]);
        store.memory.apply(JournalRecord::Announcing { message_id, keys });
        announcer.add_unanswered(&mut store, &fx, message, retry_pace(&config));
    }
    let (second, mut longest) = (Duration::from_secs(1), Duration::ZERO);
    for _ in 0..3 * 3_600 {
        fx.now.monotonic = fx.at().plus(second);
        let due = announcer.next_due().unwrap_or(fx.at());
        let due = due.max(announcer.not_before).max(announcer.budget_from(&config));
        if due <= fx.at() {
            announcer.begin(&config, &mut store, &mut fx);
            announcer.landed(&config, &mut store, &mut fx, Outcome::Response(doubtful()));
        }
        longest = longest.max(announcer.budget_from(&config).since(fx.at()));
    }
    assert!(announcer.attempts > 100, "they were tried: {}", announcer.attempts);
    assert!(longest <= retry_pace(&config), "the next message had to wait {longest:?}");
}

/// More messages in doubt than are kept apart: once the first of them was taken
/// for told, and its results waited for good.
#[test]
fn what_waits_for_room_has_the_first_in_doubt_sent_again() {
    let config = Config::new("ws", "http://p").validate().unwrap();
    let mut fx = Effects::new(1, Now::default());
    let mut store = StoreLane::new(&mut fx);
    let mut announcer = Announcer::new(&fx);
    let stored = |store: &mut StoreLane, number: usize| {
        let key = ResultKey { delegation_id: alloc::format!("d{number}"), ..key() };
        let result =
            StoredResult { key: key.clone(), summary: String::new(), error: String::new() };
        store.memory.apply(JournalRecord::Stored { batch: 1, length: 1, results: vec![result] });
        key
    };
    for number in 0..UNANSWERED_MAX {
        let keys = vec![stored(&mut store, number)];
        let message = Message { id: alloc::format!("m{number}"), keys: keys.clone() };
        let message_id = message.id.clone();
        store.memory.apply(JournalRecord::Announcing { message_id, keys });
        announcer.add_unanswered(&mut store, &fx, message, config.reannounce_after);
    }
    let waiting = stored(&mut store, UNANSWERED_MAX);
    announcer.find_waiting(&store);
    assert_eq!(announcer.waiting.keys, core::slice::from_ref(&waiting));

    announcer.begin(&config, &mut store, &mut fx);
    let Stage::Sending(message) = &announcer.stage else { panic!("nothing is sent") };
    assert_eq!(message.id, "m0");
    assert_eq!(store.memory.untold_len(), UNANSWERED_MAX + 1);
    let body = r#"{"jsonrpc":"2.0","id":null,"result":{"kind":"message"}}"#;
    let accepted = Response { status: 200, retry_after_s: None, body: body.into(), complete: true };
    announcer.landed(&config, &mut store, &mut fx, Outcome::Response(accepted));
    announcer.find_waiting(&store);
    announcer.begin(&config, &mut store, &mut fx);
    let Stage::Journalling(message) = &announcer.stage else { panic!("it has room now") };
    assert_eq!(message.keys, [waiting]);
}

/// What the reader took while the message was sent again is told, whatever
/// comes of that: it is not sent a third time.
#[test]
fn what_was_taken_while_it_was_sent_again_is_told() {
    let config = Config::new("ws", "http://p").validate().unwrap();
    let mut fx = Effects::new(1, Now::default());
    let mut store = opened(&mut fx, true);
    let mut announcer = Announcer::new(&fx);
    announcer.add_unanswered(&mut store, &fx, message(), config.reannounce_after);
    fx.now.monotonic = fx.at().plus(config.reannounce_after);
    announcer.begin(&config, &mut store, &mut fx);
    assert!(matches!(announcer.stage, Stage::Sending(_)));

    store.memory.apply(JournalRecord::Taken { through: 1 });
    announcer.taken(&mut store, &mut fx);
    let refused = Response { status: 503, retry_after_s: None, body: "".into(), complete: true };
    announcer.landed(&config, &mut store, &mut fx, Outcome::Response(refused));
    assert_eq!((announcer.unanswered.len(), store.memory.untold_len()), (0, 0));
    assert_eq!(announcer.next_due(), None);
}
