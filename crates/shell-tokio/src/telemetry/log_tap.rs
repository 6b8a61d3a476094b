//! The log for whoever listens, at the level that each asks for, whatever the
//! process itself logs.
//!
//! A layer of the process's subscriber. While nobody listens it wants no
//! event at all, and `tracing` skips it; its wishes are cached, so they are
//! asked for anew whenever listeners come or go. It never waits: a listener
//! that is behind loses lines, which are counted, and nothing that happens in
//! here is logged.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};

use super::stamp::rfc3339;
use crate::clock;

/// Lines that wait for one listener.
const LINES_MAX: usize = 256;
/// Bytes of one line's message and of each of its fields.
const TEXT_BYTES_MAX: usize = 4_096;
/// Whose lines are shown: those of this workspace, which are known to hold no
/// secret.
const TARGETS: &str = "everbeat";

/// Where listeners are.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogTap {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    listeners: RwLock<Vec<Listener>>,
    /// The most detailed level that any of them wants, as [`rank`]s.
    most: AtomicUsize,
    next: AtomicU64,
}

#[derive(Debug)]
struct Listener {
    number: u64,
    level: LevelFilter,
    lines: mpsc::Sender<String>,
    lost: Arc<AtomicU64>,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    number: u64,
    tap: LogTap,
    lines: mpsc::Receiver<String>,
    lost: Arc<AtomicU64>,
}

impl LogTap {
    /// The layer to add to the process's subscriber.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    {
        Tapping(self.clone()).with_filter(Wanted(self.clone()))
    }

    /// Begins to listen at `level`.
    pub(crate) fn listen(&self, level: LevelFilter) -> Listening {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let lost = Arc::<AtomicU64>::default();
        let listener = Listener { number, level, lines: sender, lost: Arc::clone(&lost) };
        self.change(|listeners| listeners.push(listener));
        Listening { number, tap: self.clone(), lines, lost }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Listener>)) {
        let mut listeners = self.shared.listeners.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut listeners);
        let most = listeners.iter().map(|listener| rank(listener.level)).max().unwrap_or(0);
        drop(listeners);
        if self.shared.most.swap(most, Ordering::Relaxed) != most {
            tracing::callsite::rebuild_interest_cache();
        }
    }

    fn most(&self) -> usize {
        self.shared.most.load(Ordering::Relaxed)
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        rank(LevelFilter::from_level(*metadata.level())) <= self.most()
            && metadata.target().starts_with(TARGETS)
    }
}

impl Listening {
    /// The next line, as one JSON object; waits for it.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Lines that were lost since the last time that this was asked.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let number = self.number;
        self.tap.change(|listeners| listeners.retain(|listener| listener.number != number));
    }
}

/// The more, the more is said.
fn rank(level: LevelFilter) -> usize {
    [LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG]
        .into_iter()
        .position(|known| known == level)
        .map_or(if level == LevelFilter::TRACE { 5 } else { 0 }, |index| index + 1)
}

const fn level_of(rank: usize) -> LevelFilter {
    match rank {
        0 => LevelFilter::OFF,
        1 => LevelFilter::ERROR,
        2 => LevelFilter::WARN,
        3 => LevelFilter::INFO,
        4 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

struct Wanted(LogTap);

impl<S> Filter<S> for Wanted {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.0.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.0.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level_of(self.0.most()))
    }
}

struct Tapping(LogTap);

impl<S: Subscriber> Layer<S> for Tapping {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Whoever changes the list holds it for a moment: lines of that moment
        // belong to nobody yet.
        let Ok(listeners) = self.0.shared.listeners.try_read() else { return };
        let level = LevelFilter::from_level(*event.metadata().level());
        let mut line = None;
        for listener in listeners.iter().filter(|it| rank(level) <= rank(it.level)) {
            let line = line.get_or_insert_with(|| to_line(event));
            if listener.lines.try_send(line.clone()).is_err() {
                listener.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn to_line(event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let mut fields = Collected(Map::new());
    event.record(&mut fields);
    let message = fields.0.remove("message").unwrap_or_else(|| "".into());
    let line = json!({
        "at": rfc3339(clock::wall()),
        "level": metadata.level().as_str().to_lowercase(),
        "target": metadata.target(),
        "message": message,
        "fields": fields.0,
    });
    line.to_string()
}

struct Collected(Map<String, Value>);

impl Collected {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().into(), value.into());
    }
}

impl Visit for Collected {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.add(field, cut(&text));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, cut(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}

fn cut(text: &str) -> &str {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
