//! Answers to `NeedSource`: who may have a file, and from where.

use std::ops::Range;
use std::sync::Arc;

use hfdown_protocol::{
    Failure, FailureKind, FileId, FilesByName, Order, Report, Source, WantedFiles, limits,
};
use tokio::sync::{Semaphore, mpsc};

use super::source_findings::{SelfServed, SourceFindings};
use crate::hub::{Hub, HubError, ListedFile, Listing, RangeAnswer, RepoInfo, Resolved, SMALL};
use crate::plan::Planned;

/// Questions to the Hub at once, whatever an agent asks for.
const QUESTIONS: usize = 16;
/// The largest file that is read here as a whole where it can be passed on bit by bit as well: what fits one frame.
const WHOLE: u64 = limits::INLINE as u64;

/// What becomes of the bytes of a large file that the Hub sends itself to those who show the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relaying {
    /// They are passed on: the agent is in this process.
    Here,
    /// They are passed on to a box, which is to ask this machine for everything (`--through-controller`).
    ToBox,
    /// They stay where they are: a box never gets the token.
    Never,
}

/// Where the bytes of one repository's files come from.
#[derive(Debug, Clone)]
pub struct Sources {
    hub: Arc<Hub>,
    info: Arc<RepoInfo>,
    relaying: Relaying,
    /// What the repository contains, where an agent's word for it is not enough.
    listed: Option<Arc<FilesByName>>,
    questions: Arc<Semaphore>,
    findings: Arc<SourceFindings>,
}

/// Why a question has no answer.
enum NoSource {
    /// The Hub said so.
    Refused(HubError),
    /// Only this machine may read it, and it is not passed on.
    Withheld,
    /// The conversation is over.
    Over,
}

impl Sources {
    /// The Hub that is asked, about the repository that was asked for.
    pub fn new(hub: Arc<Hub>, info: Arc<RepoInfo>, relaying: Relaying) -> Self {
        let questions = Arc::new(Semaphore::new(QUESTIONS));
        Self { hub, info, relaying, listed: None, questions, findings: Arc::default() }
    }

    /// The same for a plan that was heard from an agent: only what is listed is given away.
    #[must_use]
    pub fn within(self, listing: &Listing) -> Self {
        let files = FilesByName::new(WantedFiles::all(Arc::clone(&listing.files)));
        Self { listed: Some(Arc::new(files)), ..self }
    }

    /// Whether an agent has to ask for every file.
    pub fn are_on_request(&self) -> bool {
        !self.info.is_public() || self.relaying == Relaying::ToBox || self.findings.is_token_wanted()
    }

    /// Finds out with one file whether the Hub wants a token for what it lists as public: an agent that is left alone would
    /// have no one to ask then.
    pub async fn try_without_token(&self, file: &ListedFile) {
        if !self.are_on_request() && self.hub.wants_token(&self.info, &file.path).await {
            self.findings.wants_token();
        }
    }

    /// The first file that the Hub refused to this account, as it said it.
    pub fn take_refusal(&self) -> Option<HubError> {
        self.findings.take_first()
    }

    /// What a box did not get because only this machine may read it.
    pub fn withheld(&self) -> Option<SelfServed> {
        self.findings.withheld()
    }

    /// What the agent is told when it is told to fetch a file. A public one it can find by itself.
    pub(super) fn source(&self, planned: &Planned<'_>) -> Result<Source, HubError> {
        if self.are_on_request() {
            Ok(Source::OnRequest)
        } else {
            self.hub.public_address(&self.info, &planned.listed().path).map(Source::Public)
        }
    }

    /// Asks the Hub with the token and hands down what the agent may know: a signed address, or the bytes themselves.
    pub(super) async fn answer(self, id: FileId, file: ListedFile, orders: mpsc::Sender<Order>) {
        // Of a public file an agent asks only when it was refused it.
        self.findings.wants_token();
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
            let Some((_, known)) = listed.find(file.path.as_str()) else {
                return Err(Failure::new(FailureKind::NotFound, "the repository does not list it"));
            };
            file = known.into();
        }
        // Never closed, so its turn comes.
        let _turn = self.questions.acquire().await;
        match self.ask(id, &file, orders).await {
            // The need for an answer is over as well.
            Ok(()) | Err(NoSource::Over) => Ok(()),
            Err(NoSource::Refused(error)) => {
                let failure = self.refused(id, &error);
                if failure.kind == FailureKind::NotAllowed {
                    self.findings.keep_first(error);
                }
                Err(failure)
            }
            Err(NoSource::Withheld) => {
                self.findings.withhold(id, file.size);
                let host = self.hub.host();
                Err(Failure::new(
                    FailureKind::NotAllowed,
                    format_args!("{host} sends it only to those who show the token, which a box never gets"),
                ))
            }
        }
    }

    /// What the box is told of an error: our words, and none of the text of a server's answer.
    pub(super) fn refused(&self, id: FileId, error: &HubError) -> Failure {
        let kind = kind(error);
        let there = Failure::new(kind, error);
        self.findings.refuse(id, &there, Failure::new(kind, words(error)));
        there
    }

    /// A failure that a box reports, with what it was not told where it is what it was told.
    pub(super) fn in_full(&self, id: FileId, failure: Failure) -> Failure {
        self.findings.in_full(id, failure)
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

    /// An agent is told to ask for the bytes of a file.
    pub(super) fn will_relay(&self, id: FileId) {
        self.findings.relay(id);
    }

    /// Whether it was.
    pub(super) fn relays(&self, id: FileId) -> bool {
        self.findings.is_relayed(id)
    }

    /// Asks for bytes of a file that is relayed.
    pub(super) async fn read_range(
        &self,
        id: FileId,
        file: &ListedFile,
        range: Option<&Range<u64>>,
    ) -> Result<RangeAnswer, Failure> {
        let read = self.hub.read_range(&self.info, &file.path, range).await;
        read.map_err(|error| self.refused(id, &error))
    }

    /// What is said where a file that was relayed is somewhere else now.
    pub(super) fn moved(&self) -> Failure {
        Failure::new(FailureKind::Stale, format_args!("{} sends it from another place now", self.hub.host()))
    }

    async fn ask(&self, id: FileId, file: &ListedFile, orders: &mpsc::Sender<Order>) -> Result<(), NoSource> {
        let over = |_| NoSource::Over;
        let whole = if self.relaying == Relaying::Never { SMALL } else { WHOLE };
        match self.hub.sign(&self.info, &file.path).await.map_err(NoSource::Refused)? {
            Resolved::Elsewhere(address) => {
                let hub = self.hub.network();
                orders.send(Order::Source { file: id, address, hub }).await.map_err(over)
            }
            Resolved::Here if file.size <= whole => {
                let bytes = self.hub.read_small(&self.info, file).await.map_err(NoSource::Refused)?;
                for chunk in bytes.chunks(limits::INLINE) {
                    orders.send(Order::Inline { file: id, bytes: chunk.to_vec() }).await.map_err(over)?;
                }
                Ok(())
            }
            Resolved::Here if self.relaying == Relaying::Never => Err(NoSource::Withheld),
            Resolved::Here => {
                self.will_relay(id);
                let host = self.hub.host();
                orders.send(Order::Relayed { file: id, host }).await.map_err(over)
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
