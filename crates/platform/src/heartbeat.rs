//! `POST /registry/heartbeat`, and what becomes of a workspace without one.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::agenda::Due;
use crate::bind::{Fields, Misfit, has_nul};
use crate::chance::is_uuid;
use crate::observe::{Beat, EventKind};
use crate::options::Version;
use crate::platform::Platform;
use crate::request::{Answer, Request};
use crate::status::{Signs, Status, evaluate};
use crate::workspace::{Secret, Workspace};

/// How often external workspaces are looked at.
const SWEEP: Duration = Duration::from_secs(15);
/// Bodies of beats up to this length are kept for observation.
const KEPT_BODY_BYTES: usize = 64 << 10;
/// Nothing is planned beyond (thirty thousand years).
const TIME_END: Duration = Duration::from_secs(1 << 40);
/// US cents.
const SPEND_MAX: i64 = 1_000_000_000_000;

/// A beat's body, bound.
struct Body {
    workspace_id: String,
    error_rate: f64,
    sample_error: String,
    active_tasks: i64,
    uptime_seconds: i64,
    current_task: String,
    monthly_spend: i64,
    runtime_state: String,
    metadata: Option<Metadata>,
    agent_card: Option<Value>,
}

struct Metadata {
    capabilities: Value,
    idle_timeout_seconds: Option<i64>,
}

impl Platform {
    pub(crate) fn heartbeat(&mut self, request: &Request) -> Answer {
        let bound = Fields::of_body(&request.body);
        let Ok((body, fields)) = bound.and_then(|fields| Ok((bind(&fields)?, fields))) else {
            return Answer::error(400, "invalid request body");
        };
        if let Err(refusal) = self.registry_auth(&body.workspace_id, request) {
            return refusal;
        }
        if !self.fits_the_database(&body) {
            return Answer::error(500, "failed to update");
        }
        let mut answer = Map::from_iter([("status".to_owned(), json!("ok"))]);
        if let Some(workspace) = self.workspaces.get(&body.workspace_id) {
            if workspace.status != Status::Removed {
                let kept = request.body.len() <= KEPT_BODY_BYTES;
                self.apply(&body, if kept { fields.into_value() } else { Value::Null });
            }
            if self.options.inbound_secret {
                answer.extend(self.inbound_secret_field(&body.workspace_id));
            }
        }
        if let Some(generation) = self.options.generation {
            answer.insert("generation".into(), json!(generation));
        }
        Answer::json(200, &Value::Object(answer))
    }

    /// Columns are INTEGER and TEXT, ids are UUIDs.
    fn fits_the_database(&self, body: &Body) -> bool {
        let texts = [&body.workspace_id, &body.sample_error, &body.current_task];
        !texts.iter().any(|text| text.contains('\0'))
            && i32::try_from(body.active_tasks).is_ok()
            && i32::try_from(body.uptime_seconds).is_ok()
            && (!self.options.strict_uuid || is_uuid(&body.workspace_id))
    }

    /// The row, the key, the status, the capabilities, the queue: in the
    /// reference's order.
    fn apply(&mut self, body: &Body, shown: Value) {
        let (now, version) = (self.now, self.options.version);
        let ttl = Duration::from_millis(self.options.ttl_ms);
        let Some(workspace) = self.workspaces.get_mut(&body.workspace_id) else { return };
        let changed_task = workspace.current_task != body.current_task;
        store_row(workspace, body, version);
        workspace.last_beat_at = Some(now);
        // EXPIRE, not SET: a key that is gone stays gone.
        if workspace.live_until.is_some() {
            workspace.live_until = Some(now.saturating_add(ttl));
        }
        let signs = Signs {
            wedged: body.runtime_state == "wedged",
            state_empty: body.runtime_state.is_empty(),
            error_rate: body.error_rate,
            status_mgmt: workspace.capabilities["status_mgmt"] == json!(true),
        };
        for status in evaluate(version, workspace.status, signs) {
            workspace.status = status;
            let kind = match status == Status::Online {
                true => EventKind::WorkspaceOnline,
                false => EventKind::WorkspaceDegraded,
            };
            workspace.event(now, kind, &body.sample_error);
        }
        store_metadata(workspace, body.metadata.as_ref());
        if changed_task {
            workspace.event(now, EventKind::TaskUpdated, &body.current_task);
        }
        workspace.beats.push(Beat {
            at: now,
            wall_ms: self.wall_ms,
            body: shown,
            status: workspace.status,
        });
        if workspace.is_external() {
            self.start_sweeping();
        }
        self.drain_one(&body.workspace_id);
    }

    /// Minted when first needed.
    pub(crate) fn inbound_secret_field(&mut self, id: &str) -> Option<(String, Value)> {
        let chance = &mut self.chance;
        let workspace = self.workspaces.get_mut(id)?;
        let secret = workspace.inbound_secret.get_or_insert_with(|| Secret(chance.token()));
        Some(("platform_inbound_secret".into(), json!(secret.0)))
    }

    /// Puts the liveness key in place and looks at it when it is due.
    pub(crate) fn set_liveness_key(&mut self, id: &str) {
        let until = self.now.saturating_add(Duration::from_millis(self.options.ttl_ms));
        let Some(workspace) = self.workspaces.get_mut(id) else { return };
        workspace.live_until = Some(until);
        if !std::mem::replace(&mut workspace.watched, true) {
            self.agenda.enter(until, Due::Liveness { workspace: id.into() });
        }
    }

    /// Beats move the key without touching the agenda; this catches up.
    pub(crate) fn check_liveness(&mut self, id: &str) {
        let now = self.now;
        let Some(workspace) = self.workspaces.get_mut(id) else { return };
        match workspace.live_until {
            Some(until) if until > now => {
                self.agenda.enter(until, Due::Liveness { workspace: id.into() });
            }
            Some(_) => {
                workspace.live_until = None;
                workspace.watched = false;
                go_offline(workspace, now, Status::Offline);
            }
            None => workspace.watched = false,
        }
    }

    /// Begins to look at external workspaces, once one is alive.
    pub(crate) fn start_sweeping(&mut self) {
        if self.now < TIME_END && !std::mem::replace(&mut self.sweeping, true) {
            self.agenda.enter(self.now.saturating_add(SWEEP), Due::ExternalSweep);
        }
    }

    pub(crate) fn sweep_external(&mut self) {
        let (now, ttl) = (self.now, Duration::from_millis(self.options.external_ttl_ms));
        let status = match self.options.version {
            Version::Spring => Status::Offline,
            Version::Summer => Status::AwaitingAgent,
        };
        let mut left = false;
        for workspace in self.workspaces.values_mut().filter(|have| have.is_external()) {
            let stale = workspace.last_beat_at.is_some_and(|at| now.saturating_sub(at) > ttl);
            let alive = matches!(workspace.status, Status::Online | Status::Degraded);
            if stale && alive {
                go_offline(workspace, now, status);
            }
            left |= alive && !stale;
        }
        // With nobody left there is nothing to see, however long.
        self.sweeping = false;
        if left {
            self.start_sweeping();
        }
    }
}

/// The end of a workspace that was not heard of: an event and, for a
/// container of the platform's own, a restart.
fn go_offline(workspace: &mut Workspace, now: Duration, status: Status) {
    if matches!(workspace.status, Status::Removed | Status::Paused | Status::Hibernated) {
        return;
    }
    workspace.status = status;
    workspace.event(now, EventKind::WorkspaceOffline, "");
    if !workspace.is_external() {
        workspace.restarts += 1;
        workspace.event(now, EventKind::WorkspaceRestarted, "");
    }
}

fn store_row(workspace: &mut Workspace, body: &Body, version: Version) {
    workspace.error_rate = body.error_rate;
    workspace.sample_error.clone_from(&body.sample_error);
    workspace.active_tasks = body.active_tasks;
    workspace.uptime_seconds = body.uptime_seconds;
    workspace.current_task.clone_from(&body.current_task);
    // Zero means: not said.
    if body.monthly_spend > 0 {
        workspace.monthly_spend = body.monthly_spend.min(SPEND_MAX);
    }
    if version == Version::Summer && workspace.agent_card.is_none() {
        workspace.agent_card = body.agent_card.clone().filter(|card| !has_nul(card));
    }
}

/// A beat that says nothing of it clears what was known.
fn store_metadata(workspace: &mut Workspace, metadata: Option<&Metadata>) {
    workspace.capabilities = metadata.map_or(Value::Null, |have| have.capabilities.clone());
    workspace.idle_timeout_seconds = metadata.and_then(|have| have.idle_timeout_seconds);
}

fn bind(fields: &Fields) -> Result<Body, Misfit> {
    Ok(Body {
        workspace_id: fields.required("workspace_id")?,
        error_rate: fields.number("error_rate")?,
        sample_error: fields.text("sample_error")?,
        active_tasks: fields.integer("active_tasks")?,
        uptime_seconds: fields.integer("uptime_seconds")?,
        current_task: fields.text("current_task")?,
        monthly_spend: fields.integer("monthly_spend")?,
        runtime_state: fields.text("runtime_state")?,
        metadata: fields.object("runtime_metadata")?.map(bind_metadata).transpose()?,
        agent_card: fields.value("agent_card").cloned(),
    })
}

fn bind_metadata(fields: Fields) -> Result<Metadata, Misfit> {
    let capabilities = fields.object("capabilities")?.unwrap_or_default();
    if capabilities.iter().any(|(_, value)| !(value.is_boolean() || value.is_null())) {
        return Err(Misfit);
    }
    let idle = fields.integer("idle_timeout_seconds")?;
    Ok(Metadata {
        capabilities: capabilities.into_value(),
        idle_timeout_seconds: (idle > 0).then_some(idle),
    })
}
