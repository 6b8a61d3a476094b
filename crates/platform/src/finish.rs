//! Delegations: how they end, in up to two rows and two steps.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::AdminError;
use crate::agenda::Due;
use crate::clock::Timestamp;
use crate::options::Version;
use crate::platform::{Platform, boundary_before};
use crate::rows::{DELEGATE, DELEGATE_RESULT, Row};

/// How a delegation ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "FlatFinish", into = "FlatFinish")]
pub struct Finish {
    /// With what.
    pub outcome: FinishOutcome,
    /// In which order its rows change.
    pub style: FinishStyle,
    /// From the first change to the second; `None` for the platform's option.
    pub twin_late_ms: Option<u64>,
    /// The result row carries no delegation id.
    pub missing_id: bool,
    /// The result row is never written.
    pub no_result_row: bool,
}

/// With what a delegation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishOutcome {
    /// The target answered.
    Completed {
        /// Its words.
        text: String,
    },
    /// It did not.
    Failed {
        /// Why.
        error: String,
    },
    /// The target is busy: not the end, both rows say `queued`.
    Queued,
    /// A queued one was answered: only its result row changes, in place.
    Drained {
        /// The target's words.
        text: String,
    },
}

/// [`Finish`] as JSON: one strict object.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FlatFinish {
    status: FlatStatus,
    #[serde(default)]
    text: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    style: FinishStyle,
    #[serde(default)]
    twin_late_ms: Option<u64>,
    #[serde(default)]
    missing_id: bool,
    #[serde(default)]
    no_result_row: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FlatStatus {
    Completed,
    Failed,
    Queued,
    Drained,
}

impl From<FlatFinish> for Finish {
    fn from(flat: FlatFinish) -> Self {
        let outcome = match flat.status {
            FlatStatus::Completed => FinishOutcome::Completed { text: flat.text },
            FlatStatus::Failed => FinishOutcome::Failed { error: flat.error },
            FlatStatus::Queued => FinishOutcome::Queued,
            FlatStatus::Drained => FinishOutcome::Drained { text: flat.text },
        };
        Self {
            outcome,
            style: flat.style,
            twin_late_ms: flat.twin_late_ms,
            missing_id: flat.missing_id,
            no_result_row: flat.no_result_row,
        }
    }
}

impl From<Finish> for FlatFinish {
    fn from(finish: Finish) -> Self {
        let (status, text, error) = match finish.outcome {
            FinishOutcome::Completed { text } => (FlatStatus::Completed, text, String::new()),
            FinishOutcome::Failed { error } => (FlatStatus::Failed, String::new(), error),
            FinishOutcome::Queued => (FlatStatus::Queued, String::new(), String::new()),
            FinishOutcome::Drained { text } => (FlatStatus::Drained, text, String::new()),
        };
        Self {
            status,
            text,
            error,
            style: finish.style,
            twin_late_ms: finish.twin_late_ms,
            missing_id: finish.missing_id,
            no_result_row: finish.no_result_row,
        }
    }
}

/// Which of the two rows comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishStyle {
    /// As after `POST …/delegate`: the result row appears, then the delegate
    /// row changes.
    #[default]
    Delegate,
    /// As by `POST …/delegations/{id}/update`: the delegate row changes, then
    /// the result row appears (for a completed one only, without a target).
    Update,
}

/// One change of a delegation's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FinishStep {
    workspace: String,
    delegation: String,
    change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    UpdateDelegate { status: &'static str, error: String },
    InsertResult(ResultRow),
    FlipResult { text: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ResultRow {
    source: String,
    target: String,
    status: &'static str,
    summary: String,
    text: String,
    error: String,
    carries_id: bool,
}

impl Finish {
    /// Completed, as after `POST …/delegate`.
    #[must_use]
    pub fn completed(text: &str) -> Self {
        Self::with(FinishOutcome::Completed { text: text.into() })
    }

    /// Failed, as after `POST …/delegate`.
    #[must_use]
    pub fn failed(error: &str) -> Self {
        Self::with(FinishOutcome::Failed { error: error.into() })
    }

    /// Any outcome, as after `POST …/delegate`.
    #[must_use]
    pub const fn with(outcome: FinishOutcome) -> Self {
        Self {
            outcome,
            style: FinishStyle::Delegate,
            twin_late_ms: None,
            missing_id: false,
            no_result_row: false,
        }
    }
}

impl Platform {
    /// Ends a delegation, whatever its status was: one that failed may still
    /// complete.
    ///
    /// # Errors
    /// If the delegation is not known (any more).
    pub fn finish_delegation(&mut self, id: &str, finish: &Finish) -> Result<(), AdminError> {
        let Some(delegation) = self.delegations.get(id) else {
            return Err(AdminError::NotFound(id.into()));
        };
        let workspace = delegation.workspace_id.clone();
        let (source, target) = (delegation.source_id.clone(), delegation.target_id.clone());
        self.keep_ledger(id, &finish.outcome);
        self.change_rows(id, &workspace, source, target, finish);
        Ok(())
    }

    pub(crate) fn keep_ledger(&mut self, id: &str, outcome: &FinishOutcome) {
        let wall_ms = self.wall_ms;
        let Some(delegation) = self.delegations.get_mut(id) else { return };
        let (status, text, error) = match outcome {
            FinishOutcome::Completed { text } | FinishOutcome::Drained { text } => {
                ("completed", text.as_str(), "")
            }
            FinishOutcome::Failed { error } => ("failed", "", error.as_str()),
            FinishOutcome::Queued => ("queued", "", ""),
        };
        delegation.status = status.into();
        delegation.text = text.into();
        delegation.error = error.into();
        delegation.updated_ms = wall_ms;
    }

    /// The changes in their order, the second after the twin's delay.
    pub(crate) fn change_rows(
        &mut self,
        id: &str,
        workspace: &str,
        source: String,
        target: String,
        finish: &Finish,
    ) {
        let target = match finish.style {
            FinishStyle::Delegate => target,
            FinishStyle::Update => String::new(),
        };
        let result = self.result_row(source, target, finish).map(Change::InsertResult);
        let changes = match (&finish.outcome, finish.style) {
            (FinishOutcome::Drained { text }, _) => {
                vec![Change::FlipResult { text: text.clone() }]
            }
            (outcome, FinishStyle::Delegate) => {
                result.into_iter().chain([delegate_change(outcome)]).collect()
            }
            (outcome @ FinishOutcome::Completed { .. }, FinishStyle::Update) => {
                [delegate_change(outcome)].into_iter().chain(result).collect()
            }
            (outcome, FinishStyle::Update) => vec![delegate_change(outcome)],
        };
        let late = Duration::from_millis(finish.twin_late_ms.unwrap_or(self.options.twin_late_ms));
        for (position, change) in changes.into_iter().enumerate() {
            let step = FinishStep { workspace: workspace.into(), delegation: id.into(), change };
            match position {
                0 => self.take_step(step),
                _ if late.is_zero() => self.take_step(step),
                _ => self.agenda.enter(self.now.saturating_add(late), Due::Finish(step)),
            }
        }
    }

    /// `None` where the database refuses it: a NUL, or (spring) a summary
    /// that was cut within a character.
    fn result_row(&self, source: String, target: String, finish: &Finish) -> Option<ResultRow> {
        let spring = self.options.version == Version::Spring;
        let (status, summary, text, error) = match &finish.outcome {
            FinishOutcome::Completed { text } | FinishOutcome::Drained { text } => {
                let summary = format!("Delegation completed ({})", summary_cut(text, spring)?);
                ("completed", summary, text.as_str(), "")
            }
            FinishOutcome::Failed { error } => {
                ("failed", "Delegation failed".into(), "", error.as_str())
            }
            FinishOutcome::Queued => ("queued", "Delegation queued: target busy".into(), "", ""),
        };
        let failed = matches!(finish.outcome, FinishOutcome::Failed { .. });
        let carries_id = !(finish.missing_id || (failed && spring));
        let refused = finish.no_result_row || text.contains('\0') || error.contains('\0');
        (!refused).then(|| ResultRow {
            source,
            target,
            status,
            summary,
            text: text.into(),
            error: error.into(),
            carries_id,
        })
    }

    pub(crate) fn take_step(&mut self, step: FinishStep) {
        let FinishStep { workspace, delegation, change } = step;
        match change {
            Change::UpdateDelegate { status, error } => {
                if let Some(row) = self.rows.of_delegation(&workspace, &delegation, DELEGATE) {
                    row.status = status.into();
                    row.error = (!error.is_empty()).then_some(error);
                }
            }
            Change::InsertResult(result) => self.insert_result(&workspace, &delegation, result),
            Change::FlipResult { text } => {
                let row = self.rows.of_delegation(&workspace, &delegation, DELEGATE_RESULT);
                if let Some(row) = row {
                    row.status = "completed".into();
                    row.response_body = Some(json!({"text": text}));
                }
            }
        }
    }

    fn insert_result(&mut self, workspace: &str, delegation: &str, result: ResultRow) {
        let response_body = match result.text.is_empty() {
            true => None,
            false => Some(json!({"text": result.text})),
        };
        let row = Row {
            id: self.chance.uuid(),
            activity_type: "delegation".into(),
            method: Some(DELEGATE_RESULT.into()),
            source_id: Some(result.source),
            target_id: Some(result.target),
            summary: Some(result.summary),
            status: result.status.into(),
            error: (!result.error.is_empty()).then_some(result.error),
            created: Timestamp::of(self.wall_ms),
            response_body,
            delegation_id: result.carries_id.then(|| delegation.to_owned()),
            ledger_id: Some(delegation.to_owned()),
            ..Row::default()
        };
        self.insert_row(workspace, row);
    }
}

fn delegate_change(outcome: &FinishOutcome) -> Change {
    let (status, error) = match outcome {
        FinishOutcome::Completed { .. } | FinishOutcome::Drained { .. } => ("completed", ""),
        FinishOutcome::Failed { error } => ("failed", error.as_str()),
        FinishOutcome::Queued => ("queued", ""),
    };
    Change::UpdateDelegate { status, error: error.into() }
}

/// Bytes of a result's text in its row's summary.
const SUMMARY_BYTES: usize = 80;

/// `None` for a cut within a character, where that loses the row.
fn summary_cut(text: &str, strict: bool) -> Option<String> {
    if text.len() <= SUMMARY_BYTES {
        return Some(text.to_owned());
    }
    let boundary = boundary_before(text, SUMMARY_BYTES);
    (!strict || boundary == SUMMARY_BYTES).then(|| format!("{}...", &text[..boundary]))
}
