//! What a check had to look at in one run: a check that never has anything to
//! look at is as good as none.

use std::time::Duration;

use everbeat_core::Notice;

use crate::promises::announcements;
use crate::world::{Request, World};

/// How much the check `name` of [`CHECKS`](crate::verdict::CHECKS) could have
/// found wrong in this run; `None` for a name that is not known here.
pub(super) fn looked_at(name: &str, world: &World) -> Option<u64> {
    let seen = &world.seen;
    let healed = Duration::from_millis(world.plan.faults_end_ms);
    // The longest wait that can have begun before.
    let settled = healed + Duration::from_secs(300);
    let messages =
        || seen.sent.iter().filter(|sent| matches!(sent.what, Request::SelfMessage { .. })).count();
    let count = match name {
        "S1" => seen.acts.get("finish_foreign").map_or(0, |count| number(*count)),
        "S2" => messages(),
        "S3" => messages().saturating_sub(1),
        "S4" => seen.listed.values().filter(|listed| listed.last >= healed).count(),
        "S5" => seen.sent.len(),
        "S6" => world.overview().map_or(0, |overview| overview.remembered),
        "S7" => world.secrets().len(),
        "S9" => announcements(world).len(),
        "L1" => seen.accepted_beats.iter().filter(|at| **at >= settled).count(),
        "L1 carries all" => seen.events.get("metadata").map_or(0, |count| number(*count)),
        "L2" => seen.listed.values().filter(|listed| listed.first >= settled).count(),
        "L2 polls" => {
            let is_poll = |what: &Request| matches!(what, Request::Poll);
            seen.sent.iter().filter(|sent| sent.at >= settled && is_poll(&sent.what)).count()
        }
        "L2 folds rows" => seen.listed_with_text.len(),
        "L3" => seen.token_files.iter().filter(|(at, _)| *at >= settled).count(),
        "L4" => world.overview().map_or(0, |overview| overview.remembered),
        "L5" => seen.acts.keys().filter(|name| name.starts_with("outage")).count(),
        "L6" => seen.stops.len(),
        "L7" => {
            let pairs = seen.sleeps.iter().zip(&seen.wakes);
            pairs.filter(|(slept, woke)| **woke - **slept > world.config().interval * 4).count()
        }
        "L8 seldom" => {
            let continues = |notice: &Notice| matches!(notice, Notice::OutageContinues { .. });
            seen.notices.iter().filter(|(_, notice)| continues(notice)).count()
        }
        _ => return None,
    };
    Some(count as u64)
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{swarm, verdict};

    #[test]
    fn every_check_is_known() {
        let world = World::run(&swarm::draw(1, 1).1).expect("it comes to its end");
        for (name, _) in verdict::CHECKS {
            assert!(looked_at(name, &world).is_some(), "{name}");
        }
    }
}
