//! A client of the Hub that waits for nothing longer than the Hub names.

use std::time::Duration;

use hfdown::hub::{
    Endpoint, Hub, HubError, HubSettings, Listing, RepoId, RepoInfo, RetryPolicy, Revision, Token,
    TokenSource,
};
use hfdown_agent::http::{Backoff, ExtraRoots, Jitter, Proxies};
use hfdown_protocol::RepoPath;
use hfdown_tests::hub::TestHub;

pub(super) const TOKEN: &str = "hf_owner";

/// Short waits of our own, so that only a wait the Hub names can be long.
pub(super) fn impatient() -> HubSettings {
    let wait = Duration::from_millis(1);
    let backoff = Backoff { first: wait, longest: wait, jitter: Jitter::NONE };
    let retries = RetryPolicy { attempts: 3, backoff, margin: wait, total: Duration::from_secs(5) };
    HubSettings { retries, ..HubSettings::default() }
}

pub(super) fn connect(endpoint: &str, token: Option<&str>, settings: HubSettings) -> Hub {
    let token = token.and_then(|token| Token::new(token, &TokenSource::Typed).unwrap());
    Hub::new(
        Endpoint::new(endpoint).unwrap(),
        token.as_ref(),
        &ExtraRoots::default(),
        Proxies::none(),
        settings,
    )
    .unwrap()
}

pub(super) fn client(hub: &TestHub, token: Option<&str>) -> Hub {
    connect(&hub.endpoint(), token, impatient())
}

pub(super) async fn info(hub: &Hub, repo: &str) -> Result<RepoInfo, HubError> {
    hub.info(&repo.parse::<RepoId>().unwrap(), &Revision::default()).await
}

pub(super) fn path(path: &str) -> RepoPath {
    RepoPath::new(path).unwrap()
}

pub(super) fn paths(listing: &Listing) -> Vec<&str> {
    listing.files.iter().map(|file| file.path.as_str()).collect()
}
