//! Sending an answer the way the model says: late, never, cut or trickling.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_LENGTH};
use axum::response::Response;
use everbeat_platform::{Answer, Delivery, Reply};
use hyper::body::Frame;
use tokio::time::{Sleep, sleep};

use super::connection::Connection;

/// From the last byte of a cut answer to the end of its connection: what was
/// written before is sent before.
const CUT_AFTER: Duration = Duration::from_millis(10);

/// The answer, when it is time for it.
pub(crate) async fn deliver(reply: Reply, connection: &Connection) -> Response {
    let Reply { answer, delivery } = reply;
    match delivery {
        Delivery::After(delay) => {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            let body = Body::from(answer.body.clone());
            with_head(&answer, body)
        }
        Delivery::Hang => match std::future::pending::<Infallible>().await {},
        Delivery::Refuse => {
            connection.break_off();
            with_head(&answer, Body::empty())
        }
        Delivery::Cut { after, bytes } => {
            sleep(after).await;
            let is_whole = bytes >= answer.body.len();
            let sent = answer.body.get(..bytes).unwrap_or(&answer.body).to_vec();
            let length = sent.len().max(1);
            let ending = if is_whole { Ending::Whole } else { Ending::Cut };
            slowly(&answer, Slow::new(sent, length, Duration::ZERO, ending))
        }
        Delivery::Trickle { period } => {
            let whole = answer.body.clone();
            slowly(&answer, Slow::new(whole, 1, period, Ending::Whole))
        }
    }
}

fn with_head(answer: &Answer, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn slowly(answer: &Answer, body: Slow) -> Response {
    let mut response = with_head(answer, Body::new(body));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
    response
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    /// The connection breaks.
    Cut,
}

/// A body in pieces, with a pause before each.
struct Slow {
    rest: Bytes,
    piece: usize,
    pause: Duration,
    ending: Ending,
    sleep: Pin<Box<Sleep>>,
}

impl Slow {
    fn new(body: Vec<u8>, piece: usize, pause: Duration, ending: Ending) -> Self {
        // With no byte at all the head is still to be sent.
        let first = if body.is_empty() { CUT_AFTER } else { pause };
        let sleep = Box::pin(sleep(first));
        Self { rest: body.into(), piece, pause, ending, sleep }
    }
}

impl hyper::body::Body for Slow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.rest.is_empty() && self.ending == Ending::Whole {
            return Poll::Ready(None);
        }
        ready!(self.sleep.as_mut().poll(context));
        if self.rest.is_empty() {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
        }
        let piece = self.piece.min(self.rest.len());
        let bytes = self.rest.split_to(piece);
        let pause = if self.rest.is_empty() { CUT_AFTER } else { self.pause };
        self.sleep.set(sleep(pause));
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}
