//! A workspace's status, and how beats move it.

use serde::{Deserialize, Serialize};

use crate::options::Version;

/// What the platform thinks of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its container is being made.
    Provisioning,
    /// Alive and well.
    Online,
    /// Alive, but wedged or failing.
    Degraded,
    /// Nothing heard for too long.
    Offline,
    /// Provisioning failed.
    Failed,
    /// Stopped by a person.
    Paused,
    /// Stopped for lack of work.
    Hibernated,
    /// Deleted.
    Removed,
    /// An external agent that stopped beating (summer).
    AwaitingAgent,
}

impl Status {
    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Online => "online",
            Self::Degraded => "degraded",
            Self::Offline => "offline",
            Self::Failed => "failed",
            Self::Paused => "paused",
            Self::Hibernated => "hibernated",
            Self::Removed => "removed",
            Self::AwaitingAgent => "awaiting_agent",
        }
    }
}

/// At and above this share of errors a workspace is degraded.
pub(crate) const DEGRADED_FROM: f64 = 0.5;
/// Below this share it recovers.
pub(crate) const RECOVERED_BELOW: f64 = 0.1;

/// What a beat says that bears on the status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs {
    pub(crate) wedged: bool,
    /// Whether `runtime_state` was empty: neither wedged nor unknown.
    pub(crate) state_empty: bool,
    pub(crate) error_rate: f64,
    /// Whether the agent manages its status itself, by the *previous* beat.
    pub(crate) status_mgmt: bool,
}

/// The statuses that a beat sets, in order; the rules look at the status
/// read once, so two of them can fire.
pub(crate) fn evaluate(version: Version, read: Status, signs: Signs) -> Vec<Status> {
    let mut set = Vec::new();
    let judged = !signs.status_mgmt;
    if signs.wedged && read == Status::Online {
        set.push(Status::Degraded);
    }
    if judged && read == Status::Online && signs.error_rate >= DEGRADED_FROM {
        set.push(Status::Degraded);
    }
    let calm = signs.error_rate < RECOVERED_BELOW && signs.state_empty;
    if judged && read == Status::Degraded && calm {
        set.push(Status::Online);
    }
    if is_lifted(version, read) {
        set.push(Status::Online);
    }
    set
}

/// Whether any beat at all brings this status back to online.
const fn is_lifted(version: Version, read: Status) -> bool {
    match read {
        Status::Offline | Status::Provisioning => true,
        Status::Failed | Status::AwaitingAgent => matches!(version, Version::Summer),
        Status::Online
        | Status::Degraded
        | Status::Paused
        | Status::Hibernated
        | Status::Removed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Signs =
        Signs { wedged: false, state_empty: true, error_rate: 0.0, status_mgmt: false };
    const WEDGED: Signs = Signs { wedged: true, state_empty: false, ..CALM };

    fn after(read: Status, signs: Signs) -> Vec<Status> {
        evaluate(Version::Spring, read, signs)
    }

    #[test]
    fn both_thresholds() {
        // PROTOCOL 3.4 (b), (c)
        assert_eq!(after(Status::Online, Signs { error_rate: 0.49, ..CALM }), []);
        assert_eq!(after(Status::Online, Signs { error_rate: 0.5, ..CALM }), [Status::Degraded]);
        assert_eq!(after(Status::Degraded, Signs { error_rate: 0.1, ..CALM }), []);
        assert_eq!(after(Status::Degraded, Signs { error_rate: 0.09, ..CALM }), [Status::Online]);
    }

    #[test]
    fn a_wedge_degrades_and_holds_it() {
        // PROTOCOL 3.4 (a), (c)
        assert_eq!(after(Status::Online, WEDGED), [Status::Degraded]);
        assert_eq!(after(Status::Degraded, WEDGED), []);
        let both = Signs { error_rate: 1.0, ..WEDGED };
        assert_eq!(after(Status::Online, both), [Status::Degraded, Status::Degraded]);
    }

    #[test]
    fn an_agent_that_manages_its_status_is_judged_by_its_wedge_only() {
        // PROTOCOL 3.4
        let own = Signs { status_mgmt: true, ..CALM };
        assert_eq!(after(Status::Online, Signs { error_rate: 1.0, ..own }), []);
        assert_eq!(after(Status::Degraded, own), []);
        assert_eq!(
            after(Status::Online, Signs { status_mgmt: true, ..WEDGED }),
            [Status::Degraded]
        );
    }

    #[test]
    fn which_statuses_a_beat_lifts() {
        // PROTOCOL 3.4 (d), (e)
        for lifted in [Status::Offline, Status::Provisioning] {
            assert_eq!(after(lifted, WEDGED), [Status::Online], "even by a wedged beat");
        }
        for kept in [Status::Failed, Status::Paused, Status::Hibernated, Status::Removed] {
            assert_eq!(after(kept, CALM), []);
        }
        for later in [Status::Failed, Status::AwaitingAgent] {
            assert_eq!(evaluate(Version::Summer, later, CALM), [Status::Online]);
        }
    }
}
