//! Each way of answering, as a client without manners sees it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

async fn served() -> SocketAddr {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(any, Options::development(1)).await.unwrap();
    let address = server.address();
    tokio::spawn(server.run());
    address
}

/// All that comes until the connection ends, or for half a second.
async fn exchange(address: SocketAddr, request: String) -> (String, bool) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let ended = tokio::time::timeout(Duration::from_millis(500), read).await.is_ok();
    (String::from_utf8_lossy(&bytes).into_owned(), ended)
}

async fn get(address: SocketAddr, path: &str) -> (String, bool) {
    exchange(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

async fn post(address: SocketAddr, path: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    exchange(address, format!("{head}Content-Length: {length}\r\n\r\n{body}")).await.0
}

async fn with_fault(effect: Value) -> (String, bool) {
    let address = served().await;
    let fault = json!({"route": "health", "effect": effect});
    let answer = post(address, "/admin/faults", &fault).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    get(address, "/health").await
}

#[tokio::test]
async fn an_answer_arrives_whole() {
    let (answer, ended) = get(served().await, "/health").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"status\":\"ok\"}"), "{answer}");
    assert!(ended);
}

#[tokio::test]
async fn what_is_refused_gets_no_byte() {
    assert_eq!(with_fault(json!({"kind": "refuse"})).await, (String::new(), true));
}

#[tokio::test]
async fn what_hangs_stays_open() {
    assert_eq!(with_fault(json!({"kind": "hang", "acts": true})).await, (String::new(), false));
}

#[tokio::test]
async fn a_cut_answer_promises_more_than_it_brings() {
    let (answer, ended) = with_fault(json!({"kind": "cut", "bytes": 5})).await;
    assert!(answer.to_lowercase().contains("content-length: 15"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"sta"), "{answer}");
    assert!(ended);
    let (answer, ended) = with_fault(json!({"kind": "cut", "bytes": 0})).await;
    assert!(answer.ends_with("\r\n\r\n") && ended, "{answer}");
}

#[tokio::test]
async fn a_trickle_is_unfinished_for_long() {
    let (answer, ended) = with_fault(json!({"kind": "trickle", "period_ms": 100})).await;
    let (_, body) = answer.split_once("\r\n\r\n").expect("no head");
    assert!((2..=6).contains(&body.len()), "{body}");
    assert!(!ended);
}

#[tokio::test]
async fn a_delay_is_waited_for() {
    let begun = Instant::now();
    let (answer, _) = with_fault(json!({"kind": "delay", "ms": 200})).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(begun.elapsed() >= Duration::from_millis(200));
}
