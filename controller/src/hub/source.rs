//! Where a file's bytes are.

use bytes::Bytes;
use hfdown_protocol::{Address, RepoPath};

use super::client::{FinalResponse, nonsense};
use super::error_response::Resource;
use super::{Hub, HubError, ListedFile, Nonsense, RepoInfo};

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

impl Hub {
    /// The plain address of a file at its commit, for repositories that [are public](RepoInfo::is_public).
    pub fn public_address(&self, info: &RepoInfo, path: &RepoPath) -> Result<Address, HubError> {
        let url = self.endpoint().resolve(&info.id, &info.commit, path);
        Address::new(url.as_str()).map_err(|_| nonsense(&url, Nonsense::Location))
    }

    /// Asks, with the token, who serves a file. The redirect to the CDN is read and not followed.
    pub async fn sign(&self, info: &RepoInfo, path: &RepoPath) -> Result<Resolved, HubError> {
        match self.head(&self.endpoint().resolve(&info.id, &info.commit, path)).await? {
            FinalResponse::OtherOrigin(address) => Ok(Resolved::Elsewhere(address)),
            FinalResponse::Answered(..) => Ok(Resolved::Here),
        }
    }

    /// Reads a file that the Hub serves itself. Its length is that of the listing, its digest is for the agent to
    /// prove.
    pub async fn read_small(&self, info: &RepoInfo, file: &ListedFile) -> Result<Bytes, HubError> {
        let url = self.endpoint().resolve(&info.id, &info.commit, &file.path);
        if file.size > SMALL {
            return Err(nonsense(&url, Nonsense::TooLong(SMALL)));
        }
        let body = self.get(Resource::File, &url, file.size).await?.body;
        let seen = body.len() as u64;
        if seen == file.size {
            Ok(body)
        } else {
            Err(nonsense(&url, Nonsense::Length { listed: file.size, seen }))
        }
    }
}
