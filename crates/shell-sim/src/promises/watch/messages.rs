//! S3, and that nothing is told before it is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use everbeat_core::Notice;

use super::{Checked, Promise, View};
use crate::promises::messages::{Announcement, named_in};
use crate::world::{Request, ResultName, Sent};

/// S3: no two self-messages within the cooldown; none without something new
/// to tell.
#[derive(Default)]
pub(super) struct CooldownAndNews {
    messages: u64,
    last: Option<Duration>,
    /// By which messages.
    told: BTreeMap<ResultName, BTreeSet<String>>,
    sent: BTreeMap<String, Past>,
}

/// What became of a message so far.
#[derive(Clone, Copy)]
struct Past {
    first_sent: Duration,
    last_sent: Duration,
    /// Whether the agent heard since then that the platform took it.
    was_accepted: bool,
    /// Whether the agent ever heard nothing of it: then what the reader takes
    /// is the answer, whatever is heard of it later.
    is_in_doubt: bool,
}

impl Past {
    /// Why there is nothing in it to tell, if so.
    fn is_over(self, view: &View<'_>) -> Option<&'static str> {
        let seen = &view.world.seen;
        let holds = |at| view.arrivals.lost() < at && !view.world.may_come_again(1, at);
        if self.was_accepted && holds(self.last_sent) {
            return Some("was taken");
        }
        let started = seen.starts.last().copied().unwrap_or_default();
        let is_after = |at: &Duration| *at > self.first_sent && *at > started && *at < view.now();
        let is_read = seen.found_taken.as_ref().is_some_and(is_after);
        let is_told = self.is_in_doubt && is_read && holds(self.first_sent);
        is_told.then_some("what it tells was seen to be taken from the file")
    }
}

impl Promise for CooldownAndNews {
    fn sent(&mut self, view: &View<'_>, sent: &Sent) -> Checked {
        let Request::SelfMessage { id, text } = &sent.what else {
            return Ok(());
        };
        self.messages += 1;
        let past = self.sent.get(id).copied();
        if let Some(why) = past.and_then(|past| past.is_over(view)) {
            return Err(format!("S3: message {id} is sent again, and {why}"));
        }
        let past = self.sent.entry(id.clone()).or_insert(Past {
            first_sent: sent.at,
            last_sent: sent.at,
            was_accepted: false,
            is_in_doubt: false,
        });
        (past.last_sent, past.was_accepted) = (sent.at, false);
        let since = self.last.replace(sent.at).map(|last| sent.at - last);
        if let Some(since) = since.filter(|since| *since < view.world.config().cooldown) {
            return Err(format!("S3: a self-message {since:?} after the last"));
        }
        if named_in(text).is_empty() {
            return Err("S3: a message names nothing".into());
        }
        Ok(())
    }

    fn said(&mut self, _: &View<'_>, notice: &Notice) -> Checked {
        if let Notice::Announced { message_id, .. } = notice
            && let Some(past) = self.sent.get_mut(message_id)
        {
            past.was_accepted = true;
        }
        if let Notice::AnnouncementUnanswered { message_id } = notice
            && let Some(past) = self.sent.get_mut(message_id)
        {
            past.is_in_doubt = true;
        }
        Ok(())
    }

    fn delivered(&mut self, view: &View<'_>, told: &Announcement) -> Checked {
        for name in &told.names {
            let by = self.told.entry(name.clone()).or_default();
            by.insert(told.id.clone());
            // Of one that was denied the agent knows that nothing came of it.
            let is_told = |id: &&String| **id != told.id && !view.world.seen.denied.contains(*id);
            let earlier = by.iter().filter(is_told).count();
            if !view.may_come_again(name, earlier) {
                return Err(format!("S3: {name:?} is told by {} messages", earlier + 1));
            }
        }
        Ok(())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.messages.saturating_sub(1)
    }
}

/// S4: persist, then tell. What a message names stands in the stream, or stood
/// there once.
#[derive(Default)]
pub(super) struct StoredFirst {
    told: u64,
}

impl Promise for StoredFirst {
    fn sent(&mut self, view: &View<'_>, sent: &Sent) -> Checked {
        let Request::SelfMessage { id, text } = &sent.what else {
            return Ok(());
        };
        let named = Announcement::read(id, text).names;
        self.told += named.len() as u64;
        let is_wrong =
            |name: &&ResultName| !view.arrivals.has_arrived(name) && !view.may_be_unknown(name);
        named
            .iter()
            .find(is_wrong)
            .map_or(Ok(()), |name| Err(format!("S4: {name:?} is told before it is stored")))
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.told
    }
}
