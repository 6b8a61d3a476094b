//! Who reads the stream of events, and what each may still have.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::super::connection::Connection;

/// Pages that can be open at once.
pub(super) const READERS_MAX: usize = 32;
/// Events that may wait for a page: at five a second, some seconds.
const WAITING_MAX: usize = 64;
/// Changes that are kept for a page that was away for a moment.
const KEPT_MAX: usize = 256;
/// Bytes of them.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// All who read, and the last changes.
#[derive(Debug, Default)]
pub(super) struct Readers {
    readers: Vec<Reader>,
    /// With the number of each; no gap between them.
    kept: VecDeque<(u64, Bytes)>,
    kept_bytes: usize,
}

#[derive(Debug)]
struct Reader {
    send: Sender<Bytes>,
    connection: Connection,
}

impl Readers {
    /// `None` if there are too many already. `first` is sent before all else.
    pub(super) fn join(&mut self, first: Bytes, connection: &Connection) -> Option<Stream> {
        self.readers.retain(|reader| !reader.send.is_closed());
        if self.readers.len() >= READERS_MAX {
            return None;
        }
        let (send, receive) = channel(WAITING_MAX);
        self.readers.push(Reader { send, connection: connection.clone() });
        Some(Stream { first: Some(first), receive })
    }

    /// Keeps a change and sends it to all.
    pub(super) fn change(&mut self, number: u64, event: Bytes) {
        self.kept_bytes += event.len();
        self.kept.push_back((number, event.clone()));
        while self.kept.len() > KEPT_MAX || self.kept_bytes > KEPT_BYTES_MAX {
            let Some((_, oldest)) = self.kept.pop_front() else { break };
            self.kept_bytes -= oldest.len();
        }
        self.send(event);
    }

    /// Sends to all. Whoever has not read for long is let go; its browser comes
    /// again by itself.
    pub(super) fn send(&mut self, event: Bytes) {
        self.readers.retain(|reader| {
            let is_sent = reader.send.try_send(event.clone()).is_ok();
            if !is_sent {
                reader.connection.break_off();
            }
            is_sent
        });
    }

    /// The changes after this one, if all of them are kept. `newest` is the
    /// number of the last one ever sent.
    pub(super) fn since(&self, number: u64, newest: u64) -> Option<Bytes> {
        let oldest = self.kept.front().map_or(newest + 1, |(number, _)| *number);
        let is_whole = number <= newest && number + 1 >= oldest;
        let missed = self.kept.iter().filter(|(have, _)| *have > number);
        is_whole.then(|| missed.flat_map(|(_, event)| event.iter().copied()).collect())
    }
}

/// One page's stream of events.
#[derive(Debug)]
pub(super) struct Stream {
    first: Option<Bytes>,
    receive: Receiver<Bytes>,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let event = ready!(self.receive.poll_recv(context));
        Poll::Ready(event.map(|event| Ok(Frame::data(event))))
    }
}
