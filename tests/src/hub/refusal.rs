//! How the Hub says no: a status, an `X-Error-Code`, an `X-Error-Message`, and the same text in a JSON body.

use hyper::StatusCode;
use serde_json::json;

use super::access::Visitor;
use super::reply::Reply;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HubRefusal {
    /// There is no such repository, or an anonymous visitor may not know of it.
    RepositoryWithoutToken,
    /// The same to a user whose token is good.
    Repository,
    /// No branch, tag or commit of that name.
    Revision { revision: String },
    /// No file of that name at that commit.
    Entry { path: String },
    /// A gated repository, asked without a token.
    GateWithoutToken { id: String },
    /// A gated repository, asked with a token that has not been let in.
    Gate { id: String },
    /// A token that no account was given.
    InvalidCredentials,
    /// A route that needs a token, asked without one.
    NoCredentials,
    /// Not a route at all.
    Route,
}

impl HubRefusal {
    pub(super) fn no_repository(visitor: &Visitor) -> Self {
        match visitor {
            Visitor::Anonymous => Self::RepositoryWithoutToken,
            Visitor::Known { .. } => Self::Repository,
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let (status, code) = self.status_and_code();
        let message = self.message();
        let reply = Reply::json(status, &json!({ "error": message })).with("x-error-message", &message);
        match code {
            Some(code) => reply.with("x-error-code", code),
            None => reply,
        }
    }

    fn status_and_code(&self) -> (StatusCode, Option<&'static str>) {
        match self {
            Self::RepositoryWithoutToken => (StatusCode::UNAUTHORIZED, Some("RepoNotFound")),
            Self::Repository => (StatusCode::NOT_FOUND, Some("RepoNotFound")),
            Self::Revision { .. } => (StatusCode::NOT_FOUND, Some("RevisionNotFound")),
            Self::Entry { .. } => (StatusCode::NOT_FOUND, Some("EntryNotFound")),
            Self::GateWithoutToken { .. } => (StatusCode::UNAUTHORIZED, Some("GatedRepo")),
            Self::Gate { .. } => (StatusCode::FORBIDDEN, Some("GatedRepo")),
            Self::InvalidCredentials | Self::NoCredentials => (StatusCode::UNAUTHORIZED, None),
            Self::Route => (StatusCode::NOT_FOUND, None),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::RepositoryWithoutToken | Self::NoCredentials => "Invalid username or password.".to_owned(),
            Self::Repository => "Repository not found".to_owned(),
            Self::Revision { revision } => format!("Invalid rev id: {revision}"),
            Self::Entry { path } => format!("Entry not found: {path}"),
            Self::GateWithoutToken { id } => format!(
                "Access to model {id} is restricted. You must have access to it and be authenticated to access it. \
                 Please log in."
            ),
            Self::Gate { id } => format!(
                "Access to model {id} is restricted and you are not in the authorized list. \
                 Visit https://huggingface.co/{id} to ask for access."
            ),
            Self::InvalidCredentials => "Invalid credentials in Authorization header".to_owned(),
            Self::Route => "Sorry, we can't find the page you are looking for.".to_owned(),
        }
    }
}
