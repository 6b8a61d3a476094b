//! How the platform is set up. Everything else is decided by requests.

use serde::{Deserialize, Serialize};

/// Which reference is followed where they differ (PROTOCOL's S and N).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// April 2026, nearest to the seed.
    Spring,
    /// Up to summer 2026.
    Summer,
}

/// The construction parameters of a [`Platform`](crate::Platform).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where ids, tokens and secrets come from.
    pub seed: u64,
    /// Register, heartbeat, failed rows and the tenant guard follow this.
    pub version: Version,
    /// Whether `/admin` is served; otherwise it is 404.
    pub admin: bool,
    /// Whether only UUIDs are workspace ids, as in the reference.
    pub strict_uuid: bool,
    /// Whether a register body may name a private or loopback address.
    pub private_urls: bool,
    /// How long a registered workspace stays online without a beat.
    pub ttl_ms: u64,
    /// The same for a workspace that the platform did not start.
    pub external_ttl_ms: u64,
    /// Requests a minute per peer; `None` for no limit and no headers.
    pub rate_limit: Option<u32>,
    /// The only organisation that this server serves; `None` for no guard.
    pub tenant: Option<String>,
    /// A bearer that every route behind a workspace's token accepts too.
    pub admin_token: Option<String>,
    /// Whether register and heartbeat answers carry the inbound secret.
    pub inbound_secret: bool,
    /// Sent as `generation` with each heartbeat's answer.
    pub generation: Option<u64>,
    /// Whether delegations are listed from the ledger: one row each, with
    /// `direction`, and those of other workspaces too.
    pub ledger: bool,
    /// How long an agent takes for its turn unless set otherwise for it.
    pub turn_ms: u64,
    /// From a delegation's `pending` to its `dispatched`.
    pub dispatch_ms: u64,
    /// From the first row of a finished delegation to the second, where the
    /// request that finishes it says nothing.
    pub twin_late_ms: u64,
    /// If set, a delegation made by `POST …/delegate` completes by itself.
    pub finish_ms: Option<u64>,
    /// Workspaces that can exist; more are refused.
    pub workspaces_max: usize,
    /// Activity rows kept for each workspace; older ones are forgotten.
    pub rows_max: usize,
    /// Observations of each kind kept for each workspace.
    pub observed_max: usize,
    /// Longer bodies are refused by 413 (the reference has no such limit).
    pub body_bytes_max: usize,
}

impl Default for Options {
    /// The spring reference, without `/admin`, with any id accepted.
    fn default() -> Self {
        Self {
            seed: 0,
            version: Version::Spring,
            admin: false,
            strict_uuid: false,
            private_urls: false,
            ttl_ms: 180_000,
            external_ttl_ms: 90_000,
            rate_limit: Some(600),
            tenant: None,
            admin_token: None,
            inbound_secret: false,
            generation: None,
            ledger: false,
            turn_ms: 2_000,
            dispatch_ms: 100,
            twin_late_ms: 0,
            finish_ms: None,
            workspaces_max: 4_096,
            rows_max: 10_000,
            observed_max: 1_024,
            body_bytes_max: 64 << 20,
        }
    }
}

impl Options {
    /// The spring reference.
    #[must_use]
    pub fn spring(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The summer reference: inbound secret, generation and ledger.
    #[must_use]
    pub fn summer(seed: u64) -> Self {
        Self {
            seed,
            version: Version::Summer,
            inbound_secret: true,
            generation: Some(1),
            ledger: true,
            ..Self::default()
        }
    }

    /// For development and tests: `/admin`, private addresses, no limit.
    #[must_use]
    pub fn development(seed: u64) -> Self {
        Self { admin: true, private_urls: true, rate_limit: None, ..Self::spring(seed) }
    }
}

impl Options {
    pub(crate) fn admin_token(&self) -> Option<&str> {
        self.admin_token.as_deref()
    }
}
