use alloc::vec;

use super::*;
use crate::config::Config;
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
