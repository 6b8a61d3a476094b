//! One agent of the fleet: as little as possible around its machine.

use std::time::Duration;

use everbeat_core::{Config, ConfigError, Heartbeat, Now, Secret, ValidConfig};

use super::FleetPlan;
use super::store::MemoryStore;

pub(super) struct Agent {
    /// `None` while no process runs.
    pub(super) machine: Option<Heartbeat>,
    pub(super) config: ValidConfig,
    /// 1 for the first.
    pub(super) process: u32,
    pub(super) token: Option<Secret>,
    pub(super) store: MemoryStore,
    /// The wake-up that is on the agenda.
    pub(super) planned: Option<Duration>,
    pub(super) asleep_until: Duration,
    /// Whether it was heard of since the platform came back.
    pub(super) is_back: bool,
}

impl Agent {
    pub(super) fn new(config: ValidConfig, token: Secret) -> Self {
        Self {
            machine: None,
            config,
            process: 0,
            token: Some(token),
            store: MemoryStore::default(),
            planned: None,
            asleep_until: Duration::ZERO,
            is_back: false,
        }
    }

    pub(super) fn start(&mut self, seed: u64, now: Now) {
        self.process += 1;
        self.machine = Some(Heartbeat::new(self.config.clone(), seed, now));
    }

    /// When its machine wants to be woken, in the fleet's time.
    pub(super) fn wakeup_at(&self, up_before: Duration) -> Option<Duration> {
        let wakeup = self.machine.as_ref()?.next_wakeup()?;
        Some(Duration::from_nanos(wakeup.at.as_nanos()).saturating_sub(up_before))
    }
}

/// The id of the agent's workspace.
pub(super) fn name(number: u32) -> String {
    format!("herd-{number:06}")
}

pub(super) fn config(plan: &FleetPlan, number: u32) -> Result<ValidConfig, ConfigError> {
    let mut config = Config::new(&name(number), "http://platform");
    config.interval = plan.interval;
    config.cooldown = plan.cooldown;
    if plan.registers {
        config.agent_url = Some("http://agent:8000".into());
        config.agent_card = Some(serde_json::json!({"name": "own"}).into());
    }
    config.validate()
}
