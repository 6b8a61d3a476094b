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
        Self { outage: Outage::new(Lane::Register), last_sent: None }
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
        let body = RegisterBody {
            id: config.workspace_id.clone(),
            url: url.clone(),
            agent_card: card.as_ref().clone(),
            delivery_mode: "push".into(),
        };
        fx.start(Slot::Register, Some(config.request_deadline()), Action::Register(body));
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
