//! Who may ask: the same user over the socket, whoever has the token over the
//! port, and no page in a browser.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use everbeat_core::Secret;

use super::App;
use super::problem::{Kind, Problem};
use super::stream::Taken;

/// What is known of a connection; every request has it.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) peer: Peer,
    /// For the stream below: what was taken whole.
    pub(crate) taken: Arc<Taken>,
}

/// Who is on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process of this user, or root's.
    Own,
    /// A process of another user.
    Foreign,
    /// Somebody who must show the token.
    Port,
}

/// Lets a request through, or not.
pub(crate) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<Connection>();
    let peer = connection.map_or(Peer::Foreign, |connection| connection.peer);
    match refusal(peer, request.headers(), app.token.as_ref()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn refusal(peer: Peer, headers: &HeaderMap, token: Option<&Secret>) -> Option<Problem> {
    if headers.contains_key(header::ORIGIN) {
        return Some(Problem::new(Kind::Forbidden, "a request with an Origin is a browser's"));
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_own_name(host) => {}
        _ => {
            let detail = "Host must be everbeat, localhost, 127.0.0.1 or [::1]";
            return Some(Problem::new(Kind::Forbidden, detail));
        }
    }
    match peer {
        Peer::Own => None,
        Peer::Foreign => {
            let detail = "the socket belongs to another user than this client's";
            Some(Problem::new(Kind::Forbidden, detail))
        }
        Peer::Port if shows(headers, token) => None,
        Peer::Port => {
            let detail = "give what stands in the file of --control-token-file as the bearer";
            Some(Problem::new(Kind::Unauthorized, detail))
        }
    }
}

fn is_own_name(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        Some(_) | None => (host, "0"),
    };
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let names = ["everbeat", "localhost", "127.0.0.1", "[::1]"];
    is_port && names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn shows(headers: &HeaderMap, token: Option<&Secret>) -> bool {
    let Some(token) = token else { return false };
    let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let Some((scheme, shown)) = shown.and_then(|shown| shown.split_at_checked(7)) else {
        return false;
    };
    scheme.eq_ignore_ascii_case(b"bearer ") && is_same(shown, token.expose().as_bytes())
}

/// Takes the same time wherever they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |sum, (one, other)| sum | (one ^ other));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn is_let_in(peer: Peer, all: &[(&'static str, &'static str)]) -> bool {
        let token = Secret::new("the-token");
        refusal(peer, &headers(all), token.as_ref()).is_none()
    }

    #[test]
    fn only_own_names_are_hosts() {
        for host in ["everbeat", "localhost:80", "LOCALHOST", "127.0.0.1:1", "[::1]", "[::1]:99"] {
            assert!(is_let_in(Peer::Own, &[("host", host)]), "{host}");
        }
        let others =
            ["", "evil.test", "everbeat.evil.test", "localhost:", "localhost:80x", "::1", "[::2]"];
        for host in others {
            assert!(!is_let_in(Peer::Own, &[("host", host)]), "{host}");
        }
        assert!(!is_let_in(Peer::Own, &[]));
        assert!(!is_let_in(Peer::Own, &[("host", "everbeat"), ("host", "everbeat")]));
        assert!(!is_let_in(Peer::Own, &[("host", "everbeat"), ("origin", "null")]));
    }

    #[test]
    fn a_port_wants_the_token_and_a_socket_its_user() {
        let host = ("host", "localhost");
        assert!(!is_let_in(Peer::Foreign, &[host]));
        assert!(!is_let_in(Peer::Port, &[host]));
        for shown in ["Bearer the-token", "bearer the-token"] {
            assert!(is_let_in(Peer::Port, &[host, ("authorization", shown)]), "{shown}");
        }
        for shown in ["Bearer the-tokem", "Bearer the-token2", "the-token", "Basic the-token", ""] {
            assert!(!is_let_in(Peer::Port, &[host, ("authorization", shown)]), "{shown}");
        }
        let bearer = ("authorization", "Bearer ");
        assert!(refusal(Peer::Port, &headers(&[host, bearer]), None).is_some());
    }
}
