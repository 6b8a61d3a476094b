//! S4 and L4 with the real program: killed at any moment, nothing is lost and
//! nothing told twice.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use everbeat_tests::{Agent, Home, Numbers, Platform, Reader, Stream, TempDir};
use serde_json::json;

/// Each workspace's share.
const RESULTS: usize = 700;
const WORKSPACES: usize = 3;
/// The platform lists the newest 50 rows, two for each delegation: one more
/// is only made when the one so many before it is in the stream.
const WINDOW: usize = 24;
/// Every other life ends within this, at its start and its recovery.
const SHORT_LIFE_MAX: Duration = Duration::from_millis(150);
/// The others end within this, in the middle of everything.
const LONG_LIFE_MAX: Duration = Duration::from_millis(700);
const LIMIT: Duration = Duration::from_secs(150);

/// What became of one workspace.
struct Told {
    ids: Vec<String>,
    stream: Stream,
    kills: usize,
    messages: Vec<String>,
}

/// S4, L4: three agents are killed with `kill -9` again and again, from the
/// first instruction on, while 2,100 results finish and readers read. In what
/// was read and what lies there, each result stands exactly once; each was
/// named in at most one message.
#[test]
fn s4_l4_killed_at_many_moments_nothing_is_lost_or_doubled() {
    let mut numbers = Numbers::seeded("kill -9");
    let dir = TempDir::new();
    let platform = Platform::start_with(dir.path(), &["--options", r#"{"observed_max": 9999}"#]);
    let mut told = Vec::new();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..WORKSPACES)
            .map(|number| {
                let (platform, numbers) = (&platform, numbers.fork());
                scope.spawn(move || one_workspace(platform, number, numbers))
            })
            .collect();
        told.extend(parts.into_iter().map(|part| part.join().expect("a workspace's part")));
    });
    let mut results = 0;
    let mut kills = 0;
    for told in &told {
        told.stream.assert_exactly_once(told.ids.iter().map(String::as_str));
        assert_told_at_most_once(&told.messages);
        results += told.stream.lines.len();
        kills += told.kills;
    }
    println!("{results} results, {kills} kills: 0 lost, 0 doubled");
    assert!(results >= 2_000 && kills >= 60, "{results} results, {kills} kills");
}

fn one_workspace(platform: &Platform, number: usize, mut numbers: Numbers) -> Told {
    let home = Home::new(&format!("ws-{number}"));
    home.write_token(&platform.create(&json!({"id": home.workspace(), "turn_ms": 0})));
    let mut pauses = numbers.fork();
    let reader = Reader::start(&home.results(), move || pauses.below(Duration::from_millis(60)));
    let start = || Agent::start(&home, &platform.url(), &["--interval", "300ms"]);
    let ids: Vec<_> = (0..RESULTS).map(|index| format!("{number}-{index:06}")).collect();

    let began = Instant::now();
    let (mut agent, mut made, mut kills) = (start(), 0, 0);
    let mut dies_at = Instant::now() + numbers.below(LONG_LIFE_MAX);
    let mut stored = 0;
    while stored < RESULTS {
        assert!(began.elapsed() < LIMIT, "{stored} of {made} results after {LIMIT:?}");
        if Instant::now() >= dies_at {
            agent.kill_nine();
            kills += 1;
            agent = start();
            let most = if kills % 2 == 0 { LONG_LIFE_MAX } else { SHORT_LIFE_MAX };
            dies_at = Instant::now() + numbers.below(most);
        }
        while stored < made && reader.count_of(&ids[stored]) > 0 {
            stored += 1;
        }
        if made < RESULTS && made < stored + WINDOW {
            finish_one(platform, home.workspace(), &ids[made], made);
            made += 1;
        } else {
            thread::sleep(Duration::from_millis(2));
        }
    }
    agent.stop();
    let seen = platform.workspace(home.workspace());
    let messages = seen["delivered"]["newest"].as_array().cloned().unwrap_or_default();
    let text = |message: &serde_json::Value| message["text"].as_str().map(str::to_owned);
    let messages = messages.iter().filter_map(text).collect();
    Told { ids, stream: reader.finish(), kills, messages }
}

/// Every kind of ending in turn.
fn finish_one(platform: &Platform, workspace: &str, id: &str, index: usize) {
    platform.delegate(workspace, id);
    let finish = match index % 4 {
        0 => json!({"status": "failed", "error": "it did not work"}),
        1 => json!({"status": "completed", "text": "done", "style": "update"}),
        2 => json!({"status": "completed", "text": "done", "no_result_row": true}),
        _ => json!({"status": "completed", "text": "done"}),
    };
    platform.finish(id, &finish);
}

/// A message names up to twenty results; no result is named in two of them.
fn assert_told_at_most_once(messages: &[String]) {
    let mut named = BTreeMap::<&str, usize>::new();
    for message in messages {
        for line in message.lines().filter(|line| line.starts_with("- [")) {
            let id = line.split("Delegation ").nth(1).and_then(|rest| rest.split(':').next());
            *named.entry(id.unwrap_or_default()).or_default() += 1;
        }
    }
    let twice: Vec<_> = named.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "told twice: {twice:?}");
    assert!(!named.is_empty(), "somebody was told");
}
