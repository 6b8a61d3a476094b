//! A day with every fault, the same each time.

use everbeat_core::Report;
use everbeat_platform::{AgentMode, FaultEffect, OutageKind, Route};
use everbeat_sim::dice::Dice;
use everbeat_sim::plan::{Act, DiskTrouble, Entry, Network, Plan, Setup, completed, failed};
use everbeat_sim::promises::watch::Watch;
use everbeat_sim::verdict::judge_traced;
use everbeat_sim::world::{TraceHeader, TraceLine};

const MINUTE: u64 = 60_000;

/// A traced run of so many hours, a fault every ten minutes.
pub(crate) fn traced(seed: u64, hours: u64) -> (TraceHeader, Vec<TraceLine>) {
    let plan = plan(seed, hours);
    let (judged, lines) = judge_traced(&plan, Watch::default()).unwrap();
    assert_eq!(judged.broken, []);
    (TraceHeader::of(plan), lines)
}

fn plan(seed: u64, hours: u64) -> Plan {
    let mut dice = Dice::new(seed);
    let setup = Setup { interval_ms: 5_000, cooldown_ms: 20_000, ..Setup::default() };
    let minutes = hours * 60;
    let mut entries = Vec::new();
    for number in 0..u32::try_from(minutes / 10).unwrap() {
        let at_ms = u64::from(number) * 10 * MINUTE + dice.below(5 * MINUTE);
        entries.push(Entry { at_ms, act: act(&mut dice, number) });
        entries.push(Entry { at_ms: at_ms + dice.below(4 * MINUTE), act: finishes(number) });
        if number % 12 == 6 {
            // What lasts until it is said otherwise ends.
            entries.push(Entry { at_ms: at_ms + 1, act: Act::Network { network: Network::GOOD } });
            entries.push(Entry { at_ms: at_ms + 2, act: Act::DiskSlow { ms: 0 } });
            let mode = AgentMode::Answers;
            entries.push(Entry { at_ms: at_ms + 3, act: Act::AgentMode { mode, turn_ms: 2_000 } });
        }
    }
    let faults_end_ms = (minutes - 30) * MINUTE;
    Plan { seed, setup, entries, faults_end_ms, healed_ms: 30 * MINUTE }
}

fn finishes(number: u32) -> Act {
    let finish = if number.is_multiple_of(3) { failed(number) } else { completed(number) };
    Act::Finish { first: number * 5, count: 1 + number % 4, finish }
}

fn act(dice: &mut Dice, number: u32) -> Act {
    let ms = 10_000 + dice.below(6 * MINUTE);
    let times = Some(1 + u32::try_from(dice.below(20)).unwrap());
    let fault = |route, effect| Act::Fault { route, times, effect };
    let status = FaultEffect::Status {
        status: 503,
        body: r#"{"error":"the database is away"}"#.into(),
        retry_after: Some("5".into()),
    };
    match number % 18 {
        0 => Act::Outage { ms, kind: OutageKind::Refuse },
        1 => Act::Kill { after_calls: 0, down_ms: ms / 4 },
        2 => fault(None, status),
        3 => Act::Network {
            network: Network { jitter_ms: 800, lost: 5, answer_lost: 5, cut: 4, ..Network::GOOD },
        },
        4 => Act::DiskFails { how: DiskTrouble::Full, calls: Some(12) },
        5 => Act::AgentMode { mode: AgentMode::Busy { native_session: false }, turn_ms: ms },
        6 => Act::Suspend { ms, clock_stops: false },
        7 => Act::RotateToken { file_late_ms: ms / 8 },
        8 => Act::Outage { ms, kind: OutageKind::BadGateway },
        9 => Act::FinishForeign { number },
        10 => Act::Kill { after_calls: 7, down_ms: ms / 9 },
        11 => fault(Some(Route::Delegations), FaultEffect::Garbage),
        12 => Act::DiskSlow { ms: 300 },
        13 => Act::Report { report: Report::Error { message: "it broke".into() } },
        14 => Act::WallStep { ms: -3_600_000 },
        15 => Act::Stop { down_ms: ms / 5 },
        16 => fault(Some(Route::Heartbeat), FaultEffect::Hang { acts: true }),
        _ => Act::HostileList {
            body: "[null,{\"delegation_id\":\"</script>\u{2028}\"}]".into(),
            times: 2,
        },
    }
}
