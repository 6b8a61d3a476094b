//! What is done to a fleet and its platform.

use std::time::Duration;

use everbeat_core::{Event, Status};
use everbeat_platform::{Finish, FinishOutcome, NewDelegation, OutageKind, Platform};
use serde::Serialize;

use super::plan::ms;
use super::{Fleet, Happening, agent};
use crate::world::Party;

/// One thing that is done to a fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FleetEntry {
    /// From the start.
    #[serde(rename = "at_ms", serialize_with = "ms")]
    pub at: Duration,
    /// What.
    pub act: FleetAct,
}

/// What can be done to a fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetAct {
    /// The platform's process ends, with all that it was about to answer, and
    /// is back after so long. What it stored stays.
    Restart {
        /// How long it is away.
        #[serde(rename = "ms", serialize_with = "ms")]
        away: Duration,
        /// How that shows.
        kind: OutageKind,
    },
    /// The same, and what comes back is the later version: ledger rows,
    /// generation, inbound secret, over the same workspaces, tokens and
    /// delegations.
    Upgrade {
        /// How long it is away.
        #[serde(rename = "ms", serialize_with = "ms")]
        away: Duration,
        /// How that shows.
        kind: OutageKind,
    },
    /// So many of 100 machines sleep.
    Suspend {
        /// Of 100.
        percent: u8,
        /// For so long.
        #[serde(rename = "ms", serialize_with = "ms")]
        lasts: Duration,
    },
    /// Every agent's process is stopped and started anew, one after the other.
    RestartAgents {
        /// From the first to the last.
        #[serde(rename = "ms", serialize_with = "ms")]
        over: Duration,
    },
    /// Every agent has delegations that end so, all at once.
    Finish {
        /// How many each.
        count: u32,
        /// How.
        finish: Finish,
    },
}

impl FleetAct {
    /// As it is serialised.
    const fn name(&self) -> &'static str {
        match self {
            Self::Restart { .. } => "restart",
            Self::Upgrade { .. } => "upgrade",
            Self::Suspend { .. } => "suspend",
            Self::RestartAgents { .. } => "restart_agents",
            Self::Finish { .. } => "finish",
        }
    }
}

impl Fleet {
    pub(super) fn act(&mut self, act: &FleetAct) {
        self.tell_trace(Party::Plan, act.name(), || format!("{act:?}"));
        match act {
            FleetAct::Restart { away, kind } => {
                self.platform.restart(*away, *kind);
                self.platform_goes(*away);
            }
            FleetAct::Upgrade { away, kind } => {
                self.platform.upgrade(*away, *kind);
                self.platform_goes(*away);
            }
            FleetAct::Suspend { percent, lasts } => self.suspend(*percent, *lasts),
            FleetAct::RestartAgents { over } => {
                for number in 0..self.plan.agents {
                    let share = f64::from(number) / f64::from(self.plan.agents.max(1));
                    let at = self.now + over.mul_f64(share);
                    self.agenda.put(at, Happening::Stops { agent: number });
                }
            }
            FleetAct::Finish { count, finish } => {
                for _ in 0..*count {
                    let delegation = self.next_delegation;
                    self.next_delegation += 1;
                    for number in 0..self.plan.agents {
                        let id = format!("d{delegation}-{number}");
                        self.seen.expected.insert((number, id.clone(), status_of(finish)));
                        end_delegation(&mut self.platform, number, &id, finish);
                    }
                }
            }
        }
    }

    fn platform_goes(&mut self, away: Duration) {
        self.platform_process += 1;
        self.seen.platform_goes(self.now);
        self.agenda.put(self.now + away, Happening::PlatformIsBack);
    }

    fn suspend(&mut self, percent: u8, lasts: Duration) {
        let (now, until) = (self.now, self.now + lasts);
        for number in (0..self.plan.agents).filter(|number| number % 100 < u32::from(percent)) {
            let Some(agent) = self.agents.get_mut(number as usize) else {
                continue;
            };
            agent.asleep_until = until;
            // What it had planned waits until it wakes.
            if agent.machine.is_some() && agent.planned.is_some_and(|planned| planned >= now) {
                let at = agent.planned.unwrap_or(until).max(until);
                agent.planned = Some(at);
                self.agenda.put(at, Happening::Wakes { agent: number });
            }
            self.tell_sleep(number, until);
        }
    }

    /// The agent is asked to stop; it is started again when it has ended.
    pub(super) fn stop(&mut self, number: u32) {
        let agent = self.agents.get(number as usize);
        if agent.is_some_and(|agent| agent.asleep_until <= self.now) {
            self.tell(number, Event::Stop);
        }
    }
}

fn end_delegation(platform: &mut Platform, number: u32, id: &str, finish: &Finish) {
    let new = NewDelegation {
        workspace: agent::name(number),
        target: "other".into(),
        task: "do something".into(),
        id: Some(id.into()),
        ..NewDelegation::default()
    };
    let _ = platform.make_delegation(new);
    let _ = platform.finish_delegation(id, finish);
}

/// How the core calls the end.
pub(super) const fn status_of(finish: &Finish) -> Status {
    match finish.outcome {
        FinishOutcome::Failed { .. } => Status::Failed,
        FinishOutcome::Completed { .. } | FinishOutcome::Queued | FinishOutcome::Drained { .. } => {
            Status::Completed
        }
    }
}
