//! Each fault: the promises that must see it, and what was made by hand where
//! random seeds do not get to.

use everbeat_core::planted::Fault;
use everbeat_platform::OutageKind;

use super::ByHand;
use crate::disk::NameLoss;
use crate::explore::{Scenario, UNLIMITED};
use crate::plan::{Act, Entry, Plan, Setup, failed};
use crate::saved;

/// The promises that the fault breaks, the plainest first.
#[must_use]
pub const fn expected(fault: Fault) -> &'static [&'static str] {
    match fault {
        Fault::ForeignDelivered => &["S1"],
        Fault::PreviewInMessage | Fault::WordsUncut => &["S2"],
        Fault::NoCooldown | Fault::TakenForgotten => &["S3"],
        Fault::WallClockCooldown => &["S3", "L2"],
        Fault::CooldownDrops | Fault::DoubtsUnpaced | Fault::StrayPutBackFirst => &["L2"],
        Fault::BusyLoop | Fault::BusyLoopAfterTen | Fault::NotifyUnpaced => &["S5"],
        Fault::BackoffUncapped | Fault::BackoffAboveTtl => &["L5", "L1"],
        Fault::RetryAfterUncapped => &["L5", "L1", "L2"],
        Fault::Unbounded => &["S6"],
        Fault::RandomEviction => &["S3", "S4"],
        Fault::StatusIgnored => &["S4", "L2"],
        Fault::FirstRowWins | Fault::NoTwinWait => &["S4"],
        Fault::RowVoidsList => &["L2"],
        Fault::SecretInNotice => &["S7"],
        Fault::Undetermined => &["S8"],
        Fault::UnstableMessageId => &["S9"],
        Fault::LanesCoupled => &["L1"],
        Fault::BeatWithoutDeadline => &["L1", "L5"],
        Fault::PollWithoutDeadline => &["L2", "L4"],
        Fault::RetryWithoutMetadata => &["L3"],
        Fault::TokenKept | Fault::AnyAnswerCounts => &["L3", "L1"],
        Fault::MarkedBeforeStored => &["S4", "L4"],
        Fault::StopWaits => &["L6"],
        Fault::MissedBeatsSent => &["L7"],
        Fault::NoisyOutage => &["L8"],
        Fault::LockIgnored
        | Fault::PlacedBeforeJournal
        | Fault::AppendedInPlace
        | Fault::RenamedOver
        | Fault::AsideRemovedEarly
        | Fault::StoredNotPlaced
        | Fault::FixedPrivateName
        | Fault::JournalBeforePrivateSync
        | Fault::NoFolderSyncBeforeJournal
        | Fault::NoFolderSyncBeforeUnlink
        | Fault::MergedUnsynced
        | Fault::NoSyncAfterCut
        | Fault::UnsyncedJournalTrusted
        | Fault::LinkInsteadOfRename
        | Fault::CompactedUnsynced
        | Fault::TornTailKept
        | Fault::EmptiedFolderTrusted
        | Fault::AwayTakenForEmptied
        | Fault::NoFolderSyncBeforeHandOut
        | Fault::NoFolderSyncAfterAcknowledge
        | Fault::ForgottenWhenTaken
        | Fault::LeasedCountsAsTaken => &["S4"],
    }
}

/// What a sweep leaves out because it runs each plan once more.
#[must_use]
pub const fn also_checked(fault: Fault) -> &'static [&'static str] {
    if matches!(fault, Fault::Undetermined) { &["S8"] } else { &[] }
}

/// What was made by hand to catch the fault, whether seeds catch it or not.
#[must_use]
pub const fn by_hand(fault: Fault) -> Option<ByHand> {
    Some(match fault {
        Fault::NoisyOutage => ByHand::Plan(day_s_outage, "L8"),
        Fault::Unbounded => ByHand::Plan(long_lists, "S6"),
        Fault::DoubtsUnpaced => ByHand::Plan(doubts, "L2"),
        Fault::AwayTakenForEmptied => ByHand::Plan(folder_away, "S4"),
        Fault::TakenForgotten => ByHand::Plan(taken_while_sent_again, "S3"),
        Fault::StrayPutBackFirst => ByHand::Plan(put_back_in_the_way, "L2"),
        Fault::PlacedBeforeJournal | Fault::StoredNotPlaced => ByHand::Search(|| crashes(1)),
        Fault::AppendedInPlace
        | Fault::RenamedOver
        | Fault::AsideRemovedEarly
        | Fault::FixedPrivateName
        | Fault::LinkInsteadOfRename => ByHand::Search(|| crashes(2)),
        Fault::JournalBeforePrivateSync | Fault::NoFolderSyncBeforeJournal => {
            ByHand::Search(|| power_loss(1, NameLoss::Prefix))
        }
        Fault::NoFolderSyncBeforeUnlink | Fault::MergedUnsynced => {
            ByHand::Search(|| power_loss(2, NameLoss::Subset))
        }
        Fault::NoSyncAfterCut => ByHand::Search(|| power_loss(3, NameLoss::Prefix)),
        Fault::UnsyncedJournalTrusted => {
            ByHand::Search(|| Scenario { kills: 1, ..power_loss(1, NameLoss::Prefix) })
        }
        Fault::CompactedUnsynced => {
            ByHand::Search(|| Scenario { compacts: true, ..power_loss(1, NameLoss::Prefix) })
        }
        Fault::TornTailKept => ByHand::Search(|| Scenario { kills: 2, ..crashes(1) }),
        Fault::EmptiedFolderTrusted => ByHand::Search(|| Scenario {
            wipes: 1,
            notes_taken: true,
            reader_steps: UNLIMITED,
            ..Scenario::of_results(2)
        }),
        Fault::NoFolderSyncBeforeHandOut => ByHand::Search(|| Scenario {
            faults: 1,
            leases: 1,
            power_loss: Some(NameLoss::Subset),
            ..Scenario::of_results(2)
        }),
        Fault::NoFolderSyncAfterAcknowledge => ByHand::Search(|| Scenario {
            leases: 1,
            power_loss: Some(NameLoss::Prefix),
            ..Scenario::of_results(1)
        }),
        Fault::ForgottenWhenTaken => {
            ByHand::Search(|| Scenario { leases: 2, ..Scenario::of_results(1) })
        }
        Fault::LeasedCountsAsTaken => ByHand::Search(|| Scenario {
            wipes: 1,
            notes_taken: true,
            leases: 1,
            ..Scenario::of_results(1)
        }),
        Fault::ForeignDelivered
        | Fault::PreviewInMessage
        | Fault::WordsUncut
        | Fault::NoCooldown
        | Fault::WallClockCooldown
        | Fault::CooldownDrops
        | Fault::BusyLoop
        | Fault::BusyLoopAfterTen
        | Fault::BackoffUncapped
        | Fault::BackoffAboveTtl
        | Fault::RetryAfterUncapped
        | Fault::NotifyUnpaced
        | Fault::LockIgnored
        | Fault::RandomEviction
        | Fault::StatusIgnored
        | Fault::FirstRowWins
        | Fault::NoTwinWait
        | Fault::RowVoidsList
        | Fault::SecretInNotice
        | Fault::Undetermined
        | Fault::UnstableMessageId
        | Fault::LanesCoupled
        | Fault::BeatWithoutDeadline
        | Fault::PollWithoutDeadline
        | Fault::RetryWithoutMetadata
        | Fault::TokenKept
        | Fault::AnyAnswerCounts
        | Fault::MarkedBeforeStored
        | Fault::StopWaits
        | Fault::MissedBeatsSent => return None,
    })
}

fn crashes(count: usize) -> Scenario {
    Scenario { kills: UNLIMITED, reader_steps: UNLIMITED, ..Scenario::of_results(count) }
}

fn power_loss(count: usize, loss: NameLoss) -> Scenario {
    Scenario { reader_steps: UNLIMITED, power_loss: Some(loss), ..Scenario::of_results(count) }
}

/// An outage of a day, with results that wait for its end.
fn day_s_outage() -> Plan {
    const HOUR_MS: u64 = 3_600_000;
    let finish = Act::Finish { first: 0, count: 3, finish: failed(0) };
    let outage = Act::Outage { ms: 24 * HOUR_MS, kind: OutageKind::Refuse };
    Plan {
        seed: 8,
        setup: Setup::default(),
        entries: vec![Entry { at_ms: 0, act: finish }, Entry { at_ms: 70_000, act: outage }],
        faults_end_ms: 25 * HOUR_MS,
        healed_ms: 600_000,
    }
}

/// What once broke the promise that an agent that is well hears soon.
fn doubts() -> Plan {
    found(include_str!("../../tests/plans/doubts-use-up-the-budget.json"))
}

fn folder_away() -> Plan {
    found(include_str!("../../tests/plans/folder-away.json"))
}

fn taken_while_sent_again() -> Plan {
    found(include_str!("../../tests/plans/taken-while-sent-again.json"))
}

fn put_back_in_the_way() -> Plan {
    found(include_str!("../../tests/plans/put-back-in-the-way.json"))
}

/// A plan that a sweep found and that is kept.
#[expect(clippy::expect_used, reason = "it is part of the program, and tests read it, too")]
fn found(text: &str) -> Plan {
    saved::parse_plan(text).expect("a kept plan is a plan")
}

/// One long list after the other, of results that never came before.
fn long_lists() -> Plan {
    let list = |number: u32| Entry {
        at_ms: u64::from(number) * 5_000,
        act: Act::LongList { first: number * 150, rows: 150 },
    };
    Plan {
        seed: 6,
        setup: Setup { interval_ms: 5_000, cooldown_ms: 1_000, turn_ms: 10, ..Setup::default() },
        entries: (0..40).map(list).collect(),
        faults_end_ms: 200_000,
        healed_ms: 60_000,
    }
}
