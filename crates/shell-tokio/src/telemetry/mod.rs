//! What the control socket shows of an agent at work: events and metrics.
//!
//! A [`Watcher`](watcher::Watcher) sees what the machine is told and says,
//! counts it, and keeps the newest of it as events. Nothing here waits, and
//! nothing here holds a secret: events name ids, counts, outcomes, and what
//! the agent reported of itself.

pub(crate) mod exposition;
pub(crate) mod kind;
pub(crate) mod log_tap;
pub(crate) mod metrics;
pub(crate) mod ring;
pub(crate) mod route;
pub(crate) mod stamp;
mod watcher;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everbeat_core::WallTime;
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::clock;
use crate::observe::Observer;
use kind::Kind;
use metrics::Metrics;
use ring::{Found, From, Ring};
use stamp::rfc3339;

/// Events that are handed to a client at once.
const READ_MAX: usize = 32;
/// Bytes of one text in an event, and of one in a list.
const TEXT_BYTES_MAX: usize = 1_024;
const ITEM_BYTES_MAX: usize = 256;
/// Bytes of one event; a longer one keeps what is no list and no object.
const EVENT_BYTES_MAX: usize = 16 << 10;
/// How long the end waits for those who listen.
const LAST_EVENTS_WITHIN: Duration = Duration::from_millis(200);
/// From the last piece's handing over to its being written.
const WRITTEN_WITHIN: Duration = Duration::from_millis(20);
/// Listeners at once.
const LISTENERS_MAX: u32 = 64;
/// Ids grow through restarts: they begin at so many for each millisecond of
/// the wall clock. A double holds them exactly for two centuries.
const IDS_PER_MS: u64 = 1_000;

/// Fields of an event.
pub(crate) type Fields = Map<String, Value>;

/// One agent's events and metrics.
#[derive(Debug)]
pub(crate) struct Telemetry {
    ring: Mutex<Ring>,
    last_id: watch::Sender<u64>,
    metrics: Metrics,
    seats: Arc<Semaphore>,
    is_over: AtomicBool,
}

impl Telemetry {
    /// Of a process that starts now.
    pub(crate) fn start() -> Arc<Self> {
        let started_ms = u64::try_from(clock::wall().unix_millis()).unwrap_or_default();
        let ring = Ring::new(started_ms.saturating_mul(IDS_PER_MS).saturating_add(1));
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), started_ms as f64 / 1_000.0);
        let last_id = watch::Sender::new(ring.last_id());
        let seats = Arc::new(Semaphore::new(LISTENERS_MAX as usize));
        Arc::new(Self {
            ring: Mutex::new(ring),
            last_id,
            metrics,
            seats,
            is_over: AtomicBool::new(false),
        })
    }

    /// What feeds it.
    pub(crate) fn observer(self: &Arc<Self>) -> Box<dyn Observer> {
        Box::new(watcher::Watcher::new(Arc::clone(self)))
    }

    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Adds an event that happened at `at`. Texts in it are cut at 1 KiB,
    /// in lists at 256 bytes.
    pub(crate) fn publish(&self, at: WallTime, kind: Kind, mut fields: Fields) {
        fields.insert("at".into(), rfc3339(at).into());
        let mut data = Value::Object(fields);
        bound(&mut data, TEXT_BYTES_MAX);
        let mut text = data.to_string();
        if let (true, Value::Object(fields)) = (text.len() > EVENT_BYTES_MAX, &mut data) {
            fields.retain(|_, value| !value.is_array() && !value.is_object());
            fields.insert("cut".into(), true.into());
            text = data.to_string();
        }
        let id = self.ring().push(kind, text);
        self.metrics.event();
        self.last_id.send_replace(id);
    }

    /// Some events from there on; what is missing is counted as lost.
    pub(crate) fn read(&self, from: From) -> Found {
        let found = self.ring().read(from, READ_MAX);
        self.metrics.lost(found.missed);
        found
    }

    /// Changes whenever there is a new event: to its id.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.last_id.subscribe()
    }

    /// A seat for one listener, if there is one left.
    pub(crate) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }

    /// Whether no events are to come.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Nothing more will happen: waits a moment for all listeners to be told
    /// what did.
    pub(crate) async fn finish(&self) {
        let had_listeners = self.seats.available_permits() < LISTENERS_MAX as usize;
        self.is_over.store(true, Ordering::Relaxed);
        self.last_id.send_modify(|_| {});
        let _ = timeout(LAST_EVENTS_WITHIN, self.seats.acquire_many(LISTENERS_MAX)).await;
        if had_listeners {
            // What was handed to the connections is to be written, too.
            tokio::time::sleep(WRITTEN_WITHIN).await;
        }
    }

    /// The newest event's id.
    pub(crate) fn last_id(&self) -> u64 {
        self.ring().last_id()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts every text in it.
fn bound(value: &mut Value, bytes_max: usize) {
    match value {
        Value::String(text) if text.len() > bytes_max => {
            let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| bound(value, ITEM_BYTES_MAX));
        }
        Value::Object(fields) => fields.values_mut().for_each(|value| bound(value, bytes_max)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
