//! Tokens and secrets that rotate (L3), and the files that hold them (S7).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use everbeat_tests::{Agent, Home, Platform, Reader, Scene, mode_of, wait};
use serde_json::{Value, json};

fn rotate(scene: &Scene) -> String {
    let path = format!("workspaces/{}/rotate-token", scene.home.workspace());
    let token = scene.platform.post(&path, &Value::Null)["token"].take();
    token.as_str().expect("a token").to_owned()
}

/// An agent that can register.
fn registering(home: &Home, platform: &Platform) -> Agent {
    let card = home.dir().join("card.json");
    fs::write(&card, r#"{"name": "e2e", "skills": []}"#).expect("the card can be written");
    let card = card.display().to_string();
    let args = ["--agent-url", "http://127.0.0.1:9", "--agent-card", &card];
    Agent::start(home, &platform.url(), &args)
}

/// L3: the token was rotated and the file has the new one already: the
/// refused beat is repeated at once with it, and it stays at that one refusal.
#[test]
fn l3_a_refused_beat_is_repeated_at_once_with_the_new_token() {
    // Long intervals: without the repetition there would be no beat for long.
    let scene = Scene::new();
    let mut agent = scene.agent(&["--interval", "3s"]);
    scene.wait_for_beats(1);
    // The polls must not be the first to be refused.
    scene.platform.fault("delegations", &json!({"kind": "hang"}));
    scene.wait_for_beats(1);
    scene.home.write_token(&rotate(&scene));
    let counts = || {
        let state = scene.platform.state();
        let sent = state["requests"]["heartbeat"].as_u64().unwrap_or(0);
        let beats = &state["workspaces"][scene.home.workspace()]["beats"]["total"];
        (sent - beats.as_u64().unwrap_or(0), beats.as_u64().unwrap_or(0))
    };
    let (_, accepted) = counts();
    wait::for_least("refused beats", 1, || counts().0);
    wait::within(Duration::from_millis(1_500), "the beat is repeated with the new token", || {
        (counts() == (1, accepted + 1)).then_some(())
    });
    agent.logs("a new token is in use");
    scene.wait_for_beats(1);
    assert_eq!(counts().0, 1, "refused once");
    agent.stop();
}

/// L3: the token was rotated and the file follows later: nothing but refusals
/// until then, at the normal pace, and from then on everything works,
/// delivery included.
#[test]
fn l3_a_token_file_that_follows_later_is_used_by_the_next_beat() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    scene.wait_for_beats(2);
    let token = rotate(&scene);
    scene.completed("d-0001");
    let before = scene.platform.requests("heartbeat");
    wait::for_least("refused beats", before + 6, || scene.platform.requests("heartbeat"));
    agent.logs("the platform refuses the token in");
    let accepted = scene.total("beats");
    assert!(!scene.home.results().exists(), "nothing can be known of the result");
    // As an editor would write it.
    scene.home.write_token(&format!("  {token}\n"));
    let reader = Reader::by_hand(&scene.home.results());
    scene.wait_for_result(&reader, "d-0001");
    wait::for_least("accepted beats", accepted + 3, || scene.total("beats"));
    wait::for_least("messages", 1, || scene.total("delivered"));
    agent.stop();
    reader.finish().assert_exactly_once(["d-0001"]);
    let said = agent.log().matches("the platform refuses the token").count();
    assert_eq!(said, 1, "it is said once");
}

/// L3: an unreadable token file costs nothing but itself: the old token stays
/// in use, and the file counts again once it can be read.
#[test]
fn l3_an_unreadable_token_file_is_read_again_later() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    scene.wait_for_beats(2);
    fs::remove_file(scene.home.token_file()).unwrap();
    fs::create_dir(scene.home.token_file()).unwrap();
    let token = rotate(&scene);
    let before = scene.platform.requests("heartbeat");
    wait::for_least("refused beats", before + 3, || scene.platform.requests("heartbeat"));
    fs::remove_dir(scene.home.token_file()).unwrap();
    scene.home.write_token(&token);
    scene.wait_for_beats(3);
    agent.stop();
}

/// S7, L3: with no token at all the workspace registers, saves the token that
/// was minted with mode 0600, whatever the umask and an old file's mode are,
/// and uses it; so does the next process.
#[test]
fn s7_l3_a_minted_token_is_saved_privately_and_used() {
    let home = Home::new("ws-e2e");
    let platform = Platform::start(home.dir());
    let new = json!({"id": "ws-e2e", "turn_ms": 0, "registered": false, "token": false});
    assert_eq!(platform.create(&new), "");
    let mut agent = registering(&home, &platform);
    wait::for_true("the token is saved", || home.token_file().exists());
    assert_eq!(mode_of(&home.token_file()), 0o600);
    let token = fs::read_to_string(home.token_file()).unwrap();
    assert_eq!(token.len(), 43, "a whole token and nothing else");
    let seen = platform.workspace("ws-e2e");
    assert_eq!(seen["registrations"]["newest"][0]["minted"], true);

    // Revoked while it runs: registering mints the next one.
    fs::set_permissions(home.token_file(), fs::Permissions::from_mode(0o644)).unwrap();
    // (A workspace without any token is let through: one that nobody has.)
    platform.post("workspaces/ws-e2e/rotate-token", &Value::Null);
    agent.logs("the platform refuses the token");
    platform.post("workspaces/ws-e2e/revoke-tokens", &Value::Null);
    wait::for_true("a new token is saved", || {
        fs::read_to_string(home.token_file()).is_ok_and(|now| now.len() == 43 && now != token)
    });
    assert_eq!(mode_of(&home.token_file()), 0o600, "also where an open file stood before");
    agent.logs("a new token is in use");
    agent.stop();

    // The next process uses what was saved, and no further one is minted.
    let saved = fs::read_to_string(home.token_file()).unwrap();
    let mut agent = registering(&home, &platform);
    let beats = platform.workspace("ws-e2e")["beats"]["total"].as_u64().unwrap();
    wait::for_least("beats", beats + 2, || {
        platform.workspace("ws-e2e")["beats"]["total"].as_u64().unwrap_or(0)
    });
    assert_eq!(fs::read_to_string(home.token_file()).unwrap(), saved);
    let registrations = platform.workspace("ws-e2e")["registrations"]["newest"].clone();
    let minted = registrations.as_array().unwrap().iter().filter(|one| one["minted"] == true);
    assert_eq!(minted.count(), 2);
    agent.stop();
}

/// S7: the inbound secret that a beat's answer carries is saved with mode
/// 0600, replaced when it changes, and left alone while it does not.
#[test]
fn s7_the_inbound_secret_is_saved_privately_and_follows_its_rotation() {
    let scene = Scene::with(&["--options", r#"{"inbound_secret": true}"#]);
    let mut agent = scene.agent(&[]);
    let file = scene.home.inbound_secret_file();
    wait::for_true("the secret is saved", || file.exists());
    assert_eq!(mode_of(&file), 0o600);
    let first = fs::read_to_string(&file).unwrap();
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    scene.wait_for_beats(3);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written, "it is not rewritten");

    let path = format!("workspaces/{}/rotate-inbound-secret", scene.home.workspace());
    let second = scene.platform.post(&path, &Value::Null)["platform_inbound_secret"].take();
    wait::for_true("the new one is saved", || {
        fs::read_to_string(&file).is_ok_and(|now| now != first && second == now.as_str())
    });
    assert_eq!(mode_of(&file), 0o600);
    agent.stop();
}
