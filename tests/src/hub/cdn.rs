//! The other origin: large files, for a signed address that has not expired. It knows no repository and no token.

use hyper::{HeaderMap, Method, StatusCode};

use super::catalogue::Catalogue;
use super::content::Content;
use super::reply::Reply;
use super::sign::AddressSigner;

pub(super) fn reply(
    catalogue: &Catalogue,
    signer: &AddressSigner,
    method: &Method,
    headers: &HeaderMap,
    (path, query): (&str, &str),
) -> Reply {
    if !signer.admits(path, query) {
        return denied();
    }
    let Some(file) = catalogue.object(path) else {
        return error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
    };
    // 64 digits like the Hub's, and not the SHA-256: clients that take the CDN's word for it must not pass.
    let etag = Content::from(format!("cdn {}", file.content.sha256())).sha256();
    Reply::file(file.content.clone())
        .with("etag", &format!("\"{etag}\""))
        .with("accept-ranges", "bytes")
        .with("content-type", "binary/octet-stream")
        .with("cache-control", "public, max-age=31536000")
        .with("x-cache", "Hit from cloudfront")
        .named(&file.path)
        .unless_unchanged(method, headers, &etag)
}

/// What an expired or forged address gets.
pub(super) fn denied() -> Reply {
    error(StatusCode::FORBIDDEN, "AccessDenied", "Access denied")
}

fn error(status: StatusCode, code: &str, message: &str) -> Reply {
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    let text = format!("{head}<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Reply::text(status, text).with("content-type", "text/xml")
}
