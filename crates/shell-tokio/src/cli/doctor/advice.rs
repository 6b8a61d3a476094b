//! What to do about what was found.

use crate::cli::check::{Finding, Status};

/// `None` where all is well, or where nobody knows better than the finding.
pub(super) fn of(finding: &Finding) -> Option<String> {
    let advice = match (finding.check, finding.status) {
        (_, Status::Ok) => return None,
        ("configuration", Status::Error) => {
            "correct it; everbeat config show prints every value and where it came from"
        }
        ("configuration", Status::Warning) => "correct the name, or take the variable away",
        ("configs folder", _) => "mount it, or give --configs-dir",
        ("token", _) => {
            "have the platform issue one and put it there, as one line; it is read again when \
             the platform asks for it"
        }
        ("state folder", _) => {
            "make it writable for the user that the agent runs as, or give --state-dir"
        }
        ("results file", _) => {
            "make its folder writable and take away what stands there, or give --results-file, \
             the same as the agent's DELEGATION_RESULTS_FILE"
        }
        ("registration", _) => "give both --agent-url and --agent-card",
        ("platform" | "delegations", _) if finding.detail.contains("the token is refused") => {
            "put a valid token into .auth_token; see the check of the token for its place"
        }
        ("platform" | "delegations", _) if finding.detail.contains("no answer") => {
            "see the checks of the network above; the platform may be down"
        }
        ("platform" | "delegations", _) => {
            "compare WORKSPACE_ID and PLATFORM_URL with what the platform knows; with tenants, \
             give --org-id"
        }
        _ => return None,
    };
    Some(advice.into())
}
