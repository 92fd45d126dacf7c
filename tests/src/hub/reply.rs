//! What a route answers, before ranges, compression and faults are applied to it.

use std::fmt::Write as _;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use serde_json::Value;

use super::content::Content;

/// A status, headers and a body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload,
}

/// The body of a [`Reply`].
#[derive(Debug)]
pub(super) enum Payload {
    /// The Hub's own words: served whole.
    Words(Content),
    /// A file: served by ranges, or compressed where that was asked for and makes sense.
    File(Content),
}

impl Reply {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), payload: Payload::Words(Content::from("")) }
    }

    pub(super) fn text(status: StatusCode, text: String) -> Self {
        let reply = Self::empty(status).with("content-type", "text/plain; charset=utf-8");
        Self { payload: Payload::Words(Content::from(text)), ..reply }
    }

    pub(super) fn json(status: StatusCode, value: &Value) -> Self {
        let reply = Self::empty(status).with("content-type", "application/json; charset=utf-8");
        Self { payload: Payload::Words(Content::from(value.to_string())), ..reply }
    }

    pub(super) fn ok(value: &Value) -> Self {
        Self::json(StatusCode::OK, value)
    }

    pub(super) fn file(content: Content) -> Self {
        Self { payload: Payload::File(content), ..Self::empty(StatusCode::OK) }
    }

    pub(super) fn redirect(status: StatusCode, location: &str) -> Self {
        let reason = status.canonical_reason().unwrap_or_default();
        Self::text(status, format!("{reason}. Redirecting to {location}")).with("location", location)
    }

    /// Sets a header. What no header may contain is percent-encoded.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap_or_else(|_| {
            let encoded = utf8_percent_encode(value, CONTROLS).to_string();
            HeaderValue::from_str(&encoded).expect("percent-encoded text is printable")
        });
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// What a browser would call the file.
    pub(super) fn named(self, path: &str) -> Self {
        let disposition = disposition(path);
        self.with("content-disposition", &disposition)
    }

    /// Turns the answer into `304` where the client has the content already.
    pub(super) fn unless_unchanged(self, method: &Method, request: &HeaderMap, etag: &str) -> Self {
        let known =
            request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_known =
            known.split(',').any(|one| one.trim().trim_start_matches("W/").trim_matches('"') == etag);
        if !is_known || !matches!(*method, Method::GET | Method::HEAD) {
            return self;
        }
        let mut reply = Self::empty(StatusCode::NOT_MODIFIED).with("etag", &format!("\"{etag}\""));
        if let Some(commit) = self.headers.get("x-repo-commit") {
            reply.headers.insert("x-repo-commit", commit.clone());
        }
        reply
    }
}

/// A `Content-Disposition` for the last component of a path.
pub(super) fn disposition(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    format!("inline; filename*=UTF-8''{encoded}; filename=\"{encoded}\";")
}
