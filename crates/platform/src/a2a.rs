//! `POST /workspaces/{id}/a2a`: calls of a workspace's agent.

use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::{AgentMode, QueueItem};
use crate::bind::has_nul;
use crate::clock::Timestamp;
use crate::observe::{Delivered, Fate, Message};
use crate::platform::{KEPT_BYTES, Platform, shortened};
use crate::request::{Answer, Delivery, Reply, Request};
use crate::rows::Row;
use crate::status::Status;

/// Longer requests are cut there, which makes them invalid JSON.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// The longest that the proxy waits for an agent's turn.
const TURN_MAX: Duration = Duration::from_secs(30 * 60);
/// Messages that can wait for one agent.
const QUEUE_MAX: usize = 1_024;
/// Failed drains after which a message is given up.
const DRAIN_ATTEMPTS_MAX: u32 = 5;
/// Callers that only the platform itself may name.
const SYSTEM_CALLERS: [&str; 4] = ["webhook:", "system:", "test:", "channel:"];

/// A call that passed every check.
struct Call {
    target: String,
    caller: Option<String>,
    message_id: Option<String>,
    text: String,
    rpc_id: Value,
    timeout: Duration,
}

impl Platform {
    pub(crate) fn a2a(&mut self, id: &str, request: &Request) -> Reply {
        let call = match self.admit_call(id, request) {
            Ok(call) => call,
            Err(refusal) => return refusal.into(),
        };
        let Some(workspace) = self.workspaces.get(id) else {
            return Answer::error(404, "workspace not found").into();
        };
        let (mode, turn) = (workspace.agent_mode.clone(), workspace.turn);
        let (fate, reply) = self.call_agent(&call, &mode, turn);
        self.note_call(call, fate, reply.answer.status);
        reply
    }

    /// Who may call whom, then what is called, then what with.
    fn admit_call(&self, id: &str, request: &Request) -> Result<Call, Answer> {
        let caller = request.header("x-workspace-id").filter(|text| !text.is_empty());
        if caller.is_some_and(|text| SYSTEM_CALLERS.iter().any(|have| text.starts_with(have))) {
            return Err(Answer::error(403, "invalid caller ID"));
        }
        // An agent that calls itself shows no token.
        if let Some(other) = caller.filter(|caller| *caller != id) {
            self.caller_auth(other, request)?;
            if !self.may_talk(other, id) {
                return Err(Answer::error(403, "access denied"));
            }
        }
        let Some(workspace) = self.workspaces.get(id) else {
            return Err(Answer::error(404, "workspace not found"));
        };
        if workspace.url.is_none() || workspace.status == Status::Removed {
            let status = workspace.status.name();
            let body = json!({"error": "workspace has no URL", "status": status});
            return Err(Answer::json(503, &body));
        }
        let body = &request.body[..request.body.len().min(REQUEST_BYTES_MAX)];
        let payload: Value =
            serde_json::from_slice(body).map_err(|_| Answer::error(400, "invalid JSON"))?;
        if !payload.is_object() {
            return Err(Answer::error(400, "invalid JSON"));
        }
        Ok(call(id, caller, &payload, request))
    }

    /// Parent and child, siblings, and two without a parent.
    fn may_talk(&self, caller: &str, target: &str) -> bool {
        let (from, to) = (self.workspaces.get(caller), self.workspaces.get(target));
        let (Some(from), Some(to)) = (from, to) else { return false };
        from.parent_id == to.parent_id
            || from.parent_id.as_deref() == Some(target)
            || to.parent_id.as_deref() == Some(caller)
    }

    fn call_agent(&mut self, call: &Call, mode: &AgentMode, turn: Duration) -> (Fate, Reply) {
        let refused = |answer: Answer| (Fate::Refused, Reply::from(answer));
        match mode {
            AgentMode::Answers | AgentMode::RpcError => self.after_turn(call, mode, turn),
            AgentMode::Queues => self.enqueue(call),
            AgentMode::Busy { native_session } => refused(busy(*native_session)),
            AgentMode::Waking => {
                let body =
                    json!({"error": "workspace is waking", "waking": true, "retry_after": 15});
                refused(Answer::json(503, &body).with_header("Retry-After", "15"))
            }
            AgentMode::Restarting => {
                let body = json!({"error": "workspace agent is restarting", "restarting": true});
                refused(Answer::json(503, &body))
            }
            AgentMode::NoBudget => refused(Answer::error(402, "workspace budget limit exceeded")),
            AgentMode::Unreachable => {
                refused(Answer::error(502, "failed to reach workspace agent"))
            }
            AgentMode::NotRoutable => {
                refused(Answer::error(502, "workspace URL is not publicly routable"))
            }
            AgentMode::AnswerLost { delivery_confirmed } => {
                self.answer_lost(call, *delivery_confirmed, turn)
            }
            AgentMode::Status { status } => {
                refused(Answer::error(*status, "agent returned an error"))
            }
        }
    }

    /// The message is delivered at once and for good; the answer takes the
    /// whole turn, or as long as the proxy waits.
    fn after_turn(&mut self, call: &Call, mode: &AgentMode, turn: Duration) -> (Fate, Reply) {
        if turn > call.timeout {
            // The agent has it, and the queue has it once more: so it is.
            self.deliver(call);
            let (_, mut reply) = self.enqueue(call);
            reply.delivery = Delivery::After(call.timeout);
            return (Fate::Delivered, reply);
        }
        self.deliver(call);
        let body = match *mode == AgentMode::RpcError {
            true => json!({
                "jsonrpc": "2.0",
                "id": call.rpc_id,
                "error": {"code": -32603, "message": "Internal error"},
            }),
            false => json!({
                "jsonrpc": "2.0",
                "id": call.rpc_id,
                "result": {
                    "kind": "message",
                    "role": "agent",
                    "messageId": self.chance.uuid(),
                    "parts": [{"kind": "text", "text": "ok"}],
                },
            }),
        };
        let answer = Answer::json(200, &body);
        (Fate::Delivered, Reply { answer, delivery: Delivery::After(turn) })
    }

    fn answer_lost(&mut self, call: &Call, confirmed: bool, turn: Duration) -> (Fate, Reply) {
        let error = "failed to read agent response";
        let body = json!({"error": error, "delivery_confirmed": confirmed});
        let answer = Answer::json(502, &body);
        if confirmed {
            self.deliver(call);
        }
        let fate = if confirmed { Fate::Delivered } else { Fate::Refused };
        (fate, Reply { answer, delivery: Delivery::After(turn) })
    }

    fn deliver(&mut self, call: &Call) {
        let message_id = call.message_id.clone().unwrap_or_else(|| self.chance.uuid());
        let delivered = Delivered {
            at: self.now,
            caller: call.caller.clone(),
            message_id,
            text: call.text.clone(),
        };
        if let Some(workspace) = self.workspaces.get_mut(&call.target) {
            workspace.delivered.push(delivered);
        }
    }

    /// One entry for each message id while it waits.
    fn enqueue(&mut self, call: &Call) -> (Fate, Reply) {
        let (queue_id, made_up) = (self.chance.uuid(), self.chance.uuid());
        let message_id = call.message_id.clone().unwrap_or(made_up);
        let Some(workspace) = self.workspaces.get_mut(&call.target) else {
            return (Fate::Refused, busy(false).into());
        };
        let waiting = workspace.queue.iter().find(|item| item.message_id == message_id);
        if let Some(queue_id) = waiting.map(|item| item.queue_id.clone()) {
            return (Fate::Duplicate, queued(&queue_id, workspace.queue.len()).into());
        }
        if workspace.queue.len() >= QUEUE_MAX {
            return (Fate::Refused, busy(false).into());
        }
        workspace.queue.push_back(QueueItem {
            queue_id: queue_id.clone(),
            message_id,
            caller: call.caller.clone(),
            text: call.text.clone(),
            attempts: 0,
        });
        (Fate::Queued, queued(&queue_id, workspace.queue.len()).into())
    }

    /// At each beat of an agent with room, one message that waits is tried
    /// again.
    pub(crate) fn drain_one(&mut self, id: &str) {
        let now = self.now;
        let Some(workspace) = self.workspaces.get_mut(id) else { return };
        if workspace.active_tasks >= workspace.max_concurrent_tasks {
            return;
        }
        let Some(mut item) = workspace.queue.pop_front() else { return };
        if matches!(workspace.agent_mode, AgentMode::Answers | AgentMode::RpcError) {
            let QueueItem { message_id, caller, text, .. } = item;
            workspace.delivered.push(Delivered { at: now, caller, message_id, text });
        } else {
            item.attempts += 1;
            if item.attempts < DRAIN_ATTEMPTS_MAX {
                workspace.queue.push_front(item);
            }
        }
    }

    /// What checkers see, and the row in the target's activities.
    fn note_call(&mut self, call: Call, fate: Fate, status: u16) {
        let row = Row {
            id: self.chance.uuid(),
            activity_type: "a2a_receive".into(),
            method: Some("message/send".into()),
            source_id: call.caller.clone(),
            target_id: Some(call.target.clone()),
            summary: Some("message/send".into()),
            status: if (200..300).contains(&status) { "ok" } else { "error" }.into(),
            created: Timestamp::of(self.wall_ms),
            request_body: Some(json!({"text": call.text})).filter(|body| !has_nul(body)),
            ..Row::default()
        };
        self.insert_row(&call.target, row);
        let message = Message {
            at: self.now,
            wall_ms: self.wall_ms,
            caller: call.caller,
            message_id: call.message_id,
            text: call.text,
            fate,
            status,
        };
        if let Some(workspace) = self.workspaces.get_mut(&call.target) {
            workspace.messages.push(message);
        }
    }
}

fn call(id: &str, caller: Option<&str>, payload: &Value, request: &Request) -> Call {
    let message = &payload["params"]["message"];
    let parts = message["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    let message_id = message["messageId"].as_str().filter(|text| !text.is_empty());
    Call {
        target: id.to_owned(),
        caller: caller.map(str::to_owned),
        message_id: message_id.map(|text| shortened(text, 256)),
        text: shortened(&texts.join("\n"), KEPT_BYTES),
        rpc_id: payload["id"].clone(),
        timeout: timeout(request, caller.is_some()),
    }
}

/// `X-Timeout` in seconds, zero for none; agents have a ceiling without it.
fn timeout(request: &Request, by_agent: bool) -> Duration {
    match request.header("x-timeout").and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(0) => Duration::MAX,
        Some(seconds) => Duration::from_secs(seconds),
        None if by_agent => TURN_MAX,
        None => Duration::MAX,
    }
}

fn busy(native_session: bool) -> Answer {
    let mut body = json!({"error": "workspace agent busy", "busy": true, "retry_after": 30});
    if native_session {
        body["native_session"] = json!(true);
    }
    Answer::json(503, &body).with_header("Retry-After", "30")
}

fn queued(queue_id: &str, depth: usize) -> Answer {
    let body = json!({
        "queued": true,
        "queue_id": queue_id,
        "queue_depth": depth,
        "message": "workspace agent busy, request queued",
    });
    Answer::json(202, &body)
}
