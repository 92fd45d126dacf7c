//! What the body of a refusal says, in words: a CDN's XML, a web page's title, or a line of plain text. Tags are no words.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use super::transport::HttpAnswer;

/// The most bytes of a refusal's body that are read.
const BODY: usize = 16 << 10;
/// How long they are waited for: the status has said what matters.
const BODY_TIME: Duration = Duration::from_secs(10);
/// The longest text that is kept, in characters.
const TEXT: usize = 300;

/// A body that comes in pieces.
pub trait Body {
    /// The next piece; none at the end, and where it breaks off.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

impl Body for reqwest::Response {
    async fn next(&mut self) -> Option<Bytes> {
        self.chunk().await.ok().flatten()
    }
}

impl Body for HttpAnswer {
    async fn next(&mut self) -> Option<Bytes> {
        self.chunk().await.ok().flatten()
    }
}

/// The beginning of a refusal's body.
pub async fn refusal_body(refusal: &mut impl Body) -> Vec<u8> {
    let mut body = Vec::new();
    let reading = async {
        while let Some(chunk) = refusal.next().await
            && body.len() < BODY
        {
            body.extend_from_slice(&chunk[..chunk.len().min(BODY - body.len())]);
        }
    };
    // What has come by then may be all of it.
    let _ = tokio::time::timeout(BODY_TIME, reading).await;
    body
}

/// What the body of a refusal says, where it says something: `AccessDenied: Request has expired`, or the title of a page.
pub fn refusal_text(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    let said = if is_web_page(headers, body) {
        page_title(body)
            .map(|title| format!("a web page, \"{title}\""))
            .or_else(|| Some("a web page".to_owned()))
    } else if text.starts_with('<') {
        match (element(text, "code"), element(text, "message")) {
            (Some(code), Some(message)) => Some(format!("{code}: {message}")),
            (code, message) => code.or(message),
        }
    } else if text.starts_with(['{', '[']) {
        None
    } else {
        text.lines().next().filter(|line| !line.is_empty()).map(printable)
    };
    said.filter(|said| !said.is_empty())
}

/// Whether a body is one for browsers: it begins as pages do, or is said to be a page and holds no JSON.
pub fn is_web_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(1024)]).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let begins = ["<!doctype html", "<html", "<head", "<body", "<title", "<script", "<meta", "<!--"];
    begins.iter().any(|begin| text.starts_with(begin))
        || (is_said_to_be_a_page(headers) && !text.starts_with(['{', '[']))
}

/// Whether an answer is said to be a web page.
pub fn is_said_to_be_a_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(kind.as_str(), "text/html" | "application/xhtml+xml")
}

/// The title of a web page.
pub fn page_title(body: &[u8]) -> Option<String> {
    element(&String::from_utf8_lossy(body), "title").filter(|title| !title.is_empty())
}

/// The text of the first element of this name, whatever case it is written in.
fn element(text: &str, name: &str) -> Option<String> {
    let small = text.to_ascii_lowercase();
    let open = small
        .match_indices(&format!("<{name}"))
        .find(|(at, tag)| small[at + tag.len()..].starts_with(['>', ' ', '\t', '\r', '\n']))?;
    let begin = open.0 + small[open.0..].find('>')? + 1;
    let end = begin + small[begin..].find('<')?;
    Some(printable(&text[begin..end]))
}

/// A server's text: cut, in one line, without what could move a terminal's cursor, and with the commonest entities read.
fn printable(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    let text = text.replace("&nbsp;", " ").replace("&amp;", "&");
    let words: Vec<_> =
        text.split(|character: char| character.is_whitespace() || character.is_control()).collect();
    let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    words.chars().take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn kind(kind: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])
    }

    #[test]
    fn a_refusal_is_told_in_words() {
        for (kind_of, body, expected) in [
            (
                "text/xml",
                "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
                Some("AccessDenied: Request has expired"),
            ),
            ("application/xml", "<Error><Code>ExpiredToken</Code></Error>", Some("ExpiredToken")),
            (
                "application/xml",
                "\u{feff}<?xml version='1.0' encoding='UTF-8'?><Error><Code>SignatureDoesNotMatch</Code><Message>The request\n signature &amp; more</Message><Details>x</Details></Error>",
                Some("SignatureDoesNotMatch: The request signature & more"),
            ),
            ("text/plain", "Forbidden by policy\nmore", Some("Forbidden by policy")),
            (
                "text/html; charset=utf-8",
                "<html><head><TITLE>\n403 Forbidden\u{1b}[2J</TITLE></head></html>",
                Some("a web page, \"403 Forbidden [2J\""),
            ),
            ("application/json", "<!DOCTYPE html><p>no title", Some("a web page")),
            ("text/html", "blocked", Some("a web page")),
            ("application/json", "{\"error\":\"x\"}", None),
            ("text/plain", "", None),
            ("text/xml", "<a/>", None),
        ] {
            assert_eq!(refusal_text(&kind(kind_of), body.as_bytes()).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn a_page_is_known_by_what_it_is() {
        for (kind_of, body, expected) in [
            ("application/json", " \n<!doctype HTML>", true),
            ("text/html", "{\"id\":\"x\"}", false),
            ("text/html; charset=utf-8", "[]", false),
            ("text/html", "", true),
            ("text/xml", "<?xml version=\"1.0\"?><Error>", false),
            ("application/json", "{}", false),
        ] {
            assert_eq!(is_web_page(&kind(kind_of), body.as_bytes()), expected, "{kind_of} {body}");
        }
    }
}
