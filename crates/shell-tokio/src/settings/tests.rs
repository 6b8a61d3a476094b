use std::collections::BTreeMap;
use std::time::Duration;

use super::layers::{Given, Origin};
use super::*;
use crate::testing::TempDir;

/// Sources of a small, valid configuration.
fn sources(variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Sources {
    let environment = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let mut sources = Sources {
        flags: flags.iter().map(|(key, value)| (*key, (*value).into())).collect(),
        config: None,
        environment: environment.collect(),
        in_docker: false,
    };
    sources.environment.entry("WORKSPACE_ID".into()).or_insert_with(|| "ws-1".into());
    sources
}

fn with_file(dir: &TempDir, text: &str) -> Sources {
    let path = dir.join("everbeat.toml");
    std::fs::write(&path, text).unwrap();
    Sources { config: Some(path), ..sources(&[], &[]) }
}

#[test]
fn without_anything_the_defaults_hold() {
    let settings = Settings::read(&sources(&[], &[])).unwrap();
    let core = &settings.agent.core;
    assert_eq!(core.workspace_id, "ws-1");
    assert_eq!(core.platform_url, "http://localhost:8080");
    // The core's own defaults and those in the table must not drift apart.
    assert_eq!(**core, Config::new("ws-1", "http://localhost:8080"));
    assert_eq!(settings.agent.configs_dir, Path::new("/configs"));
    assert_eq!(settings.agent.state_dir, Path::new("/configs/everbeat"));
    assert_eq!(settings.agent.results_file, Path::new("/tmp/delegation_results.jsonl"));
    assert_eq!(settings.warnings, [""; 0]);
    let in_docker = Sources { in_docker: true, ..sources(&[], &[]) };
    let settings = Settings::read(&in_docker).unwrap();
    assert_eq!(settings.agent.core.platform_url, "http://host.docker.internal:8080");
}

#[test]
fn a_flag_beats_a_variable_a_variable_the_file_and_the_file_the_default() {
    let dir = TempDir::new();
    let file = "# comment\ninterval = \"20s\"\ncooldown = \"20s\"\nnotify = \"all\"\n";
    let mut sources = with_file(&dir, file);
    sources.environment.insert("EVERBEAT_INTERVAL".into(), "40s".into());
    sources.environment.insert("EVERBEAT_COOLDOWN".into(), "40s".into());
    sources.flags.insert("interval", "50s".into());
    let effective = Effective::read(&sources);
    let path = dir.join("everbeat.toml");
    let given = |text: &str, origin| Some(Given { text: text.into(), origin });
    assert_eq!(effective.get("interval").cloned(), given("50s", Origin::Flag("interval")));
    let variable = Origin::Variable("EVERBEAT_COOLDOWN");
    assert_eq!(effective.get("cooldown").cloned(), given("40s", variable));
    assert_eq!(effective.get("notify").cloned(), given("all", Origin::File { path, line: 4 }));
    assert_eq!(effective.get("backlog").cloned(), given("all", Origin::Default));
    let core = Settings::read(&sources).unwrap().agent.core;
    assert_eq!(core.interval, Duration::from_secs(50));
    assert_eq!(core.cooldown, Duration::from_secs(40));
    assert_eq!(core.notify, Notify::All);
}

#[test]
fn a_variable_of_its_own_beats_the_containers_and_an_empty_one_is_none() {
    let variables = [("PLATFORM_URL", "http://a:1"), ("EVERBEAT_PLATFORM_URL", "http://b:2//")];
    let core = Settings::read(&sources(&variables, &[])).unwrap().agent.core;
    assert_eq!(core.platform_url, "http://b:2");
    let variables = [("PLATFORM_URL", "http://a:1"), ("EVERBEAT_PLATFORM_URL", "")];
    let core = Settings::read(&sources(&variables, &[])).unwrap().agent.core;
    assert_eq!(core.platform_url, "http://a:1");
}

#[test]
fn the_file_can_be_named_by_a_variable() {
    let dir = TempDir::new();
    let mut sources = with_file(&dir, "deliver = \"awaited\"");
    let path = sources.config.take().unwrap();
    sources.environment.insert("EVERBEAT_CONFIG".into(), path.into());
    assert_eq!(Settings::read(&sources).unwrap().agent.core.deliver, Deliver::Awaited);
}

#[test]
fn every_value_of_every_setting_reaches_its_place() {
    let dir = TempDir::new();
    std::fs::write(dir.join("card.json"), "{\"name\": \"x\"}").unwrap();
    let card = dir.join("card.json").display().to_string();
    let flags = [
        ("workspace_id", "other"),
        ("platform_url", "https://p"),
        ("configs_dir", "/c"),
        ("results_file", "/r/x.jsonl"),
        ("interval", "500ms"),
        ("cooldown", "1m"),
        ("deliver", "awaited"),
        ("announce", "ids"),
        ("notify", "none"),
        ("backlog", "none"),
        ("agent_url", "http://me:8000"),
        ("agent_card", card.as_str()),
        ("org_id", "org"),
        ("self_messages_per_hour_max", "7"),
        ("reannounce_after", "1h"),
        ("dev_timing", "true"),
        ("log", "warn,everbeat_tokio=debug"),
        ("log_format", "json"),
    ];
    let settings = Settings::read(&sources(&[], &flags)).unwrap();
    let expected = Config {
        org_id: Some("org".into()),
        interval: Duration::from_millis(500),
        cooldown: Duration::from_secs(60),
        deliver: Deliver::Awaited,
        announce: Announce::Ids,
        notify: Notify::None,
        backlog: Backlog::None,
        agent_url: Some("http://me:8000".into()),
        agent_card: Some(serde_json::json!({"name": "x"}).into()),
        self_messages_per_hour_max: 7,
        reannounce_after: Duration::from_secs(3_600),
        dev_timing: true,
        ..Config::new("other", "https://p")
    };
    assert_eq!(*settings.agent.core, expected);
    assert_eq!(settings.agent.state_dir, Path::new("/c/everbeat"));
    assert_eq!(settings.agent.results_file, Path::new("/r/x.jsonl"));
    assert_eq!(settings.log_format, LogFormat::Json);
}

#[test]
fn bad_flags_and_variables_are_refused_by_name() {
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [(&'static str, &'a str)], &'a str);
    let cases: [Case<'_>; 19] = [
        (
            &[],
            &[("interval", "3x")],
            "--interval: \"3x\" is not a duration like 500ms, 30s, 5m or 1h",
        ),
        (
            &[],
            &[("interval", "30")],
            "--interval: \"30\" is not a duration like 500ms, 30s, 5m or 1h",
        ),
        (&[], &[("interval", "1s")], "--interval: 1s is not allowed: 5s to 300s"),
        (&[], &[("interval", "0s")], "--interval: 0ns is not allowed: 5s to 300s"),
        (
            &[("EVERBEAT_INTERVAL", "99999999999999999999h")],
            &[],
            "EVERBEAT_INTERVAL: \"99999999999999999999h\" is not a duration like 500ms, 30s, 5m \
             or 1h",
        ),
        (
            &[("EVERBEAT_COOLDOWN", "500ms")],
            &[],
            "EVERBEAT_COOLDOWN: 500ms is not allowed: 1s to 3600s",
        ),
        (
            &[("EVERBEAT_NOTIFY", "failuers")],
            &[],
            "EVERBEAT_NOTIFY: \"failuers\" is not one of all, failures, none; did you mean \
             failures?",
        ),
        (
            // A wrong value is wrong even where a flag overrides it.
            &[("EVERBEAT_DELIVER", "some")],
            &[("deliver", "all")],
            "EVERBEAT_DELIVER: \"some\" is not one of all, awaited",
        ),
        (
            &[("WORKSPACE_ID", "../x")],
            &[],
            "WORKSPACE_ID: \"../x\" is not allowed: 1 to 128 letters, digits, `-` and `_`, the \
             first one a letter or digit",
        ),
        (
            &[("WORKSPACE_ID", "")],
            &[],
            "workspace_id is not set: give --workspace-id or WORKSPACE_ID",
        ),
        (
            &[("PLATFORM_URL", "ftp://x")],
            &[],
            "PLATFORM_URL: \"ftp://x\" is not allowed: an address that starts with http:// or \
             https://",
        ),
        (
            &[("PLATFORM_URL", "http://user:hunter2@x")],
            &[],
            "PLATFORM_URL: \"an address with credentials\" is not allowed: an address without \
             user name and password",
        ),
        (
            &[("MOLECULE_ORG_ID", "a b")],
            &[],
            "MOLECULE_ORG_ID: \"a b\" is not allowed: 1 to 128 visible ASCII characters",
        ),
        (
            &[("MOLECULE_WORKSPACE_TOKEN", "hunter2 hunter3")],
            &[],
            "MOLECULE_WORKSPACE_TOKEN: it is set, but not to one word of at most 4096 visible \
             ASCII characters",
        ),
        (
            &[],
            &[("self_messages_per_hour_max", "-1")],
            "--self-messages-per-hour-max: \"-1\" is not a whole number",
        ),
        (&[], &[("dev_timing", "yes")], "--dev-timing: \"yes\" is not true or false"),
        (&[], &[("results_file", "/")], "--results-file: it must end in a file's name"),
        (
            &[],
            &[("agent_card", "/no/such/card")],
            "--agent-card: /no/such/card: No such file or directory (os error 2)",
        ),
        (
            &[("RUST_LOG", "a=b=c")],
            &[],
            "RUST_LOG: \"a=b=c\" is not a log filter like info or warn,everbeat_tokio=debug",
        ),
    ];
    for (variables, flags, expected) in cases {
        let problems = Settings::read(&sources(variables, flags)).unwrap_err();
        assert_eq!(problems, [expected]);
        assert!(!problems[0].contains("hunter2"));
    }
}

#[test]
fn a_bad_file_is_refused_by_its_line() {
    let cases = [
        ("\nintervall = \"30s\"", "2: \"intervall\" is not a setting; did you mean interval?"),
        ("zzz = 1", "1: \"zzz\" is not a setting"),
        (
            "workspace-id = \"x\"",
            "1: \"workspace-id\" is not a setting; did you mean workspace_id?",
        ),
        ("interval = 30", "1: interval: 30 has no unit; write it like \"30s\""),
        ("interval = 1.5", "1: interval: a fraction does not fit here; a text in quotes is needed"),
        ("\n\ninterval = \"1s\"", "3: interval: 1s is not allowed: 5s to 300s"),
        ("notify = true", "1: notify: true or false does not fit here; a text in quotes is needed"),
        ("[agent]\nx = 1", "1: \"agent\" is not a setting"),
        (
            "self_messages_per_hour_max = 4000",
            "1: self_messages_per_hour_max: 4000 is not allowed: 1 to 3600",
        ),
        ("agent_url = \"http://x\"\nagent_url = \"http://y\"", "2: duplicate key"),
        ("interval = \"30s", "1: invalid basic string, expected `\"`"),
    ];
    for (text, expected) in cases {
        let dir = TempDir::new();
        let problems = Settings::read(&with_file(&dir, text)).unwrap_err();
        let path = dir.join("everbeat.toml").display().to_string();
        assert_eq!(problems, [format!("{path}:{expected}")], "{text:?}");
    }
    let missing = Sources { config: Some("/no/such.toml".into()), ..sources(&[], &[]) };
    let problems = Settings::read(&missing).unwrap_err();
    assert_eq!(problems, ["/no/such.toml: No such file or directory (os error 2)"]);
}

#[test]
fn a_problem_leads_to_its_setting() {
    for problem in ["--cooldown: x", "EVERBEAT_COOLDOWN: x", "cooldown: x", "/e: 1:7: cooldown: x"]
    {
        let is_odd_path = problem.starts_with("/e: ");
        let expected = if is_odd_path { None } else { Some("cooldown") };
        assert_eq!(layers::blamed(problem), expected, "{problem}");
    }
    assert_eq!(layers::blamed("/etc/e.toml:3: cooldown: x"), Some("cooldown"));
    assert_eq!(layers::blamed("/etc/e.toml: No such file"), None);
    assert_eq!(layers::blamed("/etc/e.toml:3: \"colour\" is not a setting"), None);
}

#[test]
fn all_problems_are_told_at_once() {
    let variables = [("EVERBEAT_INTERVAL", "x"), ("EVERBEAT_NOTIFY", "y")];
    assert_eq!(Settings::read(&sources(&variables, &[("backlog", "z")])).unwrap_err().len(), 3);
}

#[test]
fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
    let variables = [("EVERBEAT_INTERVALL", "1s"), ("EVERBEAT_SERVICE_HOST", "x")];
    let warnings = Settings::read(&sources(&variables, &[])).unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "the variable EVERBEAT_INTERVALL means nothing here; did you mean EVERBEAT_INTERVAL?",
            "the variable EVERBEAT_SERVICE_HOST means nothing here",
        ]
    );
}

#[test]
fn the_tokens_value_is_in_no_debug_output() {
    let variables = [("MOLECULE_WORKSPACE_TOKEN", "hunter2")];
    let settings = Settings::read(&sources(&variables, &[])).unwrap();
    assert!(settings.agent.environment_token.is_some());
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn keys_flags_and_variables_are_unique_and_alike() {
    let mut seen = BTreeMap::new();
    for setting in &SETTINGS {
        assert_eq!(setting.flag, setting.key.replace('_', "-"));
        let own = format!("EVERBEAT_{}", setting.key.to_uppercase());
        assert_eq!(setting.variables.first().copied(), Some(own.as_str()), "{}", setting.key);
        for name in setting.variables.iter().chain([&setting.key]) {
            assert_eq!(seen.insert(*name, ()), None, "{name} twice");
        }
        if let Fallback::Fixed(text) = setting.default {
            assert_eq!(setting.kind.check(text), Ok(()), "{}", setting.key);
        }
    }
}
