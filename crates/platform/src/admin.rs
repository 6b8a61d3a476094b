//! The administrator's side as methods: what tests and the simulator do to
//! the platform. All act at the time of the last `tick` or `handle`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::AgentMode;
use crate::chance::is_uuid;
use crate::faults::{Fault, OutageKind};
use crate::observe::EventKind;
use crate::platform::Platform;
use crate::route::Route;
use crate::status::Status;
use crate::workspace::Secret;

/// Why the administrator was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// No workspace or delegation of that name.
    #[error("{0:?} does not exist")]
    NotFound(String),
    /// The id is taken.
    #[error("{0:?} exists already")]
    Conflict(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
}

/// A workspace to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewWorkspace {
    /// Its id; a new UUID by default.
    pub id: Option<String>,
    /// Its name; the id by default.
    pub name: Option<String>,
    /// The workspace above it, which need not exist.
    pub parent_id: Option<String>,
    /// `external` for one that the platform does not start.
    pub runtime: String,
    /// Where its agent is called.
    pub url: String,
    /// As if its agent had registered: online, with its liveness key. False:
    /// still provisioning, without a url.
    pub registered: bool,
    /// Issue a token and tell it.
    pub token: bool,
    /// How long its agent takes for a turn; the platform's option by default.
    pub turn_ms: Option<u64>,
    /// How many tasks it takes at once.
    pub max_concurrent_tasks: i64,
}

impl Default for NewWorkspace {
    fn default() -> Self {
        Self {
            id: None,
            name: None,
            parent_id: None,
            runtime: "docker".into(),
            url: "http://agent:8000".into(),
            registered: true,
            token: true,
            turn_ms: None,
            max_concurrent_tasks: 1,
        }
    }
}

impl NewWorkspace {
    /// With this id, registered and with a token.
    #[must_use]
    pub fn named(id: &str) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }
}

/// A workspace that was made.
#[derive(Clone, PartialEq, Eq)]
pub struct Created {
    /// Its id.
    pub id: String,
    /// Its token, if one was issued.
    pub token: Option<String>,
}

/// Without the token.
impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = if self.token.is_some() { "set" } else { "unset" };
        f.debug_struct("Created").field("id", &self.id).field("token", &token).finish()
    }
}

impl Platform {
    /// Makes a workspace.
    ///
    /// # Errors
    /// If the id is taken or no UUID where those are asked for, or there are
    /// too many.
    pub fn create_workspace(&mut self, new: NewWorkspace) -> Result<Created, AdminError> {
        let id = new.id.unwrap_or_else(|| self.chance.uuid());
        if self.workspaces.contains_key(&id) {
            return Err(AdminError::Conflict(id));
        }
        if id.is_empty() || (self.options.strict_uuid && !is_uuid(&id)) {
            return Err(AdminError::Invalid(format!("{id:?} is not a workspace id")));
        }
        if self.workspaces.len() >= self.options.workspaces_max {
            return Err(AdminError::Invalid("too many workspaces".into()));
        }
        let now = self.now;
        let workspace = self.workspace_or_new(&id);
        workspace.name = new.name.unwrap_or_else(|| id.clone());
        workspace.parent_id = new.parent_id;
        workspace.runtime = new.runtime;
        workspace.max_concurrent_tasks = new.max_concurrent_tasks;
        if let Some(turn_ms) = new.turn_ms {
            workspace.turn = Duration::from_millis(turn_ms);
        }
        let external = workspace.is_external();
        if new.registered {
            workspace.url = Some(new.url);
            workspace.status = Status::Online;
            workspace.last_beat_at = Some(now);
            self.set_liveness_key(&id);
        }
        if external {
            self.start_sweeping();
        }
        let token = new.token.then(|| self.issue_token(&id));
        Ok(Created { id, token })
    }

    /// Revokes a workspace's tokens and issues a new one, as a container's
    /// re-provisioning does. Answers the new token.
    ///
    /// # Errors
    /// If the workspace does not exist.
    pub fn rotate_token(&mut self, id: &str) -> Result<String, AdminError> {
        self.revoke_tokens(id)?;
        Ok(self.issue_token(id))
    }

    /// Revokes a workspace's tokens: the next registration mints one.
    ///
    /// # Errors
    /// If the workspace does not exist.
    pub fn revoke_tokens(&mut self, id: &str) -> Result<(), AdminError> {
        self.known(id)?.tokens.revoke_all();
        Ok(())
    }

    /// Makes a new inbound secret; the next beat's answer carries it.
    ///
    /// # Errors
    /// If the workspace does not exist.
    pub fn rotate_inbound_secret(&mut self, id: &str) -> Result<String, AdminError> {
        let secret = self.chance.token();
        self.known(id)?.inbound_secret = Some(Secret(secret.clone()));
        Ok(secret)
    }

    /// The inbound secret, if one was made.
    #[must_use]
    pub fn inbound_secret(&self, id: &str) -> Option<&str> {
        self.workspaces.get(id)?.inbound_secret.as_ref().map(|secret| secret.0.as_str())
    }

    /// What beats are answered from now on; `None` leaves it out.
    pub fn set_generation(&mut self, generation: Option<u64>) {
        self.options.generation = generation;
    }

    /// What answers when the workspace's agent is called; `turn_ms` stays as
    /// it was where it is `None`.
    ///
    /// # Errors
    /// If the workspace does not exist, or the mode's status is below 300 or
    /// above 599.
    pub fn set_agent(
        &mut self,
        id: &str,
        mode: AgentMode,
        turn_ms: Option<u64>,
    ) -> Result<(), AdminError> {
        if let AgentMode::Status { status } = mode
            && !(300..600).contains(&status)
        {
            return Err(AdminError::Invalid(format!("status {status} is not within 300 and 599")));
        }
        let workspace = self.known(id)?;
        workspace.agent_mode = mode;
        if let Some(turn_ms) = turn_ms {
            workspace.turn = Duration::from_millis(turn_ms);
        }
        Ok(())
    }

    /// Sets a workspace's status, as a person or another part of the
    /// platform does. A removed one loses its tokens and its liveness key.
    ///
    /// # Errors
    /// If the workspace does not exist.
    pub fn set_status(&mut self, id: &str, status: Status) -> Result<(), AdminError> {
        let workspace = self.known(id)?;
        workspace.status = status;
        if status == Status::Removed {
            workspace.tokens.revoke_all();
            workspace.live_until = None;
        }
        self.start_sweeping();
        Ok(())
    }

    /// Degrades a workspace as if a beat had said that it is wedged. The
    /// next beat that says nothing of it lifts that.
    ///
    /// # Errors
    /// If the workspace does not exist.
    pub fn wedge(&mut self, id: &str, reason: &str) -> Result<(), AdminError> {
        let now = self.now;
        let workspace = self.known(id)?;
        workspace.status = Status::Degraded;
        workspace.sample_error = reason.into();
        workspace.event(now, EventKind::WorkspaceDegraded, reason);
        Ok(())
    }

    /// Lifts what `wedge` set.
    ///
    /// # Errors
    /// If the workspace does not exist.
    pub fn clear_wedge(&mut self, id: &str) -> Result<(), AdminError> {
        let now = self.now;
        let workspace = self.known(id)?;
        if workspace.status == Status::Degraded {
            workspace.status = Status::Online;
            workspace.sample_error.clear();
            workspace.event(now, EventKind::WorkspaceOnline, "");
        }
        Ok(())
    }

    /// Renames a workspace and moves it under another.
    ///
    /// # Errors
    /// If the workspace does not exist.
    pub fn set_place(
        &mut self,
        id: &str,
        name: &str,
        parent_id: Option<&str>,
    ) -> Result<(), AdminError> {
        let workspace = self.known(id)?;
        workspace.name = name.into();
        workspace.parent_id = parent_id.map(str::to_owned);
        Ok(())
    }

    /// Adds a fault; older ones that match come first.
    ///
    /// # Errors
    /// If too many wait already, or its status is no HTTP status.
    pub fn inject(&mut self, fault: Fault) -> Result<(), AdminError> {
        if let Some(reason) = fault.effect.nonsense() {
            return Err(AdminError::Invalid(reason));
        }
        match self.faults.inject(fault) {
            true => Ok(()),
            false => Err(AdminError::Invalid("too many faults wait already".into())),
        }
    }

    /// Takes faults away: those on a route, or all.
    pub fn clear_faults(&mut self, route: Option<Route>) {
        self.faults.clear(route);
    }

    /// Takes away the faults that are for this workspace alone.
    ///
    /// # Errors
    /// If the workspace does not exist.
    pub fn clear_faults_of(&mut self, id: &str) -> Result<(), AdminError> {
        self.known(id)?;
        self.faults.clear_of(id);
        Ok(())
    }

    /// The platform is away for so long; zero ends it. `/admin` stays.
    pub fn outage(&mut self, length: Duration, kind: OutageKind) {
        let until = self.now.saturating_add(length);
        self.outage = Some((until, kind)).filter(|_| !length.is_zero());
    }

    fn known(&mut self, id: &str) -> Result<&mut crate::workspace::Workspace, AdminError> {
        self.workspaces.get_mut(id).ok_or_else(|| AdminError::NotFound(id.into()))
    }
}
