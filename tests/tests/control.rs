//! The control socket: what each route does, seen by the platform; the
//! socket's life.

use everbeat_tests::{Scene, mode_of, wait};
use serde_json::{Value, json};

/// The smallest story: somebody reports a task, the platform sees it, it is
/// ended, the platform sees that, and the socket goes with the agent.
#[test]
fn a_task_is_begun_and_ended_over_the_socket() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    assert_eq!(control.get("/livez")["status"], "ok");
    assert_eq!(mode_of(&scene.home.control()), 0o600);
    scene.wait_for_beats(1);

    let task = control.done("PUT", "/v1/tasks/t-1", &json!({"title": "reading", "ttl_s": 60}));
    assert_eq!(task, json!({"id": "t-1", "title": "reading", "ttl_s": 60.0}));
    wait::for_true("the platform sees the task", || {
        scene.seen()["active_tasks"] == 1 && scene.seen()["current_task"] == "reading"
    });
    let status = control.status();
    assert_eq!(status["schema_version"], 1);
    assert_eq!(status["pid"], agent.pid());
    assert_eq!(status["workspace_id"], scene.home.workspace());
    assert_eq!(status["vitals"]["tasks"][0]["id"], "t-1");
    assert!(status["beat"]["accepted"].as_u64().is_some_and(|accepted| accepted > 0));

    assert_eq!(control.send("DELETE", "/v1/tasks/t-1", &Value::Null).status, 204);
    wait::for_true("the platform sees its end", || scene.seen()["active_tasks"] == 0);
    agent.stop();
    assert!(control.is_gone(), "the socket is unlinked");
}
