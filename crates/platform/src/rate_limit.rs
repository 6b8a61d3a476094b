//! A fixed window of requests for each peer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::platform::shortened;
use crate::request::Answer;

/// Length of a window.
const WINDOW: Duration = Duration::from_secs(60);
/// Peers that are counted at once; the one whose window ends first makes
/// room.
const PEERS_MAX: usize = 10_000;

/// Windows by peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimiter(BTreeMap<String, (Duration, u32)>);

/// Where a peer stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    limit: u32,
    used: u32,
    reset_s: u64,
}

impl RateLimiter {
    pub(crate) fn admit(&mut self, limit: u32, peer: &str, now: Duration) -> Window {
        let peer = shortened(peer, 64);
        if !self.0.contains_key(&peer) {
            self.make_room(now);
        }
        let (until, used) = self.0.entry(peer).or_insert((now.saturating_add(WINDOW), 0));
        if *until <= now {
            (*until, *used) = (now.saturating_add(WINDOW), 0);
        }
        *used = used.saturating_add(1);
        Window { limit, used: *used, reset_s: (*until - now).as_secs() }
    }

    fn make_room(&mut self, now: Duration) {
        if self.0.len() < PEERS_MAX {
            return;
        }
        self.0.retain(|_, (until, _)| *until > now);
        if self.0.len() >= PEERS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, (until, _))| *until);
            if let Some(peer) = oldest.map(|(peer, _)| peer.clone()) {
                self.0.remove(&peer);
            }
        }
    }
}

impl Window {
    pub(crate) fn refusal(self) -> Option<Answer> {
        let body = json!({"error": "rate limit exceeded", "retry_after": self.reset_s});
        (self.used > self.limit)
            .then(|| Answer::json(429, &body).with_header("Retry-After", self.reset_s.to_string()))
    }

    /// The headers that every answer carries.
    pub(crate) fn mark(self, answer: Answer) -> Answer {
        let remaining = self.limit.saturating_sub(self.used);
        answer
            .with_header("X-RateLimit-Limit", self.limit.to_string())
            .with_header("X-RateLimit-Remaining", remaining.to_string())
            .with_header("X-RateLimit-Reset", self.reset_s.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_whole_and_peers_do_not_share_it() {
        // PROTOCOL 3.7
        let mut limiter = RateLimiter::default();
        let at = Duration::from_secs;
        for _ in 0..3 {
            assert_eq!(limiter.admit(3, "a", at(10)).refusal(), None);
        }
        let refusal = limiter.admit(3, "a", at(69)).refusal().unwrap();
        assert_eq!((refusal.status, refusal.header("retry-after")), (429, Some("1")));
        assert_eq!(limiter.admit(3, "b", at(69)).refusal(), None);
        assert_eq!(limiter.admit(3, "a", at(70)).refusal(), None);
    }

    #[test]
    fn peers_are_bounded() {
        let mut limiter = RateLimiter::default();
        for n in 0..PEERS_MAX + 5 {
            let _ = limiter.admit(3, &n.to_string(), Duration::from_millis(n as u64));
        }
        assert_eq!(limiter.0.len(), PEERS_MAX);
    }
}
