//! Runs a plan under a watch and says what was broken.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::plan::Plan;
use crate::promises::watch::{Broken, Watch};
use crate::world::{TraceLine, World};

/// A run that was watched.
pub struct Judged {
    /// The world as it was when the run ended: at the plan's end, or when a
    /// promise was broken.
    pub world: World,
    /// What watched it.
    pub watch: Watch,
    /// What was broken, in the order of time.
    pub broken: Vec<Broken>,
}

/// Runs a plan under `watch`. A panic is a broken promise like any other, and
/// so is a run that does not come to its end.
///
/// # Errors
/// If the plan's setup is no valid configuration.
pub fn judge(plan: &Plan, watch: Watch) -> Result<Judged, Broken> {
    play(World::new(plan).map_err(refused)?, watch)
}

/// The same, told line by line.
///
/// # Errors
/// If the plan's setup is no valid configuration.
pub fn judge_traced(plan: &Plan, watch: Watch) -> Result<(Judged, Vec<TraceLine>), Broken> {
    let mut world = World::new(plan).map_err(refused)?;
    world.begin_trace();
    let mut judged = play(world, watch)?;
    let lines = judged.world.take_trace();
    Ok((judged, lines))
}

/// Runs a plan and watches for the promises of these names.
///
/// # Errors
/// The first promise that is broken.
pub fn keeps(plan: &Plan, names: &[&str]) -> Result<World, Broken> {
    let judged = judge(plan, Watch::of(names.iter().copied()))?;
    judged.broken.into_iter().next().map_or(Ok(judged.world), Err)
}

fn refused(error: everbeat_core::ConfigError) -> Broken {
    Broken { at: Duration::ZERO, said: error.to_string() }
}

fn play(mut world: World, mut watch: Watch) -> Result<Judged, Broken> {
    let played = catch_unwind(AssertUnwindSafe(|| world.play(&mut watch)));
    let ended = played.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        let said = format!("panic: {}", words.unwrap_or("without words"));
        Err(Broken { at: world.now(), said })
    });
    let mut broken = watch.broken();
    broken.extend(ended.err());
    Ok(Judged { world, watch, broken })
}
