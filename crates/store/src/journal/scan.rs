//! Reading a journal: the good lines from its beginning, and what is wrong
//! with the rest.

use std::io::BufRead as _;
use std::path::Path;

use everbeat_core::{FileFailure, JournalRecord};
use serde::{Deserialize, Serialize};

use super::line::{self, LineError};
use crate::disk::Disk;
use crate::files::{At, CHUNK_BYTES, odd};

/// Longest line that is read: a snapshot of everything that is remembered
/// needs about a megabyte, sixteen at worst.
const LINE_BYTES_MAX: usize = 32 << 20;
/// Longest journal of which anything is kept.
const JOURNAL_BYTES_MAX: u64 = 128 << 20;
/// The format that this version writes.
const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    everbeat_journal: u32,
    workspace_id: String,
}

impl Header {
    pub(crate) fn new(workspace_id: &str) -> Self {
        Self { everbeat_journal: FORMAT, workspace_id: workspace_id.into() }
    }

    fn check(&self, workspace_id: &str, path: &Path) -> Result<(), FileFailure> {
        if self.everbeat_journal != FORMAT {
            let reason = format!(
                "it is in format {}, this version knows only {FORMAT}: use a newer everbeat",
                self.everbeat_journal
            );
            return Err(odd("read", path, reason));
        }
        if self.workspace_id != workspace_id {
            let reason = format!(
                "it belongs to workspace {:?}, not to {workspace_id:?}: give each agent a state \
                 folder of its own",
                self.workspace_id
            );
            return Err(odd("read", path, reason));
        }
        Ok(())
    }
}

/// What a journal holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The records before any damage.
    pub(crate) records: Vec<JournalRecord>,
    /// Bytes of the good lines, the header's too.
    pub(crate) good_bytes: u64,
    /// Bytes after the last newline.
    pub(crate) torn_bytes: u64,
    /// Whether something is wrong with what lies before the torn tail.
    pub(crate) is_corrupt: bool,
    /// Lines from the damage on.
    pub(crate) lost_lines: u64,
    has_header: bool,
}

/// Reads a whole journal of about so many bytes, one line at a time.
///
/// # Errors
/// If reading fails, or if the journal is another workspace's or another
/// version's: then it must not be touched.
pub(crate) fn scan<D: Disk>(
    disk: &D,
    file: &mut D::File,
    path: &Path,
    length: u64,
    workspace_id: &str,
) -> Result<Scan, FileFailure> {
    let mut scan = Scan::default();
    // One byte more than there are, to see the end: most journals are short.
    let bytes = usize::try_from(length).unwrap_or(CHUNK_BYTES).saturating_add(1);
    let mut chunk = vec![0; bytes.min(CHUNK_BYTES)];
    let mut pending: Vec<u8> = Vec::new();
    loop {
        let count = disk.read(file, &mut chunk).at("read", path)?;
        let mut rest = chunk.get(..count).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        while let Some((head, tail)) = split_line(rest) {
            rest = tail;
            if pending.is_empty() {
                scan.take_line(head, path, workspace_id)?;
            } else {
                pending.extend_from_slice(head);
                scan.take_line(&pending, path, workspace_id)?;
                pending.clear();
            }
        }
        pending.extend_from_slice(rest);
        if pending.len() > LINE_BYTES_MAX {
            scan.is_corrupt = true;
            pending.truncate(1);
        }
    }
    scan.take_end(pending.len() as u64);
    Ok(scan)
}

/// What stands before the first newline, and what behind it.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut tail = bytes;
    // A slice does not fail; several bytes are looked at in one step.
    let count = tail.skip_until(b'\n').unwrap_or_default();
    let head = bytes.get(..count)?.strip_suffix(b"\n")?;
    Some((head, tail))
}

impl Scan {
    fn take_line(
        &mut self,
        line: &[u8],
        path: &Path,
        workspace_id: &str,
    ) -> Result<(), FileFailure> {
        let bytes = line.len() as u64 + 1;
        self.is_corrupt |= self.good_bytes + bytes > JOURNAL_BYTES_MAX;
        let taken = if self.is_corrupt {
            Err(LineError::Corrupt)
        } else if self.has_header {
            line::parse(line).map(|record| self.records.push(record))
        } else {
            match line::parse::<Header>(line) {
                Ok(header) => {
                    header.check(workspace_id, path)?;
                    self.has_header = true;
                    Ok(())
                }
                Err(error) => Err(error),
            }
        };
        match taken {
            Ok(()) => self.good_bytes += bytes,
            Err(LineError::Corrupt) => {
                self.is_corrupt = true;
                self.lost_lines += 1;
            }
            Err(LineError::Unknown(error)) => {
                let reason = format!("a record means nothing to this version ({error})");
                return Err(odd("read", path, reason));
            }
        }
        Ok(())
    }

    /// A journal is born with its first line complete, so one without it is
    /// damaged, not torn.
    fn take_end(&mut self, pending_bytes: u64) {
        self.is_corrupt |= !self.has_header;
        if self.is_corrupt {
            self.lost_lines += u64::from(pending_bytes > 0);
        } else {
            self.torn_bytes = pending_bytes;
        }
    }
}
