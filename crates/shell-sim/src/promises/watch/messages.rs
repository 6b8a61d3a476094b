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
    /// When each was last sent, and whether the agent then heard that it was
    /// taken.
    sent: BTreeMap<String, (Duration, bool)>,
}

impl Promise for CooldownAndNews {
    fn sent(&mut self, view: &View<'_>, sent: &Sent) -> Checked {
        let Request::SelfMessage { id, text } = &sent.what else {
            return Ok(());
        };
        self.messages += 1;
        let earlier = self.sent.insert(id.clone(), (sent.at, false));
        let is_told = |(at, is_taken): (Duration, bool)| {
            is_taken && view.arrivals.lost() < at && !view.world.may_come_again(1, at)
        };
        if earlier.is_some_and(is_told) {
            return Err(format!("S3: message {id} is sent again, and was taken"));
        }
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
            && let Some((_, is_taken)) = self.sent.get_mut(message_id)
        {
            *is_taken = true;
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
        let Request::SelfMessage { text, .. } = &sent.what else {
            return Ok(());
        };
        let named = named_in(text);
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
