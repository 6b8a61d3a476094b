//! What the agent reports of itself.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::ValidConfig;
use crate::limits::{SAMPLE_ERROR_BYTES_MAX, TASK_BYTES_MAX, TASKS_MAX};
use crate::text;
use crate::wire::heartbeat::HeartbeatBody;

pub use crate::wire::heartbeat::RuntimeMetadata;

/// One thing that the agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// A task began, or its title changed. Beats soon.
    TaskStarted {
        /// The agent's own name for the task.
        id: String,
        /// What a person reads.
        title: String,
    },
    /// A task ended, however. Beats soon. Unknown ids change nothing.
    TaskEnded {
        /// The name given at its start.
        id: String,
    },
    /// Replaces the title shown as `current_task`, with or without a task
    /// (empty: back to the newest task's title). Beats soon.
    CurrentTask {
        /// What a person reads.
        title: String,
    },
    /// A request or a task went well: counts one request, clears the wedge.
    Success,
    /// Something failed: counts one request and one error.
    Error {
        /// Shown as `sample_error`, cut to 1024 bytes.
        message: String,
    },
    /// The agent cannot go on. The first reason stays until cleared. Beats
    /// soon.
    Wedged {
        /// Shown as `sample_error`, cut to 1024 bytes.
        reason: String,
    },
    /// The agent can go on. Beats soon.
    WedgeCleared,
    /// What the adapter can do. Goes with every beat from now on.
    Metadata(RuntimeMetadata),
    /// The agent waits for this delegation (`deliver: awaited`).
    Awaiting {
        /// The platform's id of the delegation.
        delegation_id: String,
    },
}

/// The largest number that the platform's INTEGER columns take.
const INT32_MAX: u32 = i32::MAX as u32;

/// What the agent has said so far.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    tasks: Vec<(String, String)>,
    current_task: String,
    counters: Counters,
    sample_error: String,
    wedge: Option<String>,
    metadata: Option<RuntimeMetadata>,
}

/// Requests and errors that no accepted beat has reported yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    requests: u64,
    errors: u64,
}

/// What a report asks of the alive lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The next beat will tell.
    Later,
    /// The platform should know soon.
    Soon,
    /// There was no room for it.
    Ignored,
}

impl Vitals {
    /// Takes in one report (an awaited delegation is not the vitals' matter).
    pub(crate) fn take_in(&mut self, report: Report) -> Effect {
        match report {
            Report::TaskStarted { id, title } => self.start_task(id, &title),
            Report::TaskEnded { id } => {
                let before = self.tasks.len();
                self.tasks.retain(|(task, _)| *task != id);
                soon_if(self.tasks.len() != before)
            }
            Report::CurrentTask { title } => {
                let title = bounded(&title, TASK_BYTES_MAX);
                let changed = self.current_task != title;
                self.current_task = title;
                soon_if(changed)
            }
            Report::Success => {
                self.counters.requests = self.counters.requests.saturating_add(1);
                soon_if(self.wedge.take().is_some())
            }
            Report::Error { message } => {
                self.counters.requests = self.counters.requests.saturating_add(1);
                self.counters.errors = self.counters.errors.saturating_add(1);
                self.sample_error = bounded(&message, SAMPLE_ERROR_BYTES_MAX);
                Effect::Later
            }
            Report::Wedged { reason } => {
                let is_new = self.wedge.is_none();
                let reason = bounded(&reason, SAMPLE_ERROR_BYTES_MAX);
                self.wedge.get_or_insert(reason);
                soon_if(is_new)
            }
            Report::WedgeCleared => soon_if(self.wedge.take().is_some()),
            Report::Metadata(metadata) => {
                self.metadata = Some(bounded_metadata(metadata));
                Effect::Later
            }
            Report::Awaiting { .. } => Effect::Later,
        }
    }

    fn start_task(&mut self, id: String, title: &str) -> Effect {
        let title = bounded(title, TASK_BYTES_MAX);
        if let Some((_, known)) = self.tasks.iter_mut().find(|(task, _)| *task == id) {
            let changed = *known != title;
            *known = title;
            return soon_if(changed);
        }
        if self.tasks.len() >= TASKS_MAX || id.len() > TASK_BYTES_MAX {
            return Effect::Ignored;
        }
        self.tasks.push((id, title));
        Effect::Soon
    }

    /// The whole body of a beat, and the counters that it carries.
    pub(crate) fn body(
        &self,
        config: &ValidConfig,
        uptime: Duration,
        generation: u64,
    ) -> (HeartbeatBody, Counters) {
        let Counters { requests, errors } = self.counters;
        // Counts are far below 2^53, where a float stops being exact.
        let error_rate = if requests == 0 { 0.0 } else { errors as f64 / requests as f64 };
        let newest_title = || self.tasks.last().map_or("", |(_, title)| title.as_str());
        let current_task =
            if self.current_task.is_empty() { newest_title() } else { &self.current_task };
        let active_tasks = u32::try_from(self.tasks.len()).unwrap_or(INT32_MAX);
        let body = HeartbeatBody {
            workspace_id: config.workspace_id.clone(),
            error_rate,
            sample_error: self.wedge.clone().unwrap_or_else(|| self.sample_error.clone()),
            active_tasks,
            current_task: current_task.into(),
            uptime_seconds: u32::try_from(uptime.as_secs()).unwrap_or(INT32_MAX).min(INT32_MAX),
            runtime_state: self.wedge.is_some().then(|| "wedged".into()),
            runtime_metadata: self.metadata.clone(),
            agent_card: config.agent_card.clone(),
            is_busy: active_tasks > 0,
            schema_version: "1".into(),
            observed_generation: generation,
        };
        (body, self.counters)
    }

    /// A beat that carried `reported` was accepted: what was recorded since
    /// stays.
    pub(crate) fn accepted(&mut self, reported: Counters) {
        self.counters.requests = self.counters.requests.saturating_sub(reported.requests);
        self.counters.errors = self.counters.errors.saturating_sub(reported.errors);
        if self.counters.errors == 0 {
            self.sample_error.clear();
        }
    }
}

const fn soon_if(changed: bool) -> Effect {
    if changed { Effect::Soon } else { Effect::Later }
}

fn bounded(text: &str, bytes_max: usize) -> String {
    text::without_nul(text::cut_bytes(text, bytes_max))
}

/// At most 64 capabilities with short names; an override of zero is none.
fn bounded_metadata(metadata: RuntimeMetadata) -> RuntimeMetadata {
    let fits = |name: &String| !name.is_empty() && name.len() <= 64 && !name.contains('\0');
    RuntimeMetadata {
        capabilities: metadata
            .capabilities
            .into_iter()
            .filter(|(name, _)| fits(name))
            .take(64)
            .collect(),
        idle_timeout_seconds: metadata
            .idle_timeout_seconds
            .filter(|seconds| (1..=INT32_MAX).contains(seconds)),
    }
}
