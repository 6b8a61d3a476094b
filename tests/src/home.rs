//! Where one agent's files lie.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files::TempDir;

/// The folders of one agent, and its workspace.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
    workspace: String,
}

impl Home {
    /// New and empty, with a configs folder and a results folder.
    ///
    /// # Panics
    /// If they cannot be made.
    #[must_use]
    pub fn new(workspace: &str) -> Self {
        let home = Self { dir: TempDir::new(), workspace: workspace.into() };
        for folder in [home.configs(), home.folder()] {
            fs::create_dir(folder).expect("a folder can be made");
        }
        home
    }

    /// The workspace's id.
    #[must_use]
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    /// The folder above all others.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `CONFIGS_DIR`.
    #[must_use]
    pub fn configs(&self) -> PathBuf {
        self.dir.path().join("configs")
    }

    /// The state folder.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.configs().join("everbeat")
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.state().join("journal.jsonl")
    }

    /// The control socket.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.state().join("control.sock")
    }

    /// The folder of the results file.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("results")
    }

    /// The results file.
    #[must_use]
    pub fn results(&self) -> PathBuf {
        self.folder().join("delegation_results.jsonl")
    }

    /// The bearer token's file.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.configs().join(".auth_token")
    }

    /// The inbound secret's file.
    #[must_use]
    pub fn inbound_secret_file(&self) -> PathBuf {
        self.configs().join(".platform_inbound_secret")
    }

    /// Writes the token as the platform does.
    ///
    /// # Panics
    /// If that fails.
    pub fn write_token(&self, token: &str) {
        fs::write(self.token_file(), token).expect("the token can be written");
    }

    /// Where the agent's log goes.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("agent.log")
    }
}
