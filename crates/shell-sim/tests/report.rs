//! The report page: that it asks for nothing, that a trace is data in it, that
//! it stays small, and what a person can do with it in a browser.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "report/day.rs"]
mod day;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use everbeat_platform::OutageKind;
use everbeat_sim::fleet::{Fleet, FleetAct, FleetEntry, FleetPlan};
use everbeat_sim::plan::{Plan, Setup, completed};
use everbeat_sim::report::{About, LINES_MAX, TEXT_CHARS_MAX, page};
use everbeat_sim::world::{Party, TraceHeader, TraceLine};
use serde_json::Value;

fn about() -> About {
    let plan = Plan {
        seed: u64::MAX,
        setup: Setup::default(),
        entries: Vec::new(),
        faults_end_ms: 60_000,
        healed_ms: 60_000,
    };
    About::world(&TraceHeader::of(plan))
}

fn line(at_us: u64, party: Party, kind: &str, text: &str) -> TraceLine {
    TraceLine { at_us, party, kind: kind.into(), text: text.into(), workspace: None }
}

/// The JSON of every data element, in order.
fn data(page: &str) -> Vec<Value> {
    let elements = page.split("<script type=\"application/json\"").skip(1);
    let json = elements.filter_map(|element| element.split_once('>')?.1.split("</script>").next());
    json.map(|json| serde_json::from_str(json).unwrap()).collect()
}

/// The page without its data.
fn frame(page: &str) -> String {
    let mut frame = String::new();
    for (at, part) in page.split("<script type=\"application/json\"").enumerate() {
        frame += if at == 0 { part } else { part.split_once("</script>").unwrap().1 };
    }
    frame
}

/// The texts, as the page's script decodes them.
fn texts(page: &str) -> Vec<String> {
    let data = data(page);
    let rows = data[1..].iter().flat_map(|chunk| chunk.as_array().unwrap());
    rows.map(|row| {
        let shape = data[0]["shapes"][usize::try_from(row[0].as_u64().unwrap()).unwrap()].as_str();
        let numbers = &row.as_array().unwrap()[1..];
        if numbers.is_empty() {
            return shape.unwrap().to_owned();
        }
        let mut parts = shape.unwrap().split('\u{1}');
        let first = parts.next().unwrap().to_owned();
        let filled = parts.zip(numbers).map(|(part, number)| format!("{number}{part}"));
        filled.fold(first, |text, part| text + &part)
    })
    .collect()
}

#[test]
fn asks_for_nothing_from_anywhere() {
    let frame = frame(&page(&about(), &[line(5, Party::Machine, "start", "starts")]));
    assert!(frame.contains("default-src 'none'"));
    for outside in [
        "http:",
        "https:",
        "src=",
        "url(",
        "@import",
        "fetch(",
        "XMLHttpRequest",
        "import(",
        "WebSocket",
        "sendBeacon",
        "serviceWorker",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "{{",
    ] {
        assert!(!frame.contains(outside), "{outside} stands in the page");
    }
    let links: Vec<&str> = frame.split("href=\"").skip(1).collect();
    assert!(links.iter().all(|link| link.starts_with("#lines") || link.starts_with("data:,")));
}

#[test]
fn a_trace_is_data() {
    let nasty = [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "{{script}} {{title}}",
        "line\u{2028}and\u{2029}end \u{0} \u{1} 5 \u{202e}",
        "]]> & &lt; \\u003c \"quoted\" 007 12345678901234567890 1.50",
    ];
    let mut lines: Vec<TraceLine> =
        nasty.iter().map(|text| line(7, Party::Agent, text, text)).collect();
    lines.push(line(9, Party::Platform, "200", ""));
    let broken = "S1: <img src=x onerror=alert(1)></title></script>";
    lines.push(line(9, Party::Broken, "S1", broken));
    let page = page(&about(), &lines);

    assert_eq!(page.matches("<script").count(), data(&page).len() + 1);
    assert_eq!(page.matches("</script").count(), data(&page).len() + 1);
    assert!(!page.contains("alert(1)</script"));
    assert!(!page.contains("<img") && !page.contains("<!--"));
    assert!(!page.contains(['\u{2028}', '\u{2029}', '\u{0}', '\u{1}']));
    let told: Vec<String> = lines.iter().map(|line| line.text.clone()).collect();
    assert_eq!(texts(&page), told);
    assert_eq!(data(&page)[0]["seed"], u64::MAX.to_string());
}

#[test]
fn a_broken_promise_stands_where_it_was_broken() {
    let mut lines: Vec<TraceLine> =
        (0..100).map(|at| line(at * 1_000_000, Party::Agent, "beat", "beat")).collect();
    // As the command line puts it: after all others.
    let said = "S3: a self-message 3s after the last";
    lines.push(line(12_500_000, Party::Broken, "S3", said));
    let told = page(&about(), &lines);
    assert!(told.contains("<title>Everbeat: S3 broken, seed 18446744073709551615</title>"));
    let head = &data(&told)[0];
    assert_eq!(head["verdict"].as_array().unwrap().len(), 1);
    assert_eq!(texts(&told).iter().position(|text| text == said), Some(13));
    let steps = head["step_us"].as_array().unwrap();
    let at: u64 = steps[..=13].iter().map(|step| step.as_u64().unwrap()).sum();
    assert_eq!(at, 12_500_000);
    assert!(page(&about(), &lines[..100]).contains("<title>Everbeat: kept, seed"));
}

#[test]
fn stays_small_whatever_the_run() {
    let long = line(0, Party::Disk, "open_store", &"ü".repeat(TEXT_CHARS_MAX * 9));
    let page_of_one = page(&about(), &[long]);
    let text = &texts(&page_of_one)[0];
    assert!(text.chars().count() < TEXT_CHARS_MAX + 60 && text.contains("64000 more bytes"));

    // A busy loop: the end of the run, and the promise that it broke.
    let count = LINES_MAX + 50_000;
    let mut lines: Vec<TraceLine> = (0..count)
        .map(|at| line(at as u64, Party::Agent, "poll", &format!("{{\"id\":{at}}}")))
        .collect();
    let broken = "S5: too many requests";
    lines.push(line(count as u64 - 10, Party::Broken, "S5", broken));
    let page = page(&about(), &lines);
    let texts = texts(&page);
    assert_eq!(texts.len(), LINES_MAX);
    assert!(texts.iter().any(|text| text == broken));
    assert_eq!(data(&page)[0]["total"], count + 1);
    assert!(page.len() < LINES_MAX * 24, "{} bytes", page.len());
}

#[test]
fn a_day_is_told_whole_and_alike() {
    let (header, lines) = day::traced(7, 24);
    let about = About::world(&header);
    let told = page(&about, &lines);
    assert_eq!(told, page(&about, &lines));
    println!("{} lines, {} bytes", lines.len(), told.len());
    assert!(told.len() < 6 << 20);
    let short = |text: &&String| text.chars().count() <= TEXT_CHARS_MAX;
    let of_page = texts(&told);
    assert_eq!(of_page.len(), lines.len());
    let mut both = of_page.iter().zip(lines.iter().map(|line| &line.text));
    assert!(both.all(|(shown, text)| !short(&text) || shown == text));
}

/// By `tests/report/click.py`. It needs chromium, chromedriver and python3;
/// where one is missing it says so and is skipped, unless
/// `EVERBEAT_BROWSER=required`. Screenshots are left beside the pages.
#[test]
fn a_person_can_click_through_it() {
    if let Some(missing) = missing_program() {
        println!("skipped: there is no {missing}");
        let required = std::env::var("EVERBEAT_BROWSER").is_ok_and(|value| value == "required");
        assert!(!required, "EVERBEAT_BROWSER=required, and there is no {missing}");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    let (header, lines) = day::traced(7, 24);
    let day = About::world(&header);
    let mut broken = lines.clone();
    for (at_ms, kind, said) in [
        (30_125_500, "S3", "S3: a self-message 3s after the last"),
        (61_234_500, "L1", "L1: no beat for an interval and its jitter"),
    ] {
        broken.push(line(at_ms * 1_000, Party::Broken, kind, said));
    }
    let never_ran = [line(0, Party::Broken, "run", "the interval is too short")];
    click(&folder, "broken", &page(&day, &broken), &[]);
    click(&folder, "kept", &page(&day, &lines), &["--start-only"]);
    click(&folder, "fleet", &fleet_page(), &[]);
    click(&folder, "empty", &page(&about(), &never_ran), &["--start-only"]);
}

/// The platform is away for a minute, and one machine of five sleeps; half of
/// the workspaces have lanes.
fn fleet_page() -> String {
    let minutes = |number: u64| Duration::from_secs(number * 60);
    let away = FleetAct::Restart { away: minutes(1), kind: OutageKind::Refuse };
    let plan = FleetPlan {
        seed: 3,
        agents: 60,
        started_over: minutes(1),
        interval: Duration::from_secs(30),
        cooldown: minutes(1),
        registers: true,
        latency_ms: 20,
        jitter_ms: 100,
        entries: vec![
            FleetEntry { at: minutes(4), act: FleetAct::Finish { count: 2, finish: completed(1) } },
            FleetEntry { at: minutes(6), act: away },
            FleetEntry {
                at: minutes(9),
                act: FleetAct::Suspend { percent: 20, lasts: minutes(4) },
            },
            FleetEntry { at: minutes(14), act: FleetAct::RestartAgents { over: minutes(2) } },
        ],
        lasts: minutes(20),
    };
    let (fleet, lines) = Fleet::run_traced(&plan, 30).unwrap();
    page(&About::fleet(&TraceHeader::of(plan), &fleet.seen), &lines)
}

#[test]
fn a_fleet_has_a_lane_for_each_workspace_that_is_told_of() {
    let page = fleet_page();
    let head = &data(&page)[0];
    let names = head["workspaces"].as_array().unwrap();
    assert_eq!((names.len(), &names[29]), (30, &"herd-000029".into()));
    let owners: Vec<u64> =
        head["workspace"].as_array().unwrap().iter().map(|one| one.as_u64().unwrap()).collect();
    assert_eq!(owners.len(), texts(&page).len());
    for owner in 1..=30 {
        let lines = owners.iter().filter(|one| **one == owner).count();
        assert!(lines > 100, "{lines} lines of workspace {owner}");
    }
    // The load is the whole fleet's: two requests in 30 s of each of 60.
    let sum = |name: &str| -> u64 {
        let counts = head["load"][name].as_array().unwrap();
        counts.iter().map(|count| count.as_u64().unwrap()).sum()
    };
    assert!(sum("tried") > 60 * 2 * 2 * 18 && sum("served") < sum("tried"));
    assert_eq!(head["load"]["agents"], 60);
    assert!(data(&self::page(&about(), &[]))[0]["load"].is_null());
}

fn click(folder: &Path, name: &str, page: &str, options: &[&str]) {
    let file = folder.join(name).with_extension("html");
    std::fs::write(&file, page).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/click.py");
    let output = Command::new("python3")
        .args([&script, &file, &folder.join(name)])
        .args(options)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{name}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", file.display());
}

fn missing_program() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let is_there = |name: &str| folders.iter().any(|folder| folder.join(name).is_file());
    ["chromium", "chromedriver", "python3"].into_iter().find(|name| !is_there(name))
}
