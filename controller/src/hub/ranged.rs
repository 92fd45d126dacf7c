//! A file's bytes as the Hub's own origin serves them to those who show a token.

use std::ops::Range;

use bytes::Bytes;
use hfdown_protocol::{RepoPath, StreamHead, limits};
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName};
use reqwest::{Method, Response};
use url::Url;

use super::client::{FinalResponse, shown, unreached};
use super::error_response::Resource;
use super::retry::{heed, refusal};
use super::{Hub, HubError, NetworkAccess, RepoInfo};

/// How the Hub answered a question for bytes of a file.
#[derive(Debug)]
pub enum RangeAnswer {
    /// With an answer that says what follows, or that asks for patience.
    Here(StreamHead, Option<Box<HubBody>>),
    /// With the address of a CDN, which has it now.
    Elsewhere,
}

/// The body of such an answer. Nothing of it is proved.
#[derive(Debug)]
pub struct HubBody {
    url: Url,
    response: Response,
}

impl Hub {
    /// Asks once, with the token, for bytes of a file, or for all of them; within the endpoint's origin. What may pass is
    /// said as an answer, for the agent to try again.
    pub async fn read_range(
        &self,
        info: &RepoInfo,
        path: &RepoPath,
        range: Option<&Range<u64>>,
    ) -> Result<RangeAnswer, HubError> {
        let url = self.endpoint().resolve(&info.id, &info.commit, path);
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        match self.ask_for(&url, range.as_deref()).await {
            Ok(FinalResponse::OtherOrigin(_)) => Ok(RangeAnswer::Elsewhere),
            Ok(FinalResponse::Answered(url, response)) => {
                Ok(RangeAnswer::Here(head(&response), Some(Box::new(HubBody { url, response }))))
            }
            Err(HubError::RateLimited(answer) | HubError::Server(answer)) => {
                let wait_seconds = answer.wait.map(|wait| wait.as_secs());
                Ok(RangeAnswer::Here(
                    StreamHead { status: answer.status, wait_seconds, ..StreamHead::default() },
                    None,
                ))
            }
            Err(error) => Err(error),
        }
    }

    /// Asks once for bytes of a file, which are for the caller to read in its own time. What may pass is for it to try again.
    async fn ask_for(&self, url: &Url, range: Option<&str>) -> Result<FinalResponse, HubError> {
        if self.settings.network == NetworkAccess::Forbidden {
            return Err(HubError::Offline { asked: shown(url) });
        }
        if let Some(refusal) = refusal(&self.cooldown) {
            return Err(refusal);
        }
        let asked = self.exchange(&self.patient, &Method::GET, url, Resource::File, range).await;
        asked.inspect_err(|error| heed(&self.cooldown, error))
    }
}

impl HubBody {
    /// The next bytes; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, HubError> {
        self.response.chunk().await.map_err(|error| unreached(&self.url, &error))
    }
}

fn head(response: &Response) -> StreamHead {
    let text = |name: HeaderName| {
        let text = response.headers().get(name)?.to_str().ok()?;
        (text.len() <= limits::TEXT).then(|| text.to_owned())
    };
    StreamHead {
        status: response.status().as_u16(),
        length: text(CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        range: text(CONTENT_RANGE),
        encoding: text(CONTENT_ENCODING),
        media_type: text(CONTENT_TYPE),
        wait_seconds: None,
    }
}
