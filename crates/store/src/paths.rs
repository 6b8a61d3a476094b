//! Where everything lies: every file name of this crate is made here.

use std::path::PathBuf;

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
