//! Workspaces and delegations as lines of a table: what a person watches.
//! Texts are shortened, no secret is among them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::delegations::Delegation;
use crate::platform::{Platform, shortened};
use crate::rows::{DELEGATE, Row};
use crate::status::Status;
use crate::workspace::Workspace;

/// Bytes of a text that a line shows.
const TEXT_BYTES: usize = 300;

/// A workspace at one moment. Times are milliseconds since the platform's
/// start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkspaceLine {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What the platform thinks of it.
    pub status: Status,
    /// When it was last heard of.
    pub last_beat_at_ms: Option<u64>,
    /// Between its last two beats.
    pub period_ms: Option<u64>,
    /// When it goes offline unless it is heard of; `None` if nobody looks.
    pub alive_until_ms: Option<u64>,
    /// From a beat to that moment.
    pub ttl_ms: u64,
    /// Beats ever accepted.
    pub beats: u64,
    /// Calls of its agent, self-messages among them.
    pub messages: u64,
    /// Lines in the user's chat.
    pub notifications: u64,
    /// Messages that wait for its agent.
    pub queued: usize,
    /// As the last beat said.
    pub active_tasks: i64,
    /// As the last beat said, between 0 and 1.
    pub error_rate: f64,
    /// What degraded it, or what it last failed at.
    pub sample_error: String,
    /// How often its container was restarted.
    pub restarts: u64,
    /// Whether it has a live token.
    pub has_token: bool,
    /// Whether a fault waits that is for this workspace alone.
    pub is_cut_off: bool,
}

/// A delegation with the two rows that its workspace is shown of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DelegationLine {
    /// Its id.
    pub id: String,
    /// In whose log its rows stand.
    pub workspace: String,
    /// Who delegated.
    pub source: String,
    /// To whom.
    pub target: String,
    /// What.
    pub task: String,
    /// As the ledger has it.
    pub status: String,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub updated_ms: i64,
    /// The row of its start.
    pub delegate_row: Option<RowLine>,
    /// The row of its result.
    pub result_row: Option<RowLine>,
}

/// A row of the activity log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowLine {
    /// As it is listed.
    pub status: String,
    /// The response's text, or the error.
    pub text: String,
    /// Whether it names its delegation.
    pub carries_id: bool,
}

impl Platform {
    /// Every workspace, by id.
    pub fn workspace_lines(&self) -> impl Iterator<Item = WorkspaceLine> {
        self.workspaces().map(|workspace| self.workspace_line(workspace))
    }

    fn workspace_line(&self, workspace: &Workspace) -> WorkspaceLine {
        let options = &self.options;
        let is_external = workspace.is_external();
        let ttl_ms = if is_external { options.external_ttl_ms } else { options.ttl_ms };
        let alive_until = match is_external {
            false => workspace.live_until,
            true => {
                let is_alive = matches!(workspace.status, Status::Online | Status::Degraded);
                let ttl = Duration::from_millis(ttl_ms);
                workspace.last_beat_at.filter(|_| is_alive).map(|at| at.saturating_add(ttl))
            }
        };
        let mut newest = workspace.beats.iter().rev().map(|beat| beat.at);
        let period =
            newest.next().zip(newest.next()).map(|(last, before)| last.saturating_sub(before));
        WorkspaceLine {
            id: workspace.id.clone(),
            name: shortened(&workspace.name, TEXT_BYTES),
            status: workspace.status,
            last_beat_at_ms: workspace.last_beat_at.map(ms),
            period_ms: period.map(ms),
            alive_until_ms: alive_until.map(ms),
            ttl_ms,
            beats: workspace.beats.total(),
            messages: workspace.messages.total(),
            notifications: workspace.notifications.total(),
            queued: workspace.queue_depth(),
            active_tasks: workspace.active_tasks,
            error_rate: workspace.error_rate,
            sample_error: shortened(&workspace.sample_error, TEXT_BYTES),
            restarts: workspace.restarts,
            has_token: workspace.tokens.any_live(),
            is_cut_off: self.is_cut_off(&workspace.id),
        }
    }

    /// The newest delegations, newest first, at most so many.
    #[must_use]
    pub fn delegation_lines(&self, max: usize) -> Vec<DelegationLine> {
        let shown: Vec<&Delegation> = self.delegations.newest_first().take(max).collect();
        let mut rows: BTreeMap<&str, [Option<&Row>; 2]> =
            shown.iter().map(|delegation| (delegation.id.as_str(), [None, None])).collect();
        let mut workspaces: Vec<&str> =
            shown.iter().map(|delegation| delegation.workspace_id.as_str()).collect();
        workspaces.sort_unstable();
        workspaces.dedup();
        for row in workspaces.into_iter().flat_map(|id| self.rows.newest_first(id)) {
            let of = row.ledger_id.as_deref().and_then(|id| rows.get_mut(id));
            let Some([delegate, result]) = of.filter(|_| row.is_delegation()) else { continue };
            let is_delegate = row.method.as_deref() == Some(DELEGATE);
            // Newest first: an older one of the same kind is not told.
            if is_delegate { delegate } else { result }.get_or_insert(row);
        }
        let line = |delegation: &Delegation| {
            let [delegate, result] = rows.get(delegation.id.as_str()).copied().unwrap_or_default();
            DelegationLine {
                id: delegation.id.clone(),
                workspace: delegation.workspace_id.clone(),
                source: delegation.source_id.clone(),
                target: delegation.target_id.clone(),
                task: shortened(&delegation.task, TEXT_BYTES),
                status: delegation.status.clone(),
                created_ms: delegation.created_ms,
                updated_ms: delegation.updated_ms,
                delegate_row: delegate.map(row_line),
                result_row: result.map(row_line),
            }
        };
        shown.into_iter().map(line).collect()
    }

    /// Differs whenever [`Platform::delegation_lines`] might.
    #[must_use]
    pub const fn delegations_version(&self) -> (u64, u64) {
        (self.rows.version(), self.delegations.version())
    }

    /// Its monotonic clock, since its start.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Its wall clock, in Unix milliseconds.
    #[must_use]
    pub const fn wall_ms(&self) -> i64 {
        self.wall_ms
    }

    /// Whether a fault waits that is for this workspace alone.
    #[must_use]
    pub fn is_cut_off(&self, id: &str) -> bool {
        self.faults.is_for(id)
    }

    /// How long the platform is still away; `None` if it is not.
    #[must_use]
    pub fn outage_left(&self) -> Option<Duration> {
        self.outage.map(|(until, _)| until.saturating_sub(self.now))
    }
}

fn row_line(row: &Row) -> RowLine {
    let response = row.response_body.as_ref();
    let text = response.and_then(|body| body["text"].as_str()).or(row.error.as_deref());
    RowLine {
        status: row.status.clone(),
        text: shortened(text.unwrap_or_default(), TEXT_BYTES),
        carries_id: row.delegation_id.is_some(),
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
