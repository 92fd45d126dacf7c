//! The head of an answer: whether what follows is what was asked for, and what it means when it is not.

use std::ops::Range;

use reqwest::StatusCode;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue,
};

use super::chunk::Extent;
use crate::fault::FetchFault;
use crate::http::{asked_wait, is_said_to_be_a_page};

/// What was asked, and of what kind of address.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    pub(super) host: &'a str,
    pub(super) extent: &'a Extent,
    /// What the server may claim as the length of the whole; none of a xorb, which the Hub does not list.
    pub(super) total: Option<u64>,
    /// Whether the address has a query, as signed ones have.
    pub(super) has_query: bool,
    /// Whether the file is a web page itself.
    pub(super) is_page: bool,
}

impl Expected<'_> {
    /// Checks an answer that is no redirect.
    pub(super) fn check(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), FetchFault> {
        match (status, self.extent) {
            (StatusCode::PARTIAL_CONTENT, Extent::Range(range)) => self.check_range(headers, range)?,
            (StatusCode::PARTIAL_CONTENT, Extent::Whole) => self.check_whole_as_part(headers)?,
            (StatusCode::OK, Extent::Whole) => self.check_length(headers)?,
            // The whole range and the whole file are the same bytes.
            (StatusCode::OK, Extent::Range(range)) if range.start == 0 && Some(range.end) == self.total => {
                self.check_length(headers)?;
            }
            // Every range that is asked for lies within the listed file.
            (StatusCode::OK | StatusCode::RANGE_NOT_SATISFIABLE, Extent::Range(_)) => {
                return Err(self.range_ignored());
            }
            _ => return Err(self.refusal(status, headers)),
        }
        match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(()),
            Some(_) => Err(self.nonsense("compresses what was asked for as it is".to_owned())),
        }
    }

    /// Where the bytes of a part belong has to be said, and to be what was asked. Some servers don't say it (Artifactory),
    /// say it wrongly, or send a part of several ranges: then the file is asked for as a whole, and its digest tells.
    fn check_range(&self, headers: &HeaderMap, range: &Range<u64>) -> Result<(), FetchFault> {
        let is_it = self.is_said_to_be(headers, range) || self.is_part_of_xorb(headers, range);
        if is_it { Ok(()) } else { Err(self.range_ignored()) }
    }

    /// A part of a xorb, of which a server of xet-core's says its length alone: chunks of another place don't decode, or the
    /// file's digest finds them out.
    fn is_part_of_xorb(&self, headers: &HeaderMap, range: &Range<u64>) -> bool {
        let said: Option<u64> = text(headers, CONTENT_LENGTH.as_str()).parse().ok();
        let is_unsaid = headers.get(CONTENT_RANGE).is_none();
        self.total.is_none() && is_unsaid && said == Some(range.end - range.start)
    }

    /// A part though the whole was asked for: taken where it is all of the file, or where nothing else is said.
    fn check_whole_as_part(&self, headers: &HeaderMap) -> Result<(), FetchFault> {
        let is_multipart = text(headers, CONTENT_TYPE.as_str()).starts_with("multipart/");
        let is_whole = match (headers.get(CONTENT_RANGE), self.total) {
            (None, _) => !is_multipart,
            (Some(_), Some(total)) => self.is_said_to_be(headers, &(0..total)),
            (Some(_), None) => false,
        };
        if is_whole {
            return self.check_length(headers);
        }
        Err(self.nonsense("answered with a part of the file to a request for all of it".to_owned()))
    }

    /// Whether the answer is said to be these bytes of a file of the listed size, or of one whose size is not said.
    fn is_said_to_be(&self, headers: &HeaderMap, range: &Range<u64>) -> bool {
        let said = text(headers, CONTENT_RANGE.as_str()).trim();
        let parts = said.split_once(' ').and_then(|(unit, rest)| {
            let (bounds, total) = rest.trim().split_once('/')?;
            let (first, last) = bounds.split_once('-')?;
            Some((unit, first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?, total.trim()))
        });
        let may_claim =
            |total: &str| total == "*" || self.total.is_none_or(|listed| total.parse() == Ok(listed));
        parts.is_some_and(|(unit, first, last, total)| {
            let is_asked = first == range.start && last.checked_add(1) == Some(range.end);
            unit.eq_ignore_ascii_case("bytes") && is_asked && may_claim(total)
        })
    }

    fn check_length(&self, headers: &HeaderMap) -> Result<(), FetchFault> {
        let said: Option<u64> = text(headers, CONTENT_LENGTH.as_str()).parse().ok();
        match (said, self.total) {
            (Some(length), Some(listed)) if length != listed && self.is_foreign_page(headers) => {
                Err(FetchFault::Page { host: self.host.to_owned(), what: format!("{length} bytes"), listed })
            }
            (Some(length), Some(total)) if length != total => {
                Err(self.nonsense(format!("sends {length} bytes where the Hub lists {total}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a web page comes in the place of something else.
    pub(super) fn is_foreign_page(&self, headers: &HeaderMap) -> bool {
        !self.is_page && is_said_to_be_a_page(headers)
    }

    fn refusal(&self, status: StatusCode, headers: &HeaderMap) -> FetchFault {
        let why = match (text(headers, "x-error-code"), text(headers, "x-error-message")) {
            ("", message) => message.to_owned(),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        };
        // The Hub names its reasons; a CDN that refuses a signed address does not.
        let is_signed = why.is_empty() && self.has_query;
        let (host, status) = (self.host.to_owned(), status.as_u16());
        match status {
            401 | 403 | 410 if is_signed => FetchFault::Stale { host, status, why },
            401 | 403 | 451 => FetchFault::Refused { host, status, why },
            404 | 410 => FetchFault::Missing { host, status, why },
            429 => FetchFault::RateLimited { host, status, wait: asked_wait(headers) },
            407 | 511 => FetchFault::Intercepted { host, status },
            408 | 425 | 500..=599 => FetchFault::Server { host, status, wait: asked_wait(headers) },
            _ => self.nonsense(format!("answered {status}")),
        }
    }

    fn range_ignored(&self) -> FetchFault {
        FetchFault::RangeIgnored { host: self.host.to_owned() }
    }

    fn nonsense(&self, what: String) -> FetchFault {
        FetchFault::Nonsense { host: self.host.to_owned(), what }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
