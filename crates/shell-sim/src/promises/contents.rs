//! What is sent and stored is all that is known.

use std::time::Duration;

use everbeat_core::Notice;

use crate::world::{ResultName, World};

type Checked = Result<(), String>;

/// Every beat carries all that the agent has reported: the platform takes the
/// absence of the runtime metadata as a wish to clear it.
///
/// # Errors
/// The beat that lacks it.
pub fn l1_beats_carry_all(world: &World) -> Checked {
    world.seen.bare_beats.first().map_or(Ok(()), |at| {
        Err(format!("L1: the beat at {at:?} lacks the metadata that an earlier one had"))
    })
}

/// A result whose text stood in the first list that named it, or in the very
/// next one, has that text in the stream, whichever row brought it. What was
/// lost on the way with a process or a folder is stored from a later list,
/// which may hold fewer of its rows.
///
/// # Errors
/// The result that is poorer than its rows.
pub fn l2_rows_are_folded(world: &World) -> Checked {
    let (stream, with_text) = (world.stream()?, world.with_text());
    let seen = &world.seen;
    let is_loss =
        |notice: &Notice| matches!(notice, Notice::FolderEmptied | Notice::JournalCorrupt { .. });
    let lost = seen.notices.iter().filter(|(_, notice)| is_loss(notice)).map(|(at, _)| *at);
    let losses: Vec<Duration> = seen.starts.iter().copied().chain(lost).collect();
    let was_lost = |name: &ResultName| {
        let listed = seen.listed.get(name);
        listed.is_none_or(|listed| losses.iter().any(|at| *at > listed.first && *at <= listed.last))
    };
    let is_poorer = |name: &ResultName| stream.contains_key(name) && !with_text.contains(name);
    let poorer = seen.listed_with_text.iter().find(|name| is_poorer(name) && !was_lost(name));
    poorer.map_or(Ok(()), |name| {
        Err(format!("L2: {name:?} is stored without the text that its rows had"))
    })
}
