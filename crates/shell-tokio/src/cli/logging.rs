//! The log: lines to standard error, by a thread of their own.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload;

use crate::live::LogLevel;
use crate::settings::LogFormat;
use crate::telemetry::log_tap::LogTap;

/// Lines that wait for whoever reads standard error; more are dropped and
/// counted, since a reader that hangs must not hold up a beat.
const LINES_MAX: usize = 1_024;
/// How long the end of the process waits for the last lines.
const FLUSH_WITHIN: Duration = Duration::from_millis(300);

/// Starts logging; the last lines are out when [`Logging::finish`] returns.
pub(crate) fn start(filter: Targets, format: LogFormat) -> io::Result<Logging> {
    let (lines, queue) = sync_channel(LINES_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&dropped);
    thread::Builder::new()
        .name("everbeat-log".into())
        .spawn(move || write_lines(&queue, &counter))?;
    let output = Output { lines: lines.clone(), dropped };
    // Its own way to tell of failures panics where standard error is closed.
    let (changeable, handle) = reload::Layer::new(filter.clone());
    let level = LogLevel::new(handle, filter);
    let tap = LogTap::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(output).log_internal_errors(false);
    let layer = match format {
        LogFormat::Text => layer.with_target(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(changeable)).with(tap.layer()).init();
    std::panic::set_hook(Box::new(|panic| tracing::error!("a fault in this program: {panic}")));
    Ok(Logging { lines, level, tap })
}

/// The way to the log's thread.
#[derive(Debug)]
pub(crate) struct Logging {
    lines: SyncSender<Item>,
    /// What of it is logged.
    pub(crate) level: LogLevel,
    /// The same for others, at their levels.
    pub(crate) tap: LogTap,
}

impl Logging {
    /// Waits until what was logged is written, but not for long.
    pub(crate) fn finish(self) {
        let (done, is_done) = sync_channel(1);
        if self.lines.try_send(Item::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(FLUSH_WITHIN);
        }
    }
}

enum Item {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

fn write_lines(queue: &Receiver<Item>, dropped: &AtomicU64) {
    while let Ok(item) = queue.recv() {
        // Nobody can be told that standard error is broken.
        let mut out = io::stderr().lock();
        match item {
            Item::Line(line) => {
                let _ = out.write_all(&line);
            }
            Item::Flush(done) => {
                let _ = done.send(());
            }
        }
        let count = dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            let _ = writeln!(out, "everbeat: {count} log lines were dropped: nobody read them");
        }
    }
}

/// Makes a buffer for each line.
struct Output {
    lines: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

struct Line<'a> {
    output: &'a Output,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { output: self, bytes: Vec::new() }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let line = Item::Line(std::mem::take(&mut self.bytes));
        if let Err(TrySendError::Full(_)) = self.output.lines.try_send(line) {
            self.output.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
