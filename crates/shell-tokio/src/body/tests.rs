//! Against a server that sends byte for byte what each case says.

use std::time::Duration;

use everbeat_core::{HttpRequest, Method, Outcome, Response, TransportFailureKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::Client;

const MAX: usize = 1_000;

/// Serves one connection: waits for the request, sends `pieces` one by one,
/// then closes, or stays silent for good.
async fn answer(pieces: Vec<Vec<u8>>, closes: bool) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        for piece in pieces {
            if stream.write_all(&piece).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if !closes {
            std::future::pending::<()>().await;
        }
    });
    let outcome = get(&format!("http://{address}")).await;
    server.abort();
    outcome
}

async fn get(base: &str) -> Outcome {
    let client = Client::new().unwrap();
    let request = HttpRequest {
        method: Method::Get,
        base: base.into(),
        path: "/".into(),
        headers: Vec::new(),
        body: Vec::new(),
        body_bytes_max: MAX,
    };
    let sent = client.send(request, None);
    tokio::time::timeout(Duration::from_secs(20), sent).await.expect("no answer in 20 s")
}

fn response(outcome: Outcome) -> Response {
    let Outcome::Response(response) = outcome else { panic!("no response: {outcome:?}") };
    response
}

fn head(header: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n").into_bytes()
}

fn chunk(bytes: usize) -> Vec<u8> {
    format!("{bytes:x}\r\n{}\r\n", "x".repeat(bytes)).into_bytes()
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_complete() {
    let response =
        response(answer(vec![head("Content-Length: 1000"), vec![b'x'; 1_000]], true).await);
    assert_eq!((response.body.0.len(), response.complete), (MAX, true));
}

#[tokio::test]
async fn a_long_body_is_cut_without_waiting_for_its_rest() {
    let response =
        response(answer(vec![head("Content-Length: 30000000"), vec![b'x'; 5_000]], false).await);
    assert_eq!((response.body.0.len(), response.complete), (MAX, false));
}

#[tokio::test]
async fn a_chunked_body_is_cut_too() {
    let pieces = vec![head("Transfer-Encoding: chunked"), chunk(600), chunk(600), chunk(600)];
    let response = response(answer(pieces, false).await);
    assert_eq!((response.body.0.len(), response.complete), (MAX, false));
}

#[tokio::test]
async fn a_trickling_body_is_cut_too() {
    let mut pieces = vec![head("Transfer-Encoding: chunked")];
    pieces.extend((0..1_100).map(|_| chunk(1)));
    let response = response(answer(pieces, false).await);
    assert_eq!((response.body.0.len(), response.complete), (MAX, false));
}

#[tokio::test]
async fn a_body_that_breaks_off_counts_as_far_as_it_came() {
    for header in ["Content-Length: 20", "Transfer-Encoding: chunked"] {
        let body = if header.contains("chunked") { chunk(7) } else { vec![b'x'; 7] };
        let response = response(answer(vec![head(header), body], true).await);
        assert_eq!((response.status, response.body.0.len()), (200, 7), "{header}");
        assert!(!response.complete, "{header}");
    }
}

#[tokio::test]
async fn a_body_until_the_end_of_the_connection_is_complete() {
    let response = response(answer(vec![head("X: y"), b"hello".to_vec()], true).await);
    assert_eq!((response.body.0.as_slice(), response.complete), (&b"hello"[..], true));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let head = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\n\
        Content-Length: 0\r\nRetry-After: 3\r\n\r\n";
    let response = response(answer(vec![head.to_vec()], true).await);
    assert_eq!((response.status, response.retry_after_s), (307, Some(3)));
}

#[tokio::test]
async fn failures_tell_what_the_platform_may_have_seen() {
    let kind = |outcome| {
        let Outcome::TransportFailed(failure) = outcome else { panic!("no failure: {outcome:?}") };
        failure.kind
    };
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    assert_eq!(kind(get(&closed).await), TransportFailureKind::NotSent);
    assert_eq!(kind(get("http://no.such.name.invalid").await), TransportFailureKind::NotSent);
    assert_eq!(kind(answer(vec![], true).await), TransportFailureKind::NoAnswer);
    let half = vec![b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()];
    assert_eq!(kind(answer(half, true).await), TransportFailureKind::NoAnswer);
    let garbage = vec![b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec()];
    assert_eq!(kind(answer(garbage, true).await), TransportFailureKind::BadAnswer);
    // TLS spoken to a server that does not.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    assert_eq!(kind(get(&format!("https://{address}")).await), TransportFailureKind::NotSent);
}
