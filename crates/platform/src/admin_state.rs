//! `GET /admin/state`: what a test needs to see, without a secret.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::delegations::Delegation;
use crate::observe::Ring;
use crate::platform::Platform;
use crate::route::Route;
use crate::workspace::Workspace;

/// Delegations that are shown, newest first.
const DELEGATIONS_SHOWN: usize = 1_000;

impl Platform {
    pub(crate) fn admin_state(&self) -> Value {
        let requests: Map<String, Value> = Route::ALL
            .into_iter()
            .map(|route| (route.name().to_owned(), json!(self.request_count(route))))
            .collect();
        let workspaces: Map<String, Value> =
            self.workspaces().map(|have| (have.id.clone(), shown_workspace(have))).collect();
        let delegations = self.delegations.newest_first().take(DELEGATIONS_SHOWN);
        let away_ms = self.outage.map(|(until, _)| ms(until.saturating_sub(self.now)));
        json!({
            "now_ms": ms(self.now),
            "wall_ms": self.wall_ms,
            "outage_ms_left": away_ms,
            "faults": self.faults.list(),
            "requests": requests,
            "workspaces": workspaces,
            "delegations": delegations.map(shown_delegation).collect::<Vec<_>>(),
        })
    }
}

fn shown_workspace(workspace: &Workspace) -> Value {
    json!({
        "name": workspace.name,
        "parent_id": workspace.parent_id,
        "status": workspace.status,
        "token": if workspace.tokens.any_live() { "set" } else { "unset" },
        "inbound_secret": if workspace.inbound_secret.is_some() { "set" } else { "unset" },
        "live_until_ms": workspace.live_until.map(ms),
        "last_beat_at_ms": workspace.last_beat_at.map(ms),
        "error_rate": workspace.error_rate,
        "sample_error": workspace.sample_error,
        "active_tasks": workspace.active_tasks,
        "current_task": workspace.current_task,
        "uptime_seconds": workspace.uptime_seconds,
        "capabilities": workspace.capabilities,
        "idle_timeout_seconds": workspace.idle_timeout_seconds,
        "agent": workspace.agent_mode,
        "turn_ms": ms(workspace.turn),
        "queue_depth": workspace.queue_depth(),
        "restarts": workspace.restarts,
        "beats": ring(&workspace.beats, |beat| {
            json!({"at_ms": ms(beat.at), "status": beat.status, "body": beat.value()})
        }),
        "polls": {"total": workspace.polls.total()},
        "messages": ring(&workspace.messages, |message| json!({
            "at_ms": ms(message.at),
            "caller": message.caller,
            "message_id": message.message_id,
            "text": message.text,
            "fate": message.fate,
            "status": message.status,
        })),
        "delivered": ring(&workspace.delivered, |delivered| json!({
            "at_ms": ms(delivered.at),
            "caller": delivered.caller,
            "message_id": delivered.message_id,
            "text": delivered.text,
        })),
        "notifications": ring(&workspace.notifications, |have| {
            json!({"at_ms": ms(have.at), "message": have.message})
        }),
        "registrations": ring(&workspace.registrations, |have| {
            json!({"at_ms": ms(have.at), "minted": have.minted})
        }),
        "events": ring(&workspace.events, |event| {
            json!({"at_ms": ms(event.at), "kind": event.kind, "detail": event.detail})
        }),
    })
}

fn shown_delegation(delegation: &Delegation) -> Value {
    json!({
        "id": delegation.id,
        "workspace_id": delegation.workspace_id,
        "source_id": delegation.source_id,
        "target_id": delegation.target_id,
        "task": delegation.task,
        "status": delegation.status,
        "text": delegation.text,
        "error": delegation.error,
    })
}

fn ring<T>(ring: &Ring<T>, show: impl Fn(&T) -> Value) -> Value {
    json!({"total": ring.total(), "newest": ring.iter().map(show).collect::<Vec<_>>()})
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
