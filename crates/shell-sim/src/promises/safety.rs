//! S1–S9: what must never happen, whatever the world does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use everbeat_core::{Notice, limits};

use super::messages::{announcements, named_in, sent_messages};
use crate::plan::{Act, FOREIGN_MARK, PREVIEW_MARK};
use crate::world::{Request, Sent, World};

type Checked = Result<(), String>;

/// Stands before the text of every self-message.
const HEADER: &str = "Delegation results are ready.";
const HOUR: Duration = Duration::from_secs(3_600);
/// The journal: a snapshot of all that is remembered, twice, and a batch.
const JOURNAL_BYTES_MAX: usize = 8 << 20;
/// What a machine prints as a whole; its memory is about that.
const MACHINE_BYTES_MAX: usize = 16 << 20;

/// A result of another source reaches neither the results file, nor a
/// self-message, nor a notification.
///
/// # Errors
/// Where it was found.
pub fn s1_foreign_results_stay_out(world: &World) -> Checked {
    let is_foreign = |id: &str| id.starts_with('f');
    if let Some((id, _)) = world.stream()?.keys().find(|(id, _)| is_foreign(id)) {
        return Err(format!("S1: {id} stands in the results stream"));
    }
    for (at, _, text) in sent_messages(world) {
        if text.contains(FOREIGN_MARK) || named_in(text).iter().any(|(id, _)| is_foreign(id)) {
            return Err(format!("S1: a self-message at {at:?} tells of a foreign result"));
        }
    }
    for sent in &world.seen.sent {
        if matches!(&sent.what, Request::Notify { text } if text.contains(FOREIGN_MARK)) {
            return Err(format!("S1: the user was told of a foreign result at {:?}", sent.at));
        }
    }
    Ok(())
}

/// A self-message carries no response text, and of a peer's words no more
/// than is stated, each on its line.
///
/// # Errors
/// The line that says too much.
pub fn s2_messages_quote_and_cut(world: &World) -> Checked {
    for (at, _, text) in sent_messages(world) {
        if text.contains(PREVIEW_MARK) {
            return Err(format!("S2: the message at {at:?} holds response text"));
        }
        for line in text.lines() {
            if !is_allowed_line(line) {
                return Err(format!("S2: the message at {at:?} has the line {line:?}"));
            }
        }
    }
    Ok(())
}

fn is_allowed_line(line: &str) -> bool {
    let quoted = |words: &str, most: usize| {
        let inside = words.strip_prefix('"').and_then(|words| words.strip_suffix('"'));
        inside.is_some_and(|inside| !inside.contains('"') && inside.chars().count() <= most)
    };
    let is_plain = !line.chars().any(|shown| shown.is_control() || shown == '\u{2028}');
    let named = line.strip_prefix("- [").and_then(|rest| rest.split_once("] Delegation "));
    let is_known = match (named, line.strip_prefix("  Error: ")) {
        (Some((_, rest)), _) => match rest.split_once(": ") {
            Some((id, words)) => id.chars().count() <= limits::ID_CHARS && quoted(words, 80),
            None => rest.chars().count() <= limits::ID_CHARS,
        },
        (None, Some(words)) => quoted(words, 100),
        (None, None) => {
            line.is_empty()
                || line.starts_with(HEADER)
                || line.starts_with("- and ")
                || line.starts_with("Words in quotes come from other workspaces")
                || line.starts_with("IMPORTANT: Report these results back to your parent 'boss'")
                || line.starts_with("Report results using send_message_to_user")
        }
    };
    is_plain && is_known
}

/// No two self-messages within the cooldown; none without something new.
///
/// # Errors
/// The message that came too soon or told twice.
pub fn s3_cooldown_and_news(world: &World) -> Checked {
    let mut last: Option<Duration> = None;
    for (at, _, text) in sent_messages(world) {
        let since = last.map(|last| at - last);
        if since.is_some_and(|since| since < world.config().cooldown) {
            return Err(format!("S3: a self-message at {at:?}, {since:?} after the last"));
        }
        if named_in(text).is_empty() {
            return Err(format!("S3: the message at {at:?} names nothing"));
        }
        last = Some(at);
    }
    if world.plan.can_double() {
        return Ok(());
    }
    let mut told = BTreeMap::new();
    for announcement in announcements(world) {
        for name in announcement.names {
            let earlier = told.insert(name.clone(), announcement.id.clone());
            if earlier.is_some_and(|earlier| earlier != announcement.id) {
                return Err(format!("S3: {name:?} was told by two messages"));
            }
        }
    }
    Ok(())
}

/// Every result that a list brought stands in the stream exactly once. To be
/// asked of a healed world, without power loss.
///
/// # Errors
/// The result that is missing or doubled.
pub fn s4_exactly_once(world: &World) -> Checked {
    let stream = world.stream()?;
    let can_double = world.plan.can_double();
    if let Some((name, count)) = stream.iter().find(|(_, count)| **count != 1)
        && !can_double
    {
        return Err(format!("S4: {name:?} stands in the stream {count} times"));
    }
    // What left the platform's window while disk and processes failed could
    // not be stored; what a healed agent was told of must be. Only a journal
    // that lost the very record of the emptied folder cannot know better.
    let did = |wanted: &str| world.plan.entries.iter().any(|entry| entry.act.name() == wanted);
    let cannot_know = did("wipe_folder") && did("spoil_journal");
    let healed = Duration::from_millis(world.plan.faults_end_ms);
    let settled = settled_until(world);
    for (name, listed) in &world.seen.listed {
        let is_settled = settled.is_some_and(|at| listed.first <= at);
        if listed.last >= healed && !stream.contains_key(name) && !cannot_know && !is_settled {
            return Err(format!("S4: {name:?}, {listed:?}, is not in the stream"));
        }
    }
    if let Some(name) = stream.keys().find(|name| !world.seen.listed.contains_key(*name)) {
        return Err(format!("S4: {name:?} is in the stream and was never listed"));
    }
    Ok(())
}

/// Until when results may have been settled as the backlog of an earlier loop.
pub(super) fn settled_until(world: &World) -> Option<Duration> {
    let mut notices = world.seen.notices.iter().rev();
    let settled = notices.find(|(_, notice)| matches!(notice, Notice::BacklogSettled { .. }));
    settled.map(|(at, _)| *at)
}

/// In any window of one interval no more than a stated number of requests.
///
/// # Errors
/// The window.
pub fn s5_request_budget(world: &World) -> Checked {
    let interval = world.config().interval;
    let reports = world.plan.entries.iter().filter(|entry| matches!(entry.act, Act::Report { .. }));
    let most = limits::REQUESTS_PER_INTERVAL_MAX + reports.count();
    let sent = &world.seen.sent;
    let mut first = 0;
    for (index, last) in sent.iter().enumerate() {
        // A process that was started anew begins its own count.
        while last.at - sent[first].at >= interval || sent[first].process != last.process {
            first += 1;
        }
        if index - first + 1 > most {
            let at = sent[first].at;
            return Err(format!("S5: more than {most} requests in one interval from {at:?}"));
        }
    }
    Ok(())
}

/// Memory and files are bounded.
///
/// # Errors
/// What grew.
pub fn s6_bounded(world: &World) -> Checked {
    let state = Path::new("/configs/everbeat");
    let journal = world.disk().contents(&state.join("journal.jsonl")).unwrap_or_default().len();
    if journal > JOURNAL_BYTES_MAX {
        return Err(format!("S6: the journal has {journal} bytes"));
    }
    let files = world.disk().names(state).len() + world.disk().names(Path::new("/tmp")).len();
    if files > 16 {
        return Err(format!("S6: {files} files"));
    }
    let machine = world.printed_machine().len();
    if machine > MACHINE_BYTES_MAX {
        return Err(format!("S6: the machine prints as {machine} bytes"));
    }
    if let Some(overview) = world.overview() {
        let surplus = overview.remembered.saturating_sub(limits::REMEMBERED_MAX);
        if surplus > limits::ROWS_MAX || overview.discovered > limits::DISCOVERED_MAX {
            return Err(format!("S6: {overview:?}"));
        }
    }
    Ok(())
}

/// No secret in a command's record, a notice, a Debug or a file that is not
/// made for it.
///
/// # Errors
/// Where it shows.
pub fn s7_no_secret_shows(world: &World) -> Checked {
    if let Some(leak) = world.seen.leaks.first() {
        return Err(format!("S7: {leak}"));
    }
    if world.shows_secret(world.printed_machine().as_bytes()) {
        return Err("S7: the machine prints a secret".into());
    }
    for folder in ["/configs", "/configs/everbeat", "/tmp"] {
        for name in world.disk().names(Path::new(folder)) {
            // A kill may leave a private half of one; it is 0600 like the whole.
            let stem = name.trim_start_matches(".everbeat-").trim_end_matches(".new");
            if [".auth_token", ".platform_inbound_secret"].contains(&stem) {
                continue;
            }
            let bytes = world.disk().contents(&Path::new(folder).join(&name));
            if world.shows_secret(&bytes.unwrap_or_default()) {
                return Err(format!("S7: {folder}/{name} holds a secret"));
            }
        }
    }
    Ok(())
}

/// The same plan gives the same commands, byte for byte.
///
/// # Errors
/// If two runs differ.
pub fn s8_deterministic(world: &World) -> Checked {
    // The first world still stands, so the second lies elsewhere in memory.
    let again = Box::new(World::run(&world.plan)?);
    if again.seen.digest != world.seen.digest {
        return Err("S8: two runs of one plan differ".into());
    }
    Ok(())
}

/// The agent cannot drive itself: no more messages than results, the same
/// results under the same id, and a budget per hour.
///
/// # Errors
/// What was too much.
pub fn s9_no_self_drive(world: &World) -> Checked {
    let results = world.stream()?.len();
    let ids: BTreeSet<String> = announcements(world).into_iter().map(|told| told.id).collect();
    let can_double = world.plan.can_double();
    if ids.len() > results && !can_double {
        return Err(format!("S9: {} messages for {results} results", ids.len()));
    }
    let mut by_names = BTreeMap::new();
    for (at, id, text) in sent_messages(world) {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('-')).collect();
        // A message that only counts some of its results may be any.
        if lines.iter().any(|line| line.starts_with("- and ")) {
            continue;
        }
        let earlier = by_names.insert(lines, id);
        if earlier.is_some_and(|earlier| earlier != id) {
            return Err(format!("S9: the same results under another id at {at:?}"));
        }
    }
    // The budget is one process's: each start costs a cooldown at least.
    let is_message = |sent: &&Sent| matches!(sent.what, Request::SelfMessage { .. });
    let sent: Vec<&Sent> = world.seen.sent.iter().filter(is_message).collect();
    let most = world.config().self_messages_per_hour_max as usize;
    let is_over = |window: &&[&Sent]| {
        let (first, last) = (window[0], window[most]);
        first.process == last.process && last.at - first.at < HOUR
    };
    let over = sent.windows(most + 1).find(is_over);
    over.map_or(Ok(()), |window| {
        Err(format!("S9: over {most} messages in the hour from {:?}", window[0].at))
    })
}
