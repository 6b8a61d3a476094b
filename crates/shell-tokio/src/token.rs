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
use everbeat_store::{RealDisk, read_secret, write_issued};

/// One workspace's token.
#[derive(Debug)]
pub(crate) struct Token {
    file: PathBuf,
    environment: Option<Secret>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Option<Secret>,
    /// What the file held when it was last read or written.
    in_file: Option<Secret>,
    file_first: bool,
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
        let file_first = file.parent() == Some(Path::new("/configs"));
        let state =
            State { current: environment.clone(), in_file: None, file_first, read_at: None };
        Self { file, environment, state: Mutex::new(state) }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The token to send.
    pub(crate) fn current(&self) -> Option<Secret> {
        self.lock().current.clone()
    }

    /// What may be told of it.
    pub(crate) fn status(&self) -> TokenStatus {
        let state = self.lock();
        let source = match &state.current {
            None => Source::None,
            Some(_) if state.current == self.environment => Source::Environment,
            Some(_) => Source::File,
        };
        TokenStatus { source, read_age: state.read_at.map(|at| at.elapsed()) }
    }

    /// Reads the token: at the start, or because somebody asks. Blocks.
    pub(crate) fn load(&self) -> Outcome {
        self.read(false)
    }

    /// Reads the file again. Blocks.
    ///
    /// The core asks for this when the platform refused the current token. If
    /// that was the environment's, and the file holds another, the file comes
    /// first from then on: a rotated token can only be in the file.
    pub(crate) fn reload(&self) -> Outcome {
        self.read(true)
    }

    fn read(&self, was_refused: bool) -> Outcome {
        let in_file = match read_secret(&RealDisk, &self.file) {
            Ok(in_file) => in_file,
            Err(failure) => return Outcome::FileFailed(failure),
        };
        let mut state = self.lock();
        state.read_at = Some(Instant::now());
        state.in_file.clone_from(&in_file);
        let is_environments = state.current.is_some() && state.current == self.environment;
        if was_refused && is_environments && in_file.is_some() && in_file != self.environment {
            state.file_first = true;
        }
        let environment = self.environment.clone();
        let next = if state.file_first { in_file.or(environment) } else { environment.or(in_file) };
        let changed = state.current != next;
        let present = next.is_some();
        state.current = next;
        Outcome::TokenLoaded { changed, present }
    }

    /// Writes a token that the platform issued, and uses it; or the one that
    /// somebody has put into the file meanwhile. Blocks.
    pub(crate) fn save(&self, token: &Secret) -> Outcome {
        let known = self.lock().in_file.clone();
        let written = write_issued(&RealDisk, &self.file, known.as_ref(), token);
        let mut state = self.lock();
        // Even where it could not be written it is the one that is valid.
        state.current = Some(written.as_ref().unwrap_or(token).clone());
        match written {
            Ok(standing) => {
                state.in_file = Some(standing);
                state.file_first = true;
                state.read_at = Some(Instant::now());
                Outcome::SecretSaved
            }
            Err(failure) => Outcome::FileFailed(failure),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    fn a_token_appears_rotates_and_disappears() {
        let dir = TempDir::new();
        let file = dir.join(".auth_token");
        let token = Token::new(file.clone(), None);
        assert_eq!(token.load(), loaded(false, false));
        std::fs::write(&file, " tok-1\n").unwrap();
        assert_eq!(token.reload(), loaded(true, true));
        assert_eq!(token.reload(), loaded(false, true));
        assert_eq!(token.current(), secret("tok-1"));
        std::fs::write(&file, "tok-2").unwrap();
        assert_eq!(token.reload(), loaded(true, true));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(token.reload(), loaded(true, false));
    }

    #[test]
    fn outside_configs_the_environment_comes_first_until_it_is_refused() {
        let dir = TempDir::new();
        let file = dir.join(".auth_token");
        std::fs::write(&file, "tok-file").unwrap();
        let token = Token::new(file, secret("tok-env"));
        assert_eq!(token.load(), loaded(false, true));
        assert_eq!(token.current(), secret("tok-env"));
        assert_eq!(token.reload(), loaded(true, true));
        assert_eq!(token.current(), secret("tok-file"));
        // It does not swing back at the next refusal.
        assert_eq!(token.reload(), loaded(false, true));
    }

    #[test]
    fn under_configs_the_file_comes_first() {
        assert!(Token::new("/configs/.auth_token".into(), None).lock().file_first);
        assert!(!Token::new("/configs/x/.auth_token".into(), None).lock().file_first);
    }

    #[test]
    fn an_issued_token_is_saved_and_used_even_where_it_cannot_be_saved() {
        let dir = TempDir::new();
        let issued = secret("tok-issued").unwrap();
        let token = Token::new(dir.join(".auth_token"), secret("tok-env"));
        assert_eq!(token.save(&issued), Outcome::SecretSaved);
        assert_eq!(token.reload(), loaded(false, true));
        std::fs::create_dir(dir.join("odd")).unwrap();
        let token = Token::new(dir.join("odd"), None);
        assert!(matches!(token.save(&issued), Outcome::FileFailed(_)));
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
        assert_eq!(token.save(&secret("tok-issued").unwrap()), Outcome::SecretSaved);
        assert_eq!(token.current(), secret("tok-provisioned"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "tok-provisioned");
        // The next one finds what is known.
        assert_eq!(token.save(&secret("tok-issued").unwrap()), Outcome::SecretSaved);
        assert_eq!(token.current(), secret("tok-issued"));
    }

    #[test]
    fn no_debug_output_shows_it() {
        let token = Token::new("/nowhere".into(), secret("tok-very-secret"));
        assert!(!format!("{token:?}").contains("very-secret"));
    }
}
