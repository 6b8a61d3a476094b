//! Every promise by its name.

use super::Promise;
use super::beats::{
    BackAfterHealing, BeatsOnTime, NextBeatComes, OneBeatAfterSleep, TriedWithinTheCap,
    WakesWithABeat,
};
use super::bounds::{Bounded, NoSecretShows};
use super::contents::{BeatsCarryAll, ForeignStayOut, QuotedAndCut, RowsAreFolded};
use super::messages::{CooldownAndNews, StoredFirst};
use super::requests::{NoSelfDrive, QuietOutage, RequestBudget, SaidSeldom};
use super::results::{ExactlyOnce, NothingWaits, PollsGoOn, ToldInTime};
use super::stops::{Deterministic, EndsInTime, JournalConsistent};
use super::tokens::{NewTokenIsUsed, RepeatedAtOnce};

/// Makes a promise that has seen nothing.
pub type Make = fn() -> Box<dyn Promise>;

fn of<P: Promise + Default + 'static>() -> Box<dyn Promise> {
    Box::<P>::default()
}

/// What every run is watched for, with faults of any kind: the safety promises
/// all the time, the liveness promises in the healed world.
pub const CHECKS: &[(&str, Make)] = &[
    ("S1", of::<ForeignStayOut>),
    ("S2", of::<QuotedAndCut>),
    ("S3", of::<CooldownAndNews>),
    ("S4", of::<ExactlyOnce>),
    ("S4 stored first", of::<StoredFirst>),
    ("S5", of::<RequestBudget>),
    ("S6", of::<Bounded>),
    ("S7", of::<NoSecretShows>),
    ("S9", of::<NoSelfDrive>),
    ("L1", of::<BeatsOnTime>),
    ("L1 next beat", of::<NextBeatComes>),
    ("L1 carries all", of::<BeatsCarryAll>),
    ("L2", of::<ToldInTime>),
    ("L2 polls", of::<PollsGoOn>),
    ("L2 folds rows", of::<RowsAreFolded>),
    ("L3", of::<NewTokenIsUsed>),
    ("L4", of::<NothingWaits>),
    ("L5", of::<BackAfterHealing>),
    ("L6", of::<EndsInTime>),
    ("L7", of::<WakesWithABeat>),
    ("L8 seldom", of::<SaidSeldom>),
];

/// What only some plans can be watched for, since others make it impossible,
/// and S8, which runs the plan once more.
pub const ALWAYS: &[(&str, Make)] = &[
    ("S8", of::<Deterministic>),
    ("L1 always", || Box::new(BeatsOnTime::always())),
    ("L2 always", || Box::new(ToldInTime::always())),
    ("L3 always", || Box::new(NewTokenIsUsed::always())),
    ("L3 at once", of::<RepeatedAtOnce>),
    ("L5 always", of::<TriedWithinTheCap>),
    ("L6 journal", of::<JournalConsistent>),
    ("L7 always", of::<OneBeatAfterSleep>),
    ("L8", of::<QuietOutage>),
];
