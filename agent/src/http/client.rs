//! The HTTP client of the controller, which asks for little and is told much. Bytes come by [`super::transport`].

use std::sync::Arc;

use reqwest::{Client, ClientBuilder};

use super::{ExtraRoots, Names, Proxies, SetupError};

/// A client in the making that trusts the bundled roots and these, resolves names with those, and asks through these proxies.
/// [`Proxies::for_url`] is to be asked before each request.
///
/// Redirects and retries are decided by the caller, which knows what a failure costs and where a redirect may lead.
/// HTTP/1.1 alone: one TCP connection per range is what the CDN is fast with.
pub fn client_builder(
    roots: &ExtraRoots,
    names: &Names,
    proxies: &Proxies,
) -> Result<ClientBuilder, SetupError> {
    if proxies.take_one_address() {
        names.put_ipv4_first();
    }
    Ok(Client::builder()
        .proxy(proxies.rule())
        .tls_backend_preconfigured(roots.tls()?)
        .dns_resolver(Arc::new(names.clone()))
        .user_agent(concat!("hfdown/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never()))
}
