//! The bearer token in use: which one it is of those that the file holds, that
//! the environment holds and that the platform issues.
//!
//! The calls on files are the shell's. It tells here what came of them, so
//! that nothing that sends a request waits for a disk.

use everbeat_core::{FileFailure, Outcome, Secret};

/// A workspace's token, as far as its shell knows it.
#[derive(Clone, Debug, Default)]
pub struct TokenInUse {
    current: Option<Secret>,
    in_file: Option<Secret>,
    environment: Option<Secret>,
    is_file_first: bool,
}

impl TokenInUse {
    /// The token may also stand in the environment, for workspaces that have
    /// no file. `is_file_first` says which of the two counts where both hold
    /// one; without an environment [`TokenInUse::default`] does.
    #[must_use]
    pub fn with_environment(environment: Option<Secret>, is_file_first: bool) -> Self {
        Self { current: environment.clone(), in_file: None, environment, is_file_first }
    }

    /// The token to send.
    #[must_use]
    pub const fn current(&self) -> Option<&Secret> {
        self.current.as_ref()
    }

    /// What the file held when it was last read or written: what
    /// [`write_issued`](crate::write_issued) is to be told.
    #[must_use]
    pub const fn in_file(&self) -> Option<&Secret> {
        self.in_file.as_ref()
    }

    /// Whether the environment's is the one in use.
    #[must_use]
    pub fn is_environments(&self) -> bool {
        self.current.is_some() && self.current == self.environment
    }

    /// [`read_secret`](crate::read_secret) has read the file. What comes of it
    /// answers [`Action::ReloadToken`](everbeat_core::Action::ReloadToken), of
    /// which the core asks when the platform has refused the token in use: if
    /// `was_refused`, if that was the environment's and the file holds another
    /// one, the file counts first from then on, since only there can a token
    /// be replaced.
    pub fn read(
        &mut self,
        read: Result<Option<Secret>, FileFailure>,
        was_refused: bool,
    ) -> Outcome {
        let in_file = match read {
            Ok(in_file) => in_file,
            Err(failure) => return Outcome::FileFailed(failure),
        };
        let is_another = in_file.is_some() && in_file != self.environment;
        self.is_file_first |= was_refused && self.is_environments() && is_another;
        self.in_file.clone_from(&in_file);
        let environment = self.environment.clone();
        let next =
            if self.is_file_first { in_file.or(environment) } else { environment.or(in_file) };
        let (changed, present) = (self.current != next, next.is_some());
        self.current = next;
        Outcome::TokenLoaded { changed, present }
    }

    /// [`write_issued`](crate::write_issued) has written the token that the
    /// platform issued, or left the one that somebody put there meanwhile. The
    /// file counts first from then on. What comes of it answers
    /// [`Action::SaveToken`](everbeat_core::Action::SaveToken).
    pub fn issued(&mut self, issued: Secret, written: Result<Secret, FileFailure>) -> Outcome {
        match written {
            Ok(standing) => {
                self.current = Some(standing.clone());
                self.in_file = Some(standing);
                self.is_file_first = true;
                Outcome::SecretSaved
            }
            Err(failure) => {
                // It is the one that is valid all the same.
                self.current = Some(issued);
                Outcome::FileFailed(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use everbeat_core::FileFailureKind;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    fn loaded(changed: bool, present: bool) -> Outcome {
        Outcome::TokenLoaded { changed, present }
    }

    fn read(token: &mut TokenInUse, text: &str, was_refused: bool) -> Outcome {
        token.read(Ok(Secret::new(text)), was_refused)
    }

    fn failure() -> FileFailure {
        let (kind, operation) = (FileFailureKind::Other, "read".into());
        FileFailure { kind, operation, path: "/configs".into(), reason: "broken".into() }
    }

    #[test]
    fn a_token_appears_rotates_and_disappears() {
        let mut token = TokenInUse::default();
        assert_eq!(read(&mut token, "", false), loaded(false, false));
        assert_eq!(read(&mut token, "first", true), loaded(true, true));
        assert_eq!(read(&mut token, "first", true), loaded(false, true));
        assert_eq!(read(&mut token, "second", true), loaded(true, true));
        assert_eq!(token.current(), Some(&secret("second")));
        assert_eq!(read(&mut token, "", true), loaded(true, false));
    }

    #[test]
    fn a_file_that_cannot_be_read_changes_nothing() {
        let mut token = TokenInUse::default();
        read(&mut token, "first", false);
        assert_eq!(token.read(Err(failure()), true), Outcome::FileFailed(failure()));
        assert_eq!(token.current(), Some(&secret("first")));
    }

    #[test]
    fn the_environments_comes_first_until_it_is_refused_and_the_file_has_another() {
        let mut token = TokenInUse::with_environment(Secret::new("given"), false);
        assert_eq!(read(&mut token, "written", false), loaded(false, true));
        assert!(token.is_environments());
        assert_eq!(read(&mut token, "given", true), loaded(false, true));
        assert_eq!(read(&mut token, "", true), loaded(false, true));
        assert_eq!(read(&mut token, "written", true), loaded(true, true));
        assert!(!token.is_environments());
        // It does not swing back at the next refusal, but falls back.
        assert_eq!(read(&mut token, "written", true), loaded(false, true));
        assert_eq!(read(&mut token, "", true), loaded(true, true));
        assert!(token.is_environments());
    }

    #[test]
    fn the_file_comes_first_where_it_should() {
        let mut token = TokenInUse::with_environment(Secret::new("given"), true);
        assert_eq!(token.current(), Some(&secret("given")));
        assert_eq!(read(&mut token, "written", false), loaded(true, true));
    }

    #[test]
    fn what_is_issued_is_used_whatever_became_of_the_file() {
        let mut token = TokenInUse::with_environment(Secret::new("given"), false);
        assert_eq!(token.issued(secret("new"), Err(failure())), Outcome::FileFailed(failure()));
        assert_eq!((token.current(), token.in_file()), (Some(&secret("new")), None));
        assert_eq!(token.issued(secret("newer"), Ok(secret("newer"))), Outcome::SecretSaved);
        assert_eq!(read(&mut token, "newer", false), loaded(false, true));
    }

    #[test]
    fn what_somebody_put_there_is_used_instead() {
        let mut token = TokenInUse::default();
        read(&mut token, "revoked", false);
        assert_eq!(token.issued(secret("issued"), Ok(secret("put-there"))), Outcome::SecretSaved);
        assert_eq!(token.current(), Some(&secret("put-there")));
        assert_eq!(token.in_file(), Some(&secret("put-there")));
    }
}
