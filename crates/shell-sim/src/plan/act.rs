//! What can be done to the world.

use everbeat_core::{Announce, Notify, Report};
use everbeat_platform::{AgentMode, FaultEffect, Finish, OutageKind, Route};
use serde::{Deserialize, Serialize};

use super::Network;

/// What can be done to the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Delegations are made and end so, all at once.
    Finish {
        /// The first one is `d<first>`.
        first: u32,
        /// How many.
        count: u32,
        /// How they end.
        finish: Finish,
    },
    /// The same, but another workspace is their source.
    FinishForeign {
        /// It is `f<number>`.
        number: u32,
    },
    /// A list of so many failed delegations of its own, `m<first>` and on, is
    /// answered once.
    LongList {
        /// The first one's number.
        first: u32,
        /// How many rows.
        rows: u32,
    },
    /// A list of any bytes is answered this often.
    HostileList {
        /// The body.
        body: String,
        /// For how many polls.
        times: u32,
    },
    /// The token is replaced; the file follows later.
    RotateToken {
        /// How much later.
        file_late_ms: u64,
    },
    /// The tokens are revoked: the next registration mints one.
    RevokeTokens,
    /// A fault of the platform.
    Fault {
        /// On which route; `None` for all.
        route: Option<Route>,
        /// How often; `None` until the faults end.
        times: Option<u32>,
        /// What goes wrong.
        effect: FaultEffect,
    },
    /// The platform is away.
    Outage {
        /// For so long.
        ms: u64,
        /// How it shows.
        kind: OutageKind,
    },
    /// The platform's process ends and comes back: answers that were under way
    /// are cut, what only it knew is forgotten.
    PlatformRestart {
        /// For so long it is away.
        away_ms: u64,
        /// How that shows.
        kind: OutageKind,
    },
    /// The same, and what comes back is the later version, over the same
    /// database: ledger rows, generation, inbound secret.
    PlatformUpgrade {
        /// For so long it is away.
        away_ms: u64,
        /// How that shows.
        kind: OutageKind,
    },
    /// The platform's wall clock is wrong from now on.
    PlatformSkew {
        /// By so much.
        ms: i64,
    },
    /// The network is parted, perhaps in one direction only; nobody is told.
    Partition {
        /// For so long.
        ms: u64,
        /// What is lost.
        lost: Lost,
    },
    /// The platform's name is resolved slowly, or not at all: a request leaves
    /// only then, if the agent still waits.
    SlowDns {
        /// So long it takes; for ever if `None`.
        takes_ms: Option<u64>,
        /// For so long.
        ms: u64,
    },
    /// The platform refuses what is more than this, for a while.
    RateLimit {
        /// Requests of all kinds in a minute.
        per_minute: u32,
        /// For so long.
        ms: u64,
    },
    /// The way to the platform.
    Network {
        /// How it is from now on.
        network: Network,
    },
    /// How the agent answers when it is woken.
    AgentMode {
        /// The mode.
        mode: AgentMode,
        /// Its turn.
        turn_ms: u64,
    },
    /// The agent says something.
    Report {
        /// What.
        report: Report,
    },
    /// The agent begins something else again and again.
    Chatter {
        /// How often.
        times: u32,
        /// From one to the next.
        every_ms: u64,
    },
    /// The process is killed.
    Kill {
        /// After so many more calls on files; at once if 0.
        after_calls: u32,
        /// Until it is started again.
        down_ms: u64,
    },
    /// The machine loses its power: what was not synced may be gone.
    PowerLoss {
        /// Until the process is started again.
        down_ms: u64,
        /// Which changes of names survive.
        names: Names,
    },
    /// The results' folder is made anew, empty.
    WipeFolder,
    /// A folder is away for a while, and comes back as it was: a volume that
    /// was unmounted. Nobody can make it anew meanwhile.
    FolderGone {
        /// Which.
        which: Folder,
        /// For so long.
        ms: u64,
    },
    /// Something odd stands at the results path for a while, if nothing else
    /// does.
    OddResults {
        /// What.
        what: Odd,
        /// For so long.
        ms: u64,
    },
    /// The journal's middle is overwritten while the process is down.
    SpoilJournal,
    /// A second process is started on the same files. Where the first one
    /// holds the lock, it must be refused and change nothing; where not, it
    /// opens the store and ends.
    SecondStart {
        /// After so many more calls on files; at once if 0.
        after_calls: u32,
    },
    /// The process is asked to stop.
    Stop {
        /// Until it is started again, from its end.
        down_ms: u64,
    },
    /// The machine sleeps: no process runs, the platform goes on.
    Suspend {
        /// For so long.
        ms: u64,
        /// Whether its monotonic clock sleeps, too, as that of a frozen
        /// container: then nothing tells the agent that it slept.
        #[serde(default, skip_serializing_if = "is_false")]
        clock_stops: bool,
    },
    /// The wall clock jumps.
    WallStep {
        /// By so much.
        ms: i64,
    },
    /// The wall clock runs fast or slow against the monotonic one.
    WallDrift {
        /// By so many percent; slow if negative. 0 ends it.
        percent: i8,
    },
    /// The agent takes its results by renaming, in some other turn.
    Read,
    /// The agent takes its results under a lease, in some other turn.
    Lease {
        /// It acknowledges after so long; never if `None`, since it is gone.
        holds_ms: Option<u64>,
    },
    /// The agent is configured anew as it runs, until it is started again.
    Retune {
        /// What a self-message says.
        announce: Announce,
        /// What the user is told.
        notify: Notify,
    },
    /// File calls of the agent fail from now on.
    DiskFails {
        /// How.
        how: DiskTrouble,
        /// For so many calls; `None` until the faults end.
        calls: Option<u32>,
    },
    /// A single file call fails, and those after it work again.
    DiskError {
        /// After so many more calls.
        after_calls: u32,
    },
    /// The file system is remounted read-only, and back.
    RemountReadOnly {
        /// For so long.
        ms: u64,
    },
    /// Every command on files takes so long.
    DiskSlow {
        /// Milliseconds.
        ms: u64,
    },
}

/// For serde, which asks by reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Act {
    /// A word for it, and for what goes wrong with it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Finish { .. } => "finish",
            Self::FinishForeign { .. } => "finish_foreign",
            Self::LongList { .. } => "long_list",
            Self::HostileList { .. } => "hostile_list",
            Self::RotateToken { .. } => "rotate_token",
            Self::RevokeTokens => "revoke_tokens",
            Self::Fault { effect, .. } => match effect {
                FaultEffect::Status { .. } => "fault_status",
                FaultEffect::Delay { .. } => "fault_delay",
                FaultEffect::Hang { .. } => "fault_hang",
                FaultEffect::Refuse => "fault_refuse",
                FaultEffect::Cut { .. } => "fault_cut",
                FaultEffect::Garbage => "fault_garbage",
                FaultEffect::Oversize { .. } => "fault_oversize",
                FaultEffect::Trickle { .. } => "fault_trickle",
            },
            Self::Outage { kind, .. } => match kind {
                OutageKind::Refuse => "outage_refuse",
                OutageKind::BadGateway => "outage_bad_gateway",
                OutageKind::Hang => "outage_hang",
                OutageKind::Unauthorized => "outage_unauthorized",
                OutageKind::Unavailable => "outage_unavailable",
            },
            Self::PlatformRestart { .. } => "platform_restart",
            Self::PlatformUpgrade { .. } => "platform_upgrade",
            Self::PlatformSkew { .. } => "platform_skew",
            Self::Partition { lost, .. } => match lost {
                Lost::Requests => "partition_requests",
                Lost::Answers => "partition_answers",
                Lost::Both => "partition_both",
            },
            Self::SlowDns { takes_ms: Some(_), .. } => "dns_slow",
            Self::SlowDns { takes_ms: None, .. } => "dns_never",
            Self::Network { .. } => "network",
            Self::AgentMode { .. } => "agent_mode",
            Self::Report { .. } => "report",
            Self::Chatter { .. } => "chatter",
            Self::RateLimit { .. } => "rate_limit",
            Self::Kill { after_calls: 0, .. } => "kill",
            Self::Kill { .. } => "kill_between_calls",
            Self::PowerLoss { names, .. } => match names {
                Names::Prefix => "power_loss_prefix",
                Names::Subset => "power_loss_subset",
                Names::SubsetByName => "power_loss_by_name",
            },
            Self::WipeFolder => "wipe_folder",
            Self::FolderGone { which: Folder::Results, .. } => "results_folder_gone",
            Self::FolderGone { which: Folder::State, .. } => "state_folder_gone",
            Self::OddResults { what, .. } => match what {
                Odd::Folder => "odd_folder",
                Odd::Link => "odd_link",
                Odd::Fifo => "odd_fifo",
                Odd::Foreign => "odd_foreign_file",
            },
            Self::SpoilJournal => "spoil_journal",
            Self::Stop { .. } => "stop",
            Self::SecondStart { .. } => "second_start",
            Self::Suspend { clock_stops: false, .. } => "suspend",
            Self::Suspend { clock_stops: true, .. } => "suspend_clock_stops",
            Self::WallStep { .. } => "wall_step",
            Self::WallDrift { .. } => "wall_drift",
            Self::Read => "read",
            Self::Lease { holds_ms: Some(_) } => "lease",
            Self::Lease { holds_ms: None } => "lease_abandoned",
            Self::Retune { .. } => "retune",
            Self::DiskFails { how, .. } => match how {
                DiskTrouble::Full => "disk_full",
                DiskTrouble::ReadOnly => "disk_read_only",
                DiskTrouble::Broken => "disk_broken",
            },
            Self::DiskError { .. } => "disk_error",
            Self::RemountReadOnly { .. } => "remount_read_only",
            Self::DiskSlow { .. } => "disk_slow",
        }
    }

    /// Every name there is, in order.
    pub const NAMES: [&'static str; 61] = [
        "finish",
        "finish_foreign",
        "long_list",
        "hostile_list",
        "rotate_token",
        "revoke_tokens",
        "fault_status",
        "fault_delay",
        "fault_hang",
        "fault_refuse",
        "fault_cut",
        "fault_garbage",
        "fault_oversize",
        "fault_trickle",
        "outage_refuse",
        "outage_bad_gateway",
        "outage_hang",
        "outage_unauthorized",
        "outage_unavailable",
        "platform_restart",
        "platform_upgrade",
        "platform_skew",
        "partition_requests",
        "partition_answers",
        "partition_both",
        "dns_slow",
        "dns_never",
        "network",
        "agent_mode",
        "report",
        "chatter",
        "rate_limit",
        "kill",
        "kill_between_calls",
        "power_loss_prefix",
        "power_loss_subset",
        "power_loss_by_name",
        "wipe_folder",
        "results_folder_gone",
        "state_folder_gone",
        "odd_folder",
        "odd_link",
        "odd_fifo",
        "odd_foreign_file",
        "spoil_journal",
        "stop",
        "second_start",
        "suspend",
        "suspend_clock_stops",
        "wall_step",
        "wall_drift",
        "read",
        "lease",
        "lease_abandoned",
        "retune",
        "disk_full",
        "disk_read_only",
        "disk_broken",
        "disk_error",
        "remount_read_only",
        "disk_slow",
    ];

    /// How many delegations end by it.
    #[must_use]
    pub fn finishes(&self) -> usize {
        if let Self::Finish { count, .. } = self {
            usize::try_from(*count).unwrap_or(usize::MAX)
        } else {
            0
        }
    }

    /// Whether it leaves the agent with a token that is refused, or takes its
    /// token away.
    #[must_use]
    pub const fn touches_tokens(&self) -> bool {
        matches!(self, Self::RotateToken { .. } | Self::RevokeTokens)
    }

    /// Whether it can undo what was durable, so that only *at least once* is
    /// left of *exactly once*.
    #[must_use]
    pub const fn can_undo(&self) -> bool {
        matches!(self, Self::PowerLoss { .. } | Self::WipeFolder | Self::SpoilJournal)
    }
}

/// Which of a folder's unsynced changes survive a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Names {
    /// Some first ones, in order.
    Prefix,
    /// Any of them.
    Subset,
    /// Any of them, and a removal acts on whatever stands at the name.
    SubsetByName,
}

/// A folder of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Folder {
    /// The one that the results file lies in.
    Results,
    /// The one that the journal lies in.
    State,
}

/// What can stand in the results file's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Odd {
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A FIFO.
    Fifo,
    /// A regular file of another user.
    Foreign,
}

/// What a parted network loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    /// What the agent sends.
    Requests,
    /// What the platform answers: it acts, and the agent never learns of it.
    Answers,
    /// All.
    Both,
}

impl Lost {
    pub(crate) const fn loses_requests(self) -> bool {
        matches!(self, Self::Requests | Self::Both)
    }

    pub(crate) const fn loses_answers(self) -> bool {
        matches!(self, Self::Answers | Self::Both)
    }
}

/// How file calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskTrouble {
    /// No space: writes fail, perhaps half done.
    Full,
    /// A read-only file system.
    ReadOnly,
    /// Whatever is tried fails.
    Broken,
}
