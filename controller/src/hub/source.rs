//! Where a file's bytes are.

use std::time::Duration;

use bytes::Bytes;
use hfdown_agent::digest_like;
use hfdown_agent::http::is_web_page;
use hfdown_protocol::{Address, RepoPath};

use super::body::{Page, is_page_itself};
use super::client::{FinalResponse, nonsense, shown};
use super::error_response::Resource;
use super::retry::Retrying;
use super::{Credential, Hub, HubError, Interception, ListedFile, Nonsense, RepoInfo};

/// Who serves a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A CDN, at this address, which the Hub has signed for a while.
    Elsewhere(Address),
    /// The Hub itself, to those whose token goes with the question: [`Hub::read_small`] reads it.
    Here,
}

/// The most bytes of a file that the controller reads itself. The Hub keeps everything above 10 MiB in LFS.
pub const SMALL: u64 = 32 << 20;

/// A file whose bytes are wrong is fetched once more.
const CORRUPT_ATTEMPTS: u32 = 2;

impl Hub {
    /// The plain address of a file at its commit, for repositories that [are public](RepoInfo::is_public).
    pub fn public_address(&self, info: &RepoInfo, path: &RepoPath) -> Result<Address, HubError> {
        let url = self.endpoint().resolve(&info.id, &info.commit, path);
        Address::new(url.as_str()).map_err(|_| nonsense(&url, Nonsense::Location))
    }

    /// Whether a file that is listed as public is refused to those who show no token, and there is one to show.
    pub async fn wants_token(&self, info: &RepoInfo, path: &RepoPath) -> bool {
        let url = self.endpoint().resolve(&info.id, &info.commit, path);
        self.credential() == Credential::Sent && self.refuses_strangers(&url).await
    }

    /// Asks, with the token, who serves a file. The redirect to the CDN is read and not followed.
    pub async fn sign(&self, info: &RepoInfo, path: &RepoPath) -> Result<Resolved, HubError> {
        match self.head(&self.endpoint().resolve(&info.id, &info.commit, path)).await? {
            FinalResponse::OtherOrigin(address) => Ok(Resolved::Elsewhere(address)),
            FinalResponse::Answered(..) => Ok(Resolved::Here),
        }
    }

    /// Reads a file that the Hub serves itself. What is returned is the listed file: its length and its digest are
    /// proved. Wrong bytes are fetched once more, as those of a large file are.
    pub async fn read_small(&self, info: &RepoInfo, file: &ListedFile) -> Result<Bytes, HubError> {
        let url = self.endpoint().resolve(&info.id, &info.commit, &file.path);
        if file.size > SMALL {
            return Err(nonsense(&url, Nonsense::TooLong(SMALL)));
        }
        let mut attempt = 1;
        loop {
            let Page { headers, body, .. } = self.get(Resource::File, &url, file.size).await?;
            let length = body.len() as u64;
            if length != file.size && is_web_page(&headers, &body) && !is_page_itself(&url) {
                return Err(Interception::page(&url, &body));
            }
            if length != file.size {
                return Err(nonsense(&url, Nonsense::Length { listed: file.size, seen: length }));
            }
            let (listed, seen) = (file.digest, digest_like(file.digest, &body));
            if seen == listed {
                return Ok(body);
            }
            let error = HubError::Corrupt { asked: shown(&url), listed, seen };
            if attempt == CORRUPT_ATTEMPTS {
                return Err(error);
            }
            self.tell(Retrying { attempt, attempts: CORRUPT_ATTEMPTS, error: &error, wait: Duration::ZERO });
            attempt += 1;
        }
    }
}
