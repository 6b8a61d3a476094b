//! `POST /registry/heartbeat`, and what becomes of a workspace without one.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

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
pub(crate) struct Body<'a> {
    pub(crate) workspace_id: Cow<'a, str>,
    error_rate: f64,
    sample_error: Cow<'a, str>,
    active_tasks: i64,
    uptime_seconds: i64,
    current_task: Cow<'a, str>,
    monthly_spend: i64,
    runtime_state: Cow<'a, str>,
    metadata: Option<Metadata>,
    agent_card: Card<'a>,
}

/// An agent's card, read only where it is needed.
enum Card<'a> {
    Unread(&'a RawValue),
    Read(Option<Value>),
}

/// A body as most beats have it: every name as it is documented, once, with a
/// value of its type. Any other is bound field by field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual<'a> {
    #[serde(borrow)]
    workspace_id: Cow<'a, str>,
    #[serde(default)]
    error_rate: f64,
    #[serde(borrow, default)]
    sample_error: Cow<'a, str>,
    #[serde(default)]
    active_tasks: i64,
    #[serde(default)]
    uptime_seconds: i64,
    #[serde(borrow, default)]
    current_task: Cow<'a, str>,
    #[serde(default)]
    monthly_spend: i64,
    #[serde(borrow, default)]
    runtime_state: Cow<'a, str>,
    #[serde(borrow, default)]
    agent_card: Option<&'a RawValue>,
    #[serde(default, rename = "is_busy")]
    _is_busy: IgnoredAny,
    #[serde(default, rename = "schema_version")]
    _schema_version: IgnoredAny,
    #[serde(default, rename = "observed_generation")]
    _observed_generation: IgnoredAny,
}

/// What is answered to a beat.
#[derive(Serialize)]
struct Accepted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_inbound_secret: Option<&'a str>,
    status: &'static str,
}

struct Metadata {
    capabilities: Value,
    idle_timeout_seconds: Option<i64>,
}

impl Platform {
    pub(crate) fn heartbeat(&mut self, request: &Request, bound: Option<Body<'_>>) -> Answer {
        let Some(body) = bound.filter(|body| !body.workspace_id.is_empty()) else {
            return Answer::error(400, "invalid request body");
        };
        if let Err(refusal) = self.registry_auth(&body.workspace_id, request) {
            return refusal;
        }
        if !self.fits_the_database(&body) {
            return Answer::error(500, "failed to update");
        }
        let generation = self.options.generation;
        let mut platform_inbound_secret = None;
        if let Some(workspace) = self.workspaces.get(body.workspace_id.as_ref()) {
            if workspace.status != Status::Removed {
                let kept = request.body.len() <= KEPT_BODY_BYTES;
                self.apply(&body, if kept { request.body.clone() } else { Vec::new() });
            }
            if self.options.inbound_secret {
                platform_inbound_secret = self.inbound_secret_of(&body.workspace_id);
            }
        }
        Answer::json_of(200, &Accepted { generation, platform_inbound_secret, status: "ok" })
    }

    /// Columns are INTEGER and TEXT, ids are UUIDs.
    fn fits_the_database(&self, body: &Body<'_>) -> bool {
        let texts = [&body.workspace_id, &body.sample_error, &body.current_task];
        !texts.iter().any(|text| text.contains('\0'))
            && i32::try_from(body.active_tasks).is_ok()
            && i32::try_from(body.uptime_seconds).is_ok()
            && (!self.options.strict_uuid || is_uuid(&body.workspace_id))
    }

    /// The row, the key, the status, the capabilities, the queue: in the
    /// reference's order.
    fn apply(&mut self, body: &Body<'_>, shown: Vec<u8>) {
        let (now, version) = (self.now, self.options.version);
        let ttl = Duration::from_millis(self.options.ttl_ms);
        let Some(workspace) = self.workspaces.get_mut(body.workspace_id.as_ref()) else {
            return;
        };
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
    fn inbound_secret_of(&mut self, id: &str) -> Option<&str> {
        let chance = &mut self.chance;
        let workspace = self.workspaces.get_mut(id)?;
        let secret = workspace.inbound_secret.get_or_insert_with(|| Secret(chance.token()));
        Some(&secret.0)
    }

    /// The same as a member of an answer.
    pub(crate) fn inbound_secret_field(&mut self, id: &str) -> Option<(String, Value)> {
        let secret = self.inbound_secret_of(id)?;
        Some(("platform_inbound_secret".into(), json!(secret)))
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

fn store_row(workspace: &mut Workspace, body: &Body<'_>, version: Version) {
    workspace.error_rate = body.error_rate;
    replace(&mut workspace.sample_error, &body.sample_error);
    workspace.active_tasks = body.active_tasks;
    workspace.uptime_seconds = body.uptime_seconds;
    replace(&mut workspace.current_task, &body.current_task);
    // Zero means: not said.
    if body.monthly_spend > 0 {
        workspace.monthly_spend = body.monthly_spend.min(SPEND_MAX);
    }
    if version == Version::Summer && workspace.agent_card.is_none() {
        let card = match &body.agent_card {
            Card::Unread(card) => serde_json::from_str(card.get()).ok(),
            Card::Read(card) => card.clone(),
        };
        workspace.agent_card = card.filter(|card| !card.is_null() && !has_nul(card));
    }
}

fn replace(old: &mut String, new: &str) {
    if old != new {
        new.clone_into(old);
    }
}

/// A beat that says nothing of it clears what was known.
fn store_metadata(workspace: &mut Workspace, metadata: Option<&Metadata>) {
    workspace.capabilities = metadata.map_or(Value::Null, |have| have.capabilities.clone());
    workspace.idle_timeout_seconds = metadata.and_then(|have| have.idle_timeout_seconds);
}

/// The body of a beat, if it is one.
pub(crate) fn bind(body: &[u8]) -> Option<Body<'_>> {
    usual(body).or_else(|| bind_fields(&Fields::of_body(body).ok()?).ok())
}

/// `None` for whatever is unusual, wrong or not.
fn usual(body: &[u8]) -> Option<Body<'_>> {
    let text = std::str::from_utf8(body).ok()?;
    let usual = Usual::deserialize(&mut serde_json::Deserializer::from_str(text)).ok()?;
    Some(Body {
        workspace_id: usual.workspace_id,
        error_rate: usual.error_rate,
        sample_error: usual.sample_error,
        active_tasks: usual.active_tasks,
        uptime_seconds: usual.uptime_seconds,
        current_task: usual.current_task,
        monthly_spend: usual.monthly_spend,
        runtime_state: usual.runtime_state,
        metadata: None,
        agent_card: usual.agent_card.map_or(Card::Read(None), Card::Unread),
    })
}

fn bind_fields(fields: &Fields) -> Result<Body<'static>, Misfit> {
    let text = |name: &str| fields.text(name).map(Cow::Owned);
    Ok(Body {
        workspace_id: text("workspace_id")?,
        error_rate: fields.number("error_rate")?,
        sample_error: text("sample_error")?,
        active_tasks: fields.integer("active_tasks")?,
        uptime_seconds: fields.integer("uptime_seconds")?,
        current_task: text("current_task")?,
        monthly_spend: fields.integer("monthly_spend")?,
        runtime_state: text("runtime_state")?,
        metadata: fields.object("runtime_metadata")?.map(bind_metadata).transpose()?,
        agent_card: Card::Read(fields.value("agent_card").cloned()),
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
