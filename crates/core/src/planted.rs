//! Planted faults: what the tests of the promises must catch.
//!
//! In a normal build [`active`] is constantly false and every planted branch
//! is compiled away. With `--cfg everbeat_planted` one fault at a time is
//! planted in the process, in the core or in the store, and a promise must be
//! seen broken.

macro_rules! faults {
    ($($(#[doc = $about:literal])+ $name:ident,)*) => {
        /// One fault. Where it stands in the code says what it breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(not(everbeat_planted), allow(dead_code))]
        pub enum Fault {
            $($(#[doc = $about])+ $name,)*
        }

        impl Fault {
            /// Every fault, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it does, in a sentence.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($about),+).trim_ascii(),)*
                }
            }
        }
    };
}

faults! {
    /// Rows of another source are delivered.
    ForeignDelivered,
    /// The response's text stands in the self-message.
    PreviewInMessage,
    /// A peer's words are cut by bytes and keep their line breaks.
    WordsUncut,
    /// No cooldown between self-messages.
    NoCooldown,
    /// The cooldown is counted on the wall clock.
    WallClockCooldown,
    /// A cooldown drops the announcement instead of postponing it.
    CooldownDrops,
    /// After a failure the request is repeated at once.
    BusyLoop,
    /// After ten failures in a row the request is repeated at once.
    BusyLoopAfterTen,
    /// The backoff grows without a cap.
    BackoffUncapped,
    /// The backoff grows to 300 s, beyond the 180 s of the platform's patience.
    BackoffAboveTtl,
    /// A `Retry-After` is honoured however long it is.
    RetryAfterUncapped,
    /// Each result is notified by a request of its own, without a pause.
    NotifyUnpaced,
    /// A second process works in the state folder of the first.
    LockIgnored,
    /// Remembered results are never forgotten, rows never bounded.
    Unbounded,
    /// Beyond 200 remembered results the half of them goes, in hash order.
    RandomEviction,
    /// A result is known by its delegation alone: another ending is no news.
    StatusIgnored,
    /// The row that was written first wins, whatever the later ones hold.
    FirstRowWins,
    /// A result without text does not wait a poll for its twin.
    NoTwinWait,
    /// A row without a delegation id costs the whole list.
    RowVoidsList,
    /// The token stands in a notice.
    SecretInNotice,
    /// The jitter depends on an address in memory.
    Undetermined,
    /// Only a refusal makes the next self-message wait, not a missing answer.
    DoubtsUnpaced,
    /// Refused self-messages get a new id each time.
    UnstableMessageId,
    /// What the reader took while a message was under way is not looked at when
    /// it is refused.
    TakenForgotten,
    /// A poll or a self-message in flight holds the beat back.
    LanesCoupled,
    /// A beat has no deadline: one that is never answered is the last.
    BeatWithoutDeadline,
    /// A poll has no deadline: one that is never answered is the last.
    PollWithoutDeadline,
    /// A beat that is sent again after a refusal lacks the runtime metadata.
    RetryWithoutMetadata,
    /// A 401 does not re-read the token.
    TokenKept,
    /// Any HTTP answer counts as success.
    AnyAnswerCounts,
    /// Results are remembered before they are stored.
    MarkedBeforeStored,
    /// Stop waits for whatever is in flight.
    StopWaits,
    /// Missed beats are all sent after a suspend.
    MissedBeatsSent,
    /// Every failure is a notice.
    NoisyOutage,
    /// The store places a batch before the journal knows it.
    PlacedBeforeJournal,
    /// A batch is appended to what stands at the results path.
    AppendedInPlace,
    /// A batch is renamed over what stands at the results path.
    RenamedOver,
    /// What was set aside is removed before the merged file is placed.
    AsideRemovedEarly,
    /// A stored batch that a crash kept from its place is not placed later.
    StoredNotPlaced,
    /// What a lost journal forgot is put back before the last batch is placed.
    StrayPutBackFirst,
    /// The private names carry no batch number.
    FixedPrivateName,
    /// The journal is written before the private file is synced.
    JournalBeforePrivateSync,
    /// The folder is not synced before the journal is written.
    NoFolderSyncBeforeJournal,
    /// The folder is not synced before the file set aside is unlinked.
    NoFolderSyncBeforeUnlink,
    /// What is merged behind a batch is not synced before it takes its place.
    MergedUnsynced,
    /// The private file is not synced after it was cut back.
    NoSyncAfterCut,
    /// Recovery acts on a journal that it has not synced.
    UnsyncedJournalTrusted,
    /// A hard link and an unlink stand for the no-replace rename.
    LinkInsteadOfRename,
    /// The compacted journal takes the old one's place before it is synced.
    CompactedUnsynced,
    /// The torn tail of the journal is left in place.
    TornTailKept,
    /// An emptied results folder is taken for one whose results were read.
    EmptiedFolderTrusted,
    /// A results folder that is away is taken for one that was emptied.
    AwayTakenForEmptied,
    /// Results are handed out under a lease before the folder is synced.
    NoFolderSyncBeforeHandOut,
    /// The folder is not synced after a lease was acknowledged.
    NoFolderSyncAfterAcknowledge,
    /// What is handed out under a lease is forgotten at once.
    ForgottenWhenTaken,
    /// What is handed out under a lease counts as taken.
    LeasedCountsAsTaken,
}

#[cfg(everbeat_planted)]
mod switch {
    use core::sync::atomic::{AtomicU32, Ordering};

    static PLANTED: AtomicU32 = AtomicU32::new(0);

    /// Plants `fault` in this process, or none.
    pub fn plant(fault: Option<super::Fault>) {
        PLANTED.store(fault.map_or(0, number), Ordering::SeqCst);
    }

    /// Whether `fault` is planted.
    #[must_use]
    pub fn active(fault: super::Fault) -> bool {
        PLANTED.load(Ordering::Relaxed) == number(fault)
    }

    const fn number(fault: super::Fault) -> u32 {
        fault as u32 + 1
    }
}

#[cfg(everbeat_planted)]
pub use switch::{active, plant};

/// Whether `fault` is planted: never, in a normal build.
#[cfg(not(everbeat_planted))]
#[inline(always)]
#[must_use]
pub const fn active(_fault: Fault) -> bool {
    false
}
