//! Bearer tokens and who must show one.

use std::fmt;

use crate::platform::Platform;
use crate::request::{Answer, Request};
use crate::status::Status;

/// The live tokens of one workspace.
#[derive(Clone, Default)]
pub struct Tokens {
    live: Vec<String>,
}

impl Tokens {
    /// Whether there is a live token at all.
    #[must_use]
    pub fn any_live(&self) -> bool {
        !self.live.is_empty()
    }

    /// Whether `token` is live.
    #[must_use]
    pub fn accepts(&self, token: &str) -> bool {
        self.live.iter().any(|live| live == token)
    }

    pub(crate) fn issue(&mut self, token: String) {
        self.live.push(token);
    }

    pub(crate) fn revoke_all(&mut self) {
        self.live.clear();
    }
}

/// How many, never which.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({} live)", self.live.len())
    }
}

impl Platform {
    /// `/registry/*`: a bearer is needed only once there is a live token.
    pub(crate) fn registry_auth(&self, id: &str, request: &Request) -> Result<(), Answer> {
        match self.live_tokens(id) {
            Some(tokens) => check(tokens, request, "workspace auth token"),
            None => Ok(()),
        }
    }

    /// `/workspaces/{id}/*`: always the workspace's own token, or the
    /// administrator's.
    pub(crate) fn workspace_auth(&self, id: &str, request: &Request) -> Result<(), Answer> {
        let none = Tokens::default();
        if self.options.admin_token.is_some() && request.bearer() == self.options.admin_token() {
            return Ok(());
        }
        check(self.live_tokens(id).unwrap_or(&none), request, "workspace auth token")
    }

    /// One workspace calls another: the caller's token, if it has any.
    pub(crate) fn caller_auth(&self, caller: &str, request: &Request) -> Result<(), Answer> {
        match self.live_tokens(caller) {
            Some(tokens) => check(tokens, request, "caller auth token"),
            None => Ok(()),
        }
    }

    /// The tokens of a workspace that has any; those of a removed one are
    /// dead.
    fn live_tokens(&self, id: &str) -> Option<&Tokens> {
        let workspace = self.workspaces.get(id)?;
        let dead = workspace.status == Status::Removed || !workspace.tokens.any_live();
        (!dead).then_some(&workspace.tokens)
    }
}

fn check(tokens: &Tokens, request: &Request, what: &str) -> Result<(), Answer> {
    match request.bearer() {
        None => Err(Answer::error(401, &format!("missing {what}"))),
        Some(token) if tokens.accepts(token) => Ok(()),
        Some(_) => Err(Answer::error(401, &format!("invalid {what}"))),
    }
}
