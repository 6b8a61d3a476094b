//! The reader of the results file, as the agent's own code is in a container:
//! it takes the file by renaming it, reads, and deletes.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

/// One file that was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Taken {
    /// One object a line.
    pub(crate) lines: Vec<Value>,
    /// Lines that were not whole.
    pub(crate) torn: usize,
    /// Whether anybody but its owner could have read it.
    pub(crate) open_to_others: bool,
}

impl Taken {
    /// What bytes of such a file mean.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut taken = Self::default();
        for line in text.split_inclusive('\n') {
            match (line.strip_suffix('\n'), serde_json::from_str(line)) {
                (Some(_), Ok(value @ Value::Object(_))) => taken.lines.push(value),
                (None | Some(_), _) => taken.torn += 1,
            }
        }
        taken
    }
}

/// The reader. It comes when the agent was told, and now and then by itself.
#[derive(Debug)]
pub(crate) struct Reader {
    results: PathBuf,
    next_at: Instant,
}

/// Between two looks of its own.
const EVERY: Duration = Duration::from_millis(900);
/// From the agent being told to its look.
const AFTER_MESSAGE: Duration = Duration::from_millis(150);

impl Reader {
    pub(crate) fn new(results: &Path) -> Self {
        Self { results: results.into(), next_at: Instant::now() + EVERY }
    }

    /// The agent was told: it will look soon.
    pub(crate) fn told(&mut self) {
        self.next_at = self.next_at.min(Instant::now() + AFTER_MESSAGE);
    }

    /// Takes the file if it is time to and there is one.
    pub(crate) fn look(&mut self) -> io::Result<Option<Taken>> {
        if Instant::now() < self.next_at {
            return Ok(None);
        }
        self.next_at = Instant::now() + EVERY;
        self.take()
    }

    /// Takes the file if there is one: rename, read, delete.
    pub(crate) fn take(&self) -> io::Result<Option<Taken>> {
        if !self.results.exists() {
            return Ok(None);
        }
        let consumed = self.results.with_extension("consumed");
        fs::rename(&self.results, &consumed)?;
        let mode = fs::metadata(&consumed)?.permissions().mode();
        let bytes = fs::read(&consumed)?;
        fs::remove_file(&consumed)?;
        Ok(Some(Taken { open_to_others: mode & 0o077 != 0, ..Taken::parse(&bytes) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_its_end_is_torn() {
        let taken = Taken::parse(b"{\"a\": 1}\n{\"a\": 2}");
        assert_eq!((taken.lines.len(), taken.torn), (1, 1));
        let taken = Taken::parse(b"{\"a\": 1}\n{\"a\n[]\n");
        assert_eq!((taken.lines.len(), taken.torn), (1, 2));
        assert_eq!(Taken::parse(b""), Taken::default());
    }
}
