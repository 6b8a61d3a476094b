//! `POST /registry/register` and `POST /registry/update-card`.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::bind::{Fields, Misfit, has_nul};
use crate::chance::is_uuid;
use crate::observe::{EventKind, Registration};
use crate::options::Version;
use crate::platform::Platform;
use crate::request::{Answer, Request};
use crate::status::Status;
use crate::workspace::Workspace;

/// A registration's body, bound.
struct Body {
    id: String,
    url: String,
    agent_card: Value,
    delivery_mode: String,
}

impl Platform {
    pub(crate) fn register(&mut self, request: &Request) -> Answer {
        let Ok(body) = bind(request) else {
            return Answer::error(400, "invalid request body");
        };
        if let Err(reason) = self.check_url(&body) {
            // Spring hides the reason.
            return match self.options.version {
                Version::Spring => Answer::error(400, "invalid request body"),
                Version::Summer => Answer::error(400, reason),
            };
        }
        if let Err(refusal) = self.registry_auth(&body.id, request) {
            return refusal;
        }
        if !self.can_store(&body) {
            return Answer::error(500, "registration failed");
        }
        let minted = self.store(&body);
        let mut answer = Map::from_iter([("status".to_owned(), json!("registered"))]);
        answer.extend(minted.map(|token| ("auth_token".to_owned(), json!(token))));
        if self.options.version == Version::Summer {
            answer.insert("delivery_mode".into(), json!(body.delivery_mode));
        }
        if self.options.inbound_secret {
            answer.extend(self.inbound_secret_field(&body.id));
        }
        Answer::json(200, &Value::Object(answer))
    }

    pub(crate) fn update_card(&mut self, request: &Request) -> Answer {
        let fields = Fields::of_body(&request.body);
        let bound = fields.and_then(|fields| {
            let card = fields.raw("agent_card").cloned().ok_or(Misfit)?;
            Ok((fields.required("workspace_id")?, card))
        });
        let Ok((id, card)) = bound else {
            return Answer::error(400, "invalid request body");
        };
        if let Err(refusal) = self.registry_auth(&id, request) {
            return refusal;
        }
        if id.contains('\0') || has_nul(&card) {
            return Answer::error(500, "failed to update");
        }
        let known = self.workspaces.get_mut(&id);
        if let Some(workspace) = known.filter(|have| have.status != Status::Removed) {
            workspace.agent_card = Some(card);
        }
        Answer::json(200, &json!({"status": "updated"}))
    }

    fn check_url(&self, body: &Body) -> Result<(), &'static str> {
        if body.url.is_empty() {
            let poll = body.delivery_mode == "poll" && self.options.version == Version::Summer;
            return if poll { Ok(()) } else { Err("url is required for push-mode workspaces") };
        }
        let rest = body.url.strip_prefix("http://").or_else(|| body.url.strip_prefix("https://"));
        let Some(rest) = rest else {
            return Err("url must be http or https");
        };
        let host = host_of(rest).ok_or("url has no host")?;
        match host.parse::<IpAddr>() {
            Ok(address) if !self.options.private_urls && is_blocked(address) => {
                Err("url is a blocked address")
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn can_store(&self, body: &Body) -> bool {
        let clean =
            !body.id.contains('\0') && !body.url.contains('\0') && !has_nul(&body.agent_card);
        let room = self.workspaces.contains_key(&body.id)
            || self.workspaces.len() < self.options.workspaces_max;
        clean && room && (!self.options.strict_uuid || is_uuid(&body.id))
    }

    /// Answers the new token, if one was minted.
    fn store(&mut self, body: &Body) -> Option<String> {
        let (now, wall_ms) = (self.now, self.wall_ms);
        let workspace = self.workspace_or_new(&body.id);
        if workspace.status == Status::Removed {
            return None;
        }
        workspace.status = Status::Online;
        workspace.last_beat_at = Some(now);
        workspace.agent_card = Some(body.agent_card.clone());
        let pinned =
            workspace.url.as_deref().is_some_and(|url| url.starts_with("http://127.0.0.1"));
        if !pinned && !body.url.is_empty() {
            workspace.url = Some(body.url.clone());
        }
        workspace.event(now, EventKind::WorkspaceOnline, "registered");
        let minted = !workspace.tokens.any_live();
        workspace.registrations.push(Registration { at: now, wall_ms, minted });
        if workspace.is_external() {
            self.start_sweeping();
        }
        self.set_liveness_key(&body.id);
        minted.then(|| self.issue_token(&body.id))
    }

    pub(crate) fn workspace_or_new(&mut self, id: &str) -> &mut Workspace {
        let turn = std::time::Duration::from_millis(self.options.turn_ms);
        let observed_max = self.options.observed_max;
        let entry = self.workspaces.entry(id.to_owned());
        entry.or_insert_with(|| Workspace::new(id, turn, observed_max))
    }

    pub(crate) fn issue_token(&mut self, id: &str) -> String {
        let token = self.chance.token();
        if let Some(workspace) = self.workspaces.get_mut(id) {
            workspace.tokens.issue(token.clone());
        }
        token
    }
}

fn bind(request: &Request) -> Result<Body, Misfit> {
    let fields = Fields::of_body(&request.body)?;
    let delivery_mode = fields.optional("delivery_mode")?.unwrap_or_else(|| "push".into());
    if !matches!(delivery_mode.as_str(), "push" | "poll") {
        return Err(Misfit);
    }
    Ok(Body {
        id: fields.required("id")?,
        url: fields.text("url")?,
        agent_card: fields.raw("agent_card").cloned().ok_or(Misfit)?,
        delivery_mode,
    })
}

/// The host of what follows `scheme://`.
fn host_of(rest: &str) -> Option<&str> {
    let authority = rest.split(['/', '?', '#']).next()?;
    let host_port = authority.rsplit('@').next()?;
    let host = match host_port.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next()?,
        None => host_port.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// Loopback, link-local, private, carrier-grade, documentation, multicast
/// and unique-local addresses.
fn is_blocked(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_private()
                || v4.is_documentation()
                || v4.is_multicast()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(v6) => {
            let mapped = v6.to_ipv4_mapped().is_some_and(|v4| is_blocked(v4.into()));
            let documentation = v6.segments()[..2] == [0x2001, 0xdb8];
            mapped
                || documentation
                || v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        assert_eq!(host_of("agent:8000/x"), Some("agent"));
        assert_eq!(host_of("u:p@[::1]:80/"), Some("::1"));
        assert_eq!(host_of("/x"), None);
    }

    #[test]
    fn blocked_ranges() {
        // PROTOCOL 1.2
        let blocked = [
            "127.0.0.1",
            "169.254.169.254",
            "10.0.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ];
        assert!(blocked.iter().all(|text| is_blocked(text.parse().unwrap())));
        let open = ["8.8.8.8", "100.128.0.1", "2606:4700::1"];
        assert!(open.iter().all(|text| !is_blocked(text.parse().unwrap())));
    }
}
