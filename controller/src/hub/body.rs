//! The body of an answer: read within its bounds, of length, of time, and of how slowly it may come.

use bytes::{Bytes, BytesMut};
use hfdown_agent::http::{NetworkFault, RecentSpeed, SLICE, SpeedFloor, is_said_to_be_a_page};
use reqwest::Response;
use reqwest::header::HeaderMap;
use tokio::time::{Instant, timeout};
use url::Url;

use super::client::{nonsense, shown, unreached};
use super::{HubError, Interception, Nonsense, Unreached};

/// A whole answer.
pub(super) struct Page {
    /// Where it came from in the end.
    pub(super) url: Url,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: Bytes,
}

/// Reads an answer of this address, up to `bound` bytes.
pub(super) async fn read(
    url: Url,
    mut response: Response,
    bound: u64,
    floor: SpeedFloor,
) -> Result<Page, HubError> {
    let headers = response.headers().clone();
    // A page in the place of a small file is a page first.
    let too_long = || {
        let is_page = is_said_to_be_a_page(&headers) && !is_page_itself(&url);
        if is_page { Interception::page(&url, &[]) } else { nonsense(&url, Nonsense::TooLong(bound)) }
    };
    if response.content_length().is_some_and(|length| length > bound) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    let mut speed = RecentSpeed::over(floor.time);
    while let Some(chunk) = next_chunk(&url, &mut response, &mut speed, floor).await? {
        if (body.len() + chunk.len()) as u64 > bound {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Page { headers: response.headers().clone(), body: body.freeze(), url })
}

/// Whether an address is that of a file which is a web page.
pub(super) fn is_page_itself(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    [".html", ".htm", ".xhtml"].iter().any(|end| path.ends_with(end))
}

/// The next bytes of an answer; none at its end. An error where too few have come for too long.
async fn next_chunk(
    url: &Url,
    response: &mut Response,
    speed: &mut RecentSpeed,
    floor: SpeedFloor,
) -> Result<Option<Bytes>, HubError> {
    loop {
        let since = Instant::now();
        // Not even the beginning of a chunk is lost with a slice: it stays in the connection.
        let next = timeout(SLICE, response.chunk()).await;
        let came = match &next {
            Ok(Ok(Some(chunk))) => chunk.len() as u64,
            _ => 0,
        };
        let recent = speed.note(came, since.elapsed().min(SLICE));
        if let Some((bytes, waited)) = recent.filter(|recent| floor.is_above(*recent, 1)) {
            let detail = format!("only {bytes} B came in {} s", waited.as_secs());
            let slow = Unreached::new(shown(url), NetworkFault::Timeout, detail);
            return Err(HubError::Unreachable(Box::new(slow)));
        }
        if let Ok(next) = next {
            return next.map_err(|error| unreached(url, &error));
        }
    }
}
