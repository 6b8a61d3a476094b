//! What was seen of a run, from outside: the ground that the promises are
//! checked on.

use std::time::Duration;

use everbeat_core::Notice;

use super::counts::Counts;

/// A request that the agent sent, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When it left the agent.
    pub at: Duration,
    /// Which process sent it: 1 for the first.
    pub process: u64,
    /// What it was.
    pub what: Request,
}

/// Kinds of requests, with what the promises speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A heartbeat.
    Beat {
        /// Fingerprint of the token that went with it; 0 for none.
        token: u64,
    },
    /// A poll of the delegations.
    Poll,
    /// A registration.
    Register,
    /// A look at a workspace's row.
    Lookup,
    /// A self-message.
    SelfMessage {
        /// Its id.
        id: String,
        /// What the agent reads.
        text: String,
    },
    /// A line for the user.
    Notify {
        /// What the user reads.
        text: String,
    },
}

/// A request to stop, and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopping {
    /// When it was asked.
    pub asked: Duration,
    /// When the process had ended, by itself or by a kill.
    pub ended: Option<Duration>,
}

/// A result, as `(delegation id, status)`.
pub type ResultName = (String, String);

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Every request, in order.
    pub sent: Vec<Sent>,
    /// When the platform accepted beats, and the token's fingerprint.
    pub accepted_beats: Vec<Duration>,
    /// Self-messages that were answered by a 2xx or are known delivered:
    /// their ids, with when.
    pub accepted_messages: Vec<(Duration, String)>,
    /// Self-messages that the platform got.
    pub calls: u64,
    /// Self-messages that came twice and were refused the second time, of
    /// which alone the agent heard: their ids.
    pub denied: Vec<String>,
    /// When the agent last saw that the reader had taken all that it placed
    /// before.
    pub found_taken: Option<Duration>,
    /// Lists that reached the agent.
    pub lists: u64,
    /// Those of them that were not, byte for byte, the one before.
    pub other_lists: u64,
    /// Whether the last one said something else than the one before.
    pub list_is_another: bool,
    /// When the agent heard that its last beat was accepted, if it did.
    pub beat_taken: Option<Duration>,
    /// When a beat lacked the runtime metadata that an earlier one of the
    /// same process had carried.
    pub bare_beats: Vec<Duration>,
    /// What the agent was told, and how often.
    pub events: Counts,
    /// Every notice, with when.
    pub notices: Vec<(Duration, Notice)>,
    /// How often the agent asked for what.
    pub actions: Counts,
    /// How often the plan did what.
    pub acts: Counts,
    /// When processes started.
    pub starts: Vec<Duration>,
    /// When processes were killed.
    pub kills: Vec<Duration>,
    /// Requests to stop.
    pub stops: Vec<Stopping>,
    /// When the machine fell asleep.
    pub sleeps: Vec<Duration>,
    /// Those of them in which its monotonic clock slept, too.
    pub unnoticed_sleeps: Vec<Duration>,
    /// When the machine woke from sleep.
    pub wakes: Vec<Duration>,
    /// When the platform rotated the token, with the new one's fingerprint.
    pub rotations: Vec<(Duration, u64)>,
    /// When a new token stood in the file, with its fingerprint.
    pub token_files: Vec<(Duration, u64)>,
    /// Where a secret showed that must not show.
    pub leaks: Vec<String>,
    /// A hash over every command, its time and its order.
    pub digest: u64,
}

impl Seen {
    /// Takes what was asked for, and when, into the digest.
    pub(crate) fn digest(&mut self, at: Duration, text: &[u8]) {
        let mix =
            |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        let nanos = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let mut hash = mix(self.digest, nanos);
        let (words, rest) = text.as_chunks();
        for word in words {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            hash = mix(hash, u64::from_le_bytes(word));
        }
        self.digest = hash;
    }
}

/// FNV-1a, begun with `start`.
#[must_use]
pub fn fingerprint(start: u64, text: &str) -> u64 {
    let offset = start ^ 0xcbf2_9ce4_8422_2325;
    text.bytes().fold(offset, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
