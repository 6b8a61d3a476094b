//! The status as JSON.

use std::sync::atomic::Ordering;
use std::time::Duration;

use everbeat_core::{
    BeatStatus, LaneStatus, OutageStatus, PipelineStatus, StageStatus, TaskStatus, VitalsStatus,
    WakeStatus, WallTime,
};
use serde_json::{Value, json};

use super::{Control, verdict};
use crate::driver::Answer;
use crate::telemetry::stamp::rfc3339;
use crate::token::TokenStatus;

/// The version of all answers that somebody may keep.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// Everything that is known.
pub(crate) fn status(control: &Control, answer: &Answer) -> Value {
    let Answer { now, status, token } = answer;
    let facts = &control.facts;
    let ago = |age: Option<Duration>| age.map(|age| rfc3339(before(now.wall, age)));
    json!({
        "schema_version": SCHEMA_VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "workspace_id": facts.workspace_id,
        "platform_url": facts.platform_url,
        "started_at": rfc3339(facts.started_at),
        "uptime_s": seconds(now.monotonic.since(facts.started)),
        "interval_s": seconds(facts.interval),
        "cooldown_s": seconds(status.wake.cooldown),
        "state": status.phase,
        "verdict": verdict::verdict(facts, answer),
        "beat": beat(&status.beat, ago(status.beat.lane.last_accepted_age)),
        "polls": lane(&status.polls, ago(status.polls.last_accepted_age)),
        "pipeline": pipeline(&status.pipeline),
        "wake": wake(&status.wake, ago(status.wake.last_accepted_age)),
        "registration": {"outage": outage(status.registration.as_ref())},
        "vitals": vitals(&status.vitals),
        "token": token_status(token),
        "lease": control.results.leased_for(now.monotonic).map(|left| json!({"expires_in_s": seconds(left)})),
        "supervised": control.supervised.to_json(),
        "events": {
            "last_id": control.telemetry.last_id(),
            "dropped": control.telemetry.metrics().events_lost(),
        },
        "control": {"connections": control.connections.load(Ordering::Relaxed)},
    })
}

fn beat(status: &BeatStatus, last_accepted_at: Option<String>) -> Value {
    let mut beat = lane(&status.lane, last_accepted_at);
    beat["next_due_why"] = json!(status.next_due_why);
    beat["lateness_s"] = json!(status.lateness.map(seconds));
    beat["token_refused"] = json!(status.token_refused);
    beat
}

fn lane(status: &LaneStatus, last_accepted_at: Option<String>) -> Value {
    json!({
        "last_accepted_at": last_accepted_at,
        "last_accepted_age_s": status.last_accepted_age.map(seconds),
        "next_due_in_s": status.next_due_in.map(seconds),
        "accepted": status.accepted,
        "failures_in_a_row": status.failures_in_a_row,
        "in_flight": status.in_flight,
        "outage": outage(status.outage.as_ref()),
    })
}

fn pipeline(status: &PipelineStatus) -> Value {
    json!({
        "discovered": stage(&status.discovered),
        "stored": stage(&status.stored),
        "announcing": stage(&status.announcing),
        "unanswered": stage(&status.unanswered),
        "remembered": status.remembered,
        "awaited": status.awaited,
        "held": status.held,
        "store_open": status.store_open,
        "outage": outage(status.outage.as_ref()),
    })
}

fn stage(status: &StageStatus) -> Value {
    json!({"count": status.count, "ids": status.ids})
}

fn wake(status: &WakeStatus, last_accepted_at: Option<String>) -> Value {
    json!({
        "last_accepted_at": last_accepted_at,
        "last_accepted_age_s": status.last_accepted_age.map(seconds),
        "last_message_id": status.last_message_id,
        "last_results": status.last_results.ids,
        "cooldown_left_s": seconds(status.cooldown_left),
        "sent_last_hour": status.sent_last_hour,
        "per_hour_max": status.per_hour_max,
        "accepted": status.accepted,
        "in_flight": status.in_flight,
        "outage": outage(status.outage.as_ref()),
    })
}

fn vitals(status: &VitalsStatus) -> Value {
    let task = |task: &TaskStatus| {
        json!({
            "id": task.id,
            "title": task.title,
            "age_s": seconds(task.age),
            "ttl_left_s": task.ttl_left.map(seconds),
        })
    };
    json!({
        "tasks": status.tasks.iter().map(task).collect::<Vec<_>>(),
        "current_task": status.current_task,
        "requests": status.requests,
        "errors": status.errors,
        "wedge": status.wedge,
        "sample_error": status.sample_error,
        "metadata": status.metadata,
    })
}

fn token_status(status: &TokenStatus) -> Value {
    json!({
        "present": status.source != crate::token::Source::None,
        "read_age_s": status.read_age.map(seconds),
        "source": status.source.name(),
    })
}

fn outage(status: Option<&OutageStatus>) -> Value {
    status.map_or(Value::Null, |outage| {
        let OutageStatus { since, failures, cause } = outage;
        json!({"since_s": seconds(*since), "failures": failures, "cause": cause})
    })
}

/// To the millisecond.
pub(crate) fn seconds(duration: Duration) -> f64 {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    // Exact as long as a process can live.
    millis as f64 / 1_000.0
}

fn before(wall: WallTime, age: Duration) -> WallTime {
    let millis = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    WallTime::from_unix_millis(wall.unix_millis().saturating_sub(millis))
}
