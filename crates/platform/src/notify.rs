//! `POST /workspaces/{id}/notify`: a line in the user's chat.

use serde_json::{Value, json};

use crate::bind::{Fields, Misfit};
use crate::clock::Timestamp;
use crate::observe::Notification;
use crate::platform::{KEPT_BYTES, Platform, shortened};
use crate::request::{Answer, Request};
use crate::rows::Row;

impl Platform {
    pub(crate) fn notify(&mut self, id: &str, request: &Request) -> Answer {
        if let Err(refusal) = self.workspace_auth(id, request) {
            return refusal;
        }
        let Ok((message, attachments)) = bind(request) else {
            return Answer::error(400, "message is required");
        };
        if let Some(bad) = attachments.iter().position(|have| !is_whole(have)) {
            let text = format!("attachment[{bad}]: uri and name are required");
            return Answer::error(400, &text);
        }
        let Some(workspace) = self.workspaces.get_mut(id) else {
            return Answer::error(404, "workspace not found");
        };
        let message = shortened(&message, KEPT_BYTES);
        let shown = Notification { at: self.now, wall_ms: self.wall_ms, message: message.clone() };
        workspace.notifications.push(shown);
        // An insert that fails is not told.
        if !message.contains('\0') {
            let row = Row {
                id: self.chance.uuid(),
                activity_type: "a2a_receive".into(),
                method: Some("notify".into()),
                summary: Some(message),
                status: "ok".into(),
                created: Timestamp::of(self.wall_ms),
                ..Row::default()
            };
            self.insert_row(id, row);
        }
        Answer::json(200, &json!({"status": "sent"}))
    }
}

fn bind(request: &Request) -> Result<(String, Vec<Value>), Misfit> {
    let fields = Fields::of_body(&request.body)?;
    let attachments = match fields.value("attachments") {
        None => Vec::new(),
        Some(value) => value.as_array().cloned().ok_or(Misfit)?,
    };
    if !attachments.iter().all(Value::is_object) {
        return Err(Misfit);
    }
    Ok((fields.required("message")?, attachments))
}

fn is_whole(attachment: &Value) -> bool {
    let has = |key: &str| attachment[key].as_str().is_some_and(|text| !text.is_empty());
    has("uri") && has("name")
}
