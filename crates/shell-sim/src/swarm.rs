//! From a seed to a plan: which kinds of fault are on at all, and how often.

mod hostile;

use std::time::Duration;

use everbeat_core::{Announce, Backlog, Deliver, Notify, Report, RuntimeMetadata, TaskReport};
use everbeat_platform::{AgentMode, FaultEffect, Finish, FinishStyle, OutageKind, Route};
use serde::Serialize;

use crate::dice::Dice;
use crate::plan::{
    Act, DiskTrouble, Entry, Folder, Lost, Names, Network, Odd, Plan, Setup, completed, failed,
};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// How long results keep coming in a busy hour.
const BUSY_MS: u64 = 50 * MINUTE;

/// How long the healed world is watched.
pub const HEALED_MS: u64 = 40 * MINUTE;
/// When in the healed world something finishes once more.
pub const FINISH_AGAIN_MS: [u64; 3] = [6 * MINUTE, 12 * MINUTE, 20 * MINUTE];

/// What a seed has drawn: the mean number in an hour of each kind of act.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Swarm {
    /// The seed.
    pub seed: u64,
    /// How long the faults last, in hours.
    pub hours: u64,
    /// Kinds that are on, with how often in an hour, in tenths.
    pub tenths_an_hour: Vec<(&'static str, u64)>,
    /// Kinds that are off.
    pub off: Vec<&'static str>,
    /// When an hour begins in which results keep coming, one by one, so that
    /// the hour's self-messages are used up; milliseconds from the start.
    pub busy_hour_at_ms: Option<u64>,
}

/// Draws one act of a kind.
type Draw = fn(&mut Drawing) -> Act;

/// Groups of acts, each switched on or off as one.
const KINDS: [(&str, Draw); 25] = [
    ("finishes", Drawing::finish),
    ("bursts", Drawing::burst),
    ("foreign", |drawing| Act::FinishForeign { number: drawing.below_u32(40) }),
    ("hostile lists", Drawing::hostile),
    ("kills", Drawing::kill),
    ("power losses", Drawing::power_loss),
    ("stops", |drawing| Act::Stop { down_ms: drawing.dice.below(2 * MINUTE) }),
    ("second starts", |drawing| Act::SecondStart { after_calls: drawing.below_u32(60) }),
    ("sleeps", Drawing::sleep),
    ("clocks", Drawing::clock),
    ("tokens", Drawing::token),
    ("reads", Drawing::read),
    ("retunes", Drawing::retune),
    ("reports", Drawing::report),
    ("chatter", Drawing::chatter),
    ("agent modes", Drawing::agent_mode),
    ("platform faults", Drawing::fault),
    ("rate limits", Drawing::rate_limit),
    ("outages", Drawing::outage),
    ("platform restarts", Drawing::platform_restart),
    ("platform upgrade", Drawing::platform_upgrade),
    ("network", Drawing::network),
    ("partitions", Drawing::partition),
    ("names", Drawing::slow_dns),
    ("disk", Drawing::disk),
];

/// Draws a swarm and expands it into its plan.
#[must_use]
pub fn draw(seed: u64, hours: u64) -> (Swarm, Plan) {
    let mut drawing = Drawing { dice: Dice::new(seed ^ 0x5EED), next_delegation: 0 };
    let mut setup = drawing.setup();
    let mut swarm =
        Swarm { seed, hours, tenths_an_hour: Vec::new(), off: Vec::new(), busy_hour_at_ms: None };
    let mut entries = Vec::new();
    for (name, act) in KINDS {
        // A third of all kinds is off, so that the others meet in new ways.
        let is_always_on = name == "finishes";
        if drawing.dice.below(3) == 0 && !is_always_on {
            swarm.off.push(name);
            continue;
        }
        let tenths = [2, 10, 30, 80][drawing.below(4)];
        swarm.tenths_an_hour.push((name, tenths));
        let count = drawing.dice.below(tenths * hours / 5 + 2);
        for _ in 0..count {
            let at_ms = drawing.dice.below(hours * HOUR);
            entries.push(Entry { at_ms, act: act(&mut drawing) });
        }
    }
    // Long enough before the end that the budget has room again by then.
    if hours >= 3 && drawing.dice.below(12) == 0 {
        let at_ms = drawing.dice.below((hours - 2) * HOUR);
        setup = Setup { cooldown_ms: 5_000, turn_ms: 500, interval_ms: 30_000, ..setup };
        swarm.busy_hour_at_ms = Some(at_ms);
        // Little else happens then: each result makes a message of its own.
        let busy = at_ms..at_ms + BUSY_MS;
        entries.retain(|entry| !busy.contains(&entry.at_ms));
        entries.extend(drawing.busy_hour(at_ms));
    }
    let faults_end_ms = hours * HOUR;
    for (number, after) in (0_u32..).zip(FINISH_AGAIN_MS) {
        let act = Act::Finish { first: 9_000 + number * 10, count: 2, finish: completed(number) };
        entries.push(Entry { at_ms: faults_end_ms + after, act });
    }
    let rotate = Act::RotateToken { file_late_ms: 0 };
    entries.push(Entry { at_ms: faults_end_ms + 30 * MINUTE, act: rotate });
    entries.sort_by_key(|entry| entry.at_ms);
    (swarm, Plan { seed, setup, entries, faults_end_ms, healed_ms: HEALED_MS })
}

struct Drawing {
    dice: Dice,
    next_delegation: u32,
}

impl Drawing {
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.dice.below(limit as u64)).unwrap_or_default()
    }

    fn below_u32(&mut self, limit: u32) -> u32 {
        u32::try_from(self.dice.below(limit.into())).unwrap_or_default()
    }

    fn share(&mut self) -> u8 {
        u8::try_from(self.dice.below(12)).unwrap_or_default()
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn setup(&mut self) -> Setup {
        Setup {
            interval_ms: self.one(&[5_000, 30_000, 30_000, 60_000]),
            cooldown_ms: self.one(&[5_000, 60_000, 60_000]),
            deliver: Deliver::All,
            announce: self.one(&[Announce::Summary, Announce::Summary, Announce::Ids]),
            notify: self.one(&[Notify::Failures, Notify::All, Notify::None]),
            registers: self.one(&[true, false]),
            later_platform: self.one(&[true, false]),
            turn_ms: self.one(&[500, 20_000, 200_000]),
            backlog: if self.dice.below(8) == 0 { Backlog::None } else { Backlog::All },
            leases: self.one(&[false, false, true]),
            ..Setup::default()
        }
    }

    /// Ids are taken again now and then: a delegation may end once more.
    fn delegations(&mut self, count: u32) -> u32 {
        if self.dice.below(8) == 0 {
            return self.below_u32(self.next_delegation + 1);
        }
        self.next_delegation += count;
        self.next_delegation - count
    }

    fn finish(&mut self) -> Act {
        let count = 1 + self.below_u32(4);
        let first = self.delegations(count);
        let finish = if self.dice.below(3) == 0 { failed(first) } else { completed(first) };
        let finish = Finish {
            style: self.one(&[FinishStyle::Delegate, FinishStyle::Update]),
            twin_late_ms: self.one(&[None, Some(3_000), Some(40_000)]),
            missing_id: self.dice.below(16) == 0,
            no_result_row: self.dice.below(16) == 0,
            ..finish
        };
        Act::Finish { first, count, finish }
    }

    fn busy_hour(&mut self, from_ms: u64) -> Vec<Entry> {
        let calm = [
            Act::Network { network: Network::GOOD },
            Act::AgentMode { mode: AgentMode::Answers, turn_ms: 500 },
            Act::DiskSlow { ms: 0 },
        ];
        let mut entries: Vec<Entry> =
            calm.into_iter().map(|act| Entry { at_ms: from_ms, act }).collect();
        for at_ms in (from_ms..from_ms + BUSY_MS).step_by(40_000) {
            let first = self.next_delegation;
            self.next_delegation += 1;
            let act = Act::Finish { first, count: 1, finish: failed(first) };
            entries.push(Entry { at_ms, act });
        }
        entries
    }

    fn burst(&mut self) -> Act {
        if self.dice.below(4) == 0 {
            let first = self.below_u32(50) * 200;
            return Act::LongList { first, rows: 1 + self.below_u32(250) };
        }
        let count = 5 + self.below_u32(40);
        let first = self.delegations(count);
        Act::Finish { first, count, finish: failed(first) }
    }

    fn hostile(&mut self) -> Act {
        let times = 1 + self.below_u32(3);
        let spoils = self.dice.below(2) == 0;
        let body = if spoils { self.spoiled_list() } else { self.bad_list().into() };
        Act::HostileList { body, times }
    }

    fn kill(&mut self) -> Act {
        let after_calls = if self.dice.below(3) == 0 { 0 } else { 1 + self.below_u32(80) };
        Act::Kill { after_calls, down_ms: self.dice.below(3 * MINUTE) }
    }

    fn power_loss(&mut self) -> Act {
        match self.dice.below(8) {
            0 => Act::WipeFolder,
            1 => Act::SpoilJournal,
            2 => Act::OddResults {
                what: self.one(&[Odd::Folder, Odd::Link, Odd::Fifo, Odd::Foreign]),
                ms: self.dice.below(20 * MINUTE),
            },
            _ => Act::PowerLoss {
                down_ms: self.dice.below(3 * MINUTE),
                names: self.one(&[Names::Prefix, Names::Subset, Names::SubsetByName]),
            },
        }
    }

    fn sleep(&mut self) -> Act {
        let ms = 3 * MINUTE + self.dice.below(30 * MINUTE);
        Act::Suspend { ms, clock_stops: self.dice.below(2) == 0 }
    }

    fn clock(&mut self) -> Act {
        let day = i64::try_from(24 * HOUR).unwrap_or_default();
        let far = i64::try_from(self.dice.below(48 * HOUR)).unwrap_or_default();
        match self.dice.below(3) {
            0 => Act::WallStep { ms: far - day },
            1 => Act::WallDrift { percent: self.one(&[-5, -1, 0, 1, 5]) },
            _ => Act::PlatformSkew { ms: far - day },
        }
    }

    fn token(&mut self) -> Act {
        match self.dice.below(4) {
            0 => Act::RevokeTokens,
            _ => Act::RotateToken { file_late_ms: self.one(&[0, 5_000, 70_000]) },
        }
    }

    fn read(&mut self) -> Act {
        if self.dice.below(2) == 0 {
            return Act::Read;
        }
        Act::Lease { holds_ms: self.one(&[Some(0), Some(5_000), Some(90_000), None]) }
    }

    fn retune(&mut self) -> Act {
        Act::Retune {
            announce: self.one(&[Announce::Summary, Announce::Ids]),
            notify: self.one(&[Notify::Failures, Notify::All, Notify::None]),
        }
    }

    fn report(&mut self) -> Act {
        let ttl = self.one(&[None, Some(Duration::from_secs(90))]);
        let id = || "t".to_owned();
        let title = || "write a report".to_owned();
        let report = match self.dice.below(14) {
            0 | 1 => Report::TaskStarted { id: id(), title: title(), ttl },
            2 => {
                let task = TaskReport { id: id(), title: title(), ttl };
                Report::TaskList { tasks: vec![task], current_task: None }
            }
            3 => Report::TaskEnded { id: id() },
            4 => Report::CurrentTask { title: "think".into() },
            5 => Report::Success,
            6 => Report::Error { message: "it \0 broke".into() },
            7 => Report::Outcomes { count: 3, error: self.one(&[None, Some("again".into())]) },
            8 => Report::Wedged { reason: "no model".into() },
            9 => Report::WedgeCleared,
            10 => Report::Metadata(RuntimeMetadata {
                capabilities: [("session".to_owned(), true)].into(),
                idle_timeout_seconds: Some(600),
            }),
            11 => Report::Awaiting { delegation_id: "d1".into() },
            12 => Report::AwaitDropped { delegation_id: "d1".into() },
            _ => Report::BeatNow,
        };
        Act::Report { report }
    }

    fn chatter(&mut self) -> Act {
        Act::Chatter { times: 1 + self.below_u32(300), every_ms: self.one(&[1, 50, 1_000, 9_000]) }
    }

    fn rate_limit(&mut self) -> Act {
        let per_minute = self.one(&[1, 4, 20]);
        Act::RateLimit { per_minute, ms: self.dice.below(20 * MINUTE) }
    }

    fn agent_mode(&mut self) -> Act {
        let mode = self.one(&[
            AgentMode::Answers,
            AgentMode::Answers,
            AgentMode::RpcError,
            AgentMode::Queues,
            AgentMode::Busy { native_session: false },
            AgentMode::Waking,
            AgentMode::Restarting,
            AgentMode::NoBudget,
            AgentMode::Unreachable,
            AgentMode::AnswerLost { delivery_confirmed: true },
            AgentMode::Status { status: 500 },
        ]);
        Act::AgentMode { mode, turn_ms: self.dice.below(5 * MINUTE) }
    }

    fn fault(&mut self) -> Act {
        let route = self.one(&[
            None,
            Some(Route::Heartbeat),
            Some(Route::Delegations),
            Some(Route::A2a),
            Some(Route::Notify),
            Some(Route::Workspace),
            Some(Route::Register),
        ]);
        let effect = match self.dice.below(10) {
            0..=2 => FaultEffect::Status {
                status: self.one(&[301, 400, 401, 403, 404, 409, 429, 500, 502, 503, 524]),
                body: self.one(&["", "{\"error\":\"no\"}", "<html>"]).to_owned(),
                retry_after: self
                    .one(&[None, Some("0"), Some("7"), Some("100000"), Some("soon")])
                    .map(str::to_owned),
            },
            3 => FaultEffect::Delay { ms: self.dice.below(4 * MINUTE) },
            4 => FaultEffect::Hang { acts: self.dice.below(2) == 0 },
            5 => FaultEffect::Refuse,
            6 => FaultEffect::Cut { bytes: self.below(300) },
            7 => FaultEffect::Garbage,
            8 => FaultEffect::Oversize { bytes: 2 << 20 },
            _ => FaultEffect::Trickle { period_ms: 1 + self.dice.below(1_000) },
        };
        Act::Fault { route, times: Some(1 + self.below_u32(30)), effect }
    }

    fn outage(&mut self) -> Act {
        let ms = self.one(&[20_000, 3 * MINUTE, 20 * MINUTE, 3 * HOUR]);
        let kind = self.one(&[
            OutageKind::Refuse,
            OutageKind::BadGateway,
            OutageKind::Hang,
            OutageKind::Unauthorized,
            OutageKind::Unavailable,
        ]);
        Act::Outage { ms: self.dice.below(ms), kind }
    }

    /// How a platform that was replaced shows: nobody listens, or a proxy says
    /// so.
    fn away(&mut self) -> (u64, OutageKind) {
        let kind = self.one(&[OutageKind::Refuse, OutageKind::BadGateway]);
        (self.dice.below(2 * MINUTE), kind)
    }

    fn platform_restart(&mut self) -> Act {
        let (away_ms, kind) = self.away();
        Act::PlatformRestart { away_ms, kind }
    }

    fn platform_upgrade(&mut self) -> Act {
        let (away_ms, kind) = self.away();
        Act::PlatformUpgrade { away_ms, kind }
    }

    fn partition(&mut self) -> Act {
        let lost = self.one(&[Lost::Requests, Lost::Answers, Lost::Both]);
        let most = self.one(&[10_000, 2 * MINUTE, 20 * MINUTE]);
        Act::Partition { ms: self.dice.below(most), lost }
    }

    fn slow_dns(&mut self) -> Act {
        let takes_ms = self.one(&[Some(300), Some(4_000), Some(15_000), None]);
        let most = self.one(&[MINUTE, 10 * MINUTE]);
        Act::SlowDns { takes_ms, ms: self.dice.below(most) }
    }

    fn network(&mut self) -> Act {
        if self.dice.below(3) == 0 {
            return Act::Network { network: Network::GOOD };
        }
        let network = Network {
            latency_ms: self.one(&[1, 40, 400]),
            jitter_ms: self.one(&[5, 300, 5_000]),
            tail: self.one(&[0, 2, 10]),
            tail_ms: self.one(&[2_000, 20_000, 90_000]),
            refused: self.share(),
            lost: self.share(),
            answer_lost: self.share(),
            reset: self.share(),
            cut: self.share(),
            doubled: self.share(),
        };
        Act::Network { network }
    }

    fn disk(&mut self) -> Act {
        match self.dice.below(7) {
            0 | 1 => return Act::DiskSlow { ms: self.one(&[0, 50, 3_000, 20_000]) },
            2 => return Act::DiskError { after_calls: self.below_u32(100) },
            3 => return Act::RemountReadOnly { ms: self.dice.below(10 * MINUTE) },
            4 => {
                let which = self.one(&[Folder::Results, Folder::State]);
                return Act::FolderGone { which, ms: self.dice.below(10 * MINUTE) };
            }
            _ => {}
        }
        let how = self.one(&[DiskTrouble::Full, DiskTrouble::ReadOnly, DiskTrouble::Broken]);
        Act::DiskFails { how, calls: Some(1 + self.below_u32(60)) }
    }
}
