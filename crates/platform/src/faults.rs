//! Faults on demand: what a network, a proxy or a broken server does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::request::{Answer, Delivery, Reply};
use crate::route::Route;

/// A fault on requests that match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which endpoint; `None` for all but `/admin`.
    #[serde(default)]
    pub route: Option<Route>,
    /// Which workspace, in the path or (registry) in the body; `None` for
    /// all.
    #[serde(default)]
    pub workspace: Option<String>,
    /// For how many requests; `None` until cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// What goes wrong.
    pub effect: FaultEffect,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultEffect {
    /// This answer instead; the platform does nothing.
    Status {
        /// The status code.
        status: u16,
        /// The body as it is; empty by default.
        #[serde(default)]
        body: String,
        /// A `Retry-After` header, as it is.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// The platform does its work and answers later.
    Delay {
        /// On top of what the answer takes anyway.
        ms: u64,
    },
    /// No answer ever.
    Hang {
        /// Whether the platform does its work all the same.
        #[serde(default)]
        acts: bool,
    },
    /// The connection is refused; the platform sees nothing.
    Refuse,
    /// The platform does its work; the answer breaks off.
    Cut {
        /// Bytes of the body that are sent.
        bytes: usize,
    },
    /// The platform does its work; the answer's body is no JSON.
    Garbage,
    /// The platform does its work; the answer's body is so long, a JSON
    /// string in an array or an object.
    Oversize {
        /// Of the body.
        bytes: usize,
    },
    /// The platform does its work; the answer comes one byte at a time.
    Trickle {
        /// Between two bytes.
        period_ms: u64,
    },
}

impl FaultEffect {
    /// Whether the platform does its work before the fault.
    #[must_use]
    pub const fn acts(&self) -> bool {
        match self {
            Self::Status { .. } | Self::Refuse => false,
            Self::Hang { acts } => *acts,
            Self::Delay { .. }
            | Self::Cut { .. }
            | Self::Garbage
            | Self::Oversize { .. }
            | Self::Trickle { .. } => true,
        }
    }

    /// Why it cannot be, if it cannot.
    pub(crate) fn nonsense(&self) -> Option<String> {
        match self {
            Self::Status { status, .. } if !(200..600).contains(status) => {
                Some(format!("status {status} is not within 200 and 599"))
            }
            Self::Status { retry_after: Some(value), .. } if !is_header_value(value) => {
                Some("retry_after is no header value".into())
            }
            Self::Oversize { bytes } if *bytes > OVERSIZE_MAX => {
                Some(format!("a body of {bytes} bytes is more than {OVERSIZE_MAX}"))
            }
            Self::Status { .. }
            | Self::Delay { .. }
            | Self::Hang { .. }
            | Self::Refuse
            | Self::Cut { .. }
            | Self::Garbage
            | Self::Oversize { .. }
            | Self::Trickle { .. } => None,
        }
    }

    /// What becomes of a reply; an empty one where the platform did nothing.
    pub(crate) fn spoil(&self, reply: Reply) -> Reply {
        let after = delay_of(&reply);
        let mut answer = reply.answer;
        let delivery = match self {
            Self::Status { status, body, retry_after } => {
                answer = Answer { status: *status, ..Answer::text(*status, body) };
                if let Some(value) = retry_after {
                    answer = answer.with_header("Retry-After", value.clone());
                }
                Delivery::After(Duration::ZERO)
            }
            Self::Delay { ms } => Delivery::After(after.saturating_add(Duration::from_millis(*ms))),
            Self::Hang { .. } => Delivery::Hang,
            Self::Refuse => Delivery::Refuse,
            Self::Cut { bytes } => Delivery::Cut { after, bytes: *bytes },
            Self::Garbage => {
                answer.body = GARBAGE.to_vec();
                Delivery::After(after)
            }
            Self::Oversize { bytes } => {
                answer.body = oversize(&answer.body, *bytes);
                Delivery::After(after)
            }
            Self::Trickle { period_ms } => {
                Delivery::Trickle { period: Duration::from_millis(*period_ms) }
            }
        };
        Reply { answer, delivery }
    }
}

/// The longest body that [`FaultEffect::Oversize`] makes.
const OVERSIZE_MAX: usize = 1 << 30;

fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// No JSON, no UTF-8, with a NUL and a start that looks like an answer.
const GARBAGE: &[u8] = b"{\"status\": \xff\xfe\x00 <html>\x80\xc3 [[[[";

/// A body of exactly so many bytes, JSON of the same kind as the true one
/// where there is room for it.
fn oversize(body: &[u8], bytes: usize) -> Vec<u8> {
    let (head, tail): (&[u8], &[u8]) =
        if body.first() == Some(&b'[') { (b"[\"", b"\"]") } else { (b"{\"padding\":\"", b"\"}") };
    let mut out = Vec::with_capacity(bytes.max(head.len() + tail.len()));
    out.extend_from_slice(head);
    out.resize(bytes.saturating_sub(tail.len()).max(head.len()), b'x');
    out.extend_from_slice(tail);
    out.truncate(bytes);
    out
}

const fn delay_of(reply: &Reply) -> Duration {
    match reply.delivery {
        Delivery::After(after) | Delivery::Cut { after, .. } => after,
        Delivery::Hang | Delivery::Refuse | Delivery::Trickle { .. } => Duration::ZERO,
    }
}

/// Faults that wait for requests; the oldest that matches acts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

/// Faults that can wait at once.
pub(crate) const FAULTS_MAX: usize = 1_024;

impl Faults {
    /// False if too many wait already.
    pub(crate) fn inject(&mut self, fault: Fault) -> bool {
        let room = self.0.len() < FAULTS_MAX;
        if room && fault.times != Some(0) {
            self.0.push(fault);
        }
        room
    }

    pub(crate) fn clear(&mut self, route: Option<Route>) {
        match route {
            Some(route) => self.0.retain(|fault| fault.route != Some(route)),
            None => self.0.clear(),
        }
    }

    /// Those that are for this workspace alone.
    pub(crate) fn clear_of(&mut self, workspace: &str) {
        self.0.retain(|fault| fault.workspace.as_deref() != Some(workspace));
    }

    pub(crate) fn is_for(&self, workspace: &str) -> bool {
        self.0.iter().any(|fault| fault.workspace.as_deref() == Some(workspace))
    }

    pub(crate) fn take(&mut self, route: Route, workspace: &str) -> Option<FaultEffect> {
        let at = self.0.iter().position(|fault| {
            fault.route.is_none_or(|wanted| wanted == route)
                && fault.workspace.as_ref().is_none_or(|wanted| wanted == workspace)
        })?;
        let fault = &mut self.0[at];
        let effect = fault.effect.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
            if *times == 0 {
                self.0.remove(at);
            }
        }
        Some(effect)
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.0
    }
}

/// How the platform is away (see [`Platform::outage`](crate::Platform::outage)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutageKind {
    /// Connections are refused.
    Refuse,
    /// A proxy before it answers 502.
    BadGateway,
    /// Connections open, and nothing comes.
    Hang,
    /// The database blinks: whatever token is shown is called invalid (401).
    Unauthorized,
    /// The database blinks, and the server says so (503).
    Unavailable,
}

impl OutageKind {
    pub(crate) fn reply(self) -> Reply {
        match self {
            Self::Refuse => Reply { answer: Answer::empty(503), delivery: Delivery::Refuse },
            Self::Hang => Reply { answer: Answer::empty(503), delivery: Delivery::Hang },
            Self::BadGateway => {
                let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
                Answer::text(502, page).into()
            }
            Self::Unauthorized => Answer::error(401, "invalid workspace auth token").into(),
            Self::Unavailable => {
                let body = serde_json::json!({
                    "error": "platform datastore unavailable — retry shortly",
                    "code": "platform_unavailable",
                });
                Answer::json(503, &body).into()
            }
        }
    }
}
