//! Delegations: how they begin, and the ledger of them all.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::AdminError;
use crate::agenda::Due;
use crate::clock::Timestamp;
use crate::platform::Platform;
use crate::rows::{DELEGATE, Row};

/// A delegation as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Its id.
    pub id: String,
    /// In whose log its rows stand.
    pub workspace_id: String,
    /// Who delegated.
    pub source_id: String,
    /// To whom.
    pub target_id: String,
    /// What.
    pub task: String,
    /// `pending`, `dispatched`, `queued`, `completed` or `failed`.
    pub status: String,
    /// The result's text.
    pub text: String,
    /// What went wrong.
    pub error: String,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub updated_ms: i64,
}

/// A delegation to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewDelegation {
    /// In whose list it appears.
    pub workspace: String,
    /// To whom.
    #[serde(default)]
    pub target: String,
    /// What.
    #[serde(default)]
    pub task: String,
    /// Who delegated, if that is someone else than `workspace`.
    #[serde(default)]
    pub source: Option<String>,
    /// Its id; a new UUID by default.
    #[serde(default)]
    pub id: Option<String>,
    /// Recorded by the agent: it starts as `dispatched`.
    #[serde(default)]
    pub recorded: bool,
    /// Makes a second delegation with the same key the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Every delegation, oldest first, bounded.
#[derive(Clone, Debug)]
pub(crate) struct Delegations {
    by_id: BTreeMap<String, Delegation>,
    order: VecDeque<String>,
    max: usize,
    /// Grows with whatever may have changed a delegation.
    version: u64,
}

impl Delegations {
    pub(crate) const fn new(max: usize) -> Self {
        Self { by_id: BTreeMap::new(), order: VecDeque::new(), max, version: 0 }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Delegation> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Delegation> {
        self.version += 1;
        self.by_id.get_mut(id)
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Delegation> {
        self.order.iter().rev().filter_map(|id| self.by_id.get(id))
    }

    /// An id that is taken stays as it is.
    fn insert(&mut self, delegation: Delegation) {
        self.version += 1;
        let id = delegation.id.clone();
        if self.by_id.contains_key(&id) {
            return;
        }
        self.by_id.insert(id.clone(), delegation);
        self.order.push_back(id);
        while self.order.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.by_id.remove(&oldest);
            }
        }
    }
}

impl Platform {
    /// Makes a delegation: a `delegate` row, `pending` and soon `dispatched`.
    /// Answers its id.
    ///
    /// # Errors
    /// If the workspace does not exist, or the id is taken.
    pub fn make_delegation(&mut self, new: NewDelegation) -> Result<String, AdminError> {
        if !self.workspaces.contains_key(&new.workspace) {
            return Err(AdminError::NotFound(new.workspace));
        }
        if let Some(id) = new.id.as_ref().filter(|id| self.delegations.get(id).is_some()) {
            return Err(AdminError::Conflict(id.clone()));
        }
        Ok(self.start_delegation(new))
    }

    /// What the ledger knows of a delegation.
    #[must_use]
    pub fn delegation(&self, id: &str) -> Option<&Delegation> {
        self.delegations.get(id)
    }

    pub(crate) fn start_delegation(&mut self, new: NewDelegation) -> String {
        let id = new.id.unwrap_or_else(|| self.chance.uuid());
        let source = new.source.unwrap_or_else(|| new.workspace.clone());
        let status = if new.recorded { "dispatched" } else { "pending" };
        let row = Row {
            id: self.chance.uuid(),
            activity_type: "delegation".into(),
            method: Some(DELEGATE.into()),
            source_id: Some(source.clone()),
            target_id: Some(new.target.clone()),
            summary: Some(format!("Delegating to {}", new.target)),
            status: status.into(),
            created: Timestamp::of(self.wall_ms),
            request_body: Some(json!({"task": new.task, "delegation_id": id})),
            delegation_id: Some(id.clone()),
            ledger_id: Some(id.clone()),
            idempotency_key: new.idempotency_key,
            ..Row::default()
        };
        self.insert_row(&new.workspace, row);
        self.delegations.insert(Delegation {
            id: id.clone(),
            workspace_id: new.workspace,
            source_id: source,
            target_id: new.target,
            task: new.task,
            status: status.into(),
            text: String::new(),
            error: String::new(),
            created_ms: self.wall_ms,
            updated_ms: self.wall_ms,
        });
        if !new.recorded {
            let at = self.now.saturating_add(Duration::from_millis(self.options.dispatch_ms));
            self.agenda.enter(at, Due::Dispatch { delegation: id.clone() });
        }
        id
    }

    /// Only what is still pending: it may have finished in the meantime.
    pub(crate) fn dispatch(&mut self, id: &str) {
        let wall_ms = self.wall_ms;
        let pending = self.delegations.get_mut(id).filter(|have| have.status == "pending");
        let Some(delegation) = pending else { return };
        delegation.status = "dispatched".into();
        delegation.updated_ms = wall_ms;
        let workspace = delegation.workspace_id.clone();
        if let Some(row) = self.rows.of_delegation(&workspace, id, DELEGATE) {
            row.status = "dispatched".into();
        }
    }
}
