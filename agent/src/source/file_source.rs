//! The source of one file: finds out where its bytes are, remembers it for the ranges that follow, and forgets what has
//! turned stale.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use hfdown_protocol::{Address, AskedFor, FileId, Report, Source, limits};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::address::{self, NamedBy};
use super::chunk::Extent;
use super::cuts::Cuts;
use super::inline::InlineStream;
use super::network::Network;
use super::pending::SourceAnswer;
use super::relayed;
use super::stream::ByteStream;
use super::terms_at_hand::TermsAtHand;
use super::xet::XetStream;
use super::xet_faults::{XetFaults, XetStep};
use crate::fault::{FetchFault, RetryDecision};
use crate::part::RangeSet;
use crate::xet::Reconstruction;

/// So many answers with something else than the range that was asked for are enough, also where ranges have worked.
const MOST_IGNORED: u32 = 3;

/// Where the bytes of one file come from. The ranges of a file share it.
#[derive(Debug)]
pub(crate) struct FileSource {
    file: FileId,
    size: u64,
    ordered: Source,
    /// Whether what was handed over in advance has been used.
    is_used: AtomicBool,
    known: Mutex<Known>,
    cuts: RwLock<Cuts>,
    /// Whether a server of it has answered with the range that was asked for, and how often with something else since.
    ranges_work: AtomicBool,
    ignored: AtomicU32,
    /// Whether new terms are to be asked for, of what is missing then.
    is_recut: AtomicBool,
    xet_faults: XetFaults,
    at_hand: TermsAtHand,
}

/// What was learned about where the bytes are.
#[derive(Debug)]
enum Known {
    Nothing,
    Location(Location),
    /// The request was refused, and that was then: those that waited for its answer need not ask again.
    Refused(FetchFault, Instant),
}

/// Where bytes are. One variant for each kind of source.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Location {
    Address(Address, NamedBy),
    Inline(Bytes),
    /// At this host, for the controller alone.
    Relayed(Arc<str>),
    /// In the chunks of xorbs, as the answer of this number has it.
    Xet(Arc<Reconstruction>, u32),
}

impl FileSource {
    pub(crate) fn new(file: FileId, size: u64, ordered: Source) -> Self {
        Self {
            file,
            size,
            ordered,
            is_used: AtomicBool::new(false),
            known: Mutex::new(Known::Nothing),
            cuts: RwLock::new(Cuts::Anywhere),
            ranges_work: AtomicBool::new(false),
            ignored: AtomicU32::new(0),
            is_recut: AtomicBool::new(false),
            xet_faults: XetFaults::default(),
            at_hand: TermsAtHand::default(),
        }
    }

    /// Where a range of the file may begin and end, as far as is known.
    pub(crate) fn cuts(&self) -> Cuts {
        self.cuts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Learns where the file may be cut. What is leased already may have other borders.
    pub(crate) fn learn_cuts(&self, cuts: Cuts) {
        *self.cuts.write().unwrap_or_else(PoisonError::into_inner) = cuts;
    }

    /// A server of it has ignored a range: the file is asked for as a whole from now on. One server among many that does so
    /// must not have a large file begun again: where ranges have worked, another is asked for a few times.
    pub(crate) fn range_was_ignored(&self) {
        let ignored = self.ignored.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.ranges_work.load(Ordering::Relaxed) || ignored >= MOST_IGNORED {
            self.learn_cuts(Cuts::Nowhere);
        }
    }

    /// Finds out where the file may be cut before it is, where that is to be asked. `missing` is what is not on disk.
    pub(crate) async fn prepare(
        &self,
        network: &Arc<Network>,
        missing: impl Fn() -> RangeSet,
    ) -> Result<(), FetchFault> {
        // Of a file that an earlier run left complete there is nothing to ask.
        if !self.is_reconstructed() || missing().total() == 0 {
            return Ok(());
        }
        let mut known = self.known.lock().await;
        if matches!(*known, Known::Nothing) {
            *known = Known::Location(self.locate(network, &missing).await?);
        }
        Ok(())
    }

    /// Asks for bytes. The first request finds out where they are while later ones wait for it, so that a file costs
    /// one question to the Hub however many ranges it has. `missing` is what is not on disk.
    pub(crate) async fn open(
        &self,
        network: &Arc<Network>,
        extent: &Extent,
        missing: impl Fn() -> RangeSet,
    ) -> Result<ByteStream, FetchFault> {
        let opened = self.open_anywhere(network, extent, &missing).await;
        if opened.is_ok() && matches!(extent, Extent::Range(_)) {
            self.ranges_work.store(true, Ordering::Relaxed);
        }
        opened
    }

    async fn open_anywhere(
        &self,
        network: &Arc<Network>,
        extent: &Extent,
        missing: &impl Fn() -> RangeSet,
    ) -> Result<ByteStream, FetchFault> {
        let began = Instant::now();
        let mut known = self.known.lock().await;
        if self.is_recut.swap(false, Ordering::Relaxed) {
            *known = Known::Nothing;
        }
        match &*known {
            Known::Refused(fault, at) if *at >= began || fault.retry_decision() == RetryDecision::GiveUp => {
                return Err(fault.clone());
            }
            Known::Location(location) => {
                let location = location.clone();
                drop(known);
                return self.open_again(network, &location, extent, missing).await;
            }
            Known::Refused(..) | Known::Nothing => {}
        }
        let located = self.locate(network, missing).await.inspect_err(|fault| {
            *known = Known::Refused(fault.clone(), Instant::now());
        });
        let location = located?;
        if matches!(location, Location::Xet(..)) {
            // It has many addresses: the other connections need not wait for the first of them to answer.
            *known = Known::Location(location.clone());
            drop(known);
            return self.open_again(network, &location, extent, missing).await;
        }
        let opened = async {
            let opened = match location.open(self.file, network, extent, self.size).await {
                Err(FetchFault::Unauthorized { .. }) => {
                    network.wants_token.learn();
                    let location = self.ask_controller(network, AskedFor::Plain).await?;
                    location.open(self.file, network, extent, self.size).await
                }
                opened => opened,
            };
            // No request has been answered at it before.
            opened.map_err(FetchFault::of_fresh_address)
        };
        let (stream, location) = opened.await.inspect_err(|fault| {
            *known = Known::Refused(fault.clone(), Instant::now());
        })?;
        *known = Known::Location(location);
        Ok(stream)
    }

    /// Lets go of what only requests need.
    pub(crate) async fn forget(&self) {
        self.at_hand.forget(u32::MAX);
        *self.known.lock().await = Known::Nothing;
    }

    /// Asks where an earlier request was answered, and forgets that place if it is no longer valid.
    async fn open_again(
        &self,
        network: &Arc<Network>,
        location: &Location,
        extent: &Extent,
        missing: &impl Fn() -> RangeSet,
    ) -> Result<ByteStream, FetchFault> {
        let opened = location.open(self.file, network, extent, self.size).await;
        let fault = match opened {
            Ok((stream, _)) => return Ok(stream),
            Err(fault) => fault,
        };
        let wants_token = matches!(fault, FetchFault::Unauthorized { .. });
        if wants_token || fault.retry_decision() == RetryDecision::RetryWithNewAddress {
            let mut known = self.known.lock().await;
            // Another request may have found the next place meanwhile.
            if matches!(&*known, Known::Location(stale) if stale == location) {
                *known = Known::Nothing;
            }
        }
        if wants_token {
            network.wants_token.learn();
            // Not there again: the controller is asked from here on.
            return Box::pin(self.open_anywhere(network, extent, missing)).await;
        }
        Err(fault)
    }

    async fn locate(
        &self,
        network: &Arc<Network>,
        missing: &impl Fn() -> RangeSet,
    ) -> Result<Location, FetchFault> {
        if self.is_reconstructed() {
            let missing = missing();
            if missing.total() == 0 {
                // Other connections have brought it all meanwhile: there are no terms to ask for, and nothing is wrong.
                self.leave_store();
            } else {
                match self.reconstruct(network, &missing).await {
                    Ok(location) => return Ok(location),
                    Err(fault) => self.fall_back(network, &fault).await,
                }
            }
        }
        let public = match &self.ordered {
            Source::Public(address) => Some(address),
            Source::Reconstructed(otherwise) | Source::ReconstructedInAdvance(otherwise) => {
                otherwise.as_ref()
            }
            Source::HandedOver(address) if self.is_used.swap(true, Ordering::Relaxed) => Some(address),
            Source::HandedOver(_) | Source::OnRequest => None,
        };
        match public {
            Some(address) if !network.wants_token.is_known() => {
                Ok(Location::Address(address.clone(), NamedBy::Controller))
            }
            _ => self.ask_controller(network, AskedFor::Plain).await,
        }
    }

    /// Asks for the terms of what is missing.
    async fn reconstruct(&self, network: &Arc<Network>, missing: &RangeSet) -> Result<Location, FetchFault> {
        let missing: Vec<_> = missing.joined(limits::GAPS).iter().cloned().collect();
        let location = if let Some(found) = self.at_hand.of(&missing) {
            Location::Xet(Arc::new(found), self.xet_faults.answered(Instant::now()))
        } else {
            let asked = AskedFor::Terms { missing: missing.clone() };
            match self.ask_controller(network, asked).await? {
                Location::Xet(given, number) if self.is_given_in_advance() => {
                    Location::Xet(Arc::new(self.at_hand.keep(given, number, &missing)), number)
                }
                location => location,
            }
        };
        if let Location::Xet(reconstruction, _) = &location {
            self.learn_cuts(Cuts::At(reconstruction.cuts(self.size)));
        }
        Ok(location)
    }

    /// Whether no controller may be there to give its terms again.
    fn is_given_in_advance(&self) -> bool {
        matches!(self.ordered, Source::ReconstructedInAdvance(_))
    }

    /// Whether its bytes are asked for as terms.
    fn is_reconstructed(&self) -> bool {
        matches!(self.ordered, Source::Reconstructed(_) | Source::ReconstructedInAdvance(_))
            && !self.xet_faults.is_given_up()
    }

    /// From here on it comes as any other file does.
    async fn fall_back(&self, network: &Network, fault: &FetchFault) {
        if !self.leave_store() {
            return;
        }
        // This fails only when the conversation is over.
        let _ = network.reports.send(Report::FellBack { file: self.file, failure: fault.failure() }).await;
    }

    /// It comes as any other file does. Whether that is new.
    fn leave_store(&self) -> bool {
        let is_new = self.xet_faults.give_up();
        if is_new {
            self.learn_cuts(Cuts::Anywhere);
        }
        is_new
    }

    /// A connection is to go on in the middle of a term: the rest of it becomes one of its own.
    pub(crate) fn recut(&self) {
        self.is_recut.store(self.is_reconstructed(), Ordering::Relaxed);
    }

    /// Its bytes have turned out wrong. Whether they come otherwise from here on.
    pub(crate) async fn was_wrong(&self, network: &Network, fault: &FetchFault) -> bool {
        let is_reconstructed = self.is_reconstructed();
        if is_reconstructed {
            self.fall_back(network, fault).await;
        }
        is_reconstructed
    }

    /// What follows from a fault of a range, where the bytes are in xorbs: the terms of what is missing are asked for
    /// again, or the file falls back, and then the range is none any more. So many of its bytes are on disk.
    pub(crate) async fn judge(&self, network: &Network, fault: FetchFault, done: u64) -> FetchFault {
        let FetchFault::OfTerms { fault, answer } = fault else { return fault };
        let is_cut_elsewhere = matches!(*fault, FetchFault::CutElsewhere);
        let mut step = self.xet_faults.weigh(&fault, answer, done, Instant::now());
        if fault.retry_decision() == RetryDecision::RetryWithNewAddress
            && self.at_hand.forget(answer)
            && matches!(self.ordered, Source::ReconstructedInAdvance(Some(_)))
        {
            // New terms would have to be waited for, and the file is to be had without.
            step = XetStep::FallBack;
        }
        if step == XetStep::FallBack {
            self.fall_back(network, &fault).await;
        }
        if !is_cut_elsewhere {
            self.forget_answer(answer).await;
        }
        if step == XetStep::Wait { *fault } else { FetchFault::CutElsewhere }
    }

    /// Lets go of an answer about xorbs, unless there is a later one.
    async fn forget_answer(&self, answer: u32) {
        let mut known = self.known.lock().await;
        if matches!(&*known, Known::Location(Location::Xet(_, number)) if *number <= answer) {
            *known = Known::Nothing;
        }
    }

    async fn ask_controller(&self, network: &Network, asked: AskedFor) -> Result<Location, FetchFault> {
        let answer = network.pending.expect(self.file, self.size);
        // Both fail only when the conversation is over, and then the fault is not read.
        let gone = || FetchFault::Broken {
            host: InlineStream::HOST.to_owned(),
            why: "the conversation ended".to_owned(),
        };
        let ranges = match &asked {
            AskedFor::Terms { missing } => missing.clone(),
            AskedFor::Plain => Vec::new(),
        };
        network.reports.send(Report::NeedSource { file: self.file, asked }).await.map_err(|_| gone())?;
        match answer.await.map_err(|_| gone())? {
            SourceAnswer::Address(address, hub) => Ok(Location::Address(address, NamedBy::Hub(hub))),
            SourceAnswer::Bytes(bytes) => Ok(Location::Inline(bytes)),
            SourceAnswer::Terms(xorbs, terms, hub) => {
                let made = Reconstruction::new(xorbs, terms, hub, self.size, &ranges);
                let reconstruction = made.map_err(|error| FetchFault::of_xet_store(&error))?;
                Ok(Location::Xet(Arc::new(reconstruction), self.xet_faults.answered(Instant::now())))
            }
            SourceAnswer::Relayed(host) => Ok(Location::Relayed(host.into())),
            SourceAnswer::SourceUnavailable(failure) => Err(FetchFault::SourceUnavailable(failure)),
        }
    }
}

impl Location {
    /// Opens an extent of a file of `size` bytes. Also says where to ask for the next one: where redirects led to.
    async fn open(
        &self,
        file: FileId,
        network: &Arc<Network>,
        extent: &Extent,
        size: u64,
    ) -> Result<(ByteStream, Self), FetchFault> {
        match self {
            Self::Address(address, named_by) => {
                let answered = address::ask(network, address, *named_by, extent, Some(size)).await?;
                let next = answered.redirected_to.map(|(next, hub)| Self::Address(next, NamedBy::Hub(hub)));
                Ok((ByteStream::Address(answered.stream), next.unwrap_or_else(|| self.clone())))
            }
            Self::Inline(bytes) => Ok((ByteStream::Inline(InlineStream::new(bytes, extent)?), self.clone())),
            Self::Xet(reconstruction, answer) => {
                let opened = XetStream::open(network, reconstruction, *answer, extent, size).await;
                let stream = opened.map_err(|fault| fault.of_terms(*answer))?;
                Ok((ByteStream::Xet(Box::new(stream)), self.clone()))
            }
            Self::Relayed(host) => {
                let stream = relayed::ask(network, file, host, extent, size).await?;
                Ok((ByteStream::Relayed(stream), self.clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::for_tests as network;
    use super::*;
    use hfdown_protocol::{Failure, FailureKind};
    use tokio::sync::mpsc;

    fn nothing() -> RangeSet {
        RangeSet::default()
    }

    #[tokio::test]
    async fn what_was_handed_over_is_used_once_and_then_the_address_that_stays() {
        let (reports, mut asked) = mpsc::channel(8);
        let address = Address::new("http://127.0.0.1:1/file").unwrap();
        let (network, source) =
            (network(reports), FileSource::new(FileId(0), 4, Source::HandedOver(address.clone())));
        let controller = async {
            asked.recv().await.unwrap();
            network.pending.give(FileId(0), SourceAnswer::Bytes(Bytes::from_static(b"here"))).unwrap();
        };
        let (first, ()) = tokio::join!(source.locate(&network, &nothing), controller);
        assert!(matches!(first, Ok(Location::Inline(_))));
        let then = source.locate(&network, &nothing).await.unwrap();
        assert_eq!(then, Location::Address(address, NamedBy::Controller));
        assert!(asked.try_recv().is_err(), "it was asked about twice");
    }

    #[tokio::test]
    async fn a_refusal_that_may_pass_is_shared_by_those_who_wait_for_it_and_asked_about_again_later() {
        let (reports, mut asked) = mpsc::channel(8);
        let network = network(reports);
        let source = FileSource::new(FileId(0), 4, Source::OnRequest);
        let away =
            || SourceAnswer::SourceUnavailable(Failure::new(FailureKind::Unreachable, "the Hub is away"));
        let controller = async {
            for answer in [away(), SourceAnswer::Bytes(Bytes::from_static(b"here"))] {
                asked.recv().await.unwrap();
                network.pending.give(FileId(0), answer).unwrap();
            }
        };
        let connections = async {
            let (first, second) = tokio::join!(
                source.open(&network, &Extent::Whole, nothing),
                source.open(&network, &Extent::Whole, nothing)
            );
            assert!([first, second].iter().all(|had| matches!(had, Err(FetchFault::SourceUnavailable(_)))));
            assert!(matches!(
                source.open(&network, &Extent::Whole, nothing).await,
                Ok(ByteStream::Inline(_))
            ));
        };
        tokio::join!(controller, connections);
        assert!(asked.try_recv().is_err(), "it was asked about twice");
    }
}
