//! Answers to `NeedSource`: who may have a file, and from where.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hfdown_protocol::{Failure, FailureKind, FileId, Order, RepoPath, Report, Source, limits};
use tokio::sync::{Semaphore, mpsc};

use crate::hub::{Hub, HubError, ListedFile, Listing, RepoInfo, Resolved};
use crate::plan::Planned;

/// Questions to the Hub at once, whatever an agent asks for.
const QUESTIONS: usize = 16;
/// Files of which is remembered what the Hub said. Of those beyond, the half of it that the box was told is told.
const MOST_REFUSALS: usize = 10_000;

/// Where the bytes of one repository's files come from.
#[derive(Debug, Clone)]
pub struct Sources {
    hub: Arc<Hub>,
    info: Arc<RepoInfo>,
    /// What the repository contains, where an agent's word for it is not enough.
    listed: Option<Arc<HashMap<RepoPath, ListedFile>>>,
    questions: Arc<Semaphore>,
    refusals: Arc<Mutex<HashMap<FileId, Refusal>>>,
}

/// Why a file can't be had: as the box is told, and with what the Hub said of it, which is told here alone.
#[derive(Debug)]
struct Refusal {
    there: Failure,
    here: Failure,
}

impl Sources {
    /// The Hub that is asked, about the repository that was asked for.
    pub fn new(hub: Arc<Hub>, info: Arc<RepoInfo>) -> Self {
        let questions = Arc::new(Semaphore::new(QUESTIONS));
        Self { hub, info, listed: None, questions, refusals: Arc::default() }
    }

    /// The same for a plan that was heard from an agent: only what is listed is given away.
    #[must_use]
    pub fn within(self, listing: Listing) -> Self {
        let files = listing.files.into_iter().map(|file| (file.path.clone(), file));
        Self { listed: Some(Arc::new(files.collect())), ..self }
    }

    /// Whether an agent has to ask for every file.
    pub fn are_on_request(&self) -> bool {
        !self.info.is_public()
    }

    /// What the agent is told when it is told to fetch a file. A public one it can find by itself.
    pub(super) fn source(&self, planned: &Planned) -> Result<Source, HubError> {
        if self.info.is_public() {
            self.hub.public_address(&self.info, &planned.listed().path).map(Source::Public)
        } else {
            Ok(Source::OnRequest)
        }
    }

    /// Asks the Hub with the token and hands down what the agent may know: a signed address, or the bytes themselves.
    pub(super) async fn answer(self, id: FileId, file: ListedFile, orders: mpsc::Sender<Order>) {
        if let Err(failure) = self.give(id, file, &orders).await {
            // Without room for it the conversation is over, and so is the need for an answer.
            let _ = orders.send(Order::SourceUnavailable { file: id, failure }).await;
        }
    }

    /// The same, but for the refusals: these are for the caller to pass on.
    pub(super) async fn give(
        self,
        id: FileId,
        mut file: ListedFile,
        orders: &mpsc::Sender<Order>,
    ) -> Result<(), Failure> {
        if let Some(listed) = &self.listed {
            let Some(known) = listed.get(&file.path) else {
                return Err(Failure::new(FailureKind::NotFound, "the repository does not list it"));
            };
            file = known.clone();
        }
        // Never closed, so its turn comes.
        let _turn = self.questions.acquire().await;
        match self.ask(id, &file, orders).await {
            // Without an error the conversation is over, and so is the need for an answer.
            Ok(()) | Err(None) => Ok(()),
            Err(Some(error)) => Err(self.refused(id, &error)),
        }
    }

    /// What the box is told of an error: our words, and none of the text of a server's answer.
    fn refused(&self, id: FileId, error: &HubError) -> Failure {
        let kind = kind(error);
        let refusal = Refusal { there: Failure::new(kind, error), here: Failure::new(kind, words(error)) };
        let there = refusal.there.clone();
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() < MOST_REFUSALS {
            refusals.insert(id, refusal);
        }
        there
    }

    /// A failure that a box reports, with what it was not told where it is what it was told.
    pub(super) fn in_full(&self, id: FileId, failure: Failure) -> Failure {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match refusals.get(&id) {
            Some(Refusal { there, here }) if *there == failure => here.clone(),
            _ => failure,
        }
    }

    /// The same for whatever it reports.
    pub(super) fn report_in_full(&self, report: Report) -> Report {
        match report {
            Report::Retrying { file, attempt, failure, wait_ms } => {
                Report::Retrying { file, attempt, failure: self.in_full(file, failure), wait_ms }
            }
            Report::Failed { file, failure, fetched, written } => {
                Report::Failed { file, failure: self.in_full(file, failure), fetched, written }
            }
            report => report,
        }
    }

    async fn ask(
        &self,
        id: FileId,
        file: &ListedFile,
        orders: &mpsc::Sender<Order>,
    ) -> Result<(), Option<HubError>> {
        let gone = |_| None;
        match self.hub.sign(&self.info, &file.path).await.map_err(Some)? {
            Resolved::Elsewhere(address) => {
                let hub = self.hub.network();
                orders.send(Order::Source { file: id, address, hub }).await.map_err(gone)
            }
            Resolved::Here => {
                let bytes = self.hub.read_small(&self.info, file).await.map_err(Some)?;
                for chunk in bytes.chunks(limits::INLINE) {
                    orders.send(Order::Inline { file: id, bytes: chunk.to_vec() }).await.map_err(gone)?;
                }
                Ok(())
            }
        }
    }
}

/// The class of what the Hub said, in the protocol's words.
pub(crate) fn kind(error: &HubError) -> FailureKind {
    match error {
        HubError::RepoNotFound(_) | HubError::RevisionNotFound(_) | HubError::EntryNotFound(_) => {
            FailureKind::NotFound
        }
        HubError::Gated(_) | HubError::BadToken(_) | HubError::NotAllowed(_) | HubError::Disabled(_) => {
            FailureKind::NotAllowed
        }
        HubError::RateLimited(_) => FailureKind::RateLimited,
        HubError::Server(_)
        | HubError::Unreachable(_)
        | HubError::Proxy(_)
        | HubError::Intercepted(_)
        | HubError::Offline { .. } => FailureKind::Unreachable,
        HubError::Nonsense { .. } => FailureKind::Nonsense,
        HubError::Corrupt { .. } => FailureKind::Corrupt,
    }
}

/// The error and its causes in one line.
fn words(error: &HubError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
