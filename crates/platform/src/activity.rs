//! `GET` and `POST /workspaces/{id}/activity`.

use serde_json::{Map, Value, json};

use crate::bind::{Fields, Misfit, has_nul};
use crate::clock::Timestamp;
use crate::platform::Platform;
use crate::request::{Answer, Request};
use crate::rows::Row;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 500;

impl Platform {
    pub(crate) fn list_activity(&self, id: &str, request: &Request) -> Answer {
        if let Err(refusal) = self.workspace_auth(id, request) {
            return refusal;
        }
        let wanted_source = match request.parameter("source").as_deref() {
            None | Some("") => None,
            Some("canvas") => Some(false),
            Some("agent") => Some(true),
            Some(_) => return Answer::error(400, "source must be 'canvas' or 'agent'"),
        };
        let wanted_type = request.parameter("type").filter(|text| !text.is_empty());
        let limit = request.parameter("limit").and_then(|text| text.parse().ok());
        let limit = limit.filter(|n: &usize| (1..=LIMIT_MAX).contains(n)).unwrap_or(LIMIT_DEFAULT);
        let rows = self.rows.newest_first(id).filter(|row| {
            wanted_type.as_ref().is_none_or(|wanted| *wanted == row.activity_type)
                && wanted_source.is_none_or(|by_agent| row.source_id.is_some() == by_agent)
        });
        let rows = rows.take(limit).map(|row| shown(id, row)).collect();
        Answer::json(200, &Value::Array(rows))
    }

    pub(crate) fn log_activity(&mut self, id: &str, request: &Request) -> Answer {
        if let Err(refusal) = self.workspace_auth(id, request) {
            return refusal;
        }
        let Ok(mut row) = bind(request) else {
            return Answer::error(400, "invalid request body");
        };
        if row.source_id.as_deref().is_some_and(|source| source != id) {
            return Answer::error(403, "source_id must match the workspace");
        }
        row.id = self.chance.uuid();
        row.source_id = Some(id.to_owned());
        row.created = Timestamp::of(self.wall_ms);
        self.insert_row(id, row);
        Answer::json(200, &json!({"status": "logged"}))
    }
}

fn bind(request: &Request) -> Result<Row, Misfit> {
    let fields = Fields::of_body(&request.body)?;
    let duration_ms = fields.integer("duration_ms")?;
    let row = Row {
        activity_type: fields.required("activity_type")?,
        method: fields.optional("method")?,
        source_id: fields.optional("source_id")?,
        target_id: fields.optional("target_id")?,
        summary: fields.optional("summary")?,
        duration_ms: (duration_ms > 0).then_some(duration_ms),
        status: fields.optional("status")?.unwrap_or_else(|| "ok".into()),
        error: fields.optional("error_detail")?,
        request_body: fields.value("request_body").cloned(),
        response_body: fields.value("response_body").cloned(),
        ..Row::default()
    };
    // Rows of delegations come from their own endpoints.
    if row.is_delegation() || has_nul(&fields.into_value()) { Err(Misfit) } else { Ok(row) }
}

fn shown(workspace: &str, row: &Row) -> Value {
    let mut shown = Map::new();
    shown.insert("id".into(), json!(row.id));
    shown.insert("workspace_id".into(), json!(workspace));
    shown.insert("activity_type".into(), json!(row.activity_type));
    shown.insert("source_id".into(), json!(row.source_id));
    shown.insert("target_id".into(), json!(row.target_id));
    shown.insert("method".into(), json!(row.method));
    shown.insert("summary".into(), json!(row.summary));
    shown.insert("duration_ms".into(), json!(row.duration_ms));
    shown.insert("status".into(), json!(row.status));
    shown.insert("error_detail".into(), json!(row.error));
    shown.insert("created_at".into(), json!(row.created));
    for (key, body) in [("request_body", &row.request_body), ("response_body", &row.response_body)]
    {
        shown.extend(body.clone().map(|body| (key.to_owned(), body)));
    }
    Value::Object(shown)
}
