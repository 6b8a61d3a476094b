//! S3, and that nothing is told before it is stored.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Checked, Promise, View};
use crate::promises::messages::{Announcement, named_in};
use crate::world::{Request, ResultName, Sent};

/// S3: no two self-messages within the cooldown; none without something new
/// to tell.
#[derive(Default)]
pub(super) struct CooldownAndNews {
    messages: u64,
    last: Option<Duration>,
    told: BTreeMap<ResultName, String>,
}

impl Promise for CooldownAndNews {
    fn sent(&mut self, view: &View<'_>, sent: &Sent) -> Checked {
        let Request::SelfMessage { text, .. } = &sent.what else {
            return Ok(());
        };
        self.messages += 1;
        let since = self.last.replace(sent.at).map(|last| sent.at - last);
        if let Some(since) = since.filter(|since| *since < view.world.config().cooldown) {
            return Err(format!("S3: a self-message {since:?} after the last"));
        }
        if named_in(text).is_empty() {
            return Err("S3: a message names nothing".into());
        }
        Ok(())
    }

    fn delivered(&mut self, view: &View<'_>, told: &Announcement) -> Checked {
        for name in &told.names {
            let earlier = self.told.insert(name.clone(), told.id.clone());
            if earlier.is_some_and(|earlier| earlier != told.id) && !view.may_tell_twice() {
                return Err(format!("S3: {name:?} is told by two messages"));
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
        match named.iter().find(|name| !view.arrivals.has_arrived(name)) {
            Some(_) if view.may_not_know() => Ok(()),
            Some(name) => Err(format!("S4: {name:?} is told before it is stored")),
            None => Ok(()),
        }
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.told
    }
}
