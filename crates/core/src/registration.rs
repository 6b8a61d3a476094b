//! Registering: at the start, after a gap, and when nothing else cures a
//! refused token.

use crate::backoff;
use crate::command::Action;
use crate::config::ValidConfig;
use crate::effects::{Effects, Slot};
use crate::event::Outcome;
use crate::notice::{Lane, Notice};
use crate::outage::Outage;
use crate::secret::Secret;
use crate::status::OutageStatus;
use crate::time::Instant;
use crate::timers::Timer;
use crate::wire::answers::{self, RegisterAnswer, is_success};
use crate::wire::register::RegisterBody;

#[derive(Debug)]
pub(crate) struct Registration {
    outage: Outage,
    last_sent: Option<Instant>,
    /// Whether another token was found in its file since then.
    token_came: bool,
    /// The one that was issued meanwhile.
    held: Option<Held>,
}

/// A token that was issued while another one came from elsewhere: a beat with
/// that one shows whether it is valid.
#[derive(Debug)]
struct Held {
    token: Secret,
    /// The beat that was under way began before.
    skips_beat: bool,
}

/// What a registration brought.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    pub(crate) token: Option<Secret>,
    pub(crate) inbound: Option<Secret>,
    pub(crate) refused: bool,
}

impl Registration {
    pub(crate) fn new(config: &ValidConfig, fx: &mut Effects) -> Self {
        if config.can_register() {
            fx.timers.set(Timer::Register, fx.at());
        }
        Self { outage: Outage::new(Lane::Register), last_sent: None, token_came: false, held: None }
    }

    pub(crate) fn outage(&self, now: Instant) -> Option<OutageStatus> {
        self.outage.status(now)
    }

    /// The platform may not know us (any more): register soon, at most once
    /// an interval; without address and card, say so.
    pub(crate) fn needed(&mut self, config: &ValidConfig, fx: &mut Effects) {
        if !config.can_register() {
            fx.notice(Notice::RegistrationNeeded);
            return;
        }
        let at = self.last_sent.map_or(fx.at(), |sent| sent.plus(config.interval));
        fx.timers.set_no_later(Timer::Register, at.max(fx.at()));
    }

    /// The timer of the registration is due.
    pub(crate) fn due(&mut self, config: &ValidConfig, fx: &mut Effects) {
        let (Some(url), Some(card)) = (&config.agent_url, &config.agent_card) else {
            return;
        };
        if fx.is_busy(Slot::Register) {
            return;
        }
        self.last_sent = Some(fx.at());
        self.token_came = false;
        let body = RegisterBody {
            id: config.workspace_id.clone(),
            url: url.clone(),
            agent_card: card.as_ref().clone(),
            delivery_mode: "push".into(),
        };
        fx.start(Slot::Register, Some(config.request_deadline()), Action::Register(body));
    }

    /// Another token was found in its file.
    pub(crate) const fn token_came(&mut self) {
        self.token_came = true;
    }

    /// The token that was issued, if it is to be used; one that is held until
    /// a beat shows whether it is needed wants that beat now.
    pub(crate) fn take_issued(&mut self, token: Secret, fx: &Effects) -> Option<Secret> {
        if !self.token_came {
            self.held = None;
            return Some(token);
        }
        self.held = Some(Held { token, skips_beat: fx.is_busy(Slot::Beat) });
        None
    }

    /// A beat came to its end with this status, if any: the token that is held
    /// if the one in use is refused.
    pub(crate) fn beat_landed(&mut self, status: Option<u16>) -> Option<Secret> {
        let held = self.held.as_mut()?;
        if core::mem::take(&mut held.skips_beat) {
            return None;
        }
        match status {
            Some(401 | 403) => self.held.take().map(|held| held.token),
            Some(status) if is_success(status) => {
                self.held = None;
                None
            }
            Some(_) | None => None,
        }
    }

    /// A registration came to its end.
    pub(crate) fn landed(
        &mut self,
        config: &ValidConfig,
        fx: &mut Effects,
        outcome: Outcome,
    ) -> Brought {
        match outcome.into_response() {
            Ok(response) if is_success(response.status) => {
                if let Some(notice) = self.outage.ended(fx.at()) {
                    fx.notice(notice);
                }
                let answer = match response.complete {
                    true => RegisterAnswer::parse(&response.body.0),
                    false => RegisterAnswer::default(),
                };
                fx.notice(Notice::Registered { token_issued: answer.auth_token.is_some() });
                let (token, inbound) = (answer.auth_token, answer.inbound_secret);
                Brought { token, inbound, refused: false }
            }
            Ok(response) => {
                let cause = answers::error_text(response.status, &response.body.0);
                self.failed(fx, cause);
                // What the platform refuses for its content is not repeated
                // before there is a new reason to register.
                if response.status >= 500 || response.status == 429 {
                    self.retry(config, fx, response.retry_after_s);
                }
                let refused = matches!(response.status, 401 | 403);
                Brought { refused, ..Brought::default() }
            }
            Err(failure) => {
                self.failed(fx, failure.cause);
                self.retry(config, fx, None);
                Brought::default()
            }
        }
    }

    fn failed(&mut self, fx: &mut Effects, cause: alloc::string::String) {
        if let Some(notice) = self.outage.failed(fx.at(), cause) {
            fx.notice(notice);
        }
    }

    fn retry(&self, config: &ValidConfig, fx: &mut Effects, retry_after_s: Option<u64>) {
        let failures = self.outage.failures();
        let delay = match retry_after_s {
            Some(seconds) => backoff::retry_after(&mut fx.chance, config.interval, seconds),
            None => backoff::delay(&mut fx.chance, config.interval, failures),
        };
        fx.set_in(Timer::Register, delay.max(config.interval));
    }
}
