//! Connections that can be broken by the one who answers.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// What a handler knows of its connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    breaking: Arc<Break>,
}

impl Connection {
    /// One without a socket.
    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        Self { peer: SocketAddr::from(([127, 0, 0, 1], 0)), breaking: Arc::default() }
    }

    /// Nothing more is sent on it: the next attempt closes it, and one that
    /// waits for the other side to read does so now.
    pub(crate) fn break_off(&self) {
        self.breaking.is_broken.store(true, Ordering::Relaxed);
        if let Some(waker) = self.breaking.waiting().take() {
            waker.wake();
        }
    }
}

/// Whether a connection is broken, and who waits to write on it.
#[derive(Debug, Default)]
struct Break {
    is_broken: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Break {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener whose connections can be broken.
pub(crate) struct Connections {
    listener: TcpListener,
}

impl Connections {
    pub(crate) const fn new(listener: TcpListener) -> Self {
        Self { listener }
    }
}

impl Listener for Connections {
    type Io = Breakable;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Breakable, SocketAddr) {
        // The inner one deals with what goes wrong.
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        // A byte at a time is to arrive a byte at a time.
        let _ = stream.set_nodelay(true);
        (Breakable { stream, breaking: Arc::default() }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Connections>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        let breaking = Arc::clone(&stream.io().breaking);
        Self { peer: *stream.remote_addr(), breaking }
    }
}

/// A stream that fails every write once it is broken.
pub(crate) struct Breakable {
    stream: TcpStream,
    breaking: Arc<Break>,
}

impl Breakable {
    fn check(&self) -> io::Result<()> {
        if self.breaking.is_broken.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    /// Before a write, so that no break is slept through.
    fn begin_write(&self, context: &Context<'_>) -> io::Result<()> {
        *self.breaking.waiting() = Some(context.waker().clone());
        self.check()
    }
}

impl AsyncRead for Breakable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Breakable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.begin_write(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begin_write(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_write_that_waits_for_a_reader_ends_when_the_connection_is_broken() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut connections = Connections::new(listener);
        let address = Listener::local_addr(&connections).unwrap();
        let (accepted, _silent) = tokio::join!(connections.accept(), async {
            TcpStream::connect(address).await.unwrap()
        });
        let (mut stream, peer) = accepted;
        let connection = Connection { peer, breaking: Arc::clone(&stream.breaking) };
        let mut written = Box::pin(async move {
            loop {
                if let Err(error) = stream.write_all(&[0; 1 << 16]).await {
                    return error.kind();
                }
            }
        });
        let waits = tokio::time::timeout(Duration::from_millis(300), &mut written).await;
        assert!(waits.is_err(), "the other side does not read: {waits:?}");
        let ended = tokio::spawn(written);
        tokio::task::yield_now().await;
        connection.break_off();
        let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
        assert_eq!(ended.expect("it ends").unwrap(), io::ErrorKind::ConnectionReset);
    }
}
