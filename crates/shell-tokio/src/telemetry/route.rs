//! The platform's endpoints as templates, and how their answers are counted.

use everbeat_core::Action;

/// An endpoint of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Heartbeat,
    Register,
    Delegations,
    Workspace,
    SelfMessage,
    Notify,
}

impl Route {
    pub(crate) const ALL: [Self; 6] = [
        Self::Heartbeat,
        Self::Register,
        Self::Delegations,
        Self::Workspace,
        Self::SelfMessage,
        Self::Notify,
    ];

    /// Where `action` is sent to, if it is sent at all.
    pub(crate) const fn of(action: &Action) -> Option<Self> {
        match action {
            Action::PostHeartbeat(_) => Some(Self::Heartbeat),
            Action::Register(_) => Some(Self::Register),
            Action::FetchDelegations => Some(Self::Delegations),
            Action::FetchWorkspace { .. } => Some(Self::Workspace),
            Action::SendSelfMessage { .. } => Some(Self::SelfMessage),
            Action::Notify { .. } => Some(Self::Notify),
            Action::OpenStore
            | Action::StoreBatch(_)
            | Action::PlaceBatch { .. }
            | Action::AppendJournal { .. }
            | Action::CompactJournal { .. }
            | Action::ProbeResults
            | Action::ReloadToken
            | Action::SaveToken(_)
            | Action::SaveInboundSecret(_)
            | Action::Cancel { .. }
            | Action::RebuildClient => None,
        }
    }

    pub(crate) const fn template(self) -> &'static str {
        match self {
            Self::Heartbeat => "/registry/heartbeat",
            Self::Register => "/registry/register",
            Self::Delegations => "/workspaces/{id}/delegations",
            Self::Workspace => "/workspaces/{id}",
            Self::SelfMessage => "/workspaces/{id}/a2a",
            Self::Notify => "/workspaces/{id}/notify",
        }
    }
}

/// A status code's first digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusClass {
    Success,
    Redirection,
    ClientError,
    ServerError,
    Other,
    /// No answer.
    None,
}

impl StatusClass {
    pub(crate) const ALL: [Self; 6] = [
        Self::Success,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
        Self::Other,
        Self::None,
    ];

    pub(crate) const fn of(status: u16) -> Self {
        match status / 100 {
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            5 => Self::ServerError,
            _ => Self::Other,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::Other => "other",
            Self::None => "none",
        }
    }
}
