//! What the Hub refuses.

use std::time::Duration;

use hfdown_agent::http::NetworkFault;

use super::agent::PROXY;
use super::{Exit, Problem};
use crate::hub::{Credential, ErrorResponse, Hub, HubError, HubSetupError, Nonsense, RepoId};
use crate::text::units::left;

/// The Hub's windows, where it does not say how much of one is left.
const WINDOW: Duration = Duration::from_secs(300);

/// A question to the Hub about a repository that failed.
pub fn hub(attempted: impl Into<String>, error: &HubError, hub: &Hub, repo: &RepoId) -> Problem {
    let problem = Problem::new(exit(error), attempted).because_of(error);
    match hub_advice(error, hub, repo) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// A Hub that can't be asked at all.
pub fn hub_setup(error: &HubSetupError) -> Problem {
    match error {
        HubSetupError::Network(error) => {
            Problem::new(Exit::Failed, "cannot use the network").because_of(error)
        }
        HubSetupError::Proxy(error) => {
            Problem::new(Exit::Usage, "cannot use the proxy").because_of(error).hint(PROXY)
        }
    }
}

fn exit(error: &HubError) -> Exit {
    match error {
        HubError::RepoNotFound(_) | HubError::RevisionNotFound(_) | HubError::EntryNotFound(_) => {
            Exit::NotFound
        }
        HubError::Gated(_) | HubError::BadToken(_) | HubError::NotAllowed(_) | HubError::Disabled(_) => {
            Exit::NotAllowed
        }
        HubError::RateLimited(_)
        | HubError::Server(_)
        | HubError::Unreachable(_)
        | HubError::Proxy(_)
        | HubError::Intercepted(_)
        | HubError::Offline { .. } => Exit::Unreachable,
        // The same question elsewhere is a mirror's way; anything else is hardly a Hub's.
        HubError::Nonsense { what: Nonsense::OtherOrigin(other), .. } if other.endpoint.is_none() => {
            Exit::Unreachable
        }
        HubError::Nonsense { .. } => Exit::Failed,
        HubError::Corrupt { .. } => Exit::Corrupt,
    }
}

/// What can be done about it.
pub fn hub_advice(error: &HubError, hub: &Hub, repo: &RepoId) -> Option<String> {
    let page = hub.endpoint().page(repo);
    let has_token = hub.credential() == Credential::Sent;
    Some(match error {
        HubError::RepoNotFound(_) if hub.credential() == Credential::Withheld => {
            "the token was not sent, because the endpoint is not encrypted; if the repository is private, use https".to_owned()
        }
        // What answers with pages may be no Hub at all.
        HubError::RepoNotFound(answer) if answer.is_page => format!(
            "check the name; as a web page came with it, check also that {} is a Hub, and that no proxy or login portal is in between",
            hub.endpoint()
        ),
        HubError::RepoNotFound(_) if has_token => {
            format!("check the name, and that the token's account may see {page}")
        }
        // The Hub itself says which it is.
        HubError::RepoNotFound(answer) if answer.code.is_none() => format!(
            "check the name; if the repository is private, or {} wants a token for everything, pass one of an account that may \
             see it (HF_TOKEN or --token)",
            hub.host()
        ),
        HubError::RepoNotFound(_) => {
            "check the name; if the repository is private, pass a token of an account that may see it (HF_TOKEN or --token)"
                .to_owned()
        }
        HubError::RevisionNotFound(_) => format!("the branches and tags are listed at {page}"),
        HubError::EntryNotFound(_) => format!("`hfdown info {repo}` lists its files"),
        HubError::Gated(_) if has_token => {
            format!("accept the conditions at {page} with the account whose token this is")
        }
        HubError::Gated(_) => {
            format!("accept the conditions at {page}, then pass a token of that account (HF_TOKEN or --token)")
        }
        HubError::BadToken(_) => bad_token(hub),
        HubError::Intercepted(_) => interception(hub),
        HubError::NotAllowed(_) => match hub.credential() {
            Credential::Absent => format!(
                "{} may want a token for files, also of what it lists as public: pass one of its own (HF_TOKEN or --token)",
                hub.host()
            ),
            Credential::Withheld => format!(
                "the token was not sent, because {} is not encrypted; use https",
                hub.endpoint()
            ),
            Credential::Sent => format!("check that the token is one of {}, and what it is allowed to read", hub.host()),
        },
        HubError::RateLimited(answer) if has_token => {
            format!("wait {} and run the same command again", patience(answer))
        }
        HubError::RateLimited(answer) => {
            format!("wait {} and run the same command again; with a token the limits are higher", patience(answer))
        }
        HubError::Server(answer) if answer.wait.is_some() => {
            format!("the Hub has trouble of its own; run the same command again in {}", patience(answer))
        }
        HubError::Server(answer) if answer.is_page => {
            "the Hub, or a proxy before it, has trouble; run the same command again later".to_owned()
        }
        HubError::Server(_) => "the Hub has trouble of its own; run the same command again later".to_owned(),
        HubError::Offline { .. } => "unset HF_HUB_OFFLINE to ask the Hub".to_owned(),
        HubError::Proxy(refusal) => refusal.fault.hint(),
        HubError::Unreachable(unreached) => match unreached.fault {
            NetworkFault::Connect | NetworkFault::Timeout | NetworkFault::Broken if unreached.through.is_some() => {
                "check that proxy and the network behind it; NO_PROXY lists hosts that are asked without it".to_owned()
            }
            NetworkFault::Name => "check the network and, if it is set, HF_ENDPOINT".to_owned(),
            NetworkFault::Connect | NetworkFault::Timeout | NetworkFault::Broken => {
                "check the network, the proxy settings (HTTPS_PROXY, NO_PROXY) and, if it is set, HF_ENDPOINT".to_owned()
            }
            NetworkFault::Certificate => "behind a proxy that opens TLS, let SSL_CERT_FILE name its certificate".to_owned(),
        },
        HubError::Nonsense { what: Nonsense::OtherOrigin(other), .. } => match &other.endpoint {
            Some(endpoint) => format!("if that is the Hub that you mean, set HF_ENDPOINT={endpoint}"),
            None => format!(
                "open any page in a browser to log in to the network, or check the proxy; if that is the Hub that you mean, set \
                 HF_ENDPOINT={}",
                other.origin
            ),
        },
        HubError::Nonsense { what: Nonsense::Commit, .. } => {
            "name the commit yourself, with all of its 40 digits: --revision COMMIT".to_owned()
        }
        HubError::Nonsense { what: Nonsense::TooManyFiles, .. } => {
            "git with git-lfs takes repositories of any size; their owners can divide them, or pack small files together"
                .to_owned()
        }
        HubError::Disabled(_) | HubError::Nonsense { .. } | HubError::Corrupt { .. } => return None,
    })
}

fn bad_token(hub: &Hub) -> String {
    let source =
        hub.token_source().map(|source| format!("it is the token of {source}; ")).unwrap_or_default();
    let made = if hub.endpoint().is_hub() {
        "make a new one at https://huggingface.co/settings/tokens".to_owned()
    } else {
        format!("take one that {} knows", hub.endpoint())
    };
    format!(
        "{source}{made}, for `hf auth login`, HF_TOKEN or --token; public models need none (HF_HUB_DISABLE_IMPLICIT_TOKEN=1)"
    )
}

fn interception(hub: &Hub) -> String {
    let proxy = hub.proxy().unwrap_or_else(|| "the proxy settings (HTTPS_PROXY, NO_PROXY)".to_owned());
    let hint = format!("open any page in a browser to log in to the network, or check {proxy}");
    if hub.endpoint().is_hub() {
        return hint;
    }
    format!("{hint}; HF_ENDPOINT={} must be the address of a Hub, and not that of a website", hub.endpoint())
}

/// How long to wait, by the Hub's own word if there is one.
fn patience(answer: &ErrorResponse) -> String {
    left(answer.wait.unwrap_or(WINDOW))
}

#[cfg(test)]
mod tests {
    use hfdown_agent::http::{ExtraRoots, Proxies};

    use super::*;
    use crate::hub::{Endpoint, HubSettings, Token, TokenSource};

    #[test]
    fn a_file_that_is_refused_has_the_hint_that_fits_the_token() {
        let answer = ErrorResponse::new("https://mirror.example/x", 401);
        let error = HubError::NotAllowed(Box::new(answer));
        for (endpoint, token, expected) in [
            ("https://mirror.example/hf", None, "mirror.example may want a token for files"),
            ("https://mirror.example:8443", Some("t"), "check that the token is one of mirror.example:8443"),
            (
                "http://mirror.example/hf",
                Some("t"),
                "the token was not sent, because http://mirror.example/hf is not",
            ),
        ] {
            let token = token.and_then(|token| Token::new(token, &TokenSource::Typed).unwrap());
            let (endpoint, settings) = (Endpoint::new(endpoint).unwrap(), HubSettings::default());
            let hub = Hub::new(endpoint, token.as_ref(), &ExtraRoots::default(), Proxies::none(), settings)
                .unwrap();
            let hint = hub_advice(&error, &hub, &"acme/model".parse().unwrap()).unwrap();
            assert!(hint.contains(expected), "{hint}");
        }
    }

    #[test]
    fn a_page_that_says_404_may_be_no_hubs() {
        let (endpoint, settings) =
            (Endpoint::new("https://website.example").unwrap(), HubSettings::default());
        let hub = Hub::new(endpoint, None, &ExtraRoots::default(), Proxies::none(), settings).unwrap();
        let hint = |is_page| {
            let answer = ErrorResponse { is_page, ..ErrorResponse::new("https://website.example/api", 404) };
            hub_advice(&HubError::RepoNotFound(Box::new(answer)), &hub, &"acme/model".parse().unwrap())
        };
        assert!(hint(true).unwrap().contains("check also that https://website.example is a Hub"));
        assert!(!hint(false).unwrap().contains("web page"));
    }
}
