//! `resolve`: where a file is. The Hub serves few files itself; mostly it says where to go.

use std::sync::Arc;

use hyper::{HeaderMap, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::access::Visitor;
use super::mirror::Bodies;
use super::refusal::HubRefusal;
use super::reply::Reply;
use super::repository::{Repository, Snapshot, Storage, Stored};
use super::sign::AddressSigner;

/// What JavaScript's `encodeURIComponent` leaves alone.
const COMPONENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'!').remove(b'~');
/// The same for whole paths.
const PATH: &AsciiSet = &COMPONENT.remove(b'/');

/// A question for a file, and what is needed to answer it.
pub(super) struct Resolve<'a> {
    pub(super) repository: &'a Repository,
    pub(super) visitor: &'a Visitor,
    pub(super) revision: &'a str,
    pub(super) path: &'a str,
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    /// The path that was asked for, as it was sent.
    pub(super) asked: &'a str,
    pub(super) cdn: &'a str,
    pub(super) endpoint: &'a str,
    /// Who sends large files, where this is a mirror.
    pub(super) bodies: Option<Bodies>,
}

impl Resolve<'_> {
    /// `…/resolve/{revision}/{path}`
    pub(super) fn reply(&self, signer: &AddressSigner) -> Result<Reply, HubRefusal> {
        let (snapshot, file) = self.find()?;
        let reply = match &file.storage {
            _ if self.bodies == Some(Bodies::Own) => whole(&file),
            Storage::Regular if self.bodies.is_some() => whole(&file),
            Storage::Lfs { address, .. } => self.to_the_cdn(&file, address, signer),
            Storage::Regular if self.is_cached(&file) => self.to_the_cache(&snapshot, &file),
            Storage::Regular => whole(&file),
        };
        let reply = reply.with("x-repo-commit", snapshot.commit.as_str()).with("accept-ranges", "bytes");
        Ok(reply.unless_unchanged(self.method, self.headers, &file.etag()))
    }

    /// `/api/resolve-cache/…`, which has only what may be read without a token.
    pub(super) fn cached(&self) -> Result<Reply, HubRefusal> {
        let (snapshot, file) = self.find()?;
        if !self.is_cached(&file) || !matches!(file.storage, Storage::Regular) {
            return Err(HubRefusal::Route);
        }
        let reply = whole(&file)
            .with("x-repo-commit", snapshot.commit.as_str())
            .with("cache-control", "public, max-age=31536000, immutable");
        Ok(reply.unless_unchanged(self.method, self.headers, &file.etag()))
    }

    fn find(&self) -> Result<(Arc<Snapshot>, Arc<Stored>), HubRefusal> {
        self.repository.access.may_read(self.visitor, &self.repository.id)?;
        let revision = || HubRefusal::Revision { revision: self.revision.to_owned() };
        let snapshot = self.repository.at(self.revision).ok_or_else(revision)?;
        let entry = || HubRefusal::Entry { path: self.path.to_owned() };
        let file = snapshot.files.get(self.path).cloned().ok_or_else(entry)?;
        Ok((snapshot, file))
    }

    /// Canonical ids, closed repositories and empty files are served by the Hub directly.
    fn is_cached(&self, file: &Stored) -> bool {
        self.repository.access.is_open() && self.repository.id.contains('/') && file.content.size() > 0
    }

    fn to_the_cdn(&self, file: &Stored, address: &str, signer: &AddressSigner) -> Reply {
        let etag = format!("\"{}\"", file.etag());
        let location = format!("{}{}", self.cdn, signer.sign(address, &file.path));
        let reply = Reply::redirect(StatusCode::FOUND, &location)
            .with("etag", &etag)
            .with("x-linked-etag", &etag)
            .with("x-linked-size", &file.content.size().to_string());
        let Some(hash) = file.xet() else { return reply };
        let (kind, id) = (self.repository.kind.plural(), &self.repository.id);
        let access =
            format!("<{}/api/{kind}/{id}/xet-read-token/{}>; rel=\"xet-auth\"", self.endpoint, self.revision);
        reply.with("x-xet-hash", hash).with("link", &access)
    }

    fn to_the_cache(&self, snapshot: &Snapshot, file: &Stored) -> Reply {
        let (kind, id, commit) = (self.repository.kind.plural(), &self.repository.id, &snapshot.commit);
        let path = utf8_percent_encode(&file.path, PATH);
        let asked = utf8_percent_encode(self.asked, COMPONENT);
        let location =
            format!("/api/resolve-cache/{kind}/{id}/{commit}/{path}?{asked}=&etag=%22{}%22", file.etag());
        Reply::redirect(StatusCode::TEMPORARY_REDIRECT, &location)
    }
}

fn whole(file: &Stored) -> Reply {
    Reply::file(file.content.clone())
        .with("etag", &format!("\"{}\"", file.etag()))
        .with("accept-ranges", "bytes")
        .with("content-type", content_type(&file.path))
        .named(&file.path)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("json") => "application/json; charset=utf-8",
        Some("txt" | "md" | "py" | "yaml" | "yml" | "csv" | "jinja" | "gitattributes" | "gitignore") => {
            "text/plain; charset=utf-8"
        }
        _ => "application/octet-stream",
    }
}
