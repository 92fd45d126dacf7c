//! Where the files of a repository come from: who may have them, and what an agent is told in advance. What it is told when
//! it asks is in `answers.rs`.
//!
//! What the Hub says is the same for all targets of a run and is asked for once ([`SharedAnswers`]); what is told of it, and
//! what an agent was refused, is each target's own.

use std::ops::Range;
use std::sync::Arc;

use hfdown_protocol::{
    Failure, FailureKind, FileId, FilesByName, Order, RepoPath, Report, Source, WantedFiles,
};
use tokio::sync::Semaphore;

use super::hub_words::{kind, words};
use super::public_files::PublicFiles;
use super::shared_answers::SharedAnswers;
use super::source_findings::{SelfServed, SourceFindings};
use super::xet_sources::XetSources;
use crate::hub::{Credential, Hub, HubError, ListedFile, Listing, RangeAnswer, RepoInfo, TreeDetails};
use crate::plan::Planned;
use crate::routes::{LARGEST_PLAIN, Routes};

/// Answers on their way to one agent at once, whatever it asks for.
const ANSWERS: usize = 16;

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
    pub(super) hub: Arc<Hub>,
    pub(super) info: Arc<RepoInfo>,
    pub(super) relaying: Relaying,
    pub(super) public: PublicFiles,
    /// What the repository contains, where an agent's word for it is not enough.
    pub(super) listed: Option<Arc<ListedFiles>>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) findings: Arc<SourceFindings>,
    pub(super) shared: Arc<SharedAnswers>,
    pub(super) xet: Option<Arc<XetSources>>,
    terms: TermsGiven,
}

/// When an agent is given terms of the Hub's Xet store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TermsGiven {
    OnRequest,
    InAdvance,
}

/// What a repository contains, by the names of files.
#[derive(Debug)]
pub(super) struct ListedFiles {
    pub(super) files: FilesByName,
    pub(super) details: TreeDetails,
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
        let (findings, terms) = (Arc::default(), TermsGiven::OnRequest);
        Self { hub, info, relaying, public, listed: None, turns, findings, shared, xet: None, terms }
    }

    /// The same where files may come from the Hub's Xet store.
    #[must_use]
    pub fn with_xet(self, xet: Arc<XetSources>) -> Self {
        Self { xet: Some(xet), ..self }
    }

    /// The same for a plan that was heard from an agent: only what is listed is given away.
    #[must_use]
    pub fn within(self, listing: &Listing) -> Self {
        let files = FilesByName::new(WantedFiles::all(Arc::clone(&listing.files)));
        let details = listing.details.clone();
        Self { listed: Some(Arc::new(ListedFiles { files, details })), ..self }
    }

    /// The same for an agent that is left alone: the terms of files are given before they are wanted.
    #[must_use]
    pub(super) fn in_advance(self) -> Self {
        Self { terms: TermsGiven::InAdvance, ..self }
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
        let otherwise = match plain {
            Source::Public(address) | Source::HandedOver(address) => Some(address),
            Source::OnRequest | Source::Reconstructed(_) | Source::ReconstructedInAdvance(_) => None,
        };
        Ok(match self.terms {
            TermsGiven::OnRequest => Source::Reconstructed(otherwise),
            // One that the Hub does not give out as it is waits for new terms.
            TermsGiven::InAdvance => {
                Source::ReconstructedInAdvance(otherwise.filter(|_| planned.size <= LARGEST_PLAIN))
            }
        })
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

    /// Whether boxes can read a file as well as this machine can.
    pub(super) async fn is_for_all(&self, file: &ListedFile) -> bool {
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
