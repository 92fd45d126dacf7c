//! An answer that is not the Hub's: what proxies and login portals put in its place.

use std::fmt;
use std::marker::PhantomData;

use hfdown_agent::http::{is_web_page, page_title};
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use serde::de::{DeserializeOwned, DeserializeSeed};
use url::Url;

use super::client::{nonsense, shown};
use super::error_response::printable;
use super::{HubError, Nonsense};

/// Something between us and the Hub answered in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interception {
    /// The address, without its query.
    pub asked: String,
    /// What came.
    pub what: InterceptedAs,
}

/// What came instead of the Hub's answer. Texts have no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterceptedAs {
    /// A web page, with this title.
    Page(Option<String>),
    /// Compressed in this way, though nothing compressed was asked for.
    Compressed(String),
    /// A refusal that the Hub does not give.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        said: Option<String>,
    },
}

impl Interception {
    fn error(url: &Url, what: InterceptedAs) -> HubError {
        HubError::Intercepted(Box::new(Self { asked: shown(url), what }))
    }

    /// A page of this body in the place of an answer.
    pub(super) fn page(url: &Url, body: &[u8]) -> HubError {
        Self::error(url, InterceptedAs::Page(page_title(body)))
    }

    /// Checks that an answer comes as it was asked for.
    pub(super) fn check(url: &Url, headers: &HeaderMap) -> Result<(), HubError> {
        match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"" | b"identity") => Ok(()),
            Some(coding) => {
                Err(Self::error(url, InterceptedAs::Compressed(printable(&String::from_utf8_lossy(coding)))))
            }
        }
    }
}

/// What an answer in JSON says. Some mirrors put a mark of byte order before it.
pub(super) fn json<T: DeserializeOwned>(body: &[u8], headers: &HeaderMap, url: &Url) -> Result<T, HubError> {
    json_by(PhantomData, body, headers, url)
}

/// The same by what reads it.
pub(super) fn json_by<'a, S: DeserializeSeed<'a>>(
    seed: S,
    body: &'a [u8],
    headers: &HeaderMap,
    url: &Url,
) -> Result<S::Value, HubError> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| {
        if is_web_page(headers, body) && !text.trim_ascii().is_empty() {
            Interception::page(url, body)
        } else if text.starts_with(b"\x1f\x8b") {
            Interception::error(url, InterceptedAs::Compressed("gzip".to_owned()))
        } else if text.trim_ascii().is_empty() {
            nonsense(url, Nonsense::Json("it is empty".to_owned()))
        } else {
            nonsense(url, Nonsense::Json(printable(&error.to_string())))
        }
    })
}

impl fmt::Display for Interception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.asked)?;
        match &self.what {
            InterceptedAs::Page(title) => {
                formatter.write_str("a web page came instead")?;
                title.iter().try_for_each(|title| write!(formatter, " (\"{title}\")"))?;
            }
            InterceptedAs::Compressed(coding) => {
                write!(formatter, "compressed data ({coding}) came though none was asked for")?;
            }
            InterceptedAs::Refused { status, said } => {
                write!(formatter, "{status} came instead")?;
                said.iter().try_for_each(|said| write!(formatter, " ({said})"))?;
            }
        }
        formatter.write_str("; a proxy or a login portal is in between")
    }
}

impl std::error::Error for Interception {}
