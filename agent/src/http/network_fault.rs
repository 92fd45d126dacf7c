//! What failed on the network, as a class and in words that users read: reqwest's errors, without the address, which
//! may be a signed one, and without what Rust prints for programmers.

use std::error::Error;
use std::{fmt, io, iter};

use crate::os_error::in_words;

/// Why a request got no answer, or only a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkFault {
    /// The host's name could not be resolved.
    Name,
    /// No connection could be made.
    Connect,
    /// The server's certificate was refused.
    Certificate,
    /// Nothing came for too long.
    Timeout,
    /// The connection broke.
    Broken,
}

impl NetworkFault {
    /// The class of an error.
    pub fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_dns() {
            Self::Name
        } else if !error.is_connect() {
            Self::Broken
        } else if refuses_certificate(error) {
            Self::Certificate
        } else {
            Self::Connect
        }
    }
}

impl fmt::Display for NetworkFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Name => "the host's name cannot be resolved",
            Self::Connect => "cannot connect",
            Self::Certificate => "the connection cannot be trusted",
            Self::Timeout => "no answer in time",
            Self::Broken => "the connection broke",
        })
    }
}

/// The last cause of an error of reqwest: it says what happened, the ones before it say that it did, and the first
/// would name the address.
pub fn innermost_cause(error: &reqwest::Error) -> String {
    error.source().map_or_else(|| "the request failed".to_owned(), innermost)
}

/// The last cause of an error, or the error itself.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |cause| (*cause).source());
    causes.last().map_or_else(String::new, |cause| plain(&cause.to_string()))
}

/// The resolver goes on with its question, as Rust prints it; TLS with names of what went wrong; the system with its
/// number.
pub(super) fn plain(text: &str) -> String {
    let said = text.split_once(" for Query {").map_or(text, |(said, _)| said);
    let said = said.replace("DnsName(\"", "").replace("\")", "").replace("IpAddress(", "address (");
    in_words(&apart(&said))
}

/// `UnknownIssuer` as `unknown issuer`. What is quoted is a name, and stays as it is.
fn apart(text: &str) -> String {
    let mut words = String::with_capacity(text.len() + 8);
    let mut is_quoted = false;
    for part in text.split_inclusive(|character: char| !character.is_ascii_alphanumeric()) {
        let is_joined = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
        let begins_a_word = part.starts_with(|first: char| first.is_ascii_uppercase());
        if is_quoted || !begins_a_word || !part.as_bytes().windows(2).any(is_joined) {
            words.push_str(part);
        } else {
            for (at, character) in part.char_indices() {
                if at > 0 && character.is_ascii_uppercase() {
                    words.push(' ');
                }
                words.push(character.to_ascii_lowercase());
            }
        }
        is_quoted ^= part.ends_with(['"', '`']);
    }
    words
}

/// Whether an error says that the server's certificate was refused. Connectors wrap that in I/O errors, whose `source`
/// skips what they wrap.
pub(super) fn refuses_certificate(error: &(dyn Error + 'static)) -> bool {
    if let Some(carried) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return refuses_certificate(carried);
    }
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
        || error.source().is_some_and(refuses_certificate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::CertificateError;

    #[test]
    fn a_refused_certificate_is_found_below_other_errors() {
        let refused = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let refused = io::Error::other(io::Error::other(io::Error::new(io::ErrorKind::InvalidData, refused)));
        assert!(refuses_certificate(&refused));
        let no_tls = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert!(!refuses_certificate(&no_tls));
        assert!(!refuses_certificate(&io::Error::from(io::ErrorKind::ConnectionRefused)));
    }

    #[test]
    fn what_rust_prints_for_programmers_is_left_out() {
        for (text, words) in [
            (
                "no record found for Query { name: Name(\"hub.example.\"), query_type: AAAA }",
                "no record found",
            ),
            ("Connection refused (os error 111)", "connection refused"),
            ("invalid peer certificate: UnknownIssuer", "invalid peer certificate: unknown issuer"),
            ("received fatal alert: HandshakeFailure", "received fatal alert: handshake failure"),
            (
                "peer is incompatible: ServerDoesNotSupportTls12Or13",
                "peer is incompatible: server does not support tls12 or13",
            ),
            ("client error (SendRequest)", "client error (send request)"),
            (
                "not valid for name \"HubExample.org\"; certificate is only valid for DnsName(\"a.example\")",
                "not valid for name \"HubExample.org\"; certificate is only valid for a.example",
            ),
            ("connection closed before message completed", "connection closed before message completed"),
        ] {
            assert_eq!(plain(text), words);
        }
    }
}
