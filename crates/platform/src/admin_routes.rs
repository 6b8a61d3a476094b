//! The administrator's side over HTTP. The bodies stand in the crate's
//! documentation.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::admin::{AdminError, NewWorkspace};
use crate::agent::AgentMode;
use crate::delegations::NewDelegation;
use crate::faults::{Fault, OutageKind};
use crate::finish::Finish;
use crate::platform::Platform;
use crate::request::{Answer, Request, decode};
use crate::route::Route;
use crate::status::Status;

/// `POST /admin/outage`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageBody {
    ms: u64,
    #[serde(default = "refuse")]
    kind: OutageKind,
}

const fn refuse() -> OutageKind {
    OutageKind::Refuse
}

/// `POST /admin/workspaces/{id}/agent`.
#[derive(Deserialize)]
struct AgentBody {
    #[serde(flatten)]
    mode: AgentModeOnly,
    #[serde(default)]
    turn_ms: Option<u64>,
}

/// `AgentMode` refuses unknown fields, and `turn_ms` would be one.
#[derive(Deserialize)]
struct AgentModeOnly(serde_json::Map<String, Value>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusBody {
    status: Status,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WedgeBody {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    clear: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerationBody {
    generation: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceBody {
    name: String,
    #[serde(default)]
    parent_id: Option<String>,
}

impl Platform {
    pub(crate) fn admin_answer(&mut self, request: &Request) -> Answer {
        match self.administer(request) {
            Ok(value) => Answer::json(200, &value),
            Err(error) => {
                let status = match error {
                    AdminError::NotFound(_) => 404,
                    AdminError::Conflict(_) => 409,
                    AdminError::Invalid(_) => 400,
                };
                Answer::error(status, &error.to_string())
            }
        }
    }

    fn administer(&mut self, request: &Request) -> Result<Value, AdminError> {
        let path = request.path.strip_prefix("/admin").unwrap_or_default();
        let segments: Vec<String> = path.split('/').skip(1).map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (&*request.method, segments.as_slice()) {
            ("GET", ["state"]) => Ok(self.admin_state()),
            ("POST", ["workspaces"]) => {
                let created = self.create_workspace(body::<NewWorkspace>(request)?)?;
                Ok(json!({"id": created.id, "token": created.token}))
            }
            ("POST", ["workspaces", id, verb]) => self.administer_workspace(id, verb, request),
            ("DELETE", ["workspaces", id, "faults"]) => self.clear_faults_of(id).map(|()| done()),
            ("POST", ["delegations"]) => {
                let id = self.make_delegation(body::<NewDelegation>(request)?)?;
                Ok(json!({"delegation_id": id}))
            }
            ("POST", ["delegations", id, "finish"]) => {
                let finish: Finish = body(request)?;
                self.finish_delegation(id, &finish)?;
                Ok(done())
            }
            ("POST", ["outage"]) => {
                let OutageBody { ms, kind } = body(request)?;
                self.outage(Duration::from_millis(ms), kind);
                Ok(done())
            }
            ("POST", ["generation"]) => {
                self.set_generation(body::<GenerationBody>(request)?.generation);
                Ok(done())
            }
            ("POST", ["faults"]) => {
                self.inject(body::<Fault>(request)?)?;
                Ok(done())
            }
            ("DELETE", ["faults"]) => {
                self.clear_faults(None);
                Ok(done())
            }
            ("DELETE", ["faults", name]) => {
                let route = Route::ALL.into_iter().find(|route| route.name() == *name);
                let route = route.ok_or_else(|| AdminError::NotFound((*name).into()))?;
                self.clear_faults(Some(route));
                Ok(done())
            }
            (method, _) => Err(AdminError::NotFound(format!("{method} {}", request.path))),
        }
    }

    fn administer_workspace(
        &mut self,
        id: &str,
        verb: &str,
        request: &Request,
    ) -> Result<Value, AdminError> {
        match verb {
            "rotate-token" => Ok(json!({"token": self.rotate_token(id)?})),
            "revoke-tokens" => self.revoke_tokens(id).map(|()| done()),
            "rotate-inbound-secret" => {
                Ok(json!({"platform_inbound_secret": self.rotate_inbound_secret(id)?}))
            }
            "agent" => {
                let AgentBody { mode, turn_ms } = body(request)?;
                let mode: AgentMode = of_value(Value::Object(mode.0))?;
                self.set_agent(id, mode, turn_ms).map(|()| done())
            }
            "status" => {
                let StatusBody { status } = body(request)?;
                self.set_status(id, status).map(|()| done())
            }
            "wedge" => {
                let WedgeBody { reason, clear } = body(request)?;
                let outcome = if clear { self.clear_wedge(id) } else { self.wedge(id, &reason) };
                outcome.map(|()| done())
            }
            "place" => {
                let PlaceBody { name, parent_id } = body(request)?;
                self.set_place(id, &name, parent_id.as_deref()).map(|()| done())
            }
            _ => Err(AdminError::NotFound(verb.into())),
        }
    }
}

fn done() -> Value {
    json!({"status": "ok"})
}

/// An empty body is an empty object.
fn body<T: DeserializeOwned>(request: &Request) -> Result<T, AdminError> {
    let bytes: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    serde_json::from_slice(bytes).map_err(|error| AdminError::Invalid(error.to_string()))
}

fn of_value<T: DeserializeOwned>(value: Value) -> Result<T, AdminError> {
    serde_json::from_value(value).map_err(|error| AdminError::Invalid(error.to_string()))
}
