//! Where a redirect may lead: never from https to http, and never to an address that carries a credential.

use hfdown_protocol::{Address, AddressError};
use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// It does not say where it leads.
    #[error("without a location")]
    NoLocation,
    /// It leads from https to http.
    #[error("http, although https was asked")]
    Downgrade,
    /// It leads to what can't be asked.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// Where the redirect leads that was answered by this address with these headers.
pub fn redirect_target(from: &Url, headers: &HeaderMap) -> Result<Address, RedirectError> {
    let location = headers.get(LOCATION).and_then(|value| str::from_utf8(value.as_bytes()).ok());
    let location = location.ok_or(RedirectError::NoLocation)?;
    let target = from.join(location).map_err(|_| AddressError::Malformed)?;
    if from.scheme() == "https" && target.scheme() == "http" {
        return Err(RedirectError::Downgrade);
    }
    Ok(Address::from_url(target)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hfdown_protocol::limits;
    use reqwest::header::HeaderValue;

    fn target(from: &str, location: &str) -> Result<String, RedirectError> {
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(location).unwrap())]);
        redirect_target(&Url::parse(from).unwrap(), &headers).map(String::from)
    }

    #[test]
    fn redirects_stay_encrypted_and_carry_no_credential() {
        let hub = "https://hub.example/a/b?c";
        let refused = |error: AddressError| Err(RedirectError::Address(error));
        for (from, location, expected) in [
            (hub, "/x?y", Ok("https://hub.example/x?y")),
            (hub, "https://cdn.example/x?Signature=s", Ok("https://cdn.example/x?Signature=s")),
            (hub, "/ü", Ok("https://hub.example/%C3%BC")),
            (hub, "http://hub.example/x", Err(RedirectError::Downgrade)),
            ("http://hub.example/a", "http://hub.example/x", Ok("http://hub.example/x")),
            ("http://hub.example/a", "https://hub.example/x", Ok("https://hub.example/x")),
            (hub, "https://user:word@cdn.example/x", refused(AddressError::Credential)),
            (hub, "file:///etc/passwd", refused(AddressError::Scheme)),
            (hub, "https://[", refused(AddressError::Malformed)),
        ] {
            assert_eq!(target(from, location), expected.map(str::to_owned), "{location}");
        }
        let nowhere = redirect_target(&Url::parse(hub).unwrap(), &HeaderMap::new());
        assert_eq!(nowhere, Err(RedirectError::NoLocation));
    }

    #[test]
    fn no_redirect_leads_to_an_address_that_does_not_fit_a_message() {
        // Each of these becomes six characters.
        let long = format!("/{}", "ü".repeat(limits::ADDRESS / 5));
        let refused = RedirectError::Address(AddressError::Malformed);
        assert_eq!(target("https://hub.example/a", &long), Err(refused));
    }
}
