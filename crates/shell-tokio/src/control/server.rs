//! The thread that serves.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::guard::{Connection, Peer};
use super::listener::{BindError, Socket, bind_address};
use super::stream::{Paced, Taken};
use super::{App, ControlSettings, SocketPlace, routes};

/// Connections that are served at once.
const CONNECTIONS_MAX: usize = 1_024;
/// File descriptors that are asked for, and of which clients get half at most:
/// beats and the journal need some, too.
const DESCRIPTORS_WANTED: u64 = 4_096;
/// How long a connection may stay without a request.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// After a connection could not be accepted (no file descriptors are left).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How long the start waits for the file system; beats go on meanwhile.
const START_WITHIN: Duration = Duration::from_secs(2);
/// How long the end waits for it.
const END_WITHIN: Duration = Duration::from_millis(300);
/// A socket in the state folder that cannot be made is tried again so often.
const BIND_AGAIN: Duration = Duration::from_secs(30);

/// Why it does not listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The socket or the port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system has no thread or no runtime left.
    #[error("the control socket's thread cannot be started: {0}")]
    Thread(#[source] io::Error),
}

/// A server at work; it ends with this value, and the socket is unlinked.
#[derive(Debug)]
pub(crate) struct Server {
    stop: watch::Sender<bool>,
    /// Never says anything: it is dropped when the thread ends.
    ended: mpsc::Receiver<()>,
}

impl Server {
    /// Listens, and serves `app` from then on. A socket whose place nobody
    /// gave and that cannot be made is said and tried again, since nothing
    /// that is wrong with files keeps an agent from beating; it is an error
    /// if another process listens there.
    ///
    /// # Errors
    /// If it does not listen where it was told to.
    pub(crate) async fn start(settings: ControlSettings, app: App) -> Result<Self, StartError> {
        let (stop, stopping) = watch::channel(false);
        let (report, started) = oneshot::channel();
        let (ends, ended) = mpsc::channel();
        // A file system that hangs holds up this thread and nothing else.
        let thread = thread::Builder::new().name("everbeat-control".into());
        let serve = move || {
            serve(&settings, app, report, stopping);
            drop(ends);
        };
        thread.spawn(serve).map_err(StartError::Thread)?;
        let server = Self { stop, ended };
        match timeout(START_WITHIN, started).await {
            Ok(Ok(started)) => started.map(|()| server),
            Ok(Err(_)) => Err(StartError::Thread(io::Error::other("it ended at once"))),
            Err(_) => {
                tracing::warn!("the control socket is not made in time; beats go on without it");
                Ok(server)
            }
        }
    }

    /// Takes no more requests and unlinks the socket, which a file system that
    /// hangs holds up for a moment at most.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let _ = self.ended.recv_timeout(END_WITHIN);
    }
}

type Report = oneshot::Sender<Result<(), StartError>>;

fn serve(
    settings: &ControlSettings,
    app: App,
    report: Report,
    mut stopping: watch::Receiver<bool>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = report.send(Err(StartError::Thread(error)));
            return;
        }
    };
    let bound = match bind(settings) {
        Ok(bound) => bound,
        Err(error) => {
            if let Err(Err(error)) = report.send(Err(error.into())) {
                // Nobody waits for it any more.
                tracing::error!("{error}");
            }
            return;
        }
    };
    let _ = report.send(Ok(()));
    runtime.block_on(async {
        let telemetry = Arc::clone(&app.telemetry);
        let accepting = accept_all(settings, bound, app);
        tokio::select! {
            () = accepting => {}
            // A sender that was dropped asks for the same.
            _ = stopping.wait_for(|stop| *stop) => {}
        }
        // The last events are told, to whoever reads.
        telemetry.finish().await;
    });
    runtime.shutdown_background();
}

/// What could be had at the start.
struct Bound {
    socket: Option<Socket>,
    port: Option<TcpListener>,
}

fn bind(settings: &ControlSettings) -> Result<Bound, BindError> {
    let socket = match &settings.socket {
        Some(place) => bind_socket(place)?,
        None => None,
    };
    let port = match &settings.port {
        Some(port) => {
            let listener = bind_address(port.address)?;
            if let Ok(address) = listener.local_addr() {
                tracing::info!("requests are taken at http://{address}/, with the token");
            }
            Some(listener)
        }
        None => None,
    };
    Ok(Bound { socket, port })
}

fn bind_socket(place: &SocketPlace) -> Result<Option<Socket>, BindError> {
    match Socket::bind(&place.path) {
        Ok(socket) => {
            tracing::info!("requests are taken at {}", socket.path().display());
            Ok(Some(socket))
        }
        Err(error @ BindError::Living(_)) => Err(error),
        Err(error) if place.is_given => Err(error),
        Err(error) => {
            tracing::warn!("{error}; beats go on without it, and it is tried again");
            Ok(None)
        }
    }
}

async fn accept_all(settings: &ControlSettings, bound: Bound, app: App) {
    let router = routes::router(Arc::clone(&app));
    let door = Door { app, router, seats: connections_max() };
    let socket = accept_socket(settings.socket.as_ref(), bound.socket, &door);
    let port = accept_port(bound.port, &door);
    tokio::join!(socket, port);
}

async fn accept_socket(place: Option<&SocketPlace>, mut bound: Option<Socket>, door: &Door) {
    let Some(place) = place else { return };
    while bound.is_none() {
        tokio::time::sleep(BIND_AGAIN).await;
        match Socket::bind(&place.path) {
            Ok(socket) => {
                tracing::info!("requests are taken at {}", socket.path().display());
                bound = Some(socket);
            }
            Err(error) => tracing::debug!("{error}; it is tried again"),
        }
    }
    let Some(socket) = bound else { return };
    let listener = socket.listener.try_clone().and_then(listen);
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("the control socket cannot be served: {error}");
            return;
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = peer(&stream);
                door.let_in(stream, peer);
            }
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
}

fn listen(listener: UnixListener) -> io::Result<tokio::net::UnixListener> {
    tokio::net::UnixListener::from_std(listener)
}

fn peer(stream: &UnixStream) -> Peer {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own || peer.uid() == 0 => Peer::Own,
        Ok(_) | Err(_) => Peer::Foreign,
    }
}

async fn accept_port(bound: Option<TcpListener>, door: &Door) {
    let Some(listener) = bound else { return };
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("the control address cannot be served: {error}");
            return;
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => door.let_in(stream, Peer::Port),
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
}

/// What lets connections in.
struct Door {
    app: App,
    router: Router,
    seats: usize,
}

impl Door {
    /// Serves one connection, unless there are too many.
    fn let_in<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(seat) = Seat::take(&self.app, self.seats) else { return };
        let taken = Arc::<Taken>::default();
        let stream = TokioIo::new(Paced::new(stream, Arc::clone(&taken)));
        let connection = Connection { peer, taken };
        let inner = TowerToHyperService::new(self.router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            connection.taken.whole();
            request.extensions_mut().insert(connection.clone());
            inner.call(request)
        });
        tokio::spawn(async move {
            // What goes wrong with a connection ends that one.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE_MAX)
                .max_header_size(HEAD_BYTES_MAX)
                .serve_connection(stream, service)
                .await;
            drop(seat);
        });
    }
}

/// One of the connections that are served at once.
struct Seat(App);

impl Seat {
    fn take(app: &App, seats: usize) -> Option<Self> {
        let served = app.connections.fetch_add(1, Ordering::Relaxed);
        let seat = Self(Arc::clone(app));
        (served < seats).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// At most half of the descriptors that this process may have.
fn connections_max() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS_WANTED, |most| most.min(DESCRIPTORS_WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        let more = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if setrlimit(Resource::Nofile, more).is_ok() {
            limit = more;
        }
    }
    let half = limit.current.map_or(DESCRIPTORS_WANTED, |current| current) / 2;
    usize::try_from(half).unwrap_or(CONNECTIONS_MAX).min(CONNECTIONS_MAX)
}
