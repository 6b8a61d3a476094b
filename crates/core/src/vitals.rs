//! What the agent reports of itself.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::ValidConfig;
use crate::limits::{SAMPLE_ERROR_BYTES_MAX, TASK_BYTES_MAX, TASK_TTL_MAX, TASKS_MAX};
use crate::status::{TaskStatus, VitalsStatus};
use crate::text;
use crate::time::Instant;
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
        /// Ends it by itself so long after the last report of it, a day at
        /// most; without, it runs until it is ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl: Option<Duration>,
    },
    /// Exactly these tasks run from now on. Beats soon. A list longer than
    /// [`TASKS_MAX`] changes nothing.
    TaskList {
        /// Oldest first; of two with the same id the later one counts.
        tasks: Vec<TaskReport>,
        /// As [`Report::CurrentTask`]; absent, that stays as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        current_task: Option<String>,
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
    /// The same outcome many times over, as so many [`Report::Success`] or
    /// [`Report::Error`].
    Outcomes {
        /// How many; none changes nothing.
        count: u32,
        /// What failed; absent, all went well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
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
    /// The agent does not wait for this delegation any more.
    AwaitDropped {
        /// The platform's id of the delegation.
        delegation_id: String,
    },
    /// Somebody wants a beat now, even while the platform is away: at most
    /// one a second.
    BeatNow,
}

/// One task of a [`Report::TaskList`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// The agent's own name for the task.
    pub id: String,
    /// What a person reads.
    pub title: String,
    /// As in [`Report::TaskStarted`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
}

/// The largest number that the platform's INTEGER columns take.
const INT32_MAX: u32 = i32::MAX as u32;

/// What the agent has said so far.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    tasks: Vec<Task>,
    current_task: String,
    counters: Counters,
    sample_error: String,
    wedge: Option<String>,
    metadata: Option<Arc<RuntimeMetadata>>,
}

/// A task that runs.
#[derive(Debug)]
struct Task {
    id: String,
    title: String,
    started_at: Instant,
    expires_at: Option<Instant>,
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
    /// Takes in one report (awaited delegations and a beat that somebody
    /// wants are not the vitals' matter).
    pub(crate) fn take_in(&mut self, report: Report, now: Instant) -> Effect {
        if !self.takes(&report) {
            return Effect::Ignored;
        }
        match report {
            Report::TaskStarted { id, title, ttl } => {
                soon_if(self.start_task(TaskReport { id, title, ttl }, now))
            }
            Report::TaskList { tasks, current_task } => {
                let mut changed = self.replace_tasks(tasks, now);
                if let Some(title) = current_task {
                    changed |= self.set_current_task(&title);
                }
                soon_if(changed)
            }
            Report::TaskEnded { id } => {
                let before = self.tasks.len();
                self.tasks.retain(|task| task.id != id);
                soon_if(self.tasks.len() != before)
            }
            Report::CurrentTask { title } => soon_if(self.set_current_task(&title)),
            Report::Success => self.count(1, None),
            Report::Error { message } => self.count(1, Some(&message)),
            Report::Outcomes { count: 0, .. } => Effect::Later,
            Report::Outcomes { count, error } => self.count(count, error.as_deref()),
            Report::Wedged { reason } => {
                let is_new = self.wedge.is_none();
                let reason = bounded(&reason, SAMPLE_ERROR_BYTES_MAX);
                self.wedge.get_or_insert(reason);
                soon_if(is_new)
            }
            Report::WedgeCleared => soon_if(self.wedge.take().is_some()),
            Report::Metadata(metadata) => {
                self.metadata = Some(Arc::new(bounded_metadata(metadata)));
                Effect::Later
            }
            Report::Awaiting { .. } | Report::AwaitDropped { .. } | Report::BeatNow => {
                Effect::Later
            }
        }
    }

    /// Whether a task of this name runs or could begin.
    pub(crate) fn has_room_for(&self, id: &str) -> bool {
        let is_known = self.tasks.iter().any(|task| task.id == id);
        is_known || (self.tasks.len() < TASKS_MAX && id.len() <= TASK_BYTES_MAX)
    }

    /// Whether there is room for all that `report` says.
    pub(crate) fn takes(&self, report: &Report) -> bool {
        match report {
            Report::TaskStarted { id, .. } => self.has_room_for(id),
            Report::TaskList { tasks, .. } => {
                let fit = |task: &TaskReport| task.id.len() <= TASK_BYTES_MAX;
                tasks.len() <= TASKS_MAX && tasks.iter().all(fit)
            }
            Report::TaskEnded { .. }
            | Report::CurrentTask { .. }
            | Report::Success
            | Report::Error { .. }
            | Report::Outcomes { .. }
            | Report::Wedged { .. }
            | Report::WedgeCleared
            | Report::Metadata(_)
            | Report::Awaiting { .. }
            | Report::AwaitDropped { .. }
            | Report::BeatNow => true,
        }
    }

    /// Begins or renews a task; says whether a beat would show it.
    fn start_task(&mut self, report: TaskReport, now: Instant) -> bool {
        let TaskReport { id, title, ttl } = report;
        let title = bounded(&title, TASK_BYTES_MAX);
        let expires_at = ttl.map(|ttl| now.plus(ttl.min(TASK_TTL_MAX)));
        if let Some(task) = self.tasks.iter_mut().find(|task| task.id == id) {
            let changed = task.title != title;
            (task.title, task.expires_at) = (title, expires_at);
            return changed;
        }
        self.tasks.push(Task { id, title, started_at: now, expires_at });
        true
    }

    fn replace_tasks(&mut self, tasks: Vec<TaskReport>, now: Instant) -> bool {
        let mut before = core::mem::take(&mut self.tasks);
        let mut changed = false;
        for report in tasks {
            if let Some(index) = before.iter().position(|task| task.id == report.id) {
                let known = before.remove(index);
                self.tasks.push(known);
            }
            changed |= self.start_task(report, now);
        }
        changed || !before.is_empty()
    }

    fn set_current_task(&mut self, title: &str) -> bool {
        let title = bounded(title, TASK_BYTES_MAX);
        let changed = self.current_task != title;
        self.current_task = title;
        changed
    }

    fn count(&mut self, count: u32, error: Option<&str>) -> Effect {
        let Counters { requests, errors } = &mut self.counters;
        *requests = requests.saturating_add(u64::from(count));
        let Some(message) = error else {
            return soon_if(self.wedge.take().is_some());
        };
        *errors = errors.saturating_add(u64::from(count));
        self.sample_error = bounded(message, SAMPLE_ERROR_BYTES_MAX);
        Effect::Later
    }

    /// When the first task ends by itself.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.tasks.iter().filter_map(|task| task.expires_at).min()
    }

    /// Ends the tasks whose time is over; gives their ids.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<String> {
        let is_over = |task: &mut Task| task.expires_at.is_some_and(|at| at <= now);
        self.tasks.extract_if(.., is_over).map(|task| task.id).collect()
    }

    pub(crate) fn status(&self, now: Instant) -> VitalsStatus {
        let task = |task: &Task| TaskStatus {
            id: task.id.clone(),
            title: task.title.clone(),
            age: now.since(task.started_at),
            ttl_left: task.expires_at.map(|at| at.since(now)),
        };
        VitalsStatus {
            tasks: self.tasks.iter().map(task).collect(),
            current_task: self.shown_task().into(),
            requests: self.counters.requests,
            errors: self.counters.errors,
            wedge: self.wedge.clone(),
            sample_error: self.sample_error.clone(),
            metadata: self.metadata.as_deref().cloned(),
        }
    }

    /// The title that a beat shows.
    pub(crate) fn shown_task(&self) -> &str {
        if self.current_task.is_empty() {
            return self.tasks.last().map_or("", |task| task.title.as_str());
        }
        &self.current_task
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
        let active_tasks = u32::try_from(self.tasks.len()).unwrap_or(INT32_MAX);
        let body = HeartbeatBody {
            workspace_id: config.workspace_id.clone(),
            error_rate,
            sample_error: self.wedge.clone().unwrap_or_else(|| self.sample_error.clone()),
            active_tasks,
            current_task: self.shown_task().into(),
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
