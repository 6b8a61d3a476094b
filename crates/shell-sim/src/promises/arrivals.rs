//! The reference model: from the lists that reached the agent, what went lost
//! and what was sent it says which results must stand in the stream, and which
//! of those must still be told. It is simpler than the agent: it keeps no
//! journal, and whatever was in doubt when something was lost it lets go.

use std::collections::BTreeMap;
use std::time::Duration;

use everbeat_core::Notice;
use everbeat_core::limits::{BATCH_RESULTS_MAX, DISCOVERED_MAX, REMEMBERED_MAX, ROWS_MAX};

use super::messages::Announcement;
use super::stream::Stream;
use super::untold::Untold;
use super::watch::Turn;
use crate::world::{Request, ResultName, Sent, World};

/// What must have arrived, and what must be told.
#[derive(Debug, Default)]
pub struct Arrivals {
    listed: BTreeMap<ResultName, Listed>,
    /// Those that the last list named for the first time.
    newly_listed: Vec<ResultName>,
    /// Named by a list since the process began, and not in the stream.
    awaited: BTreeMap<ResultName, Duration>,
    /// What else may wait for the disk, since when: named by a list for which
    /// there may have been no room, or by one for which it may be news again.
    perhaps: BTreeMap<ResultName, Duration>,
    /// In the stream, and not told as far as is known here.
    untold: Untold,
    /// Lines, with those that came again.
    arrived: u64,
    ever_arrived: usize,
    /// Something was lost: what the next list names may be awaited anew.
    looks_again: bool,
    /// When a process began or something was lost, for the last time.
    lost: Duration,
    /// Until when results may have been settled as the backlog of an earlier
    /// loop.
    settled_until: Option<Duration>,
}

/// What lists said of a result.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// When one named it for the first time.
    pub first: Duration,
    /// Whether that one, or the very next one, showed the text of a completed
    /// result.
    pub has_text: bool,
    /// How many had arrived with it, when it arrived last.
    place: Option<u64>,
}

impl Arrivals {
    /// What lists said of a result, if any named it.
    #[must_use]
    pub fn listed_as(&self, name: &ResultName) -> Option<Listed> {
        self.listed.get(name).copied()
    }

    /// The results that the last list named for the first time.
    #[must_use]
    pub fn newly_listed(&self) -> &[ResultName] {
        &self.newly_listed
    }

    /// Whether the result was settled as an earlier loop's backlog.
    #[must_use]
    pub fn is_settled(&self, name: &ResultName) -> bool {
        let first = self.listed_as(name).map(|listed| listed.first);
        first.is_some_and(|first| self.settled_until.is_some_and(|until| first <= until))
    }

    /// The results that must come to stand in the stream, with the time from
    /// which they were awaited; a loss begins that anew.
    pub fn awaited(&self) -> impl Iterator<Item = (&ResultName, Duration)> {
        self.awaited.iter().map(|(name, since)| (name, *since))
    }

    /// The results that stand in the stream and that no message told of which
    /// the platform took.
    #[must_use]
    pub const fn untold(&self) -> &Untold {
        &self.untold
    }

    /// When a process began, or something was lost, for the last time.
    #[must_use]
    pub const fn lost(&self) -> Duration {
        self.lost
    }

    /// How many results ever stood in the stream.
    #[must_use]
    pub const fn ever_arrived(&self) -> usize {
        self.ever_arrived
    }

    /// Whether the result ever stood in the stream.
    #[must_use]
    pub fn has_arrived(&self, name: &ResultName) -> bool {
        self.listed.get(name).is_some_and(|listed| listed.place.is_some())
    }

    pub(super) fn listed(&mut self, world: &World, stream: &Stream) {
        let (now, list) = (world.now(), world.last_list());
        // Named for the first time by the list before: this is the very next.
        for name in std::mem::take(&mut self.newly_listed) {
            let place = list.binary_search_by(|(have, _)| (**have).cmp(&name));
            let has_text = place.is_ok_and(|place| list[place].1);
            if let Some(listed) = self.listed.get_mut(&name) {
                listed.has_text |= has_text;
            }
        }
        if !world.seen.list_is_another && !std::mem::take(&mut self.looks_again) {
            return;
        }
        let has_room = self.has_room(list.len());
        self.looks_again |= !has_room;
        let undone = world.last_undone();
        for (name, has_text) in list {
            let name: &ResultName = name;
            if !self.listed.contains_key(name) {
                let first = Listed { first: now, has_text: *has_text, place: None };
                self.listed.insert(name.clone(), first);
                self.newly_listed.push(name.clone());
            }
            if stream.count(name) > 0 || self.is_settled(name) {
                if self.may_be_forgotten(name, undone) {
                    self.perhaps.entry(name.clone()).or_insert(now);
                }
                continue;
            }
            if has_room {
                self.perhaps.remove(name);
                self.awaited.entry(name.clone()).or_insert(now);
            } else if !self.awaited.contains_key(name) {
                self.perhaps.entry(name.clone()).or_insert(now);
            }
        }
    }

    /// Whether the agent takes so many more: what it has no room for is its
    /// only if a later list names it again. A batch that stands in the stream
    /// may still take up room, since the agent learns of it once the disk is
    /// done.
    fn has_room(&self, more: usize) -> bool {
        let waiting = self.awaited.len() + self.perhaps.len() + more + BATCH_RESULTS_MAX;
        waiting <= DISCOVERED_MAX && self.untold.pending() + waiting + ROWS_MAX <= REMEMBERED_MAX
    }

    /// Whether it may be news to the agent: what it remembered was undone, or
    /// so many others arrived since.
    fn may_be_forgotten(&self, name: &ResultName, undone: Option<Duration>) -> bool {
        // The backlog that was settled is remembered, too.
        let remembered = (REMEMBERED_MAX - ROWS_MAX) as u64;
        self.listed.get(name).is_some_and(|listed| {
            listed.place.is_some_and(|place| place + remembered <= self.arrived)
                || undone.is_some_and(|undone| listed.first <= undone)
        })
    }

    pub(super) fn streamed(&mut self, world: &World, stream: &Stream) {
        for line in stream.gone_lines() {
            if stream.count(&line.name) == 0 {
                self.untold.goes(&line.name);
                self.looks_again = true;
            }
        }
        for line in stream.new_lines() {
            self.perhaps.remove(&line.name);
            if let Some(since) = self.awaited.remove(&line.name) {
                // What waited longer would have come before.
                self.perhaps.retain(|_, perhaps_since| *perhaps_since >= since);
            }
            self.arrived += 1;
            let Some(listed) = self.listed.get_mut(&line.name) else {
                continue;
            };
            let place = self.arrived;
            if listed.place.replace(place).is_none() {
                self.ever_arrived += 1;
                self.untold.arrives(line.name.clone(), world.now(), place);
            } else {
                self.untold.arrives_again();
            }
        }
    }

    pub(super) fn turned(&mut self, world: &World, turn: Turn) {
        match turn {
            // What waited for the disk went with the process.
            Turn::Starts | Turn::Killed => {
                self.loses(world);
                self.perhaps.clear();
                self.untold.all_may_be_told();
            }
            Turn::AskedToStop | Turn::Sleeps | Turn::TokenWritten => {}
        }
    }

    pub(super) fn said(&mut self, world: &World, notice: &Notice) {
        if matches!(notice, Notice::FolderEmptied | Notice::JournalCorrupt { .. }) {
            // What was told may be forgotten, and what was forgotten is told
            // only if it is listed again.
            self.loses(world);
            self.untold.forget();
        } else if matches!(notice, Notice::BacklogSettled { .. }) {
            self.settled_until = Some(world.now());
            self.awaited.clear();
        } else if let Notice::Announced { message_id, .. }
        | Notice::AnnouncedByReader { message_id } = notice
        {
            self.untold.settles(message_id);
        }
    }

    /// Nothing that was listed until now is awaited; as long as the process
    /// lives, it may still wait for the disk.
    fn loses(&mut self, world: &World) {
        self.lost = world.now();
        self.looks_again = true;
        self.perhaps.append(&mut self.awaited);
    }

    pub(super) fn sent(&mut self, sent: &Sent) {
        if let Request::SelfMessage { id, text } = &sent.what {
            self.untold.sent(Announcement::read(id, text), self.arrived);
        }
    }

    /// The platform took a message: it reached the agent, or will.
    pub(super) fn accepted(&mut self, id: &str, stream: &Stream) {
        self.untold.accepted(id, stream);
    }
}
