//! The machine: one request at a time, and what happens by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::agenda::{Agenda, Due};
use crate::chance::Chance;
use crate::delegations::Delegations;
use crate::faults::{Faults, OutageKind};
use crate::observe::{Ring, SeenRequest};
use crate::options::Options;
use crate::rate_limit::RateLimiter;
use crate::request::{Answer, Delivery, Reply, Request};
use crate::route::{Route, Target};
use crate::rows::{Row, Rows};
use crate::workspace::Workspace;

/// The platform.
#[derive(Clone)]
pub struct Platform {
    pub(crate) options: Options,
    pub(crate) now: Duration,
    pub(crate) wall_ms: i64,
    pub(crate) chance: Chance,
    pub(crate) workspaces: BTreeMap<String, Workspace>,
    pub(crate) rows: Rows,
    pub(crate) delegations: Delegations,
    pub(crate) agenda: Agenda,
    pub(crate) limiter: RateLimiter,
    pub(crate) faults: Faults,
    pub(crate) outage: Option<(Duration, OutageKind)>,
    pub(crate) sweeping: bool,
    requests: Ring<SeenRequest>,
    request_counts: BTreeMap<Route, u64>,
}

impl Platform {
    /// An empty platform; its clocks stand at zero until they are told.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            now: Duration::ZERO,
            wall_ms: 0,
            chance: Chance::new(options.seed),
            workspaces: BTreeMap::new(),
            rows: Rows::new(options.rows_max),
            delegations: Delegations::new(options.rows_max),
            agenda: Agenda::default(),
            limiter: RateLimiter::default(),
            faults: Faults::default(),
            outage: None,
            sweeping: false,
            requests: Ring::new(options.observed_max),
            request_counts: BTreeMap::new(),
            options,
        }
    }

    /// Answers one request. `now` is monotonic since the platform's start
    /// (an earlier one than before counts as the same), `wall_ms` Unix
    /// milliseconds. Never panics, whatever comes.
    pub fn handle(&mut self, now: Duration, wall_ms: i64, request: &Request) -> Reply {
        self.tick(now, wall_ms);
        let mut target = Target::of(request);
        if target.route == Route::Admin && self.options.admin {
            let reply = Reply::from(self.admin_answer(request));
            self.note(&target, request, &reply, false);
            return reply;
        }
        if let Some((_, kind)) = self.outage {
            let reply = kind.reply();
            self.note(&target, request, &reply, true);
            return reply;
        }
        let fault = self.faults.take(target.route, &target.workspace);
        let faulted = fault.is_some();
        let reply = match fault {
            None => self.serve(&mut target, request),
            Some(effect) if effect.acts() => effect.spoil(self.serve(&mut target, request)),
            Some(effect) => effect.spoil(Answer::empty(503).into()),
        };
        self.note(&target, request, &reply, faulted);
        reply
    }

    /// Lets time pass: keys expire, rows appear. Spurious calls change
    /// nothing.
    pub fn tick(&mut self, now: Duration, wall_ms: i64) {
        let end = now.max(self.now);
        let wall_at_end = wall_ms;
        while let Some((at, due)) = self.agenda.take_due(end) {
            // What was due in between happens at its own time.
            self.now = at.max(self.now);
            let early_ms = i64::try_from((end - self.now).as_millis()).unwrap_or(i64::MAX);
            self.wall_ms = wall_at_end.saturating_sub(early_ms);
            self.happen(due);
        }
        self.now = end;
        self.wall_ms = wall_at_end;
        self.outage = self.outage.filter(|(until, _)| *until > end);
    }

    /// When something happens by itself next; it may be nothing that shows.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Duration> {
        self.agenda.next()
    }

    /// What is known of a workspace.
    #[must_use]
    pub fn workspace(&self, id: &str) -> Option<&Workspace> {
        self.workspaces.get(id)
    }

    /// Every workspace, by id.
    pub fn workspaces(&self) -> impl Iterator<Item = &Workspace> {
        self.workspaces.values()
    }

    /// The newest requests of all routes, `/admin` included.
    #[must_use]
    pub const fn requests(&self) -> &Ring<SeenRequest> {
        &self.requests
    }

    /// How many requests a route ever got.
    #[must_use]
    pub fn request_count(&self, route: Route) -> u64 {
        self.request_counts.get(&route).copied().unwrap_or_default()
    }

    /// The construction parameters.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Liveness { workspace } => self.check_liveness(&workspace),
            Due::ExternalSweep => self.sweep_external(),
            Due::Dispatch { delegation } => self.dispatch(&delegation),
            Due::Complete { delegation } => self.complete(&delegation),
            Due::Finish(step) => self.take_step(step),
        }
    }

    /// The middleware in its order, then the endpoint.
    fn serve(&mut self, target: &mut Target<'_>, request: &Request) -> Reply {
        let limit = self.options.rate_limit;
        let window = limit.map(|limit| self.limiter.admit(limit, &request.peer, self.now));
        let refused = window
            .as_ref()
            .and_then(|window| window.refusal())
            .or_else(|| self.tenant_refusal(request))
            .or_else(|| self.length_refusal(request));
        let mut reply = refused.map_or_else(|| self.endpoint(target, request), Reply::from);
        if let Some(window) = window {
            reply.answer = window.mark(reply.answer);
        }
        reply
    }

    fn endpoint(&mut self, target: &mut Target<'_>, request: &Request) -> Reply {
        let beat = target.beat.take();
        let id = target.workspace.as_str();
        match target.route {
            Route::Heartbeat => self.heartbeat(request, beat).into(),
            Route::Register => self.register(request).into(),
            Route::UpdateCard => self.update_card(request).into(),
            Route::Workspace => self.get_workspace(id).into(),
            Route::Delegations => self.list_delegations(id, request).into(),
            Route::ActivityList => self.list_activity(id, request).into(),
            Route::ActivityLog => self.log_activity(id, request).into(),
            Route::Notify => self.notify(id, request).into(),
            Route::Delegate => self.delegate(id, request).into(),
            Route::DelegationRecord => self.record_delegation(id, request).into(),
            Route::DelegationUpdate => {
                self.update_delegation(id, &target.delegation, request).into()
            }
            Route::A2a => self.a2a(id, request),
            Route::Health => Answer::json(200, &serde_json::json!({"status": "ok"})).into(),
            Route::Slash => redirect(request).into(),
            Route::Admin | Route::Unknown => Answer::text(404, "404 page not found").into(),
        }
    }

    /// A row of a workspace that does not exist has nowhere to go.
    pub(crate) fn insert_row(&mut self, workspace: &str, row: Row) {
        if self.workspaces.contains_key(workspace) {
            self.rows.insert(workspace, row);
        }
    }

    fn length_refusal(&self, request: &Request) -> Option<Answer> {
        let too_long = request.body.len() > self.options.body_bytes_max;
        too_long.then(|| Answer::error(413, "request body too large"))
    }

    fn note(&mut self, target: &Target<'_>, request: &Request, reply: &Reply, faulted: bool) {
        *self.request_counts.entry(target.route).or_default() += 1;
        let status = match reply.delivery {
            Delivery::Hang | Delivery::Refuse => 0,
            Delivery::After(_) | Delivery::Cut { .. } | Delivery::Trickle { .. } => {
                reply.answer.status
            }
        };
        let last = self.requests.last();
        let seen = SeenRequest {
            at: self.now,
            wall_ms: self.wall_ms,
            route: target.route,
            workspace: shared(last.map(|last| &last.workspace), &target.workspace, 128),
            peer: shared(last.map(|last| &last.peer), &request.peer, 64),
            status,
            faulted,
        };
        self.requests.push(seen);
    }
}

/// At most `bytes` of a text, shared with the last one if that is the same.
fn shared(last: Option<&Arc<str>>, text: &str, bytes: usize) -> Arc<str> {
    let text = &text[..boundary_before(text, bytes)];
    last.filter(|last| ***last == *text).map_or_else(|| text.into(), Arc::clone)
}

/// To the same path without the slash at its end.
fn redirect(request: &Request) -> Answer {
    let status = if request.method == "GET" { 301 } else { 307 };
    let path = request.path.strip_suffix('/').unwrap_or(&request.path);
    Answer::empty(status).with_header("Location", path.to_owned())
}

/// Bytes of a text that are kept for observation.
pub(crate) const KEPT_BYTES: usize = 64 << 10;

/// At most `bytes` of a text, cut at a character boundary.
pub(crate) fn shortened(text: &str, bytes: usize) -> String {
    text[..boundary_before(text, bytes)].to_owned()
}

/// The last character boundary at or before `bytes`.
pub(crate) fn boundary_before(text: &str, bytes: usize) -> usize {
    let end = bytes.min(text.len());
    (0..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}
