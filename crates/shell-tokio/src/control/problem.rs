//! Errors as `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What went wrong with a request. Its type's URN never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    MethodNotAllowed,
    Forbidden,
    Unauthorized,
    BadJson,
    UnknownField,
    InvalidField,
    MissingField,
    TooLarge,
    Timeout,
    Full,
    Conflict,
    NoSuchLease,
    Files,
    Stopping,
    Internal,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Forbidden => "forbidden",
            Self::Unauthorized => "unauthorized",
            Self::BadJson => "bad-json",
            Self::UnknownField => "unknown-field",
            Self::InvalidField => "invalid-field",
            Self::MissingField => "missing-field",
            Self::TooLarge => "too-large",
            Self::Timeout => "timeout",
            Self::Full => "full",
            Self::Conflict => "conflict",
            Self::NoSuchLease => "no-such-lease",
            Self::Files => "files",
            Self::Stopping => "stopping",
            Self::Internal => "internal",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::NotFound => "There is no such resource",
            Self::MethodNotAllowed => "The resource does not take this method",
            Self::Forbidden => "This client may not ask",
            Self::Unauthorized => "The bearer token is missing or wrong",
            Self::BadJson => "The body is no JSON object",
            Self::UnknownField => "The body has a field that means nothing here",
            Self::InvalidField => "A value is not allowed",
            Self::MissingField => "A field is missing",
            Self::TooLarge => "The body is too large",
            Self::Timeout => "The request was not in within its time",
            Self::Full => "There is no room for more",
            Self::Conflict => "Somebody else has it",
            Self::NoSuchLease => "There is no such lease",
            Self::Files => "The files cannot be used now",
            Self::Stopping => "The agent is stopping",
            Self::Internal => "A fault in this program",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoSuchLease => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::BadJson => StatusCode::BAD_REQUEST,
            Self::UnknownField | Self::InvalidField | Self::MissingField => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Full | Self::Conflict => StatusCode::CONFLICT,
            Self::Files | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A refusal, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    field: Option<String>,
}

impl Problem {
    /// `detail` is for a person and names no secret.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), field: None }
    }

    /// With the field that is to blame.
    pub(crate) fn of(kind: Kind, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), field: Some(field.into()) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:everbeat:problem:{}", self.kind.name()),
            "title": self.kind.title(),
            "status": self.kind.status().as_u16(),
            "detail": self.detail,
        });
        if let (Some(field), Some(members)) = (self.field, body.as_object_mut()) {
            members.insert("field".into(), field.into());
        }
        let mut response = (self.kind.status(), Json(body)).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        match self.kind {
            // The rest of a body that was not read is nobody's request.
            Kind::Timeout | Kind::TooLarge => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Kind::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::Forbidden
            | Kind::BadJson
            | Kind::UnknownField
            | Kind::InvalidField
            | Kind::MissingField
            | Kind::Full
            | Kind::Conflict
            | Kind::NoSuchLease
            | Kind::Files
            | Kind::Stopping
            | Kind::Internal => {}
        }
        response
    }
}
