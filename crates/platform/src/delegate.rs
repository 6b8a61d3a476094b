//! `POST …/delegate`, `…/delegations/record` and `…/delegations/{id}/update`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::agenda::Due;
use crate::bind::{Fields, Misfit};
use crate::chance::is_uuid;
use crate::delegations::NewDelegation;
use crate::finish::{Finish, FinishOutcome, FinishStyle};
use crate::platform::Platform;
use crate::request::{Answer, Request};
use crate::rows::DELEGATE;

impl Platform {
    pub(crate) fn delegate(&mut self, id: &str, request: &Request) -> Answer {
        let new = match self.bind_delegation(id, request, false) {
            Ok(new) => new,
            Err(refusal) => return refusal,
        };
        if new.target == id {
            return Answer::error(400, "self-delegation not permitted");
        }
        if let Some(hit) = self.idempotent_hit(id, &new) {
            return hit;
        }
        let target = new.target.clone();
        let delegation = self.start_delegation(new);
        if let Some(finish_ms) = self.options.finish_ms {
            let at = self.now.saturating_add(Duration::from_millis(finish_ms));
            let complete = Due::Complete { delegation: delegation.clone() };
            self.agenda.enter(at, complete);
        }
        let body = json!({"delegation_id": delegation, "status": "delegated", "target_id": target});
        Answer::json(202, &body)
    }

    pub(crate) fn record_delegation(&mut self, id: &str, request: &Request) -> Answer {
        match self.bind_delegation(id, request, true) {
            Err(refusal) => refusal,
            Ok(new) => {
                let delegation = self.start_delegation(new);
                Answer::json(202, &json!({"delegation_id": delegation, "status": "recorded"}))
            }
        }
    }

    pub(crate) fn update_delegation(
        &mut self,
        id: &str,
        delegation: &str,
        request: &Request,
    ) -> Answer {
        if let Err(refusal) = self.workspace_auth(id, request) {
            return refusal;
        }
        let Ok(outcome) = bind_outcome(request) else {
            return Answer::error(400, "status must be 'completed' or 'failed'");
        };
        let failed = matches!(outcome, FinishOutcome::Failed { .. });
        let status = if failed { "failed" } else { "completed" };
        if self.delegations.get(delegation).is_some_and(|have| have.workspace_id == id) {
            self.keep_ledger(delegation, &outcome);
        }
        // An id that nobody knows is not told: its update changes no row.
        let finish = Finish { style: FinishStyle::Update, ..Finish::with(outcome) };
        self.change_rows(delegation, id, id.to_owned(), String::new(), &finish);
        Answer::json(200, &json!({"status": status, "delegation_id": delegation}))
    }

    /// A delegation that was left to itself.
    pub(crate) fn complete(&mut self, delegation: &str) {
        let open = self.delegations.get(delegation);
        let open = open.filter(|have| matches!(have.status.as_str(), "pending" | "dispatched"));
        if let Some(text) = open.map(|have| format!("Done: {}", have.task)) {
            // Known a line above.
            let _ = self.finish_delegation(delegation, &Finish::completed(&text));
        }
    }

    fn bind_delegation(
        &self,
        id: &str,
        request: &Request,
        recorded: bool,
    ) -> Result<NewDelegation, Answer> {
        self.workspace_auth(id, request)?;
        let bound = Fields::of_body(&request.body).and_then(|fields| {
            let delegation_id =
                if recorded { Some(fields.required("delegation_id")?) } else { None };
            Ok(NewDelegation {
                workspace: id.to_owned(),
                target: fields.required("target_id")?,
                task: fields.required("task")?,
                source: None,
                id: delegation_id,
                recorded,
                idempotency_key: if recorded {
                    None
                } else {
                    fields.optional("idempotency_key")?
                },
            })
        });
        let new = bound.map_err(|Misfit| Answer::error(400, "invalid delegation request"))?;
        if self.options.strict_uuid && !is_uuid(&new.target) {
            return Err(Answer::error(400, "target_id must be a valid UUID"));
        }
        Ok(new)
    }

    /// The delegation that already has this key; one that failed makes way.
    fn idempotent_hit(&mut self, id: &str, new: &NewDelegation) -> Option<Answer> {
        let key = new.idempotency_key.as_ref()?;
        let row = self.rows.newest_first(id).find(|row| {
            row.method.as_deref() == Some(DELEGATE) && row.idempotency_key.as_ref() == Some(key)
        });
        let row = row?.clone();
        if row.status == "failed" {
            self.rows.remove(id, &row.id);
            return None;
        }
        let body = json!({
            "delegation_id": row.delegation_id,
            "status": row.status,
            "target_id": row.target_id,
            "idempotent_hit": true,
        });
        Some(Answer::json(200, &body))
    }
}

fn bind_outcome(request: &Request) -> Result<FinishOutcome, Misfit> {
    let fields = Fields::of_body(&request.body)?;
    let (error, text) = (fields.text("error")?, fields.text("response_preview")?);
    match fields.raw("status").and_then(Value::as_str) {
        Some("completed") => Ok(FinishOutcome::Completed { text }),
        Some("failed") => Ok(FinishOutcome::Failed { error }),
        Some(_) | None => Err(Misfit),
    }
}
