//! Answers to `NeedSource`: who may have a file, and from where.
//!
//! What the Hub says is the same for all targets of a run and is asked for once ([`SharedAnswers`]); what is told of it, and
//! what an agent was refused, is each target's own.

use std::ops::Range;
use std::sync::Arc;

use hfdown_protocol::{
    AskedFor, Digest, Failure, FailureKind, FileId, FilesByName, Order, RepoPath, Report, Source,
    WantedFiles, XetHash, limits,
};
use tokio::sync::{Semaphore, mpsc};

use super::public_files::PublicFiles;
use super::shared_answers::{AnswerNumber, HubAnswer, SharedAnswers};
use super::source_findings::{SelfServed, SourceFindings};
use super::xet_sources::XetSources;
use crate::hub::{Credential, Hub, HubError, ListedFile, Listing, RangeAnswer, RepoInfo, Resolved, SMALL};
use crate::plan::Planned;
use crate::routes::Routes;

/// Answers on their way to one agent at once, whatever it asks for.
const ANSWERS: usize = 16;
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
    public: PublicFiles,
    /// What the repository contains, where an agent's word for it is not enough.
    listed: Option<Arc<FilesByName>>,
    turns: Arc<Semaphore>,
    findings: Arc<SourceFindings>,
    shared: Arc<SharedAnswers>,
    xet: Option<Arc<XetSources>>,
}

/// The source of one file, as an agent asks for it.
pub(super) struct AskedSource {
    pub(super) id: FileId,
    pub(super) file: ListedFile,
    /// The answer that it was given before.
    pub(super) had: Option<AnswerNumber>,
}

/// Where answers go.
#[derive(Clone)]
pub(super) struct AnswerWays {
    /// What is short.
    pub(super) orders: mpsc::Sender<Order>,
    /// The bytes of files.
    pub(super) bytes: mpsc::Sender<Order>,
}

/// Why a question has no answer.
enum NoSource {
    /// The Hub said so.
    Refused(Arc<HubError>),
    /// Only this machine may read it, and it is not passed on.
    Withheld,
    /// The conversation is over.
    Over,
}

impl Sources {
    /// The Hub that is asked, about the repository that was asked for.
    pub fn new(hub: Arc<Hub>, info: Arc<RepoInfo>, relaying: Relaying) -> Self {
        Self::shared(hub, info, relaying, PublicFiles::FoundThere, Arc::default())
    }

    /// The same for one of several targets, with what the Hub has answered any of them.
    pub fn shared(
        hub: Arc<Hub>,
        info: Arc<RepoInfo>,
        relaying: Relaying,
        public: PublicFiles,
        shared: Arc<SharedAnswers>,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(ANSWERS));
        Self { hub, info, relaying, public, listed: None, turns, findings: Arc::default(), shared, xet: None }
    }

    /// The same where files may come from the Hub's Xet store.
    #[must_use]
    pub fn with_xet(self, xet: Option<Arc<XetSources>>) -> Self {
        Self { xet, ..self }
    }

    /// The same for a plan that was heard from an agent: only what is listed is given away.
    #[must_use]
    pub fn within(self, listing: &Listing) -> Self {
        let files = FilesByName::new(WantedFiles::all(Arc::clone(&listing.files)));
        Self { listed: Some(Arc::new(files)), ..self }
    }

    /// Whether an agent has to ask for every file, or is told in advance.
    pub fn are_on_request(&self) -> bool {
        self.needs_this_machine() || self.public != PublicFiles::FoundThere
    }

    /// The same where agents find public files by themselves.
    #[must_use]
    pub(super) fn found_there(&self) -> Self {
        Self { public: PublicFiles::FoundThere, ..self.clone() }
    }

    /// Whether an agent could not get a file without this machine.
    pub fn needs_this_machine(&self) -> bool {
        !self.info.is_public() || self.relaying == Relaying::ToBox || self.shared.is_token_wanted()
    }

    /// Finds out with one file whether the Hub wants a token for what it lists as public: an agent that is left alone would
    /// have no one to ask then.
    pub async fn try_without_token(&self, file: &ListedFile) {
        if !self.needs_this_machine() && self.refuses_strangers(file).await {
            self.shared.wants_token();
        }
    }

    /// The same for another target.
    #[must_use]
    pub fn for_target(&self) -> Self {
        Self { turns: Arc::new(Semaphore::new(ANSWERS)), findings: Arc::default(), ..self.clone() }
    }

    /// The first file that the Hub refused to this account, as it said it: to one target of all, so that it is told once.
    pub fn take_refusal(&self) -> Option<Arc<HubError>> {
        self.findings.take_first().filter(|_| self.shared.is_refusal_to_be_told())
    }

    /// What a box did not get because only this machine may read it: of one box of all.
    pub fn take_withheld(&self) -> Option<SelfServed> {
        self.findings.withheld().filter(|_| self.shared.is_withholding_to_be_told())
    }

    /// What the agent is told when it is told to fetch a file, which may come as chunks of the Hub's Xet store.
    pub(super) fn source(&self, planned: &Planned<'_>, routes: &Routes) -> Result<Source, HubError> {
        let plain = self.plain_source(planned)?;
        if self.xet.is_none() || routes.xet(planned.id).is_none() {
            return Ok(plain);
        }
        Ok(Source::Reconstructed(match plain {
            Source::Public(address) | Source::HandedOver(address) => Some(address),
            Source::OnRequest | Source::Reconstructed(_) => None,
        }))
    }

    /// The same of a file that comes as it is. A public one it can find by itself.
    fn plain_source(&self, planned: &Planned<'_>) -> Result<Source, HubError> {
        let public = || self.hub.public_address(&self.info, &planned.listed().path);
        match self.public {
            _ if self.needs_this_machine() => Ok(Source::OnRequest),
            PublicFiles::FoundHere(_) => Ok(Source::OnRequest),
            PublicFiles::HandedOver(_) => public().map(Source::HandedOver),
            PublicFiles::FoundThere => public().map(Source::Public),
        }
    }

    /// Asks the Hub, with the token if there is one, and hands down what the agent may know: a signed address, or the bytes
    /// themselves, which wait behind other orders. `had` is the answer that the agent was given before and asks again after.
    pub(super) async fn answer(
        self,
        asked: AskedSource,
        kind: AskedFor,
        xet: Option<XetHash>,
        ways: AnswerWays,
    ) -> (FileId, Option<AnswerNumber>) {
        let id = asked.id;
        if let AskedFor::Terms { missing } = kind {
            self.answer_terms(id, xet.map(|hash| (hash, asked.file.size)), &missing, &ways).await;
            return (id, None);
        }
        // An agent that finds public files by itself asks only when it was refused one.
        if self.public == PublicFiles::FoundThere {
            self.shared.wants_token();
        }
        match self.give(asked, &ways).await {
            Ok(number) => (id, number),
            Err(failure) => {
                // Without room for it the conversation is over, and so is the need for an answer.
                let _ = ways.orders.send(Order::SourceUnavailable { file: id, failure }).await;
                (id, None)
            }
        }
    }

    /// Gives an agent the terms of what it lacks of a file.
    async fn answer_terms(
        &self,
        id: FileId,
        file: Option<(XetHash, u64)>,
        missing: &[Range<u64>],
        ways: &AnswerWays,
    ) {
        let given = match (&self.xet, file) {
            (Some(xet), Some(file)) => {
                // Never closed, so its turn comes.
                let _turn = self.turns.acquire().await;
                xet.give(id, file, (missing, self.findings.give_terms(id)), ways).await
            }
            _ => Err(Failure::new(FailureKind::Unreachable, "the Hub's Xet store is not asked here")),
        };
        if let Err(failure) = given {
            // Behind what was given of an answer that broke off.
            let _ = ways.bytes.send(Order::SourceUnavailable { file: id, failure }).await;
        }
    }

    /// The same, but for the refusals: these are for the caller to pass on. Says which answer it was.
    pub(super) async fn give(
        self,
        asked: AskedSource,
        ways: &AnswerWays,
    ) -> Result<Option<AnswerNumber>, Failure> {
        let AskedSource { id, mut file, had } = asked;
        if let Some(listed) = &self.listed {
            let Some((_, known)) = listed.find(file.path.as_str()) else {
                return Err(Failure::new(FailureKind::NotFound, "the repository does not list it"));
            };
            file = known.into();
        }
        // Never closed, so its turn comes.
        let _turn = self.turns.acquire().await;
        match self.hand_down(id, &file, had, ways).await {
            Ok(number) => Ok(Some(number)),
            // The need for an answer is over as well.
            Err(NoSource::Over) => Ok(None),
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

    /// Where a box that is left alone finds a file by itself, if it may. It does so anyway once an address has turned stale.
    pub(super) fn found_by_the_box(&self, id: FileId, path: &RepoPath) -> Option<Order> {
        let is_for_boxes = matches!(self.public, PublicFiles::HandedOver(_)) && !self.needs_this_machine();
        let address = is_for_boxes.then(|| self.hub.public_address(&self.info, path))?.ok()?;
        Some(Order::Source { file: id, address, hub: self.hub.network() })
    }

    async fn hand_down(
        &self,
        id: FileId,
        file: &ListedFile,
        had: Option<AnswerNumber>,
        ways: &AnswerWays,
    ) -> Result<AnswerNumber, NoSource> {
        let over = |_| NoSource::Over;
        let answered = self.shared.answer(&file.path, had, || self.ask(file)).await;
        let (answer, number) = answered.map_err(NoSource::Refused)?;
        let hub = self.hub.network();
        match answer {
            HubAnswer::Address(address) => {
                ways.orders.send(Order::Source { file: id, address, hub }).await.map_err(over)?;
            }
            HubAnswer::Bytes(bytes) => {
                for chunk in bytes.chunks(limits::INLINE) {
                    // Room first: what waits for it is not copied yet.
                    let room = ways.bytes.reserve().await.map_err(|_| NoSource::Over)?;
                    room.send(Order::Inline { file: id, bytes: chunk.to_vec() });
                }
            }
            // It needs neither a token nor this machine.
            HubAnswer::SelfServed if self.is_for_all(file).await => {
                let address = self.hub.public_address(&self.info, &file.path);
                let address = address.map_err(|error| NoSource::Refused(Arc::new(error)))?;
                ways.orders.send(Order::Source { file: id, address, hub }).await.map_err(over)?;
            }
            HubAnswer::SelfServed if self.relaying == Relaying::Never => return Err(NoSource::Withheld),
            HubAnswer::SelfServed => {
                self.will_relay(id);
                let host = self.hub.host();
                ways.orders.send(Order::Relayed { file: id, host }).await.map_err(over)?;
            }
        }
        Ok(number)
    }

    /// One question to the Hub, or two: where a file is, and what is in it where it is small and the Hub has it itself.
    async fn ask(&self, file: &ListedFile) -> Result<HubAnswer, HubError> {
        match self.hub.sign(&self.info, &file.path).await? {
            Resolved::Elsewhere(address) => Ok(HubAnswer::Address(address)),
            Resolved::Here if self.is_read_here(file).await => {
                self.hub.read_small(&self.info, file).await.map(HubAnswer::Bytes)
            }
            Resolved::Here => Ok(HubAnswer::SelfServed),
        }
    }

    /// Whether a file that the Hub sends itself is read here as a whole.
    async fn is_read_here(&self, file: &ListedFile) -> bool {
        match self.public.targets() {
            // Files of git, which are small: a mirror may send all of them itself.
            Some(targets) if self.is_for_all(file).await => {
                let most = PublicFiles::largest_read_here(targets).clamp(WHOLE, SMALL);
                matches!(file.digest, Digest::GitSha1(_)) && file.size <= most
            }
            _ if self.relaying == Relaying::Never => file.size <= SMALL,
            _ => file.size <= WHOLE,
        }
    }

    /// Whether boxes can read a file as well as this machine can.
    async fn is_for_all(&self, file: &ListedFile) -> bool {
        let is_public = self.info.is_public() && self.relaying != Relaying::ToBox;
        is_public && self.public != PublicFiles::FoundThere && !self.refuses_strangers(file).await
    }

    /// Whether the Hub refuses what is listed as public to those who show no token. Asked once, about the first such file.
    async fn refuses_strangers(&self, file: &ListedFile) -> bool {
        if self.hub.credential() != Credential::Sent {
            return false;
        }
        let ask = || self.hub.wants_token(&self.info, &file.path);
        *self.shared.refuses_strangers.get_or_init(ask).await
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
