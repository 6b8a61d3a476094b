//! `GET /workspaces/{id}`: open to anyone who knows the id.

use serde_json::json;

use crate::chance::is_uuid;
use crate::platform::Platform;
use crate::request::Answer;

impl Platform {
    pub(crate) fn get_workspace(&self, id: &str) -> Answer {
        if self.options.strict_uuid && !is_uuid(id) {
            return Answer::error(400, "invalid workspace ID");
        }
        let Some(workspace) = self.workspaces.get(id) else {
            return Answer::error(404, "workspace not found");
        };
        let shown = json!({
            "id": workspace.id,
            "name": workspace.name,
            "parent_id": workspace.parent_id,
            "tier": 1,
            "status": workspace.status.name(),
            "url": workspace.url.as_deref().unwrap_or_default(),
            "active_tasks": workspace.active_tasks,
            "max_concurrent_tasks": workspace.max_concurrent_tasks,
            "last_error_rate": workspace.error_rate,
            "uptime_seconds": workspace.uptime_seconds,
            "runtime": workspace.runtime,
            "x": 0,
            "y": 0,
            "collapsed": false,
            "role": null,
            "agent_card": workspace.agent_card,
            "last_outbound_at": null,
        });
        Answer::json(200, &shown)
    }
}
