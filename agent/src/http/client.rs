//! The HTTP client that both halves begin with.

use reqwest::{Client, ClientBuilder};

use super::{ExtraRoots, SetupError};

/// A client in the making that trusts the bundled roots and these. Proxies are taken from the environment, as
/// everywhere.
///
/// Redirects and retries are decided by the caller, which knows what a failure costs and where a redirect may lead.
/// HTTP/1.1 alone: one TCP connection per range is what the CDN is fast with.
pub fn client_builder(roots: &ExtraRoots) -> Result<ClientBuilder, SetupError> {
    Ok(Client::builder()
        .tls_backend_preconfigured(roots.tls()?)
        .user_agent(concat!("hfdown/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never()))
}
