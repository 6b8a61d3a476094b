//! What is going on, as data for a person: spans of time up to the moment of
//! asking, no points in it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::Serialize;

use crate::limits::STATUS_IDS_MAX;
use crate::vitals::RuntimeMetadata;

/// All that a machine knows of itself. See
/// [`Heartbeat::status`](crate::Heartbeat::status).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentStatus {
    /// Whether it runs.
    pub phase: Phase,
    /// The alive lane.
    pub beat: BeatStatus,
    /// The delegation lane.
    pub polls: LaneStatus,
    /// Where the results are.
    pub pipeline: PipelineStatus,
    /// The messages to the agent.
    pub wake: WakeStatus,
    /// The registration's outage, if it fails.
    pub registration: Option<OutageStatus>,
    /// What the agent reported of itself.
    pub vitals: VitalsStatus,
}

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It beats.
    Running,
    /// It was told to stop and finishes what is under way.
    Stopping,
    /// It is over.
    Stopped,
}

/// A lane that asks the platform again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneStatus {
    /// Since the platform last accepted a request; absent before the first.
    pub last_accepted_age: Option<Duration>,
    /// Until the next request; absent if none is planned.
    pub next_due_in: Option<Duration>,
    /// Requests accepted since the start.
    pub accepted: u64,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Whether a request is under way.
    pub in_flight: bool,
    /// What fails, if it does.
    pub outage: Option<OutageStatus>,
}

/// The alive lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BeatStatus {
    /// What it has in common with others.
    #[serde(flatten)]
    pub lane: LaneStatus,
    /// Why the next beat is due when it is.
    pub next_due_why: DueWhy,
    /// How long after it was due the last beat was sent; absent before the
    /// first.
    pub lateness: Option<Duration>,
    /// Whether the last answer refused the token.
    pub token_refused: bool,
}

/// Why a beat is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DueWhy {
    /// The first one.
    Start,
    /// The interval has passed.
    Interval,
    /// The last one failed.
    Backoff,
    /// The platform asked for this wait.
    RetryAfter,
    /// The agent's state changed.
    Change,
    /// Somebody wants one.
    Asked,
    /// It waits for the token to be read.
    Token,
    /// The machine slept.
    Resume,
}

/// An outage of one lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutageStatus {
    /// Since the first failure.
    pub since: Duration,
    /// Failures in a row.
    pub failures: u32,
    /// The last one's cause: one bounded line.
    pub cause: String,
}

/// Where the results are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PipelineStatus {
    /// Seen, and not on the disk yet.
    pub discovered: StageStatus,
    /// On the disk, and in no message yet.
    pub stored: StageStatus,
    /// In the message that is on its way.
    pub announcing: StageStatus,
    /// In messages that nobody answered.
    pub unanswered: StageStatus,
    /// Results that are remembered, told ones included.
    pub remembered: usize,
    /// Delegations that the agent waits for.
    pub awaited: usize,
    /// Why the last batch cannot be placed, if so: one bounded line.
    pub held: Option<String>,
    /// Whether the journal is open.
    pub store_open: bool,
    /// What fails with the files, if something does.
    pub outage: Option<OutageStatus>,
}

/// The results in one stage of the pipeline, by delegation id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StageStatus {
    /// How many there are.
    pub count: usize,
    /// The first [`STATUS_IDS_MAX`] of them, oldest first.
    pub ids: Vec<String>,
}

impl StageStatus {
    pub(crate) fn of<'a>(all: impl Iterator<Item = &'a String>) -> Self {
        let mut stage = Self::default();
        for id in all {
            if stage.count < STATUS_IDS_MAX {
                stage.ids.push(id.clone());
            }
            stage.count += 1;
        }
        stage
    }
}

/// The messages to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WakeStatus {
    /// Since one was last accepted; absent before the first.
    pub last_accepted_age: Option<Duration>,
    /// The id of that one.
    pub last_message_id: Option<String>,
    /// What it named.
    pub last_results: StageStatus,
    /// Shortest time between two of them.
    pub cooldown: Duration,
    /// Until the next one may go out.
    pub cooldown_left: Duration,
    /// Messages sent in the last hour, as far as they count for its budget.
    pub sent_last_hour: usize,
    /// That budget.
    pub per_hour_max: u32,
    /// Messages accepted since the start.
    pub accepted: u64,
    /// Whether one is under way.
    pub in_flight: bool,
    /// What fails, if it does.
    pub outage: Option<OutageStatus>,
}

/// What the agent reported of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VitalsStatus {
    /// Tasks under way, oldest first.
    pub tasks: Vec<TaskStatus>,
    /// The title that a beat shows; empty for none.
    pub current_task: String,
    /// Requests that no accepted beat has reported yet.
    pub requests: u64,
    /// Errors that no accepted beat has reported yet.
    pub errors: u64,
    /// Why the agent cannot go on, if so.
    pub wedge: Option<String>,
    /// The last error; empty for none.
    pub sample_error: String,
    /// What goes with every beat, if the agent said so.
    pub metadata: Option<RuntimeMetadata>,
}

/// One task under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskStatus {
    /// The agent's own name for it.
    pub id: String,
    /// What a person reads.
    pub title: String,
    /// Since it began.
    pub age: Duration,
    /// Until it ends by itself, if it does.
    pub ttl_left: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_stage_counts_all_and_names_the_oldest() {
        for (all, named) in [(0, 0), (1, 1), (50, 50), (51, 50), (120, 50)] {
            let ids: Vec<String> = (0..all).map(|number| format!("d{number}")).collect();
            let stage = StageStatus::of(ids.iter());
            assert_eq!((stage.count, stage.ids.as_slice()), (all, &ids[..named]));
        }
    }
}
