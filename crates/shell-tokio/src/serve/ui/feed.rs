//! The platform as a sequence of changes: what a page must know to show it,
//! and after that only what is new.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use axum::body::Bytes;
use everbeat_platform::{
    DelegationLine, EventKind, Fate, Platform, Route, SeenRequest, Workspace, WorkspaceLine,
};
use serde_json::{Value, json};

use super::super::connection::Connection;
use super::act::Act;
use super::readers::{Readers, Stream};

/// Delegations that a page has, the newest.
const DELEGATIONS_MAX: usize = 200;
/// Entries of the log that a page has, the newest.
const ENTRIES_MAX: usize = 200;
/// Characters of an entry.
const ENTRY_CHARS_MAX: usize = 600;
/// Seconds whose beats are remembered.
const SECONDS_MAX: usize = 60;
/// Whole seconds that make the rate.
const RATE_SECONDS: usize = 10;
/// Equal refusals within so much time are one entry with a count.
const SAME_WITHIN_MS: i64 = 60_000;
/// How far back an equal one is looked for.
const SAME_AMONG: usize = 40;

/// The platform as it was last looked at.
#[derive(Debug)]
pub(super) struct Feed {
    /// Another run of this program has other numbers.
    run: u64,
    /// Of the last change.
    number: u64,
    now_ms: u64,
    wall_ms: i64,
    outage_until_ms: Option<u64>,
    workspaces: BTreeMap<String, WorkspaceLine>,
    delegations: Vec<DelegationLine>,
    delegations_version: Option<(u64, u64)>,
    entries: VecDeque<Entry>,
    entry_number: u64,
    /// Since the last change was sent.
    new_entries: BTreeMap<u64, Entry>,
    seen: BTreeMap<String, Seen>,
    seen_requests: u64,
    beats: u64,
    /// Beats of each second, the newest last; that one is not over.
    seconds: VecDeque<u64>,
    second: u64,
    readers: Readers,
}

/// Something that happened, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    number: u64,
    wall_ms: i64,
    workspace: String,
    kind: &'static str,
    text: String,
    count: u32,
}

/// How much of a workspace's observations stands in the log.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    messages: u64,
    notifications: u64,
    registrations: u64,
    events: u64,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            run: RandomState::new().build_hasher().finish(),
            number: 0,
            now_ms: 0,
            wall_ms: 0,
            outage_until_ms: None,
            workspaces: BTreeMap::new(),
            delegations: Vec::new(),
            delegations_version: None,
            entries: VecDeque::new(),
            entry_number: 0,
            new_entries: BTreeMap::new(),
            seen: BTreeMap::new(),
            seen_requests: 0,
            beats: 0,
            seconds: VecDeque::from([0]),
            second: 0,
            readers: Readers::default(),
        }
    }
}

impl Feed {
    /// Someone opens the page. It gets what it missed since `last`, the id of
    /// the last event that it has, or everything. `None` if too many have it
    /// open.
    pub(super) fn join(&mut self, last: Option<&str>, connection: &Connection) -> Option<Stream> {
        let missed = last.and_then(|last| {
            let (run, number) = last.split_once('-')?;
            let is_ours = run.parse() == Ok(self.run);
            self.readers.since(number.parse().ok().filter(|_| is_ours)?, self.number)
        });
        let first = missed.filter(|missed| !missed.is_empty());
        let first = first.unwrap_or_else(|| self.event("snapshot", &self.snapshot()));
        self.readers.join(first, connection)
    }

    /// What the administrator did.
    pub(super) fn act(&mut self, act: &Act) {
        let (workspace, words) = act.words();
        self.enter(self.wall_ms, &workspace, "admin", &words);
    }

    /// Looks at the platform and tells what changed.
    pub(super) fn look(&mut self, platform: &Platform) {
        self.see_time(platform);
        let is_second_over = self.count_beats(platform);
        let mut change = serde_json::Map::new();
        let workspaces = self.changed_workspaces(platform);
        self.note_what_happened(platform);
        self.note_refusals(platform);
        if !workspaces.is_empty() {
            change.insert("workspaces".into(), Value::Array(workspaces));
        }
        let delegations = self.changed_delegations(platform);
        if !delegations.is_empty() {
            change.insert("delegations".into(), Value::Array(delegations));
        }
        let outage = platform.outage_left().map(|left| self.now_ms.saturating_add(ms(left)));
        if outage != self.outage_until_ms {
            self.outage_until_ms = outage;
            change.insert("outage_until_ms".into(), json!(outage));
        }
        let entries = std::mem::take(&mut self.new_entries);
        if !entries.is_empty() {
            change.insert("log".into(), entries.values().map(Entry::shown).collect());
        }
        if !change.is_empty() {
            change.extend(self.clocks());
            self.number += 1;
            let event = self.event("change", &Value::Object(change));
            self.readers.change(self.number, event);
        }
        if is_second_over {
            let mut tick = self.clocks();
            tick.insert("beats_per_second".into(), json!(self.rate()));
            tick.insert("last_second".into(), json!(self.seconds.iter().rev().nth(1)));
            // Without an id: nothing is missed with it.
            let text = format!("event: tick\ndata: {}\n\n", Value::Object(tick));
            self.readers.send(text.into());
        }
    }

    fn see_time(&mut self, platform: &Platform) {
        self.now_ms = ms(platform.now());
        self.wall_ms = platform.wall_ms();
    }

    /// Whether a second is over since the last time.
    fn count_beats(&mut self, platform: &Platform) -> bool {
        let before = self.second;
        self.second = self.now_ms / 1_000;
        let over = usize::try_from(self.second - before).unwrap_or(usize::MAX).min(SECONDS_MAX);
        self.seconds.extend(std::iter::repeat_n(0, over));
        while self.seconds.len() > SECONDS_MAX + 1 {
            self.seconds.pop_front();
        }
        let beats: u64 = platform.workspaces().map(|workspace| workspace.beats.total()).sum();
        let new = beats.saturating_sub(std::mem::replace(&mut self.beats, beats));
        if let Some(this) = self.seconds.back_mut() {
            *this += new;
        }
        over > 0
    }

    /// Beats a second, over the last whole seconds.
    fn rate(&self) -> f64 {
        let whole: Vec<u64> =
            self.seconds.iter().rev().skip(1).take(RATE_SECONDS).copied().collect();
        let sum: u64 = whole.iter().sum();
        // Far from where a sum of beats would lose precision.
        (sum as f64) / (whole.len().max(1) as f64)
    }

    fn changed_workspaces(&mut self, platform: &Platform) -> Vec<Value> {
        let mut changed = Vec::new();
        for line in platform.workspace_lines() {
            if self.workspaces.get(&line.id) != Some(&line) {
                changed.push(json!(line));
                self.workspaces.insert(line.id.clone(), line);
            }
        }
        changed
    }

    /// Oldest first: a page puts each new one at the top.
    fn changed_delegations(&mut self, platform: &Platform) -> Vec<Value> {
        let version = Some(platform.delegations_version());
        if version == self.delegations_version {
            return Vec::new();
        }
        self.delegations_version = version;
        let lines = platform.delegation_lines(DELEGATIONS_MAX);
        let before: BTreeMap<&str, &DelegationLine> =
            self.delegations.iter().map(|line| (line.id.as_str(), line)).collect();
        let changed = lines.iter().rev().filter(|line| before.get(line.id.as_str()) != Some(line));
        let changed = changed.map(|line| json!(line)).collect();
        self.delegations = lines;
        changed
    }

    fn note_what_happened(&mut self, platform: &Platform) {
        let mut found = Vec::new();
        for workspace in platform.workspaces() {
            let now = Seen {
                messages: workspace.messages.total(),
                notifications: workspace.notifications.total(),
                registrations: workspace.registrations.total(),
                events: workspace.events.total(),
            };
            let seen = self.seen.get_mut(&workspace.id).map(|seen| std::mem::replace(seen, now));
            if seen.is_none() {
                self.seen.insert(workspace.id.clone(), now);
            }
            let offset_ms = self.wall_ms - i64::try_from(self.now_ms).unwrap_or(i64::MAX);
            let wall = |at: Duration| offset_ms + i64::try_from(at.as_millis()).unwrap_or_default();
            collect(workspace, seen.unwrap_or_default(), &wall, &mut found);
        }
        found.sort_by_key(|(wall_ms, ..)| *wall_ms);
        for (wall_ms, workspace, kind, text) in found {
            self.enter(wall_ms, workspace, kind, &text);
        }
    }

    fn note_refusals(&mut self, platform: &Platform) {
        let seen = std::mem::replace(&mut self.seen_requests, platform.requests().total());
        for request in platform.requests().since(seen) {
            let is_refused = request.faulted || request.status >= 400 || request.status == 0;
            if is_refused && request.route != Route::Admin {
                let text = refusal(request);
                self.enter_or_count(request.wall_ms, &request.workspace, "refused", &text);
            }
        }
    }

    fn enter_or_count(&mut self, wall_ms: i64, workspace: &str, kind: &'static str, text: &str) {
        let same = self.entries.iter_mut().rev().take(SAME_AMONG).find(|entry| {
            entry.kind == kind
                && entry.workspace == workspace
                && entry.text == text
                && wall_ms - entry.wall_ms < SAME_WITHIN_MS
        });
        match same {
            Some(entry) => {
                entry.count += 1;
                self.new_entries.insert(entry.number, entry.clone());
            }
            None => self.enter(wall_ms, workspace, kind, text),
        }
    }

    fn enter(&mut self, wall_ms: i64, workspace: &str, kind: &'static str, text: &str) {
        self.entry_number += 1;
        let entry = Entry {
            number: self.entry_number,
            wall_ms,
            workspace: workspace.into(),
            kind,
            text: cut(text),
            count: 1,
        };
        self.new_entries.insert(entry.number, entry.clone());
        self.entries.push_back(entry);
        while self.entries.len() > ENTRIES_MAX {
            self.entries.pop_front();
        }
    }

    /// Everything, as of the last change.
    fn snapshot(&self) -> Value {
        let whole = self.seconds.len() - 1;
        let mut snapshot = self.clocks();
        snapshot.extend([
            // As text: a script has no room for all numbers.
            ("run".to_owned(), json!(self.run.to_string())),
            ("outage_until_ms".to_owned(), json!(self.outage_until_ms)),
            ("workspaces".to_owned(), json!(self.workspaces.values().collect::<Vec<_>>())),
            ("delegations".to_owned(), json!(self.delegations)),
            ("log".to_owned(), self.entries.iter().map(Entry::shown).collect()),
            ("beats_per_second".to_owned(), json!(self.rate())),
            ("seconds".to_owned(), json!(self.seconds.iter().take(whole).collect::<Vec<_>>())),
        ]);
        Value::Object(snapshot)
    }

    fn clocks(&self) -> serde_json::Map<String, Value> {
        let clocks = [("now_ms", json!(self.now_ms)), ("wall_ms", json!(self.wall_ms))];
        clocks.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn event(&self, name: &str, data: &Value) -> Bytes {
        format!("id: {}-{}\nevent: {name}\ndata: {data}\n\n", self.run, self.number).into()
    }
}

impl Entry {
    fn shown(&self) -> Value {
        json!({
            "number": self.number,
            "wall_ms": self.wall_ms,
            "workspace": self.workspace,
            "kind": self.kind,
            "text": self.text,
            "count": self.count,
        })
    }
}

/// What is new of one workspace.
fn collect<'a>(
    workspace: &'a Workspace,
    seen: Seen,
    wall: &impl Fn(Duration) -> i64,
    found: &mut Vec<(i64, &'a str, &'static str, String)>,
) {
    let id = workspace.id.as_str();
    for message in workspace.messages.since(seen.messages) {
        let is_own = message.caller.as_deref() == Some(id);
        let kind = if is_own { "self_message" } else { "message" };
        let fate = match message.fate {
            Fate::Delivered => String::new(),
            Fate::Queued => "(queued) ".into(),
            Fate::Duplicate => "(waits already) ".into(),
            Fate::Refused => format!("(not delivered, {}) ", message.status),
        };
        found.push((message.wall_ms, id, kind, fate + &message.text));
    }
    for notification in workspace.notifications.since(seen.notifications) {
        found.push((notification.wall_ms, id, "notification", notification.message.clone()));
    }
    for registration in workspace.registrations.since(seen.registrations) {
        let words = if registration.minted { "registered, with a new token" } else { "registered" };
        found.push((registration.wall_ms, id, "status", words.into()));
    }
    for event in workspace.events.since(seen.events) {
        let words = match event.kind {
            EventKind::WorkspaceOnline => "is online",
            EventKind::WorkspaceDegraded => "is degraded",
            EventKind::WorkspaceOffline => "is offline: nothing heard for too long",
            EventKind::WorkspaceRestarted => "has its container restarted",
            // The table shows it.
            EventKind::TaskUpdated => continue,
        };
        let detail = if event.detail.is_empty() { "" } else { ": " };
        found.push((wall(event.at), id, "status", format!("{words}{detail}{}", event.detail)));
    }
}

fn refusal(request: &SeenRequest) -> String {
    let route = request.route.name().replace('_', " ");
    match (request.status, request.faulted) {
        (0, _) => format!("{route}: no connection"),
        (401, _) => format!("{route}: 401, not a valid token"),
        (status, true) => format!("{route}: {status}, by a fault"),
        (status, false) => format!("{route}: {status}"),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(ENTRY_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
