//! The platform model over HTTP: its answers, and the ways they are spoilt,
//! carried out on real connections.

mod connection;
mod delivery;
mod ui;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::{Router, extract};
use everbeat_platform::{Options, Platform, Request};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;

pub(crate) use self::ui::Act;
use self::ui::Page;
use crate::clock;
use connection::{Connection, Connections};

/// A platform that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    platform: ServedPlatform,
}

/// The platform behind a [`Server`]; its clones are the same one.
#[derive(Clone)]
pub struct ServedPlatform {
    platform: Arc<Mutex<Platform>>,
    body_bytes_max: usize,
    started_at: Instant,
    /// The live page, where it is served.
    page: Option<Arc<Page>>,
}

impl Server {
    /// A platform with nothing in it, listening on `address`.
    ///
    /// # Errors
    /// If that address cannot be listened on.
    pub async fn bind(address: SocketAddr, options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let platform = ServedPlatform {
            body_bytes_max: options.body_bytes_max,
            platform: Arc::new(Mutex::new(Platform::new(options))),
            started_at: Instant::now(),
            page: None,
        };
        Ok(Self { listener, address, platform })
    }

    /// With the live page at `/ui/`. Its buttons need
    /// [`Options::admin`]; `/admin` is then refused to other sites' pages.
    #[must_use]
    pub fn with_page(mut self) -> Self {
        self.platform.page = Some(Arc::default());
        self
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The platform itself.
    #[must_use]
    pub fn platform(&self) -> ServedPlatform {
        self.platform.clone()
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// None that is known: what goes wrong with a connection ends that one.
    pub async fn run(self) -> std::io::Result<()> {
        let watched = self.platform.clone();
        let router = Router::new().fallback(handle).with_state(self.platform);
        let service = router.into_make_service_with_connect_info::<Connection>();
        let served = axum::serve(Connections::new(self.listener), service);
        let Some(page) = &watched.page else { return served.await };
        tokio::select! {
            served = served => served,
            never = page.watch(&watched) => match never {},
        }
    }
}

impl ServedPlatform {
    /// The platform, at this moment. Requests wait while it is held.
    pub fn lock(&self) -> MutexGuard<'_, Platform> {
        let mut platform = self.platform.lock().unwrap_or_else(PoisonError::into_inner);
        platform.tick(self.started_at.elapsed(), clock::wall().unix_millis());
        platform
    }

    /// What the administrator does over HTTP from now on, for one who listens;
    /// `None` without the page.
    pub(crate) fn acts(&self) -> Option<UnboundedReceiver<Act>> {
        self.page.as_ref().map(|page| page.witness())
    }
}

impl std::fmt::Debug for ServedPlatform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServedPlatform").finish_non_exhaustive()
    }
}

async fn handle(
    State(served): State<ServedPlatform>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let answer = served.page.as_ref().and_then(|page| page.answer(&served, &parts, &connection));
    if let Some(answer) = answer {
        return answer;
    }
    let Some(body) = read(body, served.body_bytes_max).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "request body too large").into_response();
    };
    let request = plain(&parts, body, &connection);
    let reply = {
        let wall_ms = clock::wall().unix_millis();
        let mut platform = served.lock();
        platform.handle(served.started_at.elapsed(), wall_ms, &request)
    };
    if let Some(page) = &served.page {
        page.acted(&request, &reply.answer);
    }
    delivery::deliver(reply, &connection).await
}

/// `None` if it is longer than the model itself would look at.
async fn read(body: Body, bytes_max: usize) -> Option<Vec<u8>> {
    to_bytes(body, bytes_max.saturating_add(1)).await.ok().map(Vec::from)
}

fn plain(parts: &Parts, body: Vec<u8>, connection: &Connection) -> Request {
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (name.as_str().to_owned().into(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Request {
        method: parts.method.as_str().to_owned().into(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(Into::into),
        headers: parts.headers.iter().map(header).collect(),
        body,
        peer: connection.peer.ip().to_string().into(),
    }
}

#[cfg(test)]
mod tests;
