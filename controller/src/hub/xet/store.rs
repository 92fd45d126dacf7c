//! Questions to the store.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hfdown_agent::http::{asked_wait, innermost_cause, literal_network};
use hfdown_protocol::{HubNetwork, XetHash};
use reqwest::header::{AUTHORIZATION, RANGE};
use reqwest::{Method, Response, StatusCode};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{sleep, timeout};
use url::Url;

use super::access::XetAccess;
use super::{ReconstructionError, XetReconstruction};
use crate::hub::body::read;
use crate::hub::client::{FinalResponse, shown};
use crate::hub::error_response::Resource;
use crate::hub::{Hub, HubError, NetworkAccess, RepoInfo};

/// Bytes of a file that one question is about. Its answer has a term for each 64 MB, and more where chunks are shared.
const SLICE: u64 = 2 << 30;
/// Questions at once, of all files.
const AT_ONCE: usize = 8;
/// The longest answer: a term takes some 150 bytes, and each xorb an address of some 700.
const LONGEST_ANSWER: u64 = 64 << 20;
/// The longest grant of access.
const LONGEST_GRANT: u64 = 64 << 10;
/// How often a question is asked, and how long its answer may take.
const ATTEMPTS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(20);
/// The wait before the second attempt, and the longest that is waited for: plain ranges need no waiting.
const FIRST_WAIT: Duration = Duration::from_millis(300);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The store of one repository's files.
#[derive(Debug)]
pub struct XetStore {
    hub: Arc<Hub>,
    info: Arc<RepoInfo>,
    access: Mutex<Option<XetAccess>>,
    /// Whether it has turned out to know the first version of its API only.
    is_first_version: AtomicBool,
    turns: Semaphore,
}

/// Why the store is of no use.
#[derive(Debug, thiserror::Error)]
pub enum XetError {
    /// The Hub gives no access to it.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// What the Hub gives is no access.
    #[error("the Hub's grant of access to its Xet store makes no sense")]
    Grant,
    /// Only this machine could go there, or the way there is not as well kept as the way to the Hub.
    #[error("the Hub's Xet store is in a private network or not encrypted, and the Hub is not")]
    Unsafe,
    /// What was asked for is no part of a file.
    #[error("what is missing of it makes no sense")]
    Asked,
    /// It was not reached.
    #[error("{store}: {why}")]
    Unreached {
        /// Where it is.
        store: String,
        /// Why not.
        why: String,
    },
    /// It refused.
    #[error("{store} answered {status}")]
    Refused {
        /// Where it is.
        store: String,
        /// With what status.
        status: u16,
    },
    /// What it answered is of no use.
    #[error("{store} has an answer that is of no use: {error}")]
    Reconstruction {
        /// Where it is.
        store: String,
        /// Why.
        error: ReconstructionError,
    },
}

impl XetError {
    /// Answers that are of no use together.
    pub(crate) fn of(error: ReconstructionError) -> Self {
        Self::Reconstruction { store: "the Xet store".to_owned(), error }
    }
}

/// What one attempt came to.
enum Attempt {
    Answered(Box<XetReconstruction>),
    /// Another one may be worth it, after this wait where the server named one.
    Again(XetError, Option<Duration>),
    Lost(XetError),
}

impl XetStore {
    /// The store that has a repository's files.
    pub fn new(hub: Arc<Hub>, info: Arc<RepoInfo>) -> Self {
        let (access, is_first_version) = (Mutex::default(), AtomicBool::new(false));
        Self { hub, info, access, is_first_version, turns: Semaphore::new(AT_ONCE) }
    }

    /// In what kind of network the Hub is that has led there.
    pub fn network(&self) -> HubNetwork {
        self.hub.network()
    }

    /// Which chunks these bytes of a file are. The whole file, where they are all of it, is asked for without a range.
    pub async fn reconstruct(
        &self,
        hash: XetHash,
        asked: Range<u64>,
        size: u64,
    ) -> Result<XetReconstruction, XetError> {
        let starts = (asked.start..asked.end).step_by(usize::try_from(SLICE).unwrap_or(usize::MAX));
        let slices = starts.map(|start| start..asked.end.min(start.saturating_add(SLICE)));
        let mut answers = stream::iter(slices.map(|slice| async move { self.ask(hash, &slice, size).await }))
            .buffered(AT_ONCE);
        let mut whole = XetReconstruction::default();
        while let Some(answer) = answers.next().await {
            whole.append(answer?).map_err(XetError::of)?;
        }
        Ok(whole)
    }

    async fn ask(&self, hash: XetHash, slice: &Range<u64>, size: u64) -> Result<XetReconstruction, XetError> {
        // Never closed, so its turn comes.
        let _turn = self.turns.acquire().await;
        let mut number = 1;
        loop {
            let (error, wait) = match self.attempt(hash, slice, size).await {
                Attempt::Answered(answer) => return Ok(*answer),
                Attempt::Lost(error) => return Err(error),
                Attempt::Again(error, wait) => (error, wait.unwrap_or(FIRST_WAIT * number)),
            };
            if number == ATTEMPTS || wait > LONGEST_WAIT {
                return Err(error);
            }
            sleep(wait).await;
            number += 1;
        }
    }

    async fn attempt(&self, hash: XetHash, slice: &Range<u64>, size: u64) -> Attempt {
        let access = match self.access().await {
            Ok(access) => access,
            Err(error) => return Attempt::Lost(error),
        };
        let is_first = self.is_first_version.load(Ordering::Relaxed);
        let version = if is_first { "v1" } else { "v2" };
        let mut url = access.store().clone();
        url.set_path(&format!("{}/{version}/reconstructions/{hash}", url.path().trim_end_matches('/')));
        let mut request = self.hub.client.get(url.clone()).header(AUTHORIZATION, access.authorization());
        if *slice != (0..size) {
            request = request.header(RANGE, format!("bytes={}-{}", slice.start, slice.end - 1));
        }
        let store = shown(access.store());
        let unreached = |why: String| Attempt::Again(XetError::Unreached { store: store.clone(), why }, None);
        let response = match timeout(PATIENCE, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return unreached(innermost_cause(&error)),
            Err(_) => return unreached(format!("no answer in {} s", PATIENCE.as_secs())),
        };
        let status = response.status();
        let refused = XetError::Refused { store: store.clone(), status: status.as_u16() };
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::UNAUTHORIZED => {
                self.forget(&access).await;
                return Attempt::Again(refused, None);
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
                if !is_first =>
            {
                self.is_first_version.store(true, Ordering::Relaxed);
                return Attempt::Again(refused, Some(Duration::ZERO));
            }
            StatusCode::TOO_MANY_REQUESTS => return Attempt::Again(refused, asked_wait(response.headers())),
            _ if status.is_server_error() => {
                return Attempt::Again(refused, asked_wait(response.headers()));
            }
            _ => return Attempt::Lost(refused),
        }
        match timeout(PATIENCE, self.read(url, response, slice)).await {
            Ok(Ok(answer)) => Attempt::Answered(Box::new(answer)),
            Ok(Err(ReadError::Nonsense(error))) => Attempt::Lost(XetError::Reconstruction { store, error }),
            Ok(Err(ReadError::Broken(why))) => unreached(why),
            Err(_) => unreached(format!("not complete after {} s", PATIENCE.as_secs())),
        }
    }

    async fn read(
        &self,
        url: Url,
        response: Response,
        slice: &Range<u64>,
    ) -> Result<XetReconstruction, ReadError> {
        let read = read(url, response, LONGEST_ANSWER, self.hub.settings.floor).await;
        let body = read.map_err(|error| ReadError::Broken(error.to_string()))?.body;
        let is_encrypted = self.hub.endpoint().is_encrypted();
        XetReconstruction::from_json(&body, slice, is_encrypted).map_err(ReadError::Nonsense)
    }

    /// The token, asked for where there is none that is good for a while.
    async fn access(&self) -> Result<XetAccess, XetError> {
        let mut known = self.access.lock().await;
        if let Some(access) = known.as_ref().filter(|access| access.is_good(SystemTime::now())) {
            return Ok(access.clone());
        }
        if self.hub.settings.network == NetworkAccess::Forbidden {
            return Err(XetError::Hub(HubError::Offline { asked: shown(self.hub.endpoint().url()) }));
        }
        let url = self.hub.endpoint().xet_read_token(&self.info.id, &self.info.commit);
        // Once: what goes on without it does not wait for it.
        let granted = timeout(PATIENCE, self.grant(&url)).await;
        let granted = granted.map_err(|_| XetError::Unreached {
            store: shown(&url),
            why: format!("no answer in {} s", PATIENCE.as_secs()),
        })??;
        let access = XetAccess::from_json(&granted).ok_or(XetError::Grant)?;
        self.check(access.store())?;
        Ok(known.insert(access).clone())
    }

    /// What the Hub grants, within its own origin.
    async fn grant(&self, url: &Url) -> Result<Bytes, XetError> {
        let exchanged =
            self.hub.exchange(&self.hub.client, &Method::GET, url, Resource::Repository, None).await?;
        match exchanged {
            FinalResponse::Answered(url, response) => {
                Ok(read(url, response, LONGEST_GRANT, self.hub.settings.floor).await?.body)
            }
            FinalResponse::OtherOrigin(_) => Err(XetError::Grant),
        }
    }

    /// A token that was refused.
    async fn forget(&self, refused: &XetAccess) {
        let mut known = self.access.lock().await;
        known.take_if(|access| access == refused);
    }

    /// Checks where the Hub leads to: as well kept as itself, and no place that only this machine could reach.
    fn check(&self, store: &Url) -> Result<(), XetError> {
        if self.hub.endpoint().is_encrypted() && store.scheme() != "https" {
            return Err(XetError::Unsafe);
        }
        if self.hub.network() == HubNetwork::Private {
            return Ok(());
        }
        match (literal_network(store), store.host_str()) {
            (Some(HubNetwork::Public), _) => Ok(()),
            (None, Some(name)) => self.hub.names().guard(name).map_err(|_| XetError::Unsafe),
            _ => Err(XetError::Unsafe),
        }
    }
}

/// Why an answer could not be read.
enum ReadError {
    Broken(String),
    Nonsense(ReconstructionError),
}
