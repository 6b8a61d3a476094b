//! `/v1/tasks`: what the agent works at.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;
use axum::{Json, Router};
use everbeat_core::limits::{TASK_BYTES_MAX, TASK_TTL_MAX, TASKS_MAX};
use everbeat_core::{Report, TaskReport};
use serde_json::{Value, json};

use super::id::Id;
use crate::control::App;
use crate::control::answers::seconds;
use crate::control::fields::Fields;
use crate::control::problem::{Kind, Problem};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/tasks", put(replace)).route("/v1/tasks/{id}", put(start).delete(end))
}

async fn start(
    State(app): State<App>,
    Id(id): Id,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let task = task(id, &mut fields)?;
    fields.finish()?;
    let answer = shown(&task);
    let TaskReport { id, title, ttl } = task;
    app.tell(Report::TaskStarted { id, title, ttl }).await?;
    Ok(Json(answer))
}

async fn end(State(app): State<App>, Id(id): Id) -> Result<StatusCode, Problem> {
    app.tell(Report::TaskEnded { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn replace(State(app): State<App>, mut fields: Fields) -> Result<Json<Value>, Problem> {
    let mut tasks: Vec<TaskReport> = Vec::new();
    for mut fields in fields.objects("tasks")? {
        let id = fields.needed_text("id")?;
        if !super::id::fits(&id) {
            return Err(fields.invalid("id", super::id::ALLOWED));
        }
        tasks.push(task(id, &mut fields)?);
        fields.finish()?;
    }
    let current_task = fields.text("current_task")?;
    fields.finish()?;
    if tasks.len() > TASKS_MAX {
        return Err(full());
    }
    let answer = json!({"tasks": tasks.iter().map(shown).collect::<Vec<_>>()});
    app.tell(Report::TaskList { tasks, current_task }).await?;
    Ok(Json(answer))
}

/// A task without a title shows its id.
fn task(id: String, fields: &mut Fields) -> Result<TaskReport, Problem> {
    let title = fields.text("title")?.unwrap_or_else(|| id.clone());
    let most = u32::try_from(TASK_TTL_MAX.as_secs()).unwrap_or(u32::MAX);
    let ttl = fields.seconds("ttl_s", 1, most)?;
    Ok(TaskReport { id, title: cut(title), ttl })
}

/// As much of a title as is kept.
fn cut(mut title: String) -> String {
    let end = (0..=TASK_BYTES_MAX).rev().find(|end| title.is_char_boundary(*end));
    title.truncate(end.unwrap_or(0));
    title
}

fn shown(task: &TaskReport) -> Value {
    let ttl: Option<Duration> = task.ttl;
    json!({"id": task.id, "title": task.title, "ttl_s": ttl.map(seconds)})
}

pub(in crate::control) fn full() -> Problem {
    Problem::new(Kind::Full, format!("{TASKS_MAX} tasks run already: end one first"))
}
