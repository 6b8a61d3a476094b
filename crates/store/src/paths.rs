//! Where everything lies: every file name of this crate is made here.

use std::path::{Path, PathBuf};

use crate::planted::{self, Fault};

/// The places that one agent's store works in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The folder of the journal and the lock; made if it is missing.
    pub state_dir: PathBuf,
    /// The file that the reader takes. Its folder must exist; the store keeps
    /// its private files there, so that a rename is enough to place a batch.
    pub results_file: PathBuf,
    /// The own workspace; part of every private name, so that several agents
    /// can share a folder and even a results file.
    pub workspace_id: String,
}

/// No agent lives long enough for a higher number.
const BATCH_NUMBER_MAX: u64 = 1 << 53;

/// A private file beside the results file, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Private {
    /// `A_k`: what stood at the results path when batch `k` was placed.
    Aside(u64),
    /// `N_k`: batch `k` before it is placed.
    New(u64),
}

impl Paths {
    /// How the names of damaged journals begin.
    pub(crate) const SET_ASIDE_PREFIX: &'static str = "journal-corrupt-";

    pub(crate) fn journal(&self) -> PathBuf {
        self.state_dir.join("journal.jsonl")
    }

    /// The next journal while it is written.
    pub(crate) fn journal_new(&self) -> PathBuf {
        self.state_dir.join("journal.new")
    }

    /// A place for a corrupt journal; `attempt` tells those of one second
    /// apart.
    pub(crate) fn journal_set_aside(&self, date: &str, attempt: u32) -> PathBuf {
        let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let prefix = Self::SET_ASIDE_PREFIX;
        self.state_dir.join(format!("{prefix}{date}{suffix}.jsonl"))
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.state_dir.join("lock")
    }

    /// The results file's folder.
    pub(crate) fn folder(&self) -> &Path {
        folder_of(&self.results_file)
    }

    /// Stands in the folder as long as nobody emptied it.
    pub(crate) fn marker(&self) -> PathBuf {
        self.folder().join(format!(".everbeat-{}.marker", self.safe_id()))
    }

    /// `L`: what was taken under a lease.
    pub(crate) fn leased(&self) -> PathBuf {
        self.folder().join(format!(".everbeat-{}.leased", self.safe_id()))
    }

    pub(crate) fn private(&self, which: Private) -> PathBuf {
        let prefix = self.private_prefix();
        let name = match which {
            Private::New(batch) => format!("{prefix}{}.new", numbered(batch)),
            Private::Aside(batch) => format!("{prefix}{}.old", numbered(batch)),
        };
        self.folder().join(name)
    }

    pub(crate) fn private_prefix(&self) -> String {
        format!(".everbeat-{}-", self.safe_id())
    }

    /// Which private file this name in the folder means, if any.
    pub(crate) fn parse_private(&self, name: &str) -> Option<Private> {
        let rest = name.strip_prefix(&self.private_prefix())?;
        let (number, suffix) = rest.split_once('.')?;
        let batch = number.parse().ok().filter(|batch: &u64| batch.to_string() == number)?;
        if batch > BATCH_NUMBER_MAX {
            return None;
        }
        match suffix {
            "new" => Some(Private::New(batch)),
            "old" => Some(Private::Aside(batch)),
            _ => None,
        }
    }

    /// The workspace id with whatever could not stand in a file name written
    /// as `%` and two hex digits.
    fn safe_id(&self) -> String {
        let safe = |byte: u8| {
            if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02x}")
            }
        };
        self.workspace_id.bytes().map(safe).collect()
    }
}

/// The folder that a file lies in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

fn numbered(batch: u64) -> u64 {
    if planted::active(Fault::FixedPrivateName) { 0 } else { batch }
}
