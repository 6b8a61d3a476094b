use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use super::*;
use crate::testing::TempDir;

/// Answers one connection with these bytes; gives what was asked.
async fn answer_once(listener: UnixListener, answer: &'static str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut asked = vec![0; 4_096];
    let length = stream.read(&mut asked).await.unwrap();
    stream.write_all(answer.as_bytes()).await.unwrap();
    asked.truncate(length);
    String::from_utf8(asked).unwrap()
}

fn client(paths: &[&Path]) -> ControlClient {
    ControlClient::new(Place::Sockets(paths.iter().map(|path| path.to_path_buf()).collect()))
}

#[tokio::test]
async fn each_place_is_listed_with_what_was_found() {
    let dir = TempDir::new();
    let (absent, stale) = (dir.join("absent.sock"), dir.join("stale.sock"));
    drop(UnixListener::bind(&stale).unwrap());
    let file = dir.join("file");
    std::fs::write(&file, "").unwrap();
    let asked = client(&[&absent, &stale, &file]).ask(Method::GET, "/", None).await;
    let Err(ControlError::NoAgent(tried)) = &asked else { panic!("{asked:?}") };
    let found: Vec<_> = tried.iter().map(|tried| tried.found.clone()).collect();
    assert_eq!(found, [Found::Absent, Found::NobodyListens, Found::Odd("no socket".into())]);
    let text = asked.unwrap_err().to_string();
    assert!(text.contains(&format!("\n  {}: absent", absent.display())), "{text}");
}

#[tokio::test]
async fn the_first_that_answers_is_asked() {
    let dir = TempDir::new();
    let path = dir.join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"a\": 1}";
    let body = serde_json::json!({"title": "x"});
    let absent = dir.join("absent.sock");
    let client = client(&[&absent, &path]);
    let asking = client.ask(Method::PUT, "/v1/tasks/t", Some(&body));
    let (answer, asked) = tokio::join!(asking, answer_once(listener, answer));
    assert_eq!(answer.unwrap().json().unwrap(), serde_json::json!({"a": 1}));
    let asked = asked.to_ascii_lowercase();
    assert!(asked.starts_with("put /v1/tasks/t http/1.1\r\n"), "{asked}");
    assert!(
        asked.contains("host: everbeat\r\n") && asked.ends_with("{\"title\":\"x\"}"),
        "{asked}"
    );
    assert!(!asked.contains("authorization"), "a socket needs no bearer");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_agents_words() {
    let dir = TempDir::new();
    let path = dir.join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answer = "HTTP/1.1 409 Conflict\r\nRetry-After: 7\r\nContent-Length: 96\r\n\r\n\
        {\"type\": \"urn:everbeat:problem:conflict\", \"title\": \"t\", \
        \"detail\": \"another lease runs\", \"x\":1}  ";
    let client = client(&[&path]);
    let asking = client.ask(Method::POST, "/v1/results/take", None);
    let (answer, _) = tokio::join!(asking, answer_once(listener, answer));
    let Err(ControlError::Refused(problem)) = answer else { panic!("{answer:?}") };
    assert_eq!((problem.status, problem.kind.as_str()), (409, "conflict"));
    assert_eq!(problem.to_string(), "the agent refused: another lease runs; again in 7 s");
}

#[tokio::test]
async fn somebody_else_is_told_from_an_agent() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found",
        "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let dir = TempDir::new();
        let path = dir.join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let client = client(&[&path]);
        let asking = client.ask(Method::GET, "/v1/status", None);
        let (answer, _) = tokio::join!(asking, answer_once(listener, answer));
        assert!(matches!(answer, Err(ControlError::Stranger { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn one_that_says_nothing_is_silent_in_time() {
    let dir = TempDir::new();
    let path = dir.join("control.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let client = client(&[&path]).within(Duration::from_millis(50));
    let answer = client.ask(Method::GET, "/livez", None).await;
    assert!(matches!(answer, Err(ControlError::Silent { .. })), "{answer:?}");
}

#[tokio::test]
async fn over_tcp_the_bearer_goes_along_and_no_debug_output_shows_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let token = Secret::new("a-very-secret-word").unwrap();
    let client = ControlClient::new(Place::Tcp { authority, token });
    assert!(!format!("{client:?}").contains("very-secret"));
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4_096];
        let length = stream.read(&mut asked).await.unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(asked.get(..length).unwrap()).into_owned()
    };
    let (answer, asked) = tokio::join!(client.ask(Method::POST, "/v1/beat", None), serving);
    assert_eq!(answer.unwrap().status, 204);
    assert!(asked.contains("Bearer a-very-secret-word\r\n"), "{asked}");
}

#[tokio::test]
async fn events_are_followed_until_the_stream_ends() {
    let dir = TempDir::new();
    let path = dir.join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Connection: close\r\n\r\n: hi\n\nid: 4\nevent: beat\ndata: {}\n\n";
    let client = client(&[&path]);
    let following = async {
        let mut following = client.follow("/v1/events", Some("3")).await.unwrap();
        (following.next().await.unwrap(), following.next().await.unwrap())
    };
    let ((first, end), asked) = tokio::join!(following, answer_once(listener, answer));
    let event = Event { id: "4".into(), kind: "beat".into(), data: "{}".into() };
    assert_eq!((first, end), (Some(event), None));
    assert!(asked.to_ascii_lowercase().contains("last-event-id: 3\r\n"), "{asked}");
}
