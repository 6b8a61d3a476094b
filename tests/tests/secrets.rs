//! S7: no secret anywhere but in its own file and on its own wire.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use everbeat_core::{Action, Config, Secret};
use everbeat_tests::{Agent, Reader, Scene, everbeat, mode_of, wait};
use everbeat_tokio::AgentConfig;
use serde_json::{Value, json};

/// All files under `dir` with their bytes.
fn files(dir: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// S7: everything verbose, tokens and inbound secrets that rotate, are minted
/// and are refused, failures of every lane: no secret in any line of the log,
/// in the state folder, in the results, in `config show` or `--check`; each
/// secret file holds its own only, with mode 0600.
#[test]
fn s7_no_secret_is_in_any_log_or_file() {
    let scene = Scene::with(&["--options", r#"{"inbound_secret": true}"#]);
    let (home, platform) = (&scene.home, &scene.platform);
    let card = home.dir().join("card.json");
    fs::write(&card, "{\"name\": \"e2e\"}").unwrap();
    let card = card.display().to_string();
    let mut secrets = vec![fs::read_to_string(home.token_file()).unwrap()];
    let args = ["--log-format", "json", "--agent-url", "http://127.0.0.1:9", "--agent-card", &card];
    let mut command = Agent::command(home, &platform.url(), &args);
    let environment_token = "an-environment-token-of-no-use";
    command.env("RUST_LOG", "trace").env("MOLECULE_WORKSPACE_TOKEN", environment_token);
    secrets.push(environment_token.into());
    let mut agent = Agent::spawn(home, command);
    let reader = Reader::by_hand(&home.results());
    scene.wait_for_beats(1);

    let admin = |path: &str| {
        let made = platform.post(&format!("workspaces/ws-e2e/{path}"), &Value::Null);
        let secret = made.as_object().and_then(|made| made.values().next()).cloned();
        secret.and_then(|secret| secret.as_str().map(str::to_owned))
    };
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    wait::for_true("an inbound secret", || home.inbound_secret_file().exists());
    secrets.push(read(&home.inbound_secret_file()));
    secrets.extend(admin("rotate-inbound-secret"));
    secrets.extend(admin("rotate-token"));
    agent.logs("the platform refuses the token");
    // None left: the next registration mints one.
    admin("revoke-tokens");
    wait::for_true("a minted token", || !secrets.contains(&read(&home.token_file())));
    secrets.push(read(&home.token_file()));
    for effect in [json!({"kind": "garbage"}), json!({"kind": "status", "status": 401})] {
        for route in ["heartbeat", "delegations", "a2a", "notify", "register"] {
            platform.post("faults", &json!({"route": route, "times": 2, "effect": effect}));
        }
    }
    scene.failed("d-0001");
    scene.wait_for_result(&reader, "d-0001");
    wait::for_least("messages", 1, || scene.total("messages"));
    let last = admin("rotate-token").unwrap();
    home.write_token(&last);
    secrets.push(last);
    let beats = scene.total("beats");
    wait::for_least("beats", beats + 2, || scene.total("beats"));
    let shown: Vec<_> = [["config", "show"], ["run", "--check=online"]]
        .into_iter()
        .map(|args| {
            let mut command = everbeat(&args);
            command.env("WORKSPACE_ID", "ws-e2e").env("CONFIGS_DIR", home.configs());
            command.env("PLATFORM_URL", platform.url());
            command.env("MOLECULE_WORKSPACE_TOKEN", environment_token);
            let output = command.output().unwrap();
            [output.stdout, output.stderr].concat()
        })
        .collect();
    agent.stop();

    let own = [home.token_file(), home.inbound_secret_file()];
    let mut all = BTreeMap::new();
    files(home.dir(), &mut all);
    assert!(all.contains_key(&home.journal()) && !all[&home.log()].is_empty());
    all.extend(shown.into_iter().enumerate().map(|(i, out)| (format!("output {i}").into(), out)));
    all.insert("results".into(), format!("{:?}", reader.finish()).into_bytes());
    assert!(secrets.len() >= 6 && secrets.iter().all(|secret| secret.len() >= 20), "{secrets:?}");
    for (path, bytes) in all.iter().filter(|(path, _)| !own.contains(path)) {
        for (index, secret) in secrets.iter().enumerate() {
            assert!(!holds(bytes, secret), "secret {index} is in {}", path.display());
            // Nor its start, as the seed's log had it.
            assert!(!holds(bytes, &secret[..12]), "part of {index} is in {}", path.display());
        }
        assert!(!holds(bytes, "Bearer "), "a header is in {}", path.display());
    }
    assert_eq!(own.map(|file| mode_of(&file)), [0o600, 0o600]);
}

/// S7: what others can print of the library shows no secret.
#[test]
fn s7_debug_of_the_public_types_shows_no_secret() {
    let secret = Secret::new("a-very-secret-word").unwrap();
    let core = Config::new("ws-e2e", "http://platform:8080").validate().unwrap();
    let config = AgentConfig {
        environment_token: Some(secret.clone()),
        ..AgentConfig::new(core, "/configs")
    };
    for shown in [
        format!("{config:?}"),
        format!("{:?}", Action::SaveToken(secret.clone())),
        format!("{:?}", Action::SaveInboundSecret(secret.clone())),
        format!("{secret:?}"),
        serde_json::to_string(&secret).unwrap(),
    ] {
        assert!(shown.contains("redacted") && !shown.contains("very-secret"), "{shown}");
    }
}

/// S7: what the core hands out can be recorded for a replay, those commands
/// too that carry a secret, and the secret is not in the record.
#[test]
fn s7_commands_with_a_secret_can_be_recorded_without_it() {
    let secret = Secret::new("a-very-secret-word").unwrap();
    for action in [Action::SaveToken(secret.clone()), Action::SaveInboundSecret(secret.clone())] {
        let shown = serde_json::to_string(&action).expect("it can be recorded");
        assert!(shown.contains("redacted") && !shown.contains("very-secret"), "{shown}");
    }
}
