//! The activity log: the table from which activities and delegations are
//! listed.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use crate::clock::Timestamp;

/// One row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) activity_type: String,
    pub(crate) method: Option<String>,
    pub(crate) source_id: Option<String>,
    pub(crate) target_id: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) status: String,
    pub(crate) error: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) request_body: Option<Value>,
    pub(crate) response_body: Option<Value>,
    pub(crate) delegation_id: Option<String>,
    /// The same, even where the row itself does not say so. Never listed.
    pub(crate) ledger_id: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

/// The method of a row that stands for a delegation's start.
pub(crate) const DELEGATE: &str = "delegate";
/// The method of a row that holds a delegation's result.
pub(crate) const DELEGATE_RESULT: &str = "delegate_result";

impl Row {
    pub(crate) fn is_delegation(&self) -> bool {
        matches!(self.method.as_deref(), Some(DELEGATE | DELEGATE_RESULT))
    }
}

/// Every workspace's rows, each in order of creation, the oldest forgotten
/// beyond a limit.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    by_workspace: BTreeMap<String, VecDeque<Row>>,
    max: usize,
    /// Grows with whatever may have changed a row.
    version: u64,
}

impl Rows {
    pub(crate) const fn new(max: usize) -> Self {
        Self { by_workspace: BTreeMap::new(), max, version: 0 }
    }

    /// Ordered by the wall clock, as the database orders them: after a step
    /// backwards a new row is not the newest.
    pub(crate) fn insert(&mut self, workspace: &str, row: Row) {
        self.version += 1;
        let rows = self.by_workspace.entry(workspace.to_owned()).or_default();
        let younger = rows.iter().rev().take_while(|have| have.created.ms > row.created.ms).count();
        rows.insert(rows.len() - younger, row);
        while rows.len() > self.max {
            rows.pop_front();
        }
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn newest_first(&self, workspace: &str) -> impl Iterator<Item = &Row> {
        self.by_workspace.get(workspace).into_iter().flat_map(|rows| rows.iter().rev())
    }

    pub(crate) fn newest_first_mut(&mut self, workspace: &str) -> impl Iterator<Item = &mut Row> {
        self.version += 1;
        self.by_workspace.get_mut(workspace).into_iter().flat_map(|rows| rows.iter_mut().rev())
    }

    /// The newest row of a delegation with the method given.
    pub(crate) fn of_delegation(
        &mut self,
        workspace: &str,
        delegation: &str,
        method: &str,
    ) -> Option<&mut Row> {
        self.newest_first_mut(workspace).find(|row| {
            row.method.as_deref() == Some(method)
                && row.delegation_id.as_deref() == Some(delegation)
        })
    }

    pub(crate) fn remove(&mut self, workspace: &str, id: &str) {
        self.version += 1;
        if let Some(rows) = self.by_workspace.get_mut(workspace) {
            rows.retain(|row| row.id != id);
        }
    }

    /// Delegation rows in other workspaces' logs that name this one as their
    /// source.
    pub(crate) fn foreign_of<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a Row> {
        let others = self.by_workspace.iter().filter(move |(workspace, _)| *workspace != source);
        others
            .flat_map(|(_, rows)| rows.iter().rev())
            .filter(move |row| row.is_delegation() && row.source_id.as_deref() == Some(source))
    }
}
