//! Where a file can be fetched without any credential but the address itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::limits;

/// An `http` or `https` address that needs no header to be read: a public one, or one that the Hub has signed.
///
/// Signed addresses are secrets while they last, so both `Display` and `Debug` leave the query out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(Url);

/// Why a text cannot be an [`Address`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not parse, or is longer than [`limits::ADDRESS`].
    #[error("not an address")]
    Malformed,
    /// Neither `http` nor `https`.
    #[error("neither http nor https")]
    Scheme,
    /// `http`, to which an `https` address leads.
    #[error("http, although https was asked")]
    Downgrade,
    /// It carries a user name or a password, and credentials have no place on this wire.
    #[error("it carries a credential")]
    Credential,
}

impl Address {
    /// Checks an address.
    pub fn new(text: &str) -> Result<Self, AddressError> {
        if text.len() > limits::ADDRESS {
            return Err(AddressError::Malformed);
        }
        Url::parse(text).map_err(|_| AddressError::Malformed).and_then(Self::from_url)
    }

    /// Checks a parsed address.
    pub fn from_url(url: Url) -> Result<Self, AddressError> {
        if url.as_str().len() > limits::ADDRESS {
            return Err(AddressError::Malformed);
        }
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(AddressError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credential);
        }
        Ok(Self(url))
    }

    /// The whole address, query included. For requests only.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Where a redirect seen at this address leads. An https address never leads to an http one.
    pub fn redirected(&self, location: &str) -> Result<Self, AddressError> {
        let url = self.0.join(location).map_err(|_| AddressError::Malformed)?;
        if self.0.scheme() == "https" && url.scheme() == "http" {
            return Err(AddressError::Downgrade);
        }
        Self::from_url(url)
    }

    /// Whether both addresses have the same scheme, host and port.
    pub fn same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::new(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0.into()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.0.origin().ascii_serialization(), self.0.path())?;
        if self.0.query().is_some() { formatter.write_str("?…") } else { Ok(()) }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_without_its_query() {
        let address = Address::new("https://cdn.example/a/b?Signature=secret").unwrap();
        assert_eq!(address.to_string(), "https://cdn.example/a/b?…");
        assert_eq!(format!("{address:?}"), "https://cdn.example/a/b?…");
    }

    #[test]
    fn refuses_credentials_and_other_schemes() {
        assert_eq!(Address::new("https://hf_token@host/x"), Err(AddressError::Credential));
        assert_eq!(Address::new("https://u:p@host/x"), Err(AddressError::Credential));
        assert_eq!(Address::new("file:///etc/passwd"), Err(AddressError::Scheme));
        assert_eq!(Address::new("nonsense"), Err(AddressError::Malformed));
    }

    #[test]
    fn redirects_stay_encrypted() {
        let address = Address::new("https://hub.example/a").unwrap();
        assert_eq!(address.redirected("/b?c").map(String::from).as_deref(), Ok("https://hub.example/b?c"));
        assert_eq!(address.redirected("http://hub.example/b"), Err(AddressError::Downgrade));
    }

    #[test]
    fn no_way_leads_to_an_address_that_does_not_fit_a_message() {
        let address = Address::new("https://hub.example/a").unwrap();
        // Each of these becomes six characters.
        let long = format!("/{}", "ü".repeat(limits::ADDRESS / 5));
        assert_eq!(address.redirected(&long), Err(AddressError::Malformed));
    }
}
