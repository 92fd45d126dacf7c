//! Refusals, read: what a status and the Hub's headers mean.

use std::fmt;
use std::time::Duration;

use hfdown_agent::http::{asked_wait, is_web_page, refusal_body, refusal_text, wait_in_words};
use reqwest::{Response, StatusCode};

use super::{Credential, HubError, InterceptedAs, Interception, RetrySummary};

/// What a server answered instead of what was asked for. Its texts come from the server, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The address that was asked, without its query.
    pub asked: String,
    /// Whether a token went with the question.
    pub credential: Credential,
    /// The HTTP status.
    pub status: u16,
    /// The Hub's `X-Error-Code`.
    pub code: Option<String>,
    /// The Hub's `X-Error-Message`, or what the body says in words.
    pub message: Option<String>,
    /// Whether the body is a web page, which the Hub's own refusals are not.
    pub is_page: bool,
    /// The identifier by which the Hub's operators find the request.
    pub request: Option<String>,
    /// How long to wait before asking again.
    pub wait: Option<Duration>,
    /// What was tried before giving up.
    pub tried: Option<RetrySummary>,
}

/// What was asked about; it decides what a bare 404 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    /// A repository, or the list of its files.
    Repository,
    /// A file of a repository.
    File,
}

/// The longest text of an answer that is kept, in characters; the Hub's own are a sentence or two.
const TEXT: usize = 400;

impl ErrorResponse {
    pub(crate) fn new(asked: impl Into<String>, status: u16) -> Self {
        Self {
            asked: asked.into(),
            credential: Credential::Absent,
            status,
            code: None,
            message: None,
            is_page: false,
            request: None,
            wait: None,
            tried: None,
        }
    }

    /// Reads a refusal. Its body is only looked at where the headers say nothing.
    pub(super) async fn read(asked: String, credential: Credential, mut response: Response) -> Self {
        let headers = response.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(printable);
        let mut answer = Self {
            credential,
            code: text("x-error-code"),
            message: text("x-error-message"),
            request: ["x-request-id", "x-amzn-trace-id", "x-amz-cf-id"].into_iter().find_map(text),
            wait: asked_wait(headers),
            ..Self::new(asked, response.status().as_u16())
        };
        if answer.message.is_none() {
            let body = refusal_body(&mut response).await;
            let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
            let text = |name: &str| json.as_ref()?.get(name)?.as_str().map(printable);
            let headers = response.headers();
            answer.message =
                text("error").or_else(|| text("message")).or_else(|| refusal_text(headers, &body));
            answer.is_page = is_web_page(headers, &body) && !body.is_empty();
        }
        answer
    }

    /// What it means, in `huggingface_hub`'s order: codes first, then messages, then the bare status.
    pub(super) fn into_error(self, resource: Resource) -> HubError {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let message = self.message.as_deref().unwrap_or_default();
        let sent = self.credential == Credential::Sent;
        // "Invalid username or password." is what a stranger is told of a missing repository as well.
        let is_about_the_token = message.starts_with("Invalid credentials")
            || (message.contains("Access Token") && message.ends_with("expired"))
            || (sent && message.starts_with("Invalid username or password"))
            || (sent && self.code.is_none());
        let variant = match (self.code.as_deref(), status) {
            (Some("RevisionNotFound"), _) => HubError::RevisionNotFound,
            (Some("EntryNotFound"), _) => HubError::EntryNotFound,
            (Some("GatedRepo"), _) => HubError::Gated,
            (_, StatusCode::UNAUTHORIZED) if is_about_the_token => HubError::BadToken,
            _ if message == "Access to this resource is disabled." => HubError::Disabled,
            // The Hub says so in JSON or in headers; what sends pages is something before it.
            (None, StatusCode::FORBIDDEN) if self.is_page => {
                return HubError::Intercepted(Box::new(self.into_interception()));
            }
            (_, StatusCode::NETWORK_AUTHENTICATION_REQUIRED | StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
                return HubError::Intercepted(Box::new(self.into_interception()));
            }
            // The repository has been listed: what is refused without a code is the file.
            (None, StatusCode::UNAUTHORIZED) if resource == Resource::File => HubError::NotAllowed,
            // A missing repository is a 401 to a stranger, and some mirrors send no code with it.
            (Some("RepoNotFound"), _) | (_, StatusCode::UNAUTHORIZED) => HubError::RepoNotFound,
            (_, StatusCode::FORBIDDEN) => HubError::NotAllowed,
            (_, StatusCode::GONE | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS) => HubError::Disabled,
            (_, StatusCode::TOO_MANY_REQUESTS) => HubError::RateLimited,
            (_, StatusCode::NOT_FOUND) if resource == Resource::File => HubError::EntryNotFound,
            (_, StatusCode::NOT_FOUND) => HubError::RepoNotFound,
            _ => HubError::Server,
        };
        variant(Box::new(self))
    }

    fn into_interception(self) -> Interception {
        let what = InterceptedAs::Refused { status: self.status, said: self.message };
        Interception { asked: self.asked, what }
    }

    /// Whether the status is one that passes: a timeout or a failure of the server, not a refusal.
    pub(super) fn is_passing(&self) -> bool {
        self.status == 408 || (self.status >= 500 && !matches!(self.status, 501 | 505))
    }
}

/// A server's text, cut and without what could move a terminal's cursor.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(TEXT).collect()
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.status)?;
        if let Some(code) = &self.code {
            write!(formatter, " {code}")?;
        }
        if let Some(message) = &self.message {
            write!(formatter, ": {message}")?;
        }
        if let Some(wait) = self.wait.filter(|wait| !wait.is_zero()) {
            write!(formatter, ", asking to be left alone for {}", wait_in_words(wait))?;
        }
        if let Some(request) = &self.request {
            write!(formatter, " (request {request})")?;
        }
        self.tried.iter().try_for_each(|tried| tried.fmt(formatter))
    }
}

impl std::error::Error for ErrorResponse {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let invalid = "Invalid credentials in Authorization header";
        let disabled = "Access to this resource is disabled.";
        for (resource, status, code, message, expected) in [
            (Resource::Repository, 401, "RepoNotFound", "", "RepoNotFound"),
            (Resource::Repository, 404, "RepoNotFound", "", "RepoNotFound"),
            (Resource::Repository, 401, "", "Invalid username or password.", "RepoNotFound"),
            (Resource::Repository, 401, "", "", "RepoNotFound"),
            (Resource::Repository, 401, "", invalid, "BadToken"),
            (Resource::Repository, 401, "", "User Access Token \"ci\" is expired", "BadToken"),
            (Resource::Repository, 404, "RevisionNotFound", "", "RevisionNotFound"),
            (Resource::File, 404, "EntryNotFound", "", "EntryNotFound"),
            (Resource::File, 401, "GatedRepo", "", "Gated"),
            (Resource::File, 403, "GatedRepo", "", "Gated"),
            (Resource::Repository, 403, "", disabled, "Disabled"),
            (Resource::Repository, 451, "", "", "Disabled"),
            (Resource::File, 403, "", "no permission", "NotAllowed"),
            (Resource::File, 401, "", "", "NotAllowed"),
            (Resource::File, 401, "", "Invalid username or password.", "NotAllowed"),
            (Resource::File, 401, "RepoNotFound", "", "RepoNotFound"),
            (Resource::File, 401, "", invalid, "BadToken"),
            (Resource::File, 404, "", "", "EntryNotFound"),
            (Resource::Repository, 404, "", "", "RepoNotFound"),
            (Resource::Repository, 429, "", "", "RateLimited"),
            (Resource::Repository, 503, "", "", "Server"),
            (Resource::Repository, 418, "", "", "Server"),
        ] {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let answer = ErrorResponse {
                code: some(code),
                message: some(message),
                ..ErrorResponse::new("https://hub.example", status)
            };
            let error = format!("{:?}", answer.into_error(resource));
            assert!(error.starts_with(&format!("{expected}(")), "{status} {code} {message}: {error}");
        }
    }

    #[test]
    fn a_401_is_about_the_token_where_one_was_sent() {
        for (code, message, sent, withheld) in [
            ("", "Invalid username or password.", "BadToken", "RepoNotFound"),
            ("RepoNotFound", "Invalid username or password.", "BadToken", "RepoNotFound"),
            ("", "", "BadToken", "RepoNotFound"),
            ("", "Invalid credentials in Authorization header", "BadToken", "BadToken"),
            ("RepoNotFound", "Repository not found", "RepoNotFound", "RepoNotFound"),
            ("GatedRepo", "", "Gated", "Gated"),
        ] {
            for (credential, expected) in [(Credential::Sent, sent), (Credential::Withheld, withheld)] {
                let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                let answer = ErrorResponse {
                    code: some(code),
                    message: some(message),
                    credential,
                    ..ErrorResponse::new("https://hub.example", 401)
                };
                let error = format!("{:?}", answer.into_error(Resource::Repository));
                assert!(
                    error.starts_with(&format!("{expected}(")),
                    "{code} {message} {credential:?}: {error}"
                );
            }
        }
    }

    #[test]
    fn what_sends_pages_is_something_before_the_hub() {
        for (status, is_page, expected) in [
            (403, true, "Intercepted"),
            (403, false, "NotAllowed"),
            (511, false, "Intercepted"),
            (407, true, "Intercepted"),
            (502, true, "Server"),
        ] {
            let answer = ErrorResponse { is_page, ..ErrorResponse::new("https://hub.example", status) };
            let error = format!("{:?}", answer.into_error(Resource::Repository));
            assert!(error.starts_with(&format!("{expected}(")), "{status}: {error}");
        }
    }

    #[test]
    fn only_what_passes_is_worth_another_try() {
        for (status, expected) in [
            (408, true),
            (429, true),
            (500, true),
            (503, true),
            (522, true),
            (501, false),
            (418, false),
            (404, false),
        ] {
            let error = ErrorResponse::new("https://hub.example", status).into_error(Resource::Repository);
            assert_eq!(error.is_worth_another_try(), expected, "{status}");
        }
    }

    #[test]
    fn prints_what_a_person_needs() {
        let answer = ErrorResponse {
            code: Some("GatedRepo".to_owned()),
            message: Some(printable("access to this model\u{1b} is restricted")),
            request: Some("Root=1-67".to_owned()),
            ..ErrorResponse::new("https://hub.example", 403)
        };
        assert_eq!(
            answer.to_string(),
            "403 GatedRepo: access to this model  is restricted (request Root=1-67)"
        );
    }
}
