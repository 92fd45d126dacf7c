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
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::access::XetAccess;
use super::{ReconstructionError, XetReconstruction};
use crate::hub::body::read;
use crate::hub::client::{FinalResponse, shown};
use crate::hub::endpoint::is_loopback;
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
/// For how long the Hub is not asked again for access that it did not give: a thousand files are one question.
const REFUSED: Duration = Duration::from_secs(60);

/// The store of one repository's files.
#[derive(Debug)]
pub struct XetStore {
    hub: Arc<Hub>,
    info: Arc<RepoInfo>,
    access: Mutex<KnownAccess>,
    /// Whether it has turned out to know the first version of its API only.
    is_first_version: AtomicBool,
    turns: Semaphore,
}

/// What is known of who may read it.
#[derive(Debug, Default)]
enum KnownAccess {
    #[default]
    NotAsked,
    /// Until then.
    Granted(XetAccess, Instant),
    /// No one, as was found then.
    Refused(XetError, Instant),
}

/// Which version of its API a question is asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ApiVersion {
    First,
    Second,
}

/// Why the store is of no use.
#[derive(Debug, Clone, thiserror::Error)]
pub enum XetError {
    /// The Hub gives no access to it.
    #[error(transparent)]
    Hub(Arc<HubError>),
    /// What the Hub gives is no access.
    #[error("the Hub's grant of access to its Xet store makes no sense")]
    Grant,
    /// Only this machine could go there.
    #[error("the Hub's Xet store is in a private network, and the Hub is not")]
    Private,
    /// The token of the store would travel over a network for all to read.
    #[error("the way to the Hub's Xet store is not encrypted")]
    Unencrypted,
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

    /// Whether the other files would meet with the same.
    pub(crate) fn is_of_the_store(&self) -> bool {
        match self {
            Self::Asked | Self::Reconstruction { .. } => false,
            Self::Refused { status, .. } => matches!(status, 401 | 403 | 429 | 500..),
            Self::Hub(_) | Self::Grant | Self::Private | Self::Unencrypted | Self::Unreached { .. } => true,
        }
    }
}

impl From<HubError> for XetError {
    fn from(error: HubError) -> Self {
        Self::Hub(Arc::new(error))
    }
}

impl ApiVersion {
    fn in_path(self) -> &'static str {
        match self {
            Self::First => "v1",
            Self::Second => "v2",
        }
    }
}

/// What one attempt came to.
enum Attempt {
    Answered(Box<XetReconstruction>),
    /// Another one may be worth it, after this wait where the server named one.
    Again(XetError, Option<Duration>),
    /// This version has no answer. The other one may have.
    NotFound(XetError),
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
        let is_first = self.is_first_version.load(Ordering::Relaxed);
        let mut version = if is_first { ApiVersion::First } else { ApiVersion::Second };
        let mut number = 1;
        loop {
            let (error, wait) = match self.attempt(version, hash, slice, size).await {
                Attempt::Answered(answer) => {
                    // A file that the second one does not know may be known to none.
                    self.is_first_version.store(version == ApiVersion::First, Ordering::Relaxed);
                    return Ok(*answer);
                }
                Attempt::NotFound(_) if version == ApiVersion::Second => {
                    version = ApiVersion::First;
                    continue;
                }
                Attempt::NotFound(error) | Attempt::Lost(error) => return Err(error),
                Attempt::Again(error, wait) => (error, wait.unwrap_or(FIRST_WAIT * number)),
            };
            if number == ATTEMPTS || wait > LONGEST_WAIT {
                return Err(error);
            }
            sleep(wait).await;
            number += 1;
        }
    }

    async fn attempt(&self, version: ApiVersion, hash: XetHash, slice: &Range<u64>, size: u64) -> Attempt {
        let access = match self.access().await {
            Ok(access) => access,
            Err(error) => return Attempt::Lost(error),
        };
        let mut url = access.store().clone();
        let below = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{below}/{}/reconstructions/{hash}", version.in_path()));
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
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                self.forget(&access).await;
                return Attempt::Again(refused, None);
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                return Attempt::NotFound(refused);
            }
            StatusCode::TOO_MANY_REQUESTS => return Attempt::Again(refused, asked_wait(response.headers())),
            _ if status.is_server_error() => {
                return Attempt::Again(refused, asked_wait(response.headers()));
            }
            _ => return Attempt::Lost(refused),
        }
        let is_encrypted = self.hub.endpoint().is_encrypted() || url.scheme() == "https";
        match timeout(PATIENCE, self.read(url, response, slice, is_encrypted)).await {
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
        is_encrypted: bool,
    ) -> Result<XetReconstruction, ReadError> {
        let read = read(url, response, LONGEST_ANSWER, self.hub.settings.floor).await;
        let body = read.map_err(|error| ReadError::Broken(error.to_string()))?.body;
        XetReconstruction::from_json(&body, slice, is_encrypted).map_err(ReadError::Nonsense)
    }

    /// The token, asked for where there is none that is good for a while.
    async fn access(&self) -> Result<XetAccess, XetError> {
        let mut known = self.access.lock().await;
        match &*known {
            KnownAccess::Granted(access, until) if Instant::now() < *until => return Ok(access.clone()),
            KnownAccess::Refused(error, at) if at.elapsed() < REFUSED => return Err(error.clone()),
            KnownAccess::NotAsked | KnownAccess::Granted(..) | KnownAccess::Refused(..) => {}
        }
        let asked = Instant::now();
        match self.ask_for_access().await {
            Ok(access) => {
                let until = asked.checked_add(access.good_for(SystemTime::now())).unwrap_or(asked);
                *known = KnownAccess::Granted(access.clone(), until);
                Ok(access)
            }
            Err(error) => {
                *known = KnownAccess::Refused(error.clone(), Instant::now());
                Err(error)
            }
        }
    }

    /// Asks the Hub for it. What goes on without it does not wait for long.
    async fn ask_for_access(&self) -> Result<XetAccess, XetError> {
        if self.hub.settings.network == NetworkAccess::Forbidden {
            return Err(HubError::Offline { asked: shown(self.hub.endpoint().url()) }.into());
        }
        let url = self.hub.endpoint().xet_read_token(&self.info.id, &self.info.commit);
        let mut number = 1;
        let granted = loop {
            let late = || XetError::Unreached {
                store: shown(&url),
                why: format!("no answer in {} s", PATIENCE.as_secs()),
            };
            let error = match timeout(PATIENCE, self.grant(&url)).await.map_err(|_| late())? {
                Ok(granted) => break granted,
                Err(error) => error,
            };
            let wait = error.named_wait().unwrap_or(FIRST_WAIT * number);
            if !error.is_worth_another_try() || number == ATTEMPTS || wait > LONGEST_WAIT {
                return Err(error.into());
            }
            sleep(wait).await;
            number += 1;
        };
        let access = XetAccess::from_json(&granted).ok_or(XetError::Grant)?;
        self.check(access.store())?;
        Ok(access)
    }

    /// What the Hub grants, within its own origin.
    async fn grant(&self, url: &Url) -> Result<Bytes, HubError> {
        let exchanged =
            self.hub.exchange(&self.hub.client, &Method::GET, url, Resource::Repository, None).await?;
        match exchanged {
            FinalResponse::Answered(url, response) => {
                Ok(read(url, response, LONGEST_GRANT, self.hub.settings.floor).await?.body)
            }
            FinalResponse::OtherOrigin(address) => Err(self.hub.elsewhere(url, &address)),
        }
    }

    /// A token that was refused.
    async fn forget(&self, refused: &XetAccess) {
        let mut known = self.access.lock().await;
        if matches!(&*known, KnownAccess::Granted(access, _) if access == refused) {
            *known = KnownAccess::NotAsked;
        }
    }

    /// Checks where the Hub leads to: no place that only this machine could reach, and none that a token travels to for all
    /// to read.
    fn check(&self, store: &Url) -> Result<(), XetError> {
        if store.scheme() != "https" {
            let is_kept = is_loopback(store) && self.hub.stays_here(store);
            if self.hub.endpoint().is_encrypted() || !is_kept {
                return Err(XetError::Unencrypted);
            }
        }
        if self.hub.network() == HubNetwork::Private {
            return Ok(());
        }
        match (literal_network(store), store.host_str()) {
            (Some(HubNetwork::Public), _) => Ok(()),
            (None, Some(name)) => self.hub.names().guard(name).map_err(|_| XetError::Private),
            _ => Err(XetError::Private),
        }
    }
}

/// Why an answer could not be read.
enum ReadError {
    Broken(String),
    Nonsense(ReconstructionError),
}
