//! The words of a scenario file, strictly: what is not known is refused.

use everbeat_core::{Announce, Backlog, Deliver, Notify, Report};
use everbeat_platform::{AgentMode, FaultEffect, FinishStyle, OutageKind, Route};
use serde::Deserialize;
use toml::Spanned;

use super::time::{Span, Step};
use crate::plan::{DiskTrouble, Folder, Lost, Names, Network, Odd, Setup};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) title: String,
    pub(super) shows: String,
    #[serde(default)]
    pub(super) seed: u64,
    /// What happens, happens within this.
    pub(super) lasts: Span,
    /// Then all faults end, and it goes on for so long.
    #[serde(default)]
    pub(super) healed: Span,
    #[serde(default)]
    pub(super) setup: SetupSpec,
    #[serde(default)]
    pub(super) fleet: Option<Spanned<FleetSpec>>,
    #[serde(default)]
    pub(super) happens: Vec<Spanned<Happening>>,
    pub(super) expect: Spanned<Expect>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SetupSpec {
    pub(super) interval: Span,
    pub(super) cooldown: Span,
    pub(super) deliver: Deliver,
    pub(super) announce: Announce,
    pub(super) notify: Notify,
    pub(super) backlog: Backlog,
    pub(super) registers: bool,
    pub(super) later_platform: bool,
    pub(super) turn: Span,
    pub(super) reads: bool,
    pub(super) leases: bool,
}

impl Default for SetupSpec {
    fn default() -> Self {
        let setup = Setup::default();
        let span = |ms| Span(std::time::Duration::from_millis(ms));
        Self {
            interval: span(setup.interval_ms),
            cooldown: span(setup.cooldown_ms),
            deliver: setup.deliver,
            announce: setup.announce,
            notify: setup.notify,
            backlog: setup.backlog,
            registers: setup.registers,
            later_platform: setup.later_platform,
            turn: span(setup.turn_ms),
            reads: setup.reads,
            leases: setup.leases,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetSpec {
    pub(super) agents: u32,
    /// From the first agent's start to the last one's.
    #[serde(default)]
    pub(super) started_over: Span,
    #[serde(default = "latency")]
    pub(super) latency: Span,
    #[serde(default = "jitter")]
    pub(super) jitter: Span,
}

fn latency() -> Span {
    Span(std::time::Duration::from_millis(20))
}

fn jitter() -> Span {
    Span(std::time::Duration::from_millis(200))
}

/// When, how often, and what: exactly one of the acts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Happening {
    pub(super) at: Span,
    /// Again after so long, up to `until` (the end of what happens).
    pub(super) every: Option<Span>,
    pub(super) until: Option<Span>,
    /// Each time later by a part of this, drawn from the seed.
    #[serde(default)]
    pub(super) within: Span,

    pub(super) finish: Option<FinishSpec>,
    pub(super) finish_foreign: Option<Yes>,
    pub(super) long_list: Option<u32>,
    pub(super) hostile_list: Option<HostileSpec>,
    pub(super) rotate_token: Option<RotateSpec>,
    pub(super) revoke_tokens: Option<Yes>,
    pub(super) fault: Option<FaultSpec>,
    pub(super) outage: Option<OutageSpec>,
    pub(super) rate_limit: Option<RateSpec>,
    pub(super) platform_skew: Option<Step>,
    pub(super) network: Option<NetworkSpec>,
    pub(super) partition: Option<PartitionSpec>,
    pub(super) slow_dns: Option<DnsSpec>,
    pub(super) agent: Option<AgentSpec>,
    pub(super) report: Option<ReportSpec>,
    pub(super) chatter: Option<ChatterSpec>,
    pub(super) kill: Option<KillSpec>,
    pub(super) power_loss: Option<PowerLossSpec>,
    pub(super) wipe_folder: Option<Yes>,
    pub(super) folder_gone: Option<GoneSpec>,
    pub(super) odd_results: Option<OddSpec>,
    pub(super) spoil_journal: Option<Yes>,
    pub(super) stop: Option<DownSpec>,
    pub(super) second_start: Option<SecondSpec>,
    pub(super) suspend: Option<Span>,
    pub(super) suspend_clock_stops: Option<Span>,
    pub(super) wall_step: Option<Step>,
    /// In percent.
    pub(super) wall_drift: Option<i8>,
    pub(super) read: Option<Yes>,
    pub(super) disk_fails: Option<DiskSpec>,
    pub(super) disk_error: Option<ErrorSpec>,
    pub(super) remount_read_only: Option<Span>,
    pub(super) disk_slow: Option<Span>,

    pub(super) platform_restart: Option<OutageSpec>,
    pub(super) platform_upgrade: Option<OutageSpec>,
    pub(super) suspend_some: Option<SuspendSpec>,
    pub(super) restart_agents_over: Option<Span>,
}

/// `true`, for an act that has nothing to say.
#[derive(Debug)]
pub(super) struct Yes;

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match bool::deserialize(deserializer)? {
            true => Ok(Self),
            false => Err(serde::de::Error::custom("only true makes sense: leave it out instead")),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FinishSpec {
    #[serde(default = "one")]
    pub(super) count: u32,
    /// The number of the first; the next free one by default.
    pub(super) first: Option<u32>,
    #[serde(default)]
    pub(super) failed: bool,
    #[serde(default)]
    pub(super) style: FinishStyle,
    pub(super) twin_late: Option<Span>,
    #[serde(default)]
    pub(super) missing_id: bool,
    #[serde(default)]
    pub(super) no_result_row: bool,
}

const fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostileSpec {
    pub(super) body: String,
    pub(super) polls: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateSpec {
    #[serde(default)]
    pub(super) file_late: Span,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultSpec {
    /// All routes by default.
    pub(super) on: Option<Route>,
    /// Until the faults end by default.
    pub(super) times: Option<u32>,
    pub(super) effect: FaultEffect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutageSpec {
    pub(super) lasts: Span,
    pub(super) kind: OutageKind,
}

/// A good network, but for what is said.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NetworkSpec {
    pub(super) latency: Span,
    pub(super) jitter: Span,
    /// Of 100 ways so many take up to `tail_to` longer.
    pub(super) tail: u8,
    pub(super) tail_to: Span,
    pub(super) refused: u8,
    pub(super) lost: u8,
    pub(super) answer_lost: u8,
    pub(super) reset: u8,
    pub(super) cut: u8,
    pub(super) doubled: u8,
}

impl Default for NetworkSpec {
    fn default() -> Self {
        let span = |ms| Span(std::time::Duration::from_millis(ms));
        let good = Network::GOOD;
        Self {
            latency: span(good.latency_ms),
            jitter: span(good.jitter_ms),
            tail: 0,
            tail_to: Span::default(),
            refused: 0,
            lost: 0,
            answer_lost: 0,
            reset: 0,
            cut: 0,
            doubled: 0,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentSpec {
    pub(super) answers: AgentMode,
    pub(super) turn: Span,
}

/// What the agent says; [`Report`] in strict words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ReportSpec {
    TaskStarted { id: String, title: String },
    TaskEnded { id: String },
    CurrentTask { title: String },
    Success,
    Error { message: String },
    Wedged { reason: String },
    WedgeCleared,
    Awaiting { delegation_id: String },
}

impl From<&ReportSpec> for Report {
    fn from(spec: &ReportSpec) -> Self {
        match spec {
            ReportSpec::TaskStarted { id, title } => {
                Self::TaskStarted { id: id.clone(), title: title.clone(), ttl: None }
            }
            ReportSpec::TaskEnded { id } => Self::TaskEnded { id: id.clone() },
            ReportSpec::CurrentTask { title } => Self::CurrentTask { title: title.clone() },
            ReportSpec::Success => Self::Success,
            ReportSpec::Error { message } => Self::Error { message: message.clone() },
            ReportSpec::Wedged { reason } => Self::Wedged { reason: reason.clone() },
            ReportSpec::WedgeCleared => Self::WedgeCleared,
            ReportSpec::Awaiting { delegation_id } => {
                Self::Awaiting { delegation_id: delegation_id.clone() }
            }
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KillSpec {
    #[serde(default)]
    pub(super) after_calls: u32,
    #[serde(default)]
    pub(super) down: Span,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PowerLossSpec {
    #[serde(default)]
    pub(super) down: Span,
    pub(super) names: Names,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateSpec {
    pub(super) per_minute: u32,
    pub(super) lasts: Span,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatterSpec {
    pub(super) times: u32,
    pub(super) every: Span,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoneSpec {
    pub(super) which: Folder,
    pub(super) lasts: Span,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OddSpec {
    pub(super) what: Odd,
    pub(super) lasts: Span,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DownSpec {
    #[serde(default)]
    pub(super) down: Span,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiskSpec {
    pub(super) how: DiskTrouble,
    /// Until the faults end by default.
    pub(super) calls: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorSpec {
    pub(super) after_calls: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecondSpec {
    #[serde(default)]
    pub(super) after_calls: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartitionSpec {
    pub(super) lasts: Span,
    pub(super) lost: Lost,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DnsSpec {
    pub(super) lasts: Span,
    /// For ever by default.
    pub(super) takes: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SuspendSpec {
    pub(super) percent: u8,
    pub(super) lasts: Span,
}

/// What must hold. Of a count, `_min` and `_max` include it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Expect {
    /// By number; `L1 always` and the like are asked of the whole run, not of
    /// the healed world alone.
    pub(super) promises: Vec<String>,
    pub(super) results: Option<u64>,
    pub(super) beats_min: Option<u64>,
    pub(super) beats_max: Option<u64>,
    pub(super) requests_max: Option<u64>,
    pub(super) silence_max: Option<Span>,
    pub(super) self_messages_min: Option<u64>,
    pub(super) self_messages_max: Option<u64>,
    pub(super) notifications_max: Option<u64>,
    pub(super) registrations_max: Option<u64>,
    pub(super) starts: Option<u64>,
    pub(super) log_lines_max: Option<u64>,
    pub(super) says: Vec<String>,
    pub(super) never_says: Vec<String>,

    /// Of a fleet: requests in any second from the platform's first going,
    /// over the mean of the last minute; refused ones are not counted.
    pub(super) peak_over_mean_max: Option<f64>,
    /// The same with what was refused while the platform was away.
    pub(super) tries_over_mean_max: Option<f64>,
    /// From the platform's return until all agents are online.
    pub(super) all_online_within: Option<Span>,
    pub(super) online: Option<u64>,
    pub(super) containers_restarted_max: Option<u64>,
}
