//! The parent's name: looked up when first needed, believed for an hour.

use alloc::string::String;
use core::time::Duration;

use crate::command::Action;
use crate::config::ValidConfig;
use crate::effects::{Effects, Slot};
use crate::event::Outcome;
use crate::limits::PARENT_NAME_TTL;
use crate::time::Instant;
use crate::wire::answers::{WorkspaceAnswer, is_success};

#[derive(Debug, Default)]
pub(crate) struct Parent {
    known: Option<Known>,
    lookup: Lookup,
}

#[derive(Debug)]
struct Known {
    /// `None` where there is no parent.
    name: Option<String>,
    since: Instant,
}

#[derive(Debug, Default)]
enum Lookup {
    #[default]
    Idle,
    Own {
        until: Instant,
    },
    Parent,
}

impl Parent {
    /// The parent's name, as far as it is known.
    pub(crate) fn name(&self) -> Option<&str> {
        self.known.as_ref()?.name.as_deref()
    }

    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        self.known.as_ref().is_some_and(|known| now.since(known.since) < PARENT_NAME_TTL)
    }

    /// Begins a lookup: the own row, then the parent's, within one deadline.
    pub(crate) fn look_up(&mut self, config: &ValidConfig, fx: &mut Effects) {
        let within = config.request_deadline();
        self.lookup = Lookup::Own { until: fx.at().plus(within) };
        fetch(fx, within, config.workspace_id.clone());
    }

    /// A lookup's request came to its end; true once the lookup is over,
    /// well or not. Only a well-formed answer is remembered.
    pub(crate) fn landed(&mut self, fx: &mut Effects, outcome: Outcome) -> bool {
        let lookup = core::mem::take(&mut self.lookup);
        let Some(answer) = understood(outcome) else {
            return true;
        };
        match lookup {
            Lookup::Own { until } => match answer.parent_id {
                Some(parent_id) => {
                    let left = until.since(fx.at());
                    self.lookup = Lookup::Parent;
                    fetch(fx, left, parent_id);
                    return false;
                }
                None => self.known = Some(Known { name: None, since: fx.at() }),
            },
            Lookup::Parent => self.known = Some(Known { name: answer.name, since: fx.at() }),
            Lookup::Idle => {}
        }
        true
    }
}

fn fetch(fx: &mut Effects, within: Duration, workspace_id: String) {
    fx.start(Slot::Parent, Some(within), Action::FetchWorkspace { workspace_id });
}

fn understood(outcome: Outcome) -> Option<WorkspaceAnswer> {
    let Outcome::Response(response) = outcome else {
        return None;
    };
    let is_well = is_success(response.status) && response.complete;
    is_well.then(|| WorkspaceAnswer::parse(&response.body.0)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_s_name_is_good_for_an_hour() {
        let known = Some(Known { name: None, since: Instant::START });
        let parent = Parent { known, ..Parent::default() };
        let over = Instant::START.plus(PARENT_NAME_TTL);
        assert!(parent.is_fresh(Instant::from_nanos(over.as_nanos() - 1)));
        assert!(!parent.is_fresh(over));
    }
}
