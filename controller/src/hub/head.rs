//! A question about a file whose answer's head is enough.

use std::sync::PoisonError;

use reqwest::Method;
use reqwest::header::RANGE;
use url::Url;

use super::client::FinalResponse;
use super::error_response::Resource;
use super::{Hub, HubError};

/// What is asked for where the answer's head is enough.
const FIRST_BYTE: &str = "bytes=0-0";

/// Whether files may be asked for with HEAD, where they are not to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum UseOfHead {
    /// It has not been seen.
    #[default]
    Unknown,
    /// It is answered as GET is.
    Fine,
    /// It is refused where GET is not: with that the first byte is asked for.
    Refused,
}

impl Hub {
    /// Asks where a file is, without reading it and without leaving the endpoint's origin. A server that does not care for
    /// such a question is asked for the file's first byte, from then on.
    pub(super) async fn head(&self, url: &Url) -> Result<FinalResponse, HubError> {
        self.with_retries(url, || async {
            let ask = |method, range| self.exchange(&self.client, method, url, Resource::File, range);
            if self.use_of_head() == UseOfHead::Refused {
                return ask(&Method::GET, Some(FIRST_BYTE)).await;
            }
            let refused = match ask(&Method::HEAD, None).await {
                Err(error) if error.may_be_of_the_method(self.use_of_head()) => error,
                answered => return answered,
            };
            let first = ask(&Method::GET, Some(FIRST_BYTE)).await;
            let status = |error: &HubError| error.answer().map(|answer| answer.status);
            match &first {
                Ok(_) => self.learn_use_of_head(UseOfHead::Refused),
                Err(error) if status(error) == status(&refused) => self.learn_use_of_head(UseOfHead::Fine),
                Err(_) => {}
            }
            first
        })
        .await
    }

    /// Whether an address is refused to those who show no token. One that can't be asked is not said to be.
    pub(super) async fn refuses_strangers(&self, url: &Url) -> bool {
        let asked = self.client.get(url.clone()).header(RANGE, FIRST_BYTE).send().await;
        asked.is_ok_and(|response| matches!(response.status().as_u16(), 401 | 403))
    }

    fn use_of_head(&self) -> UseOfHead {
        *self.use_of_head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn_use_of_head(&self, learned: UseOfHead) {
        *self.use_of_head.lock().unwrap_or_else(PoisonError::into_inner) = learned;
    }
}
