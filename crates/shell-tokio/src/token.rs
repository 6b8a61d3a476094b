//! The bearer token: where it comes from and which one is in use.
//!
//! Two places may hold it: the file `.auth_token` and, for workspaces that
//! have no such file, the environment. Under exactly `/configs` the file comes
//! first, since the platform writes it there; elsewhere the environment does,
//! since a file there may be a leftover of another workspace (PROTOCOL 2).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use everbeat_core::{Outcome, Secret};
use everbeat_store::{RealDisk, TokenInUse, read_secret, write_issued};

/// One workspace's token.
#[derive(Debug)]
pub(crate) struct Token {
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    in_use: TokenInUse,
    /// When the file was last read or written.
    read_at: Option<Instant>,
}

/// What may be told of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenStatus {
    /// Where the one in use came from.
    pub(crate) source: Source,
    /// Since its file was last read; absent before the first time.
    pub(crate) read_age: Option<Duration>,
}

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Its file.
    File,
    /// The environment.
    Environment,
    /// There is none.
    None,
}

impl Source {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Environment => "environment",
            Self::None => "none",
        }
    }
}

impl Token {
    pub(crate) fn new(file: PathBuf, environment: Option<Secret>) -> Self {
        let in_use = TokenInUse::with_environment(environment, is_file_first(&file));
        Self { file, state: Mutex::new(State { in_use, read_at: None }) }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The token to send.
    pub(crate) fn current(&self) -> Option<Secret> {
        self.lock().in_use.current().cloned()
    }

    /// What may be told of it.
    pub(crate) fn status(&self) -> TokenStatus {
        let state = self.lock();
        let source = match state.in_use.current() {
            None => Source::None,
            Some(_) if state.in_use.is_environments() => Source::Environment,
            Some(_) => Source::File,
        };
        TokenStatus { source, read_age: state.read_at.map(|at| at.elapsed()) }
    }

    /// Reads the token: at the start, or because somebody asks. Blocks.
    pub(crate) fn load(&self) -> Outcome {
        self.read(false)
    }

    /// Reads the file again, since the platform refused the token. Blocks.
    pub(crate) fn reload(&self) -> Outcome {
        self.read(true)
    }

    fn read(&self, was_refused: bool) -> Outcome {
        let read = read_secret(&RealDisk, &self.file);
        self.became(|token| token.read(read, was_refused))
    }

    /// Writes a token that the platform issued, and uses it; or the one that
    /// somebody has put into the file meanwhile. Blocks.
    pub(crate) fn save(&self, issued: Secret) -> Outcome {
        let known = self.lock().in_use.in_file().cloned();
        let written = write_issued(&RealDisk, &self.file, known.as_ref(), &issued);
        self.became(|token| token.issued(issued, written))
    }

    fn became(&self, change: impl FnOnce(&mut TokenInUse) -> Outcome) -> Outcome {
        let mut state = self.lock();
        let outcome = change(&mut state.in_use);
        if !matches!(outcome, Outcome::FileFailed(_)) {
            state.read_at = Some(Instant::now());
        }
        outcome
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_file_first(file: &Path) -> bool {
    file.parent() == Some(Path::new("/configs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn secret(text: &str) -> Option<Secret> {
        Secret::new(text)
    }

    fn loaded(changed: bool, present: bool) -> Outcome {
        Outcome::TokenLoaded { changed, present }
    }

    #[test]
    fn the_file_is_read_again_and_its_reading_is_told() {
        let dir = TempDir::new();
        let file = dir.join(".auth_token");
        let token = Token::new(file.clone(), secret("tok-env"));
        assert_eq!(token.status(), TokenStatus { source: Source::Environment, read_age: None });
        std::fs::write(&file, " tok-1\n").unwrap();
        assert_eq!(token.load(), loaded(false, true));
        assert_eq!(token.current(), secret("tok-env"));
        assert_eq!(token.reload(), loaded(true, true));
        assert_eq!(token.current(), secret("tok-1"));
        let status = token.status();
        assert!(status.source == Source::File && status.read_age.is_some(), "{status:?}");
    }

    #[test]
    fn under_configs_the_file_comes_first() {
        assert!(is_file_first(Path::new("/configs/.auth_token")));
        assert!(!is_file_first(Path::new("/configs/x/.auth_token")));
    }

    #[test]
    fn an_issued_token_is_saved_and_used_even_where_it_cannot_be_saved() {
        let dir = TempDir::new();
        let issued = secret("tok-issued").unwrap();
        let token = Token::new(dir.join(".auth_token"), secret("tok-env"));
        assert_eq!(token.save(issued.clone()), Outcome::SecretSaved);
        assert_eq!(token.reload(), loaded(false, true));
        std::fs::create_dir(dir.join("odd")).unwrap();
        let token = Token::new(dir.join("odd"), None);
        assert!(matches!(token.save(issued.clone()), Outcome::FileFailed(_)));
        assert_eq!(token.current(), Some(issued));
    }

    /// While the platform's answer was on its way a person provisioned another
    /// one: overwritten, the workspace would be locked out for good.
    #[test]
    fn an_issued_token_does_not_replace_one_that_was_put_there_meanwhile() {
        let dir = TempDir::new();
        let file = dir.join(".auth_token");
        std::fs::write(&file, "tok-revoked").unwrap();
        let token = Token::new(file.clone(), None);
        assert_eq!(token.load(), loaded(true, true));
        std::fs::write(&file, "tok-provisioned").unwrap();
        assert_eq!(token.save(secret("tok-issued").unwrap()), Outcome::SecretSaved);
        assert_eq!(token.current(), secret("tok-provisioned"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "tok-provisioned");
        // The next one finds what is known.
        assert_eq!(token.save(secret("tok-issued").unwrap()), Outcome::SecretSaved);
        assert_eq!(token.current(), secret("tok-issued"));
    }

    #[test]
    fn no_debug_output_shows_it() {
        let token = Token::new("/nowhere".into(), secret("tok-very-secret"));
        assert!(!format!("{token:?}").contains("very-secret"));
    }
}
