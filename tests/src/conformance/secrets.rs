//! Scenarios of the bearer token and of the secrets that the platform issues.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::wait;
use crate::{Agent, Fake, Home, Platform, Reader, Scene, Shell, mode_of};

/// L3: a refused token is read again from its file, however late the new one
/// comes; the first beat after that is accepted, and delivery goes on.
pub fn l3_a_refused_token_is_read_again_and_the_beat_repeated(shell: &Shell) {
    let scene = Scene::new();
    let mut agent = shell.start(&scene);
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_beats(1);
    let token = issue(&scene, "rotate-token");
    scene.completed("d-0001");
    let refused = || scene.platform.requests("heartbeat") - scene.total("beats");
    wait::for_least("refused beats", 2, refused);
    // As an editor would write it.
    scene.home.write_token(&format!("  {token}\n"));
    scene.wait_for_beats(3);
    scene.wait_for_result(&reader, "d-0001");
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001"]);
}

/// S7: a workspace without a token registers; the token that was minted is
/// used, and lies in its file with mode 0600.
pub fn s7_a_minted_token_is_saved_privately_and_used(shell: &Shell) {
    let scene = without_token();
    let mut agent = start_registering(shell, &scene, Shell::INTERVAL);
    let file = scene.home.token_file();
    wait::for_true("the token is saved", || file.exists());
    assert_eq!(mode_of(&file), 0o600);
    let token = fs::read_to_string(&file).expect("the token can be read");
    assert_eq!(token.len(), 43, "a whole token and nothing else");
    scene.wait_for_beats(3);
    agent.stop();
}

/// S7: a token that somebody put into the file while a minted one was on its
/// way stays there and is used: the minted one is refused by then.
pub fn s7_a_minted_token_replaces_none_put_there_meanwhile(shell: &Shell) {
    let scene = without_token();
    // Within a request's deadline, which is two thirds of the interval.
    let late = json!({"route": "register", "times": 1, "effect": {"kind": "delay", "ms": 500}});
    scene.platform.post("faults", &late);
    let mut agent = start_registering(shell, &scene, Duration::from_secs(2));
    wait::for_least("registrations", 1, || scene.platform.requests("register"));
    let provisioned = issue(&scene, "rotate-token");
    scene.home.write_token(&provisioned);
    // The answer comes before the second one.
    scene.wait_for_beats(2);
    let standing = fs::read_to_string(scene.home.token_file()).expect("the token can be read");
    assert_eq!(standing, provisioned);
    agent.stop();
}

/// A workspace that the platform knows of, with no token on either side.
fn without_token() -> Scene {
    let home = Home::new("ws-e2e");
    let platform = Platform::start(home.dir());
    let new = json!({"id": home.workspace(), "turn_ms": 0, "registered": false, "token": false});
    assert_eq!(platform.create(&new), "");
    Scene { platform, home }
}

/// With all that it needs to register the workspace by itself.
fn start_registering(shell: &Shell, scene: &Scene, interval: Duration) -> Agent {
    let card = scene.home.dir().join("card.json");
    fs::write(&card, r#"{"name": "e2e", "skills": []}"#).expect("the card can be written");
    let card = card.display().to_string();
    let interval = format!("{}ms", interval.as_millis());
    let variables = [
        ("EVERBEAT_AGENT_URL", "http://127.0.0.1:9"),
        ("EVERBEAT_AGENT_CARD", &card),
        ("EVERBEAT_INTERVAL", &interval),
    ];
    Agent::spawn(&scene.home, shell.command(&scene.home, &scene.platform.url(), &variables))
}

/// S7: the secret that a beat's answer carries lies in its file with mode
/// 0600, and follows its rotation.
pub fn s7_the_inbound_secret_is_saved_privately(shell: &Shell) {
    let scene = Scene::with(&["--options", r#"{"inbound_secret": true}"#]);
    let mut agent = shell.start(&scene);
    let file = scene.home.inbound_secret_file();
    wait::for_true("the secret is saved", || file.exists());
    assert_eq!(mode_of(&file), 0o600);
    let second = issue(&scene, "rotate-inbound-secret");
    wait::for_true("the new one is saved", || {
        fs::read_to_string(&file).is_ok_and(|it| it == second)
    });
    assert_eq!(mode_of(&file), 0o600);
    agent.stop();
}

/// S7: the bearer token goes to nobody but the platform.
pub fn s7_a_redirect_is_not_followed(shell: &Shell) {
    for status in [302, 307] {
        let thief = Fake::start(|_| Fake::answer(200, "", "{}"));
        let location = format!("Location: {}/stolen\r\n", thief.url());
        let server = Fake::start(move |_| Fake::answer(status, &location, "{}"));
        let home = Home::new("ws-e2e");
        home.write_token("a-token-to-steal");
        let mut agent = Agent::spawn(&home, shell.command(&home, &server.url(), &[]));
        wait::for_least("requests", 5, || server.seen().len());
        let bearer = "authorization: bearer a-token-to-steal";
        let carries = |head: &str| head.to_ascii_lowercase().contains(bearer);
        assert!(server.seen().iter().skip(1).all(|seen| carries(&seen.head)), "the bearer is sent");
        assert!(thief.seen().is_empty(), "{status}: {:?}", thief.seen());
        agent.stop();
    }
}

/// S7: whatever is refused, rotated or broken, no secret is in what it says
/// or writes, but in the file of its own.
pub fn s7_no_secret_is_in_its_output_or_files(shell: &Shell) {
    let scene = Scene::with(&["--options", r#"{"inbound_secret": true}"#]);
    let home = &scene.home;
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let mut secrets = vec![read(&home.token_file())];
    let mut agent = shell.start(&scene);
    let reader = Reader::by_hand(&home.results());
    wait::for_true("an inbound secret", || home.inbound_secret_file().exists());
    secrets.push(read(&home.inbound_secret_file()));
    secrets.push(issue(&scene, "rotate-inbound-secret"));
    for effect in [json!({"kind": "garbage"}), json!({"kind": "status", "status": 401})] {
        for route in ["heartbeat", "delegations", "a2a", "notify"] {
            let fault = json!({"route": route, "times": 2, "effect": effect});
            scene.platform.post("faults", &fault);
        }
    }
    scene.failed("d-0001");
    scene.wait_for_result(&reader, "d-0001");
    secrets.push(issue(&scene, "rotate-token"));
    let refused = scene.platform.requests("heartbeat");
    wait::for_least("refused beats", refused + 2, || scene.platform.requests("heartbeat"));
    home.write_token(&secrets[3]);
    scene.wait_for_beats(2);
    agent.stop();

    let own = [home.token_file(), home.inbound_secret_file()];
    let mut all = BTreeMap::new();
    read_all(home.dir(), &mut all);
    assert!(all.contains_key(&home.journal()) && !all[&home.log()].is_empty());
    assert!(secrets.iter().all(|secret| secret.len() >= 20), "{secrets:?}");
    for (path, bytes) in all.iter().filter(|(path, _)| !own.contains(path)) {
        let text = String::from_utf8_lossy(bytes);
        for (index, secret) in secrets.iter().enumerate() {
            // Nor its beginning.
            let is_in = secret.get(..12).is_none_or(|head| text.contains(head));
            assert!(!is_in, "secret {index} is in {}", path.display());
        }
        assert!(!text.contains("Bearer "), "a header is in {}", path.display());
    }
}

/// Lets the platform issue a secret of the scene's workspace.
fn issue(scene: &Scene, what: &str) -> String {
    let path = format!("workspaces/{}/{what}", scene.home.workspace());
    let made = scene.platform.post(&path, &Value::Null);
    let secret = made.as_object().and_then(|made| made.values().next()?.as_str());
    secret.expect("a secret").to_owned()
}

/// All files under `folder` with their bytes.
fn read_all(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            into.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
}
