//! The requests that commands become, to the byte where the platform looks.

use everbeat_core::{
    Action, CommandId, Config, Event, Heartbeat, HttpRequest, Method, Now, ValidConfig, lower,
};
use serde_json::{Value, json};

fn config(platform_url: &str, org_id: Option<&str>) -> ValidConfig {
    let config = Config::new("ws-1", platform_url);
    Config { org_id: org_id.map(Into::into), ..config }.validate().expect("a valid one")
}

fn request(action: &Action) -> HttpRequest {
    lower(&config("http://platform:8080", None), action).expect("a request")
}

fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

fn json_header() -> (&'static str, String) {
    ("content-type", "application/json".into())
}

/// The first beat's command.
fn beat() -> Action {
    let mut machine = Heartbeat::new(config("http://p", None), 1, Now::default());
    let at = machine.next_wakeup().expect("the first beat").at;
    machine.handle(Now { monotonic: at, ..Now::default() }, Event::Tick);
    let is_beat = |action: &Action| matches!(action, Action::PostHeartbeat(_));
    std::iter::from_fn(|| machine.poll_command())
        .map(|command| command.action)
        .find(is_beat)
        .expect("a beat")
}

#[test]
fn a_beat_is_posted() {
    let request = request(&beat());
    assert_eq!(request.method, Method::Post);
    assert_eq!(request.url(), "http://platform:8080/registry/heartbeat");
    assert_eq!(request.headers, [json_header()]);
    assert_eq!(request.body_bytes_max, 64 << 10);
    let body = body(&request);
    assert_eq!((&body["workspace_id"], &body["active_tasks"]), (&json!("ws-1"), &json!(0)));
}

#[test]
fn the_list_may_be_longer_than_other_answers() {
    let request = request(&Action::FetchDelegations);
    assert_eq!(request.url(), "http://platform:8080/workspaces/ws-1/delegations");
    assert_eq!((request.method, request.body.len(), request.headers), (Method::Get, 0, vec![]));
    assert_eq!(request.body_bytes_max, 1 << 20);
}

#[test]
fn a_workspace_is_looked_up_by_its_id() {
    let request = request(&Action::FetchWorkspace { workspace_id: "parent".into() });
    assert_eq!(request.url(), "http://platform:8080/workspaces/parent");
    assert_eq!(request.body_bytes_max, 64 << 10);
}

#[test]
fn a_self_message_names_its_sender_and_keeps_its_id() {
    let action = Action::SendSelfMessage { message_id: "everbeat-1".into(), text: "hello".into() };
    let request = request(&action);
    assert_eq!(request.url(), "http://platform:8080/workspaces/ws-1/a2a");
    assert_eq!(request.headers, [json_header(), ("x-workspace-id", "ws-1".into())]);
    let part = json!({"kind": "text", "type": "text", "text": "hello"});
    let message = json!({"role": "user", "messageId": "everbeat-1", "parts": [part]});
    let params = json!({"message": message});
    assert_eq!(body(&request), json!({"method": "message/send", "params": params}));
}

#[test]
fn a_notification_says_what_it_is() {
    let request = request(&Action::Notify { message: "done".into() });
    assert_eq!(request.url(), "http://platform:8080/workspaces/ws-1/notify");
    assert_eq!(body(&request), json!({"message": "done", "type": "delegation_result"}));
}

#[test]
fn with_an_organisation_every_request_carries_it_and_the_origin() {
    for (url, origin) in [
        ("https://platform.example:8443/a/b", "https://platform.example:8443"),
        ("http://p", "http://p"),
    ] {
        let request = lower(&config(url, Some("org")), &Action::FetchDelegations);
        let request = request.expect("a request");
        let headers = [("x-molecule-org-id", "org".to_owned()), ("origin", origin.to_owned())];
        assert_eq!(request.headers, headers);
        assert_eq!(request.url(), format!("{url}/workspaces/ws-1/delegations"));
    }
}

#[test]
fn what_is_for_the_disk_or_the_shell_is_no_request() {
    for action in [
        Action::OpenStore,
        Action::ProbeResults,
        Action::ReloadToken,
        Action::RebuildClient,
        Action::Cancel { command: CommandId(1) },
    ] {
        assert_eq!(lower(&config("http://p", None), &action), None);
    }
}

#[test]
fn a_command_says_whether_it_is_answered_and_by_whom() {
    let cancel = Action::Cancel { command: CommandId(1) };
    let store = Action::ProbeResults;
    let answered = [&cancel, &Action::RebuildClient, &store, &Action::ReloadToken]
        .map(|action| (action.is_answered(), action.is_store()));
    assert_eq!(answered, [(false, false), (false, false), (true, true), (true, false)]);
}
