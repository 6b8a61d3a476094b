//! `openapi.json` says what the server does: every route and method, and
//! answers that have exactly the fields that it names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use everbeat_tests::{Answer, Control, Scene, schema, wait};
use serde_json::{Value, json};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn shell() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/shell-tokio")
}

fn document() -> Value {
    let text = fs::read_to_string(shell().join("openapi.json")).expect("the document");
    serde_json::from_str(&text).expect("it is JSON")
}

/// Paths and methods that the document has.
fn documented(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let methods = |(path, operations): (&String, &Value)| {
        let operations = operations.as_object().expect("operations").clone();
        let path = path.clone();
        operations.into_iter().map(move |(method, _)| (path.clone(), method))
    };
    paths.iter().flat_map(methods).collect()
}

/// Paths that the server's sources route.
fn routed() -> BTreeSet<String> {
    let folder = shell().join("src/control/routes");
    let mut paths = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the routes") {
        let text = fs::read_to_string(entry.expect("a file").path()).expect("its text");
        let routes = text.split(".route(").skip(1);
        paths.extend(routes.filter_map(|rest| rest.split('"').nth(1)).map(Into::into));
    }
    paths
}

#[test]
fn every_route_is_in_the_document_and_nothing_else() {
    let document = document();
    let paths: BTreeSet<_> = documented(&document).into_iter().map(|(path, _)| path).collect();
    assert!(paths.len() > 12, "{paths:?}");
    assert_eq!(paths, routed());
}

/// The server takes the methods that the document has, and no other.
#[test]
fn every_method_is_taken_and_no_other() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let documented = documented(&document());
    for path in routed() {
        let filled = path.replace("{id}", "t").replace("{delegation_id}", "d");
        for method in METHODS {
            let known = documented.contains(&(path.clone(), method.to_owned()));
            let status = if filled == "/v1/events" && known {
                200 // It never ends: the other tests read it.
            } else {
                control.send(&method.to_uppercase(), &filled, &Value::Null).status
            };
            let is_taken = status != 404 && status != 405;
            assert_eq!(is_taken, known, "{method} {path}: {status}");
        }
    }
    agent.stop();
}

/// A server, and what its document says.
struct Bench {
    control: Control,
    document: Value,
    seen: BTreeSet<(String, String, String)>,
}

impl Bench {
    /// Sends it and checks that the answer is one that the document has.
    fn send(&mut self, method: &str, path: &str, sent: &str, body: &Value) -> Value {
        let answer = self.control.send(&method.to_uppercase(), sent, body);
        self.check(method, path, &answer);
        answer.json()
    }

    fn check(&mut self, method: &str, path: &str, answer: &Answer) {
        let (status, said) = (answer.status.to_string(), answer.json());
        let what = format!("{method} {path}: {status} {said}");
        let operation = &self.document["paths"][path][method];
        let mut response = &operation["responses"][&status];
        if let Some(target) = response["$ref"].as_str() {
            response = self.document.pointer(&target[1..]).expect("a response");
        }
        assert!(response.is_object(), "{what}: the document has no such answer");
        match response.get("content").and_then(Value::as_object) {
            None => assert!(answer.body.is_empty(), "{what}: no body is promised"),
            Some(content) if content.keys().all(|kind| kind.contains("json")) => {
                let schema = &content.values().next().expect("a type")["schema"];
                if let Err(error) = schema::check(&self.document, schema, &said) {
                    panic!("{what}\n{error}");
                }
            }
            Some(_) => assert!(!answer.body.is_empty(), "{what}"),
        }
        self.seen.insert((path.to_owned(), method.to_owned(), status));
    }
}

/// Real answers, in all states that are cheap to reach, fit the schemas; so
/// do the requests that are taken, and those that are refused do not.
#[test]
fn answers_are_as_the_document_says() {
    let scene = Scene::new();
    let mut agent = scene.agent(&[]);
    let control = scene.control();
    let (document, seen) = (document(), BTreeSet::new());
    let mut bench = Bench { control, document, seen };
    bench.send("get", "/readyz", "/readyz?verbose", &Value::Null);
    bench.send("get", "/v1/status", "/v1/status", &Value::Null);
    scene.wait_for_beats(1);
    let task = "/v1/tasks/{id}";
    bench.send("put", task, "/v1/tasks/t", &json!({"title": "reading", "ttl_s": 60}));
    bench.send("put", task, "/v1/tasks/u", &json!({}));
    bench.send("put", task, "/v1/tasks/u", &json!({"ttl_s": 0}));
    bench.send("put", "/v1/tasks", "/v1/tasks", &json!({"tasks": [{"id": "t"}, {"id": "u"}]}));
    let tasks: Vec<_> = (0..257).map(|id| json!({"id": id.to_string()})).collect();
    bench.send("put", "/v1/tasks", "/v1/tasks", &json!({"tasks": tasks}));
    bench.send("delete", task, "/v1/tasks/u", &Value::Null);
    bench.send("post", "/v1/outcomes", "/v1/outcomes", &json!({"error": "e", "count": 3}));
    bench.send("post", "/v1/outcomes", "/v1/outcomes", &json!({"success": "yes"}));
    let metadata = json!({"capabilities": {"heartbeat": true}, "idle_timeout_seconds": 300});
    bench.send("put", "/v1/metadata", "/v1/metadata", &metadata);
    bench.send("put", "/v1/wedge", "/v1/wedge", &json!({"reason": "stuck"}));
    bench.send("put", "/v1/wedge", "/v1/wedge", &json!({"reason": "stuck", "why": 1}));
    let awaits = "/v1/awaits/{delegation_id}";
    bench.send("put", awaits, "/v1/awaits/d-0009", &Value::Null);
    bench.send("delete", awaits, "/v1/awaits/d-0009", &Value::Null);
    bench.send("post", "/v1/beat", "/v1/beat", &Value::Null);
    bench.send("get", "/v1/status", "/v1/status", &Value::Null);
    bench.send("delete", "/v1/wedge", "/v1/wedge", &Value::Null);

    let take = "/v1/results/take";
    assert_eq!(bench.send("post", take, take, &json!({}))["lease"], Value::Null);
    scene.completed("d-0001");
    wait::for_true("a result", || scene.home.results().exists());
    let taken = bench.send("post", take, take, &json!({"lease_s": 60}));
    assert_eq!(taken["results"][0]["delegation_id"], "d-0001");
    bench.send("post", take, take, &json!({}));
    bench.send("get", "/v1/status", "/v1/status", &Value::Null);
    let acknowledge = "/v1/results/ack";
    bench.send("post", acknowledge, acknowledge, &json!({"lease": taken["lease"]}));
    bench.send("post", acknowledge, acknowledge, &json!({"lease": taken["lease"]}));

    let level = "/v1/log-level";
    bench.send("put", level, level, &json!({"level": "debug", "for_s": 5}));
    bench.send("put", level, level, &json!({"level": "loud"}));
    bench.send("delete", level, level, &Value::Null);
    bench.send("post", "/v1/reload", "/v1/reload", &Value::Null);
    bench.send("get", "/metrics", "/metrics", &Value::Null);
    bench.send("get", "/livez", "/livez?verbose", &Value::Null);
    bench.send("get", "/v1/events", "/v1/events?kinds=bees", &Value::Null);
    let served = bench.send("get", "/v1/openapi.json", "/v1/openapi.json", &Value::Null);
    assert_eq!(served, bench.document, "the file is what is served");

    // An outage shows in the status, too.
    let fault = json!({"kind": "status", "status": 503});
    scene.platform.fault("heartbeat", &fault);
    bench.control.wait_for("the outage", |status| status["beat"]["outage"].is_object());
    bench.send("get", "/v1/status", "/v1/status", &Value::Null);
    wait::for_true("it is not ready", || {
        bench.send("get", "/readyz", "/readyz", &Value::Null)["status"] == "failing"
    });
    let operations: BTreeSet<_> =
        bench.seen.iter().map(|(path, method, _)| (path.clone(), method.clone())).collect();
    assert_eq!(operations, documented(&bench.document), "each operation was tried");
    agent.stop();
}

/// The little checker finds what is wrong.
#[test]
fn the_checker_refuses() {
    let document = document();
    let schema = &document["components"]["schemas"]["Reloaded"];
    let good = json!({"schema_version": 1, "outcome": "applied", "fields": []});
    assert_eq!(schema::check(&document, schema, &good), Ok(()));
    for (pointer, value) in [
        ("/schema_version", json!(2)),
        ("/outcome", json!("perhaps")),
        ("/fields", json!({})),
        ("/fields", json!([{"field": "a", "outcome": "applied"}])),
        ("/fields", json!([{"field": "a", "outcome": "applied", "detail": "", "more": 1}])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("a field") = value;
        assert!(schema::check(&document, schema, &bad).is_err(), "{bad}");
    }
}
