//! Planted faults: what the tests of the promises must catch.
//!
//! In a normal build [`active`] is constantly false and every planted branch
//! is compiled away. With `--cfg everbeat_planted` a test plants one fault at
//! a time and must see its promise broken.

/// One fault. Where it stands in the code says what it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(everbeat_planted), allow(dead_code))]
#[repr(u32)]
pub enum Fault {
    /// Rows of another source are delivered (S1).
    ForeignDelivered = 1,
    /// The response's text stands in the self-message (S2).
    PreviewInMessage,
    /// Peer's words are cut by bytes and keep their line breaks (S2).
    WordsUncut,
    /// No cooldown between self-messages (S3).
    NoCooldown,
    /// The store places a batch before the journal knows it (S4).
    PlacedBeforeJournal,
    /// After a failure the beat is repeated at once (S5).
    BusyLoop,
    /// Remembered results are never forgotten, rows never bounded (S6).
    Unbounded,
    /// The token stands in a notice (S7).
    SecretInNotice,
    /// The jitter depends on an address in memory (S8).
    Undetermined,
    /// Refused self-messages get a new id each time (S9).
    UnstableMessageId,
    /// A poll in flight holds the beat back (L1).
    LanesCoupled,
    /// A cooldown drops the announcement (L2).
    CooldownDrops,
    /// A 401 does not re-read the token (L3).
    TokenKept,
    /// Results are remembered before they are stored (L4).
    MarkedBeforeStored,
    /// The backoff grows without a cap (L5).
    BackoffUncapped,
    /// Stop waits for whatever is in flight (L6).
    StopWaits,
    /// Missed beats are all sent after a suspend (L7).
    MissedBeatsSent,
    /// Every failure is a notice (L8).
    NoisyOutage,
}

#[cfg(everbeat_planted)]
mod switch {
    use core::sync::atomic::{AtomicU32, Ordering};

    static PLANTED: AtomicU32 = AtomicU32::new(0);

    /// Plants `fault` in this process, or none.
    pub fn plant(fault: Option<super::Fault>) {
        PLANTED.store(fault.map_or(0, |fault| fault as u32), Ordering::SeqCst);
    }

    /// Whether `fault` is planted.
    #[must_use]
    pub fn active(fault: super::Fault) -> bool {
        PLANTED.load(Ordering::SeqCst) == fault as u32
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
