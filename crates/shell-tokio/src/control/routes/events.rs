//! `GET /v1/events`: what happens, as server-sent events.
//!
//! A task for each listener reads the ring from where that one is and waits
//! for more. What it writes goes through a short channel to the connection; a
//! connection on which nobody reads is ended by the stream below it, and then
//! so is the task.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Frame;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::level_filters::LevelFilter;

use crate::clock;
use crate::control::App;
use crate::control::problem::{Kind as ProblemKind, Problem};
use crate::live::log_level;
use crate::telemetry::Telemetry;
use crate::telemetry::kind::{Kind, Kinds};
use crate::telemetry::log_tap::Listening;
use crate::telemetry::ring::{Found, From};
use crate::telemetry::stamp::rfc3339;

/// A line that says nothing keeps whatever lies between from giving up.
const KEEP_EVERY: Duration = Duration::from_secs(15);
/// Pieces that wait for the connection.
const PIECES_MAX: usize = 2;
/// What a client waits before it comes again, in milliseconds.
const GREETING: &str = "retry: 2000\n\n";

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/events", get(events))
}

type Parameters = Result<Query<BTreeMap<String, String>>, QueryRejection>;

async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let wish = Wish::parse(&headers, parameters)?;
    let Some(seat) = app.telemetry.seat() else {
        let detail = "64 clients listen already";
        return Err(Problem::new(ProblemKind::Full, detail));
    };
    let (out, pieces) = mpsc::channel(PIECES_MAX);
    let telemetry = Arc::clone(&app.telemetry);
    // What happens between now and the first look is not missed.
    let from = match wish.from {
        From::Now => From::After(telemetry.last_id()),
        from @ (From::Oldest | From::After(_)) => from,
    };
    let listening = wish.level.map(|level| app.tap.listen(level));
    let mut feed = Feed { telemetry, kinds: wish.kinds, from, told: 0, listening, out };
    tokio::spawn(async move {
        let _ = feed.run().await;
        drop(seat);
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::new(Pieces(pieces))).into_response())
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    from: From,
    kinds: Kinds,
    level: Option<LevelFilter>,
}

impl Wish {
    /// The header comes from a client that lost its connection: it knows more
    /// than the address does.
    fn parse(headers: &HeaderMap, parameters: Parameters) -> Result<Self, Problem> {
        let invalid = |field: &str, what: String| {
            Problem::of(ProblemKind::InvalidField, field, format!("{field}: {what}"))
        };
        let Query(mut parameters) =
            parameters.map_err(|error| invalid("query", error.to_string()))?;
        let after = parameters.remove("after");
        let kinds = parameters.remove("kinds");
        let level = parameters.remove("level");
        if let Some(name) = parameters.keys().next() {
            let name: String = name.chars().take(100).collect();
            let detail = format!("the parameter {name:?} means nothing here");
            return Err(Problem::of(ProblemKind::UnknownField, name, detail));
        }
        let last = headers.get("last-event-id").and_then(|last| last.to_str().ok());
        let last = last.map(|last| ("Last-Event-ID", last));
        let from = match last.or(after.as_deref().map(|after| ("after", after))) {
            None => From::Now,
            Some((field, id)) => match id.trim().parse() {
                Ok(0) => From::Oldest,
                Ok(id) => From::After(id),
                Err(_) => return Err(invalid(field, "it must be the id of an event, or 0".into())),
            },
        };
        let kinds = kinds.as_deref().map_or(Ok(Kinds::ALL), Kinds::parse).map_err(|name| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            invalid("kinds", format!("{name:?} is none of {names}"))
        })?;
        let level = level.map(|level| {
            log_level::parse(&level).ok_or_else(|| {
                let levels = log_level::LEVELS.join(", ");
                invalid("level", format!("it must be one of {levels}"))
            })
        });
        // Whoever names the kind, and no level, wants what is usual.
        let is_named = kinds != Kinds::ALL && kinds.contain(Kind::Log);
        let level = level.transpose()?.or_else(|| is_named.then_some(LevelFilter::INFO));
        Ok(Self { from, kinds, level })
    }
}

/// What one client is told.
struct Feed {
    telemetry: Arc<Telemetry>,
    kinds: Kinds,
    from: From,
    /// The last id that it was told.
    told: u64,
    listening: Option<Listening>,
    out: mpsc::Sender<Bytes>,
}

/// Nobody reads any more, or nothing more will happen.
struct Gone;

impl Feed {
    async fn run(&mut self) -> Result<Infallible, Gone> {
        self.send(GREETING.into()).await?;
        let mut changes = self.telemetry.changes();
        let mut keep = interval(KEEP_EVERY);
        keep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        keep.reset();
        loop {
            changes.mark_unchanged();
            let is_over = self.telemetry.is_over();
            self.catch_up().await?;
            if is_over {
                return Err(Gone);
            }
            let out = self.out.clone();
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| Gone)?,
                line = next(self.listening.as_mut()) => self.tell_line(&line).await?,
                _ = keep.tick() => self.keep().await?,
                () = out.closed() => return Err(Gone),
            }
        }
    }

    /// Tells all there is.
    async fn catch_up(&mut self) -> Result<(), Gone> {
        loop {
            let found = self.telemetry.read(self.from);
            self.from = From::After(found.last_id);
            let text = self.shown(&found);
            self.send(text).await?;
            if found.entries.is_empty() {
                return Ok(());
            }
        }
    }

    fn shown(&mut self, found: &Found) -> String {
        let mut text = String::new();
        if found.missed > 0 || found.restarted {
            let before = found.entries.first().map_or(found.last_id, |entry| entry.id - 1);
            let data = json!({
                "at": rfc3339(clock::wall()), "missed": found.missed, "of": "events",
                "restarted": found.restarted,
            });
            push(&mut text, Some(before), Kind::Lost, &data.to_string());
            self.told = before;
        }
        for entry in found.entries.iter().filter(|entry| self.kinds.contain(entry.kind)) {
            push(&mut text, Some(entry.id), entry.kind, &entry.data);
            self.told = entry.id;
        }
        text
    }

    /// A line of the log has no id: it is not kept, so nobody can come back
    /// to it.
    async fn tell_line(&mut self, line: &str) -> Result<(), Gone> {
        let mut text = String::new();
        let lost = self.listening.as_ref().map_or(0, Listening::lost);
        if lost > 0 {
            self.telemetry.metrics().lost(lost);
            let data = json!({"at": rfc3339(clock::wall()), "missed": lost, "of": "log"});
            push(&mut text, None, Kind::Lost, &data.to_string());
        }
        push(&mut text, None, Kind::Log, line);
        self.send(text).await
    }

    /// With the id of what was left out, so that whoever comes back does not
    /// begin before it.
    async fn keep(&mut self) -> Result<(), Gone> {
        match self.from {
            From::After(id) if id != self.told => {
                self.told = id;
                self.send(format!(":\nid: {id}\n\n")).await
            }
            From::After(_) | From::Now | From::Oldest => self.send(":\n\n".into()).await,
        }
    }

    async fn send(&self, text: String) -> Result<(), Gone> {
        if text.is_empty() {
            return Ok(());
        }
        self.out.send(text.into()).await.map_err(|_| Gone)
    }
}

/// Waits for ever if nobody listens to the log.
async fn next(listening: Option<&mut Listening>) -> String {
    let line = match listening {
        Some(listening) => listening.next().await,
        None => None,
    };
    match line {
        Some(line) => line,
        None => std::future::pending().await,
    }
}

/// `data` is on one line.
fn push(text: &mut String, id: Option<u64>, kind: Kind, data: &str) {
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = write!(text, "event: {}\ndata: {data}\n\n", kind.name());
}

/// A body that goes on as long as there are pieces.
struct Pieces(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
