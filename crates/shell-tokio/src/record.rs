//! Recording a machine's history for a replay in the simulator.
//!
//! The lines are written by a thread of their own; the driver never waits for
//! the file. A record that cannot keep up, or is long enough, ends: one with
//! a gap could not be replayed.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use everbeat_core::{Command, Event, Notice, Now, Overview, RecordHeader, RecordLine};

use crate::observe::Observer;

/// A record ends when it has so many bytes.
const BYTES_MAX: u64 = 256 << 20;
/// Lines that wait for the file.
const WAITING_MAX: usize = 4_096;

/// Takes one machine's lines.
#[derive(Debug)]
pub(crate) struct Recorder {
    lines: Option<SyncSender<RecordLine>>,
    path: PathBuf,
}

impl Recorder {
    /// Begins a record in a new file, mode 0600; one that stands there is
    /// replaced.
    ///
    /// # Errors
    /// If the file cannot be made, with its path.
    pub(crate) fn begin(path: &Path, header: &RecordHeader) -> Result<Self, String> {
        let named = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(path).map_err(named)?;
        let mut out = BufWriter::new(file);
        write_line(&mut out, serde_json::to_vec(header)).map_err(named)?;
        let (lines, received) = sync_channel(WAITING_MAX);
        let shown = path.display().to_string();
        std::thread::Builder::new()
            .name("everbeat-record".into())
            .spawn(move || write_all(out, received, &shown))
            .map_err(named)?;
        Ok(Self { lines: Some(lines), path: path.to_owned() })
    }

    /// Takes a line; the first that finds no room ends the record.
    fn take(&mut self, line: impl FnOnce() -> RecordLine) {
        let Some(lines) = &self.lines else { return };
        if lines.try_send(line()).is_err() {
            tracing::warn!("the record in {} ends: its file cannot keep up", self.path.display());
            self.lines = None;
        }
    }
}

impl Observer for Recorder {
    fn event(&mut self, now: Now, _late: Duration, event: &Event) {
        self.take(|| RecordLine::Event { now, event: event.clone() });
    }

    fn command(&mut self, _now: Now, command: &Command) {
        self.take(|| RecordLine::Command(command.clone()));
    }

    fn notice(&mut self, _now: Now, notice: &Notice, _line: &str) {
        self.take(|| RecordLine::Notice(notice.clone()));
    }

    fn turned(&mut self, _now: Now, _overview: &Overview) {}
}

fn write_all(mut out: BufWriter<File>, lines: Receiver<RecordLine>, path: &str) {
    let mut bytes = 0;
    // What has come is written before the thread waits for more.
    while let Ok(first) = lines.recv() {
        for line in std::iter::once(first).chain(lines.try_iter()) {
            match write_line(&mut out, serde_json::to_vec(&line)) {
                Ok(written) => bytes += written,
                Err(error) => {
                    tracing::warn!("the record in {path} ends: {error}");
                    return;
                }
            }
        }
        if bytes > BYTES_MAX {
            let why = format!("it has {BYTES_MAX} bytes");
            tracing::warn!("the record in {path} ends: {why}");
            let _ = write_line(&mut out, serde_json::to_vec(&RecordLine::Ended { why }));
            let _ = out.flush();
            return;
        }
        if let Err(error) = out.flush() {
            tracing::warn!("the record in {path} ends: {error}");
            return;
        }
    }
}

fn write_line(
    out: &mut BufWriter<File>,
    line: serde_json::Result<Vec<u8>>,
) -> std::io::Result<u64> {
    let mut text = line?;
    text.push(b'\n');
    out.write_all(&text)?;
    Ok(text.len() as u64)
}
