//! Each thing that a plan can do to the platform, the way to it, the clocks
//! and the disk does what it says, and breaks no promise.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::Duration;

use everbeat_core::{Announce, Notify};
use everbeat_platform::OutageKind;
use everbeat_sim::disk::VirtualDisk;
use everbeat_sim::plan::{Act, Entry, Folder, Lost, OWN, Odd, Plan, Setup, completed, failed};
use everbeat_sim::promises::stream::Stream;
use everbeat_sim::promises::watch::Watch;
use everbeat_sim::verdict;
use everbeat_sim::world::{Request, World, notice_name};
use everbeat_store::{Access, Disk};

const MINUTE: u64 = 60_000;
const RESULTS: &str = "/tmp/delegation_results.jsonl";
const LEASED: &str = "/tmp/.everbeat-own-workspace.leased";

/// Half an hour of this, then half an hour healed.
fn plan(acts: impl IntoIterator<Item = (u64, Act)>) -> Plan {
    let entries = acts.into_iter().map(|(at_ms, act)| Entry { at_ms, act }).collect();
    Plan {
        seed: 1,
        setup: Setup::default(),
        entries,
        faults_end_ms: 30 * MINUTE,
        healed_ms: 30 * MINUTE,
    }
}

/// Runs it; no promise may break.
fn run(plan: &Plan) -> World {
    let judged = verdict::judge(plan, Watch::of_all()).unwrap();
    assert_eq!(judged.broken, []);
    judged.world
}

fn finish(first: u32) -> Act {
    Act::Finish { first, count: 1, finish: completed(first) }
}

fn says(world: &World, name: &str) -> usize {
    world.seen.notices.iter().filter(|(_, notice)| notice_name(notice) == name).count()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_millis(minutes * MINUTE)
}

/// Beats that the platform accepted within these minutes.
fn beats(world: &World, from: u64, to: u64) -> usize {
    let within = |at: &&Duration| (minutes(from)..minutes(to)).contains(*at);
    world.seen.accepted_beats.iter().filter(within).count()
}

fn results(world: &World) -> usize {
    Stream::of(world).results()
}

#[test]
fn an_upgrade_tells_nothing_again() {
    let kind = OutageKind::BadGateway;
    let world = run(&plan([
        (MINUTE, finish(1)),
        (4 * MINUTE, Act::PlatformUpgrade { away_ms: 20_000, kind }),
        (8 * MINUTE, finish(2)),
    ]));
    assert!(world.platform.options().ledger);
    assert!(world.disk().exists(Path::new("/configs/.platform_inbound_secret")));
    assert_eq!((results(&world), world.seen.accepted_messages.len()), (2, 2));
}

#[test]
fn a_restart_cuts_what_was_under_way() {
    let turn = Setup { turn_ms: 100_000, ..Setup::default() };
    let restart = Act::PlatformRestart { away_ms: 10_000, kind: OutageKind::Refuse };
    let with = Plan { setup: turn, ..plan([(MINUTE, finish(1)), (2 * MINUTE + 30_000, restart)]) };
    let without = Plan { entries: with.entries[..1].to_vec(), ..with.clone() };
    let (with, without) = (run(&with), run(&without));
    assert_eq!(says(&without, "announcement_unanswered"), 0);
    assert_eq!(says(&with, "announcement_unanswered"), 1, "{:?}", with.seen.notices);
    assert_eq!(with.seen.accepted_messages.len(), 1, "the reader took it: it is not told again");
}

#[test]
fn a_second_process_is_refused_and_changes_nothing() {
    let first = plan([(MINUTE, finish(1)), (5 * MINUTE, finish(2)), (5 * MINUTE, Act::Read)]);
    let mut both = first.clone();
    let starts = (0..40).map(|calls| {
        let at_ms = 2 * MINUTE + u64::from(calls) * 20_000;
        Entry { at_ms, act: Act::SecondStart { after_calls: calls % 8 } }
    });
    both.entries.extend(starts);
    let (first, both) = (run(&first), run(&both));
    assert_eq!(both.seen.acts.of("second_start"), 40);
    assert_eq!(first.seen.digest, both.seen.digest);
    assert_eq!(first.disk().digest(), both.disk().digest());
}

#[test]
fn two_processes_on_one_disk_see_each_others_locks() {
    let one = VirtualDisk::new();
    let two = one.beside();
    let path = Path::new("/lock");
    drop(one.create(path).unwrap());
    let (mut of_one, _) = one.open(path, Access::Append).unwrap();
    let (mut of_two, _) = two.open(path, Access::Append).unwrap();
    assert!(one.try_lock(&mut of_one).unwrap() && one.holds_lock(path));
    assert!(!two.try_lock(&mut of_two).unwrap() && !two.holds_lock(path));
    one.kill();
    assert!(two.try_lock(&mut of_two).unwrap());
}

#[test]
fn a_database_that_blinks_is_waited_for() {
    for (kind, notice) in
        [(OutageKind::Unauthorized, "token_refused"), (OutageKind::Unavailable, "outage_started")]
    {
        let blink = Act::Outage { ms: 2 * MINUTE, kind };
        let world = run(&plan([(5 * MINUTE, blink), (6 * MINUTE, finish(1))]));
        assert!(says(&world, notice) > 0, "{kind:?}");
        assert_eq!(beats(&world, 5, 7), 0);
        assert!(beats(&world, 7, 9) > 0, "{kind:?}");
        assert_eq!((results(&world), world.seen.rotations.len()), (1, 0));
    }
}

#[test]
fn slow_names_make_late_requests_and_lost_ones_none() {
    for (takes_ms, arrive) in [(Some(4_000), true), (Some(15_000), false), (None, false)] {
        let slow = Act::SlowDns { takes_ms, ms: 10 * MINUTE };
        let world = run(&plan([(5 * MINUTE, slow)]));
        assert_eq!(beats(&world, 6, 14) > 0, arrive, "{takes_ms:?}");
        assert_eq!(says(&world, "outage_ended") > 0, !arrive, "{takes_ms:?}");
    }
}

#[test]
fn a_partition_loses_one_direction() {
    for (lost, acts) in [(Lost::Requests, false), (Lost::Answers, true), (Lost::Both, false)] {
        let part = Act::Partition { ms: 10 * MINUTE, lost };
        let world = run(&plan([(5 * MINUTE, part), (7 * MINUTE, finish(1))]));
        assert_eq!(beats(&world, 6, 14) > 0, acts, "{lost:?}");
        assert_eq!(says(&world, "outage_ended"), 2, "of both lanes, {lost:?}");
        assert_eq!(results(&world), 1);
    }
}

#[test]
fn a_drifting_wall_clock_changes_only_stamps() {
    let at = |percent| {
        let drift = Act::WallDrift { percent };
        let mut plan = plan([(MINUTE, drift), (20 * MINUTE, finish(1))]);
        plan.setup.reads = false;
        run(&plan)
    };
    let (slow, right, fast) = (at(-5), at(0), at(5));
    for drifted in [&slow, &fast] {
        assert_eq!(drifted.seen.sent, right.seen.sent);
        let stamps = |world: &World| world.disk().contents(Path::new(RESULTS)).unwrap();
        assert_ne!(stamps(drifted), stamps(&right));
    }
}

#[test]
fn a_platform_with_a_wrong_clock_is_a_platform() {
    let day = 86_400_000;
    let made_at = |ms| {
        let skew = Act::PlatformSkew { ms };
        let world = run(&plan([(MINUTE, finish(1)), (3 * MINUTE, skew), (4 * MINUTE, finish(2))]));
        assert_eq!(results(&world), 2);
        world.platform.delegation("d2").unwrap().created_ms
    };
    assert_eq!(made_at(day) - made_at(0), day);
    assert_eq!(made_at(-day) - made_at(0), -day);
}

#[test]
fn a_sleep_shows_only_on_a_clock_that_goes_on() {
    for (clock_stops, notices) in [(false, 1), (true, 0)] {
        let sleep = Act::Suspend { ms: 10 * MINUTE, clock_stops };
        let world = run(&plan([(5 * MINUTE, sleep)]));
        assert_eq!(says(&world, "resumed"), notices);
        assert_eq!(beats(&world, 5, 15), 0);
        assert!((1..=3).contains(&beats(&world, 15, 16)), "{clock_stops}");
    }
}

#[test]
fn a_file_call_that_fails_once_costs_nothing() {
    for calls in 0..40 {
        let error = Act::DiskError { after_calls: calls };
        let world = run(&plan([(MINUTE, error), (MINUTE, finish(1)), (9 * MINUTE, finish(2))]));
        assert_eq!(results(&world), 2, "after {calls} calls");
    }
}

#[test]
fn what_cannot_be_written_waits_for_the_remount() {
    let remount = Act::RemountReadOnly { ms: 8 * MINUTE };
    let world = run(&plan([(5 * MINUTE, remount), (6 * MINUTE, finish(1))]));
    assert!(says(&world, "file_trouble") > 0);
    let told = world.seen.accepted_messages.first().unwrap().0;
    assert!((minutes(13)..minutes(16)).contains(&told), "{told:?}");
    assert!(beats(&world, 5, 13) >= 15);
}

#[test]
fn a_folder_that_is_away_holds_results_back_and_nothing_else() {
    for which in [Folder::Results, Folder::State] {
        let gone = Act::FolderGone { which, ms: 8 * MINUTE };
        let before = (4 * MINUTE, finish(1));
        let mut plan = plan([before, (5 * MINUTE, gone), (6 * MINUTE, finish(2))]);
        // Nobody takes the first.
        plan.setup.reads = false;
        let world = run(&plan);
        assert!(says(&world, "file_trouble") > 0, "{which:?}");
        assert_eq!(says(&world, "folder_emptied"), 0, "{which:?}");
        assert_eq!(results(&world), 2, "{which:?}");
        assert!(beats(&world, 5, 13) >= 15, "{which:?}");
        let told = world.seen.accepted_messages.get(1).unwrap().0;
        assert!((minutes(13)..minutes(17)).contains(&told), "{which:?}: {told:?}");
    }
}

#[test]
fn a_rate_limit_is_kept_to_and_outlived() {
    let limit = Act::RateLimit { per_minute: 2, ms: 10 * MINUTE };
    let world = run(&plan([(5 * MINUTE, limit), (6 * MINUTE, finish(1))]));
    let within = |at: Duration| (minutes(5)..minutes(15)).contains(&at);
    let asked = world.seen.sent.iter().filter(|sent| within(sent.at)).count();
    assert!(asked < 10 * 8, "{asked} requests in ten minutes");
    assert!(beats(&world, 5, 15) > 0);
    assert!(beats(&world, 18, 28) >= 19);
    assert_eq!(results(&world), 1);
}

#[test]
fn an_agent_that_reports_without_end_makes_a_beat_a_second() {
    let chatter = Act::Chatter { times: 10_000, every_ms: 10 };
    let world = run(&plan([(5 * MINUTE, chatter)]));
    let sent = world.seen.sent.iter().filter(|sent| matches!(sent.what, Request::Beat { .. }));
    let ends = minutes(5) + Duration::from_secs(101);
    let sent = sent.filter(|sent| (minutes(5)..ends).contains(&sent.at)).count();
    assert!((50..=105).contains(&sent), "{sent} beats in 100 s");
}

#[test]
fn what_stands_in_the_results_files_place_is_left_alone() {
    for what in [Odd::Folder, Odd::Link, Odd::Fifo, Odd::Foreign] {
        let odd = Act::OddResults { what, ms: 8 * MINUTE };
        let world =
            run(&plan([(5 * MINUTE, odd), (6 * MINUTE, finish(1)), (7 * MINUTE, Act::Read)]));
        assert!(says(&world, "results_held") > 0, "{what:?}");
        assert_eq!(results(&world), 1, "{what:?}");
    }
}

#[test]
fn a_healed_world_keeps_its_token_where_nobody_touched_it() {
    assert_eq!(run(&plan([(MINUTE, finish(1))])).seen.rotations.len(), 0);
    let world = run(&plan([(MINUTE, Act::RevokeTokens)]));
    assert_eq!(world.seen.rotations.len(), 1);
    assert!(world.platform.workspace(OWN).unwrap().registrations.total() > 0);
}

/// What was handed out and never acknowledged is handed out again in a later
/// turn, and stands in the stream once.
#[test]
fn an_abandoned_lease_is_taken_again() {
    let gone = Act::Lease { holds_ms: None };
    let mut plan = plan([(5 * MINUTE, finish(1)), (10 * MINUTE, gone), (20 * MINUTE, finish(2))]);
    plan.setup.reads = false;
    let world = run(&plan);
    assert!(world.disk().exists(Path::new(LEASED)), "nobody came back for it");
    assert_eq!(results(&world), 2);

    plan.setup.reads = true;
    plan.entries[1] = Entry { at_ms: 5 * MINUTE + 1_000, act: Act::Lease { holds_ms: None } };
    let world = run(&plan);
    assert!(!world.disk().exists(Path::new(LEASED)));
    assert_eq!(results(&world), 2);
}

/// Kill after kill while a holder has results: each is handed out until it is
/// acknowledged, and stands in the stream once.
#[test]
fn leases_outlive_their_processes() {
    let kills = (1..25).map(|minute| {
        let act = Act::Kill { after_calls: u32::try_from(minute % 5).unwrap(), down_ms: 500 };
        (minute * MINUTE, act)
    });
    let finishes = (0..24_u32).map(|number| (u64::from(number) * 50_000, finish(number)));
    let mut plan = plan(kills.chain(finishes));
    plan.setup.leases = true;
    plan.setup.cooldown_ms = 5_000;
    assert_eq!(results(&run(&plan)), 24);
}

/// What a self-message says changes with the configuration, and what it said
/// before does not.
#[test]
fn a_retuned_agent_goes_on() {
    let ids = Act::Retune { announce: Announce::Ids, notify: Notify::None };
    let finish = |number| {
        let finish = failed(number);
        Act::Finish { first: number, count: 1, finish }
    };
    let world = run(&plan([(MINUTE, finish(1)), (10 * MINUTE, ids), (11 * MINUTE, finish(2))]));
    let texts = world.seen.sent.iter().filter_map(|sent| {
        let Request::SelfMessage { text, .. } = &sent.what else { return None };
        Some(text.contains("cannot do"))
    });
    assert_eq!(texts.collect::<Vec<_>>(), [true, false]);
}
