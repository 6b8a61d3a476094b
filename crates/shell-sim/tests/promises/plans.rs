//! Plans, drawn so that each promise meets what could break it.

use std::time::Duration;

use everbeat_core::Report;
use everbeat_platform::{AgentMode, FaultEffect, FinishStyle, OutageKind, Route};
use everbeat_sim::plan::{Act, DiskTrouble, Entry, Network, Plan, Setup, completed, failed};
use proptest::prelude::*;

/// Milliseconds in a minute.
const MINUTE: u64 = 60_000;

/// A plan of these acts within `minutes`, then a healed world for as long as
/// every wait of the agent can take.
pub(crate) fn plan(
    minutes: u64,
    acts: impl Strategy<Value = Act> + 'static,
    most: usize,
) -> BoxedStrategy<Plan> {
    let entry = (0..minutes * MINUTE, acts).prop_map(|(at_ms, act)| Entry { at_ms, act });
    (any::<u64>(), setup(), proptest::collection::vec(entry, 1..most))
        .prop_map(move |(seed, setup, entries)| Plan {
            seed,
            setup,
            entries,
            faults_end_ms: minutes * MINUTE,
            healed_ms: 30 * MINUTE,
        })
        .boxed()
}

fn setup() -> impl Strategy<Value = Setup> {
    let interval = prop_oneof![Just(5_000_u64), Just(30_000), Just(60_000)];
    let cooldown = prop_oneof![Just(5_000_u64), Just(60_000)];
    let turn = prop_oneof![Just(500_u64), Just(20_000), Just(200_000)];
    (interval, cooldown, turn, any::<bool>()).prop_map(
        |(interval_ms, cooldown_ms, turn_ms, registers)| Setup {
            interval_ms,
            cooldown_ms,
            turn_ms,
            registers,
            ..Setup::default()
        },
    )
}

/// Delegations that end, in every order of their rows.
pub(crate) fn finishes() -> BoxedStrategy<Act> {
    let style = prop_oneof![Just(FinishStyle::Delegate), Just(FinishStyle::Update)];
    let late = prop_oneof![Just(None), (0..20_000_u64).prop_map(Some)];
    (0..60_u32, 1..5_u32, any::<bool>(), style, late)
        .prop_map(|(first, count, fails, style, twin_late_ms)| {
            let finish = if fails { failed(first) } else { completed(first) };
            let finish = everbeat_platform::Finish { style, twin_late_ms, ..finish };
            Act::Finish { first: first * 5, count, finish }
        })
        .boxed()
}

/// Bursts larger than the platform's window.
pub(crate) fn bursts() -> BoxedStrategy<Act> {
    (0..20_u32, 1..20_u32)
        .prop_map(|(first, count)| Act::Finish {
            first: 10_000 + first * 20,
            count,
            finish: failed(first),
        })
        .boxed()
}

pub(crate) fn foreign() -> BoxedStrategy<Act> {
    (0..20_u32).prop_map(|number| Act::FinishForeign { number }).boxed()
}

pub(crate) fn kills() -> BoxedStrategy<Act> {
    let calls = prop_oneof![Just(0_u32), 1..60_u32];
    (calls, 0..90_000_u64)
        .prop_map(|(after_calls, down_ms)| Act::Kill { after_calls, down_ms })
        .boxed()
}

pub(crate) fn stops() -> BoxedStrategy<Act> {
    (0..90_000_u64).prop_map(|down_ms| Act::Stop { down_ms }).boxed()
}

pub(crate) fn sleeps() -> BoxedStrategy<Act> {
    let ms = prop_oneof![MINUTE * 3..MINUTE * 10, Just(8 * 60 * MINUTE)];
    ms.prop_map(|ms| Act::Suspend { ms, clock_stops: false }).boxed()
}

pub(crate) fn wall_steps() -> BoxedStrategy<Act> {
    let steps = (-86_400_000_i64..86_400_000).prop_map(|ms| Act::WallStep { ms });
    let drifts = (-5..=5_i8).prop_map(|percent| Act::WallDrift { percent });
    prop_oneof![2 => steps, 1 => drifts].boxed()
}

pub(crate) fn rotations(late_ms: u64) -> BoxedStrategy<Act> {
    (0..late_ms).prop_map(|file_late_ms| Act::RotateToken { file_late_ms }).boxed()
}

pub(crate) fn reads() -> BoxedStrategy<Act> {
    Just(Act::Read).boxed()
}

pub(crate) fn reports() -> BoxedStrategy<Act> {
    let report = prop_oneof![
        Just(Report::TaskStarted { id: "t".into(), title: "write a report".into(), ttl: None }),
        Just(Report::TaskEnded { id: "t".into() }),
        Just(Report::Success),
        Just(Report::Error { message: "it broke".into() }),
        Just(Report::Wedged { reason: "no model".into() }),
        Just(Report::WedgeCleared),
        (0..120_u64).prop_map(|ttl| Report::TaskStarted {
            id: "expires".into(),
            title: "look something up".into(),
            ttl: Some(Duration::from_secs(ttl)),
        }),
        Just(Report::TaskList { tasks: Vec::new(), current_task: Some("think".into()) }),
        Just(Report::Outcomes { count: 3, error: None }),
        Just(Report::BeatNow),
    ];
    report.prop_map(|report| Act::Report { report }).boxed()
}

/// How the agent answers, or does not, when it is woken.
pub(crate) fn agent_modes() -> BoxedStrategy<Act> {
    let mode = prop_oneof![
        Just(AgentMode::Answers),
        Just(AgentMode::Queues),
        Just(AgentMode::Busy { native_session: false }),
        Just(AgentMode::Waking),
        Just(AgentMode::Restarting),
        Just(AgentMode::Unreachable),
        Just(AgentMode::AnswerLost { delivery_confirmed: true }),
        Just(AgentMode::Status { status: 500 }),
    ];
    (mode, 0..300_000_u64).prop_map(|(mode, turn_ms)| Act::AgentMode { mode, turn_ms }).boxed()
}

/// Faults on all routes but those of the beat.
pub(crate) fn side_faults() -> BoxedStrategy<Act> {
    let route = prop_oneof![
        Just(Route::Delegations),
        Just(Route::A2a),
        Just(Route::Notify),
        Just(Route::Workspace),
    ];
    (route, 1..20_u32, effects())
        .prop_map(|(route, times, effect)| Act::Fault {
            route: Some(route),
            times: Some(times),
            effect,
        })
        .boxed()
}

/// Faults on any route.
pub(crate) fn faults() -> BoxedStrategy<Act> {
    let route =
        prop_oneof![Just(None), Just(Some(Route::Heartbeat)), Just(Some(Route::Delegations))];
    (route, 1..20_u32, effects())
        .prop_map(|(route, times, effect)| Act::Fault { route, times: Some(times), effect })
        .boxed()
}

fn effects() -> impl Strategy<Value = FaultEffect> {
    let status = prop_oneof![
        Just(400_u16),
        Just(401),
        Just(404),
        Just(429),
        Just(500),
        Just(502),
        Just(503),
    ];
    let retry_after =
        prop_oneof![Just(None), Just(Some("1")), Just(Some("100000")), Just(Some("x"))];
    prop_oneof![
        (status, retry_after).prop_map(|(status, retry_after)| FaultEffect::Status {
            status,
            body: "{\"error\":\"no\"}".into(),
            retry_after: retry_after.map(str::to_owned),
        }),
        (0..200_000_u64).prop_map(|ms| FaultEffect::Delay { ms }),
        any::<bool>().prop_map(|acts| FaultEffect::Hang { acts }),
        Just(FaultEffect::Refuse),
        (0..200_usize).prop_map(|bytes| FaultEffect::Cut { bytes }),
        Just(FaultEffect::Garbage),
        Just(FaultEffect::Oversize { bytes: 3 << 20 }),
        Just(FaultEffect::Trickle { period_ms: 700 }),
    ]
}

pub(crate) fn outages(minutes: u64) -> BoxedStrategy<Act> {
    let kind = prop_oneof![
        Just(OutageKind::Refuse),
        Just(OutageKind::BadGateway),
        Just(OutageKind::Hang),
        Just(OutageKind::Unauthorized),
        Just(OutageKind::Unavailable),
    ];
    (0..minutes * MINUTE, kind).prop_map(|(ms, kind)| Act::Outage { ms, kind }).boxed()
}

/// A network on which much goes wrong.
pub(crate) fn networks() -> BoxedStrategy<Act> {
    let share = 0..12_u8;
    (0..4_000_u64, share.clone(), share.clone(), share.clone(), share.clone(), share)
        .prop_map(|(jitter_ms, refused, lost, answer_lost, reset, cut)| Act::Network {
            network: Network {
                latency_ms: 5,
                jitter_ms,
                refused,
                lost,
                answer_lost,
                reset,
                cut,
                ..Network::GOOD
            },
        })
        .boxed()
}

pub(crate) fn disk_troubles() -> BoxedStrategy<Act> {
    let how = prop_oneof![
        Just(DiskTrouble::Full),
        Just(DiskTrouble::ReadOnly),
        Just(DiskTrouble::Broken)
    ];
    let calls = prop_oneof![(1..40_u32).prop_map(Some), Just(None)];
    prop_oneof![
        (how, calls).prop_map(|(how, calls)| Act::DiskFails { how, calls }),
        (0..20_000_u64).prop_map(|ms| Act::DiskSlow { ms }),
    ]
    .boxed()
}

/// Lists of any bytes, and of rows that are nearly right.
pub(crate) fn hostile_lists() -> BoxedStrategy<Act> {
    let row = prop_oneof![
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just(r#"{"delegation_id":"h1","source_id":"stranger","status":"completed"}"#.to_owned()),
        Just(r#"{"delegation_id":7,"source_id":"own-workspace","status":"failed"}"#.to_owned()),
        "[ -~]{0,40}".prop_map(|text| {
            let error = serde_json::Value::from(text);
            format!(r#"{{"delegation_id":"h2","source_id":"own-workspace","status":"failed","error":{error}}}"#)
        }),
    ];
    let list =
        proptest::collection::vec(row, 0..8).prop_map(|rows| format!("[{}]", rows.join(",")));
    (prop_oneof![list, ".{0,60}"], 1..4_u32)
        .prop_map(|(body, times)| Act::HostileList { body, times })
        .boxed()
}
