//! An id in a path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::control::problem::{Kind, Problem};

/// What every id must be.
pub(super) const ALLOWED: &str = "it must have 1 to 256 bytes and no control character";

/// The last part of the path, decoded.
#[derive(Debug)]
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let problem = || Problem::of(Kind::InvalidField, "id", format!("id: {ALLOWED}"));
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|_| problem())?;
        if fits(&id) { Ok(Self(id)) } else { Err(problem()) }
    }
}

pub(super) fn fits(id: &str) -> bool {
    (1..=256).contains(&id.len()) && !id.contains(char::is_control)
}
