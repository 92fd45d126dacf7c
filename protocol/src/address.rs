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
    fn no_address_is_longer_than_what_fits_a_message() {
        // Each of these becomes six characters.
        let long = format!("https://hub.example/{}", "ü".repeat(limits::ADDRESS / 5));
        assert!(long.len() < limits::ADDRESS);
        assert_eq!(Address::new(&long), Err(AddressError::Malformed));
    }
}
