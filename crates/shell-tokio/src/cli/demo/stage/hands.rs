//! Somebody before the live page makes trouble of their own. The agent has to
//! live with it, the books have to know of it, and the demo goes on.

use std::time::{Duration, Instant};

use everbeat_platform::OutageKind;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::ledger::Ended;
use super::super::pulse::Excuse;
use super::super::timeline::{Mark, Who};
use super::{Stage, Stop};
use crate::serve::Act;

/// From a token that was replaced on the page to the agent's file.
const TOKEN_AFTER: Duration = Duration::from_millis(1_500);
/// Characters of an answer by which the reader must know it.
const WORDS_CHARS: usize = 40;

/// What was done on the page, and what is left of it.
#[derive(Debug)]
pub(super) struct Hands {
    acts: UnboundedReceiver<Act>,
    url: String,
    token_due_at: Option<Instant>,
    is_trouble: bool,
}

impl Hands {
    pub(super) const fn new(acts: UnboundedReceiver<Act>, url: String) -> Self {
        Self { acts, url, token_due_at: None, is_trouble: false }
    }
}

impl Stage {
    /// Where the live page is, if it is served.
    pub(crate) fn page_url(&self) -> Option<&str> {
        self.hands.as_ref().map(|hands| hands.url.as_str())
    }

    /// Whether somebody's trouble keeps beats from being accepted.
    pub(super) fn is_disturbed(&self) -> bool {
        self.hands.as_ref().is_some_and(|hands| hands.is_trouble)
    }

    /// Enters what was done since the last time.
    pub(super) fn look_at_hands(&mut self) -> Result<(), Stop> {
        while let Some(act) = self.hands.as_mut().and_then(|hands| hands.acts.try_recv().ok()) {
            self.enter_act(&act);
        }
        let Some(token_due_at) = self.hands.as_ref().map(|hands| hands.token_due_at) else {
            return Ok(());
        };
        if token_due_at.is_some_and(|due_at| due_at <= Instant::now()) {
            self.hands.iter_mut().for_each(|hands| hands.token_due_at = None);
            self.write_token()?;
            let words = "writes the token that you made into the agent's file";
            self.timeline.say(Who::Demo, Mark::Plain, words);
        }
        let excuse = match (token_due_at, self.is_kept_away()) {
            (_, true) => Some(Excuse::Outage),
            (Some(_), false) => Some(Excuse::Token),
            (None, false) => None,
        };
        if let Some(excuse) = excuse {
            let now = self.now();
            self.books.pulse.hold(excuse, now);
        }
        let is_trouble = excuse.is_some();
        let was_trouble = self.is_disturbed();
        self.hands.iter_mut().for_each(|hands| hands.is_trouble = is_trouble);
        if is_trouble != was_trouble {
            self.books.ledger.unheard();
        }
        if is_trouble && !was_trouble {
            self.trouble_told = false;
            self.timeline.say(Who::Demo, Mark::Trouble, "somebody makes trouble on the live page");
        } else if was_trouble && !is_trouble {
            self.timeline.say(Who::Demo, Mark::Plain, "what was made on the live page is over");
        }
        Ok(())
    }

    /// Takes back whatever still stands in the agent's way.
    pub(crate) fn undo_hands(&mut self) {
        let Some(hands) = &mut self.hands else { return };
        if hands.token_due_at.is_some() {
            hands.token_due_at = Some(Instant::now());
        }
        let mut platform = self.served.lock();
        platform.clear_faults(None);
        platform.outage(Duration::ZERO, OutageKind::Refuse);
    }

    /// By a hand on the page, not by the story.
    fn is_kept_away(&self) -> bool {
        let platform = self.served.lock();
        let is_away = platform.outage_left().is_some() && self.away_since.is_none();
        is_away || platform.is_cut_off(self.home.workspace)
    }

    fn enter_act(&mut self, act: &Act) {
        let text = |name: &str| act.body[name].as_str().unwrap_or_default();
        match act.segments().as_slice() {
            ["POST", "workspaces", id, "rotate-token"] if *id == self.home.workspace => {
                self.new_token = act.answer["token"].as_str().map(Into::into);
                let due_at = Instant::now() + TOKEN_AFTER;
                self.hands.iter_mut().for_each(|hands| hands.token_due_at = Some(due_at));
            }
            ["POST", "delegations", id, "finish"] => {
                let (ended, words) = match text("status") {
                    "completed" => (Ended::Completed, text("text")),
                    "failed" => (Ended::Failed, text("error")),
                    _ => return,
                };
                let words: String = words.chars().take(WORDS_CHARS).collect();
                self.enter_finish(id, ended, &words);
            }
            _ => {}
        }
    }

    fn enter_finish(&mut self, id: &str, ended: Ended, words: &str) {
        let is_ours = self.served.lock().delegation(id).is_some_and(|delegation| {
            let workspace = self.home.workspace;
            delegation.workspace_id == workspace && delegation.source_id == workspace
        });
        if is_ours && !self.books.ledger.knows(id) {
            self.books.ledger.finish(id, ended, words);
            self.timeline.say(Who::Peer, Mark::Plain, &format!("finishes {id}, by your hand"));
        }
    }
}
