//! The router: which endpoint a request is for.

use serde::{Deserialize, Serialize};

use crate::bind::Fields;
use crate::heartbeat;
use crate::request::{Request, decode};

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// `POST /registry/heartbeat`
    Heartbeat,
    /// `POST /registry/register`
    Register,
    /// `POST /registry/update-card`
    UpdateCard,
    /// `GET /workspaces/{id}`
    Workspace,
    /// `GET /workspaces/{id}/delegations`
    Delegations,
    /// `GET /workspaces/{id}/activity`
    ActivityList,
    /// `POST /workspaces/{id}/activity`
    ActivityLog,
    /// `POST /workspaces/{id}/notify`
    Notify,
    /// `POST /workspaces/{id}/delegate`
    Delegate,
    /// `POST /workspaces/{id}/delegations/record`
    DelegationRecord,
    /// `POST /workspaces/{id}/delegations/{delegation_id}/update`
    DelegationUpdate,
    /// `POST /workspaces/{id}/a2a`
    A2a,
    /// `GET /health`
    Health,
    /// Everything under `/admin`.
    Admin,
    /// A path that only lacks or has a slash at its end: answered by a
    /// redirect.
    Slash,
    /// Anything else.
    Unknown,
}

impl Route {
    /// Every route, in order.
    pub const ALL: [Self; 16] = [
        Self::Heartbeat,
        Self::Register,
        Self::UpdateCard,
        Self::Workspace,
        Self::Delegations,
        Self::ActivityList,
        Self::ActivityLog,
        Self::Notify,
        Self::Delegate,
        Self::DelegationRecord,
        Self::DelegationUpdate,
        Self::A2a,
        Self::Health,
        Self::Admin,
        Self::Slash,
        Self::Unknown,
    ];

    /// As in JSON: `heartbeat`, `delegation_record` …
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Register => "register",
            Self::UpdateCard => "update_card",
            Self::Workspace => "workspace",
            Self::Delegations => "delegations",
            Self::ActivityList => "activity_list",
            Self::ActivityLog => "activity_log",
            Self::Notify => "notify",
            Self::Delegate => "delegate",
            Self::DelegationRecord => "delegation_record",
            Self::DelegationUpdate => "delegation_update",
            Self::A2a => "a2a",
            Self::Health => "health",
            Self::Admin => "admin",
            Self::Slash => "slash",
            Self::Unknown => "unknown",
        }
    }
}

/// A request's endpoint with the ids in its path.
pub(crate) struct Target<'a> {
    pub(crate) route: Route,
    /// The workspace in the path, for registry routes in the body; empty
    /// where there is none.
    pub(crate) workspace: String,
    /// The delegation in the path; empty where there is none.
    pub(crate) delegation: String,
    /// A beat's body, read once; `None` if it does not fit, or is no beat's.
    pub(crate) beat: Option<heartbeat::Body<'a>>,
}

impl<'a> Target<'a> {
    /// Exact paths, as the reference's router: a doubled slash is not found,
    /// a slash too many at the end is redirected.
    pub(crate) fn of(request: &'a Request) -> Self {
        let found = find(&request.method, &request.path);
        if found.route == Route::Heartbeat
            && let Some(beat) = heartbeat::bind(&request.body)
        {
            let workspace = beat.workspace_id.clone().into_owned();
            return Self { workspace, beat: Some(beat), ..found };
        }
        if found.route != Route::Unknown {
            let workspace = in_body(found.route, request).unwrap_or(found.workspace);
            return Self { workspace, ..found };
        }
        let trimmed = request.path.strip_suffix('/').unwrap_or_default();
        match find(&request.method, trimmed).route == Route::Unknown {
            true => found,
            false => Self { route: Route::Slash, ..found },
        }
    }
}

/// The workspace that a registry request names in its body: faults and
/// observers want to know.
fn in_body(route: Route, request: &Request) -> Option<String> {
    let name = match route {
        Route::Heartbeat | Route::UpdateCard => "workspace_id",
        Route::Register => "id",
        Route::Workspace
        | Route::Delegations
        | Route::ActivityList
        | Route::ActivityLog
        | Route::Notify
        | Route::Delegate
        | Route::DelegationRecord
        | Route::DelegationUpdate
        | Route::A2a
        | Route::Health
        | Route::Admin
        | Route::Slash
        | Route::Unknown => return None,
    };
    Fields::of_body(&request.body).ok()?.text(name).ok()
}

/// Segments of the longest path; one with more is nobody's.
const SEGMENTS_MAX: usize = 5;

fn find<'a>(method: &str, path: &str) -> Target<'a> {
    let mut segments = [""; SEGMENTS_MAX + 1];
    let all = path.strip_prefix('/').unwrap_or_default().split('/');
    let count = segments.iter_mut().zip(all).map(|(place, segment)| *place = segment).count();
    let (route, workspace, delegation) = match (method, &segments[..count]) {
        (_, ["admin", ..]) => (Route::Admin, "", ""),
        ("GET", ["health"]) => (Route::Health, "", ""),
        ("POST", ["registry", "heartbeat"]) => (Route::Heartbeat, "", ""),
        ("POST", ["registry", "register"]) => (Route::Register, "", ""),
        ("POST", ["registry", "update-card"]) => (Route::UpdateCard, "", ""),
        (_, ["workspaces", "", ..]) => (Route::Unknown, "", ""),
        ("GET", ["workspaces", id]) => (Route::Workspace, *id, ""),
        ("GET", ["workspaces", id, "delegations"]) => (Route::Delegations, *id, ""),
        ("GET", ["workspaces", id, "activity"]) => (Route::ActivityList, *id, ""),
        ("POST", ["workspaces", id, "activity"]) => (Route::ActivityLog, *id, ""),
        ("POST", ["workspaces", id, "notify"]) => (Route::Notify, *id, ""),
        ("POST", ["workspaces", id, "delegate"]) => (Route::Delegate, *id, ""),
        ("POST", ["workspaces", id, "a2a"]) => (Route::A2a, *id, ""),
        ("POST", ["workspaces", id, "delegations", "record"]) => (Route::DelegationRecord, *id, ""),
        ("POST", ["workspaces", id, "delegations", delegation, "update"])
            if !delegation.is_empty() =>
        {
            (Route::DelegationUpdate, *id, *delegation)
        }
        _ => (Route::Unknown, "", ""),
    };
    Target { route, workspace: decode(workspace), delegation: decode(delegation), beat: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str) -> Route {
        let request =
            Request { method: method.to_owned().into(), path: path.into(), ..Request::default() };
        Target::of(&request).route
    }

    #[test]
    fn a_doubled_slash_is_not_found() {
        // PROTOCOL 2: PLATFORM_URL with its trailing slash kept.
        assert_eq!(route("POST", "//registry/heartbeat"), Route::Unknown);
        assert_eq!(route("GET", "/workspaces//delegations"), Route::Unknown);
    }

    #[test]
    fn a_slash_at_the_end_is_redirected_and_a_wrong_method_is_not_found() {
        assert_eq!(route("POST", "/registry/heartbeat/"), Route::Slash);
        assert_eq!(route("GET", "/registry/heartbeat"), Route::Unknown);
        assert_eq!(route("GET", "/workspaces/"), Route::Unknown);
    }

    #[test]
    fn names_are_those_of_json() {
        for route in Route::ALL {
            assert_eq!(serde_json::to_value(route).unwrap(), route.name());
        }
    }
}
