//! The tenant guard: a server that serves one organisation only.

use serde_json::json;

use crate::options::Version;
use crate::platform::Platform;
use crate::request::{Answer, Request};

/// Paths that pass without naming the organisation.
const OPEN_PATHS: [&str; 4] = ["/health", "/metrics", "/registry/register", "/registry/heartbeat"];

impl Platform {
    /// Before any authorisation, and without a reason in spring.
    pub(crate) fn tenant_refusal(&self, request: &Request) -> Option<Answer> {
        let tenant = self.options.tenant.as_deref()?;
        if OPEN_PATHS.contains(&request.path.as_str()) {
            return None;
        }
        // The edge's own header: `instance=…;state=<organisation>`.
        let replayed =
            request.header("fly-replay-src").into_iter().flat_map(|text| text.split(';'));
        let mut states = replayed.filter_map(|pair| pair.trim().strip_prefix("state="));
        if states.any(|org| org == tenant) {
            return None;
        }
        match (request.header("x-molecule-org-id"), self.options.version) {
            (Some(org), _) if org == tenant => None,
            (None, Version::Summer) => Some(Answer::json(
                400,
                &json!({
                    "code": "TENANT_ORG_HEADER_REQUIRED",
                    "error": "this tenant requires its organisation header",
                    "required_header": "X-Molecule-Org-Id",
                }),
            )),
            (Some(_) | None, Version::Spring | Version::Summer) => Some(Answer::empty(404)),
        }
    }
}
