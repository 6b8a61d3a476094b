//! What is sent and stored is all that is known.

use crate::world::World;

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
/// next one, has that text in the stream, whichever row brought it.
///
/// # Errors
/// The result that is poorer than its rows.
pub fn l2_rows_are_folded(world: &World) -> Checked {
    let (stream, with_text) = (world.stream()?, world.with_text());
    let mut listed = world.seen.listed_with_text.iter();
    let poorer = listed.find(|name| stream.contains_key(*name) && !with_text.contains(*name));
    poorer.map_or(Ok(()), |name| {
        Err(format!("L2: {name:?} is stored without the text that its rows had"))
    })
}
