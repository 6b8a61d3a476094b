//! The reader of the results file, as it is in the container: it takes the
//! file by renaming it, reads, and deletes (PROTOCOL 4).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// Takes what lies there, in the reader's three steps. `None` if nothing did.
#[must_use]
pub fn take(results: &Path) -> Option<Vec<u8>> {
    if !results.exists() {
        return None;
    }
    let consumed = results.with_extension("consumed");
    fs::rename(results, &consumed).ok()?;
    let bytes = fs::read(&consumed).ok();
    let _ = fs::remove_file(&consumed);
    bytes
}

/// Everything that was taken, in order.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// One object a line.
    pub lines: Vec<Value>,
    /// What was no whole line of JSON.
    pub torn: Vec<String>,
    /// Files taken.
    pub takes: usize,
}

impl Stream {
    fn add(&mut self, bytes: &[u8]) {
        self.takes += 1;
        let text = String::from_utf8_lossy(bytes);
        if !text.ends_with('\n') {
            self.torn.push(text.lines().last().unwrap_or_default().into());
        }
        for line in text.lines() {
            match serde_json::from_str::<Value>(line) {
                Ok(line) if line.is_object() => self.lines.push(line),
                Ok(_) | Err(_) => self.torn.push(line.into()),
            }
        }
    }

    /// How often each delegation and status stands in it.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        for line in &self.lines {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            *counts.entry((text("delegation_id"), text("status"))).or_default() += 1;
        }
        counts
    }

    /// How often this delegation stands in it.
    #[must_use]
    pub fn count_of(&self, id: &str) -> usize {
        self.lines.iter().filter(|line| line["delegation_id"] == id).count()
    }

    /// S4: each of `ids` exactly once, nothing else, no torn line.
    ///
    /// # Panics
    /// If not.
    pub fn assert_exactly_once<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        assert_eq!(self.torn, Vec::<String>::new(), "torn lines");
        let mut counts = BTreeMap::<String, usize>::new();
        for ((id, _), count) in self.counts() {
            *counts.entry(id).or_default() += count;
        }
        let ids: Vec<_> = ids.into_iter().collect();
        let lost: Vec<_> = ids.iter().filter(|id| !counts.contains_key(**id)).collect();
        let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(
            lost.is_empty() && doubled.is_empty() && counts.len() == ids.len(),
            "lost {lost:?}, doubled {doubled:?}, {} of {}",
            counts.len(),
            ids.len()
        );
    }
}

/// A reader in a thread of its own.
#[derive(Debug)]
pub struct Reader {
    results: PathBuf,
    stream: Arc<Mutex<Stream>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Takes again and again, with a pause between: zero is a tight loop.
    #[must_use]
    pub fn start(results: &Path, mut pause: impl FnMut() -> Duration + Send + 'static) -> Self {
        let stream = Arc::<Mutex<Stream>>::default();
        let stop = Arc::<AtomicBool>::default();
        let (into, until, path) = (Arc::clone(&stream), Arc::clone(&stop), results.to_path_buf());
        let thread = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                if let Some(bytes) = take(&path) {
                    into.lock().unwrap_or_else(PoisonError::into_inner).add(&bytes);
                }
                let pause = pause();
                if pause.is_zero() {
                    thread::yield_now();
                } else {
                    thread::sleep(pause);
                }
            }
        });
        Self { results: results.into(), stream, stop, thread: Some(thread) }
    }

    /// One that takes only when asked by [`Reader::take`].
    #[must_use]
    pub fn by_hand(results: &Path) -> Self {
        let stream = Arc::<Mutex<Stream>>::default();
        Self { results: results.into(), stream, stop: Arc::default(), thread: None }
    }

    /// Takes once, now.
    pub fn take(&self) -> bool {
        let taken = take(&self.results);
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        taken.map(|bytes| stream.add(&bytes)).is_some()
    }

    /// How many lines it has.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).lines.len()
    }

    /// How often it has this delegation.
    #[must_use]
    pub fn count_of(&self, id: &str) -> usize {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).count_of(id)
    }

    /// Ends it, takes what still lies there, and gives all.
    ///
    /// # Panics
    /// If its thread did.
    #[must_use]
    pub fn finish(mut self) -> Stream {
        self.end();
        self.take();
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the reader goes on");
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
