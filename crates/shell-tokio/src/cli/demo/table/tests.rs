//! Each promise of the table, kept and broken.

use super::*;
use crate::cli::demo::ledger::Ended;
use crate::cli::demo::ledger::tests::{line, read};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Two results, each told and taken once; a beat.
fn good() -> Books {
    let mut pulse = Pulse::new(ms(600), ms(1_500));
    pulse.beat(ms(100));
    let mut ledger = Ledger::default();
    ledger.finish("d0000001", Ended::Completed, "K-1");
    ledger.finish("d0000002", Ended::Failed, "boom");
    ledger.finish_foreign("d0000003");
    read(&mut ledger, &line("d0000001", "completed", "K-1"));
    read(&mut ledger, &line("d0000002", "failed", "boom"));
    let text = "- [completed] Delegation d0000001: x\n- [failed] Delegation d0000002: y";
    ledger.message("m-1", text);
    let stopped = Some((ms(20), Some(0)));
    Books { ledger, pulse, ending: Ending { stopped, ..Ending::default() }, kills: 0 }
}

/// After this, the promise named is broken, and no other.
fn breaks(promise: &str, harm: impl FnOnce(&mut Books)) {
    let mut books = good();
    harm(&mut books);
    let broken: Vec<_> =
        books.rows().iter().filter(|row| !row.kept).map(|row| row.promise).collect();
    assert_eq!(broken, [promise]);
    assert!(!books.all_kept());
}

#[test]
fn nothing_broken_nothing_said() {
    assert!(good().all_kept(), "{:?}", good().rows());
    let table = good().table(Paint::for_stdout());
    assert!(!table.contains('✗') && table.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn a_lost_a_doubled_a_torn_result_is_seen() {
    const ONCE: &str = "Every result arrives exactly once";
    breaks(ONCE, |books| {
        let mut ledger = Ledger::default();
        ledger.finish("d0000001", Ended::Completed, "K-1");
        ledger.message("m-1", "- [completed] Delegation d0000001: x");
        books.ledger = ledger;
    });
    breaks(ONCE, |books| read(&mut books.ledger, &line("d0000001", "completed", "K-1")));
    breaks(ONCE, |books| read(&mut books.ledger, "{\"delegation_id\": \"d00"));
}

#[test]
fn a_foreign_result_is_seen_wherever_it_shows() {
    const OUT: &str = "Another workspace's results stay out";
    breaks(OUT, |books| read(&mut books.ledger, &line("d0000003", "completed", "x")));
    breaks(OUT, |books| books.ledger.notification(crate::cli::demo::ledger::FOREIGN));
}

#[test]
fn every_other_promise_can_break() {
    breaks("The heart beats while the platform answers", |books| {
        books.pulse.beat(ms(1_500));
    });
    breaks("Messages keep their distance", |books| {
        books.pulse.message(ms(0));
        books.pulse.message(ms(900));
    });
    breaks("Messages carry no answer's text", |books| {
        books.ledger.notification(crate::cli::demo::ledger::ANSWER);
    });
    breaks("The agent is told, and never for nothing", |books| {
        books.ledger.message("m-2", "- [completed] Delegation d0000001: x");
    });
    breaks("A new token is picked up", |books| {
        books.pulse.begin(Excuse::Token, ms(200));
        books.pulse.over(ms(300));
        books.pulse.beat(ms(1_500));
    });
    breaks("Nobody is hammered", |books| (0..49).for_each(|_| books.pulse.request(ms(0), false)));
    breaks("No secret is written down", |books| books.ending.found_in.push("the log".into()));
    breaks("Asked to stop, it stops", |books| books.ending.stopped = Some((ms(20), Some(1))));
    breaks("Results are for their owner only", |books| books.ledger.open_files = 1);
    breaks("The reader finds answer or error", |books| books.ledger.wordless = 1);
    breaks("The story is told to its end", |books| {
        books.ending.broken_off = Some("no beat within 60 s".into());
    });
}
