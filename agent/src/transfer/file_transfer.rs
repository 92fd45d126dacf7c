//! One file to fetch, shared by the connections that work on it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use hfdown_protocol::{Address, Report, Source, Stamp, Wanted};
use reqwest::Response;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::request::{Asked, Network, send};
use crate::fault::{Fault, RetryDecision};
use crate::source::SourceAnswer;

/// A file to fetch.
#[derive(Debug)]
pub(crate) struct FileTransfer {
    pub(crate) wanted: Wanted,
    /// What may be replaced at its place.
    pub(crate) replaces: Option<Stamp>,
    /// The name of its part.
    pub(crate) part: String,
    source: Source,
    known: Mutex<Known>,
    /// Set when it has been said that it is begun.
    pub(crate) is_announced: AtomicBool,
    /// Bytes that came over the network, repeated ones included.
    pub(crate) fetched: AtomicU64,
    /// Bytes on disk.
    pub(crate) done: AtomicU64,
    /// Rung when bytes have been written.
    pub(crate) advanced: Notify,
    /// Set when the file has failed: whatever still works on it stops.
    pub(crate) abandoned: CancellationToken,
}

/// What was learned about where the bytes are.
#[derive(Debug, Clone)]
enum Known {
    Nothing,
    Address(Address),
    Bytes(Bytes),
    /// Whoever asked was refused, and that was then: those who waited for the answer need not ask again.
    Refused(Fault, Instant),
}

/// Where bytes come from, ready to be read.
#[derive(Debug)]
pub(crate) enum Body {
    /// From the network.
    Network(Response),
    /// All of them, from the controller.
    Inline(Bytes),
}

impl FileTransfer {
    pub(crate) fn new(wanted: Wanted, replaces: Option<Stamp>, part: String, source: Source) -> Self {
        Self {
            wanted,
            replaces,
            part,
            source,
            known: Mutex::new(Known::Nothing),
            is_announced: AtomicBool::new(false),
            fetched: AtomicU64::new(0),
            done: AtomicU64::new(0),
            advanced: Notify::new(),
            abandoned: CancellationToken::new(),
        }
    }

    pub(crate) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Asks for bytes. The first request finds out where they are while later ones wait for it, so that a file costs
    /// one question to the Hub however many ranges it has.
    pub(crate) async fn request(&self, network: &Network, asked: &Asked) -> Result<Body, Fault> {
        let began = Instant::now();
        let mut known = self.known.lock().await;
        if matches!(&*known, Known::Refused(fault, at) if *at < began && fault.retry_decision() != RetryDecision::GiveUp)
        {
            *known = Known::Nothing;
        }
        let address = match &*known {
            Known::Bytes(bytes) => return Ok(Body::Inline(bytes.clone())),
            Known::Refused(fault, _) => return Err(fault.clone()),
            Known::Address(address) => {
                let address = address.clone();
                drop(known);
                let answered = send(network, &address, asked, self.wanted.size).await;
                return self.unless_stale(answered.map(|answered| answered.response), &address).await;
            }
            Known::Nothing => match &self.source {
                Source::Public(address) => address.clone(),
                Source::OnRequest => match self.ask(network).await? {
                    SourceAnswer::Address(address) => address,
                    SourceAnswer::Bytes(bytes) => {
                        *known = Known::Bytes(bytes.clone());
                        return Ok(Body::Inline(bytes));
                    }
                    SourceAnswer::SourceUnavailable(failure) => {
                        return Err(known.refused(Fault::SourceUnavailable(failure)));
                    }
                },
            },
        };
        let answered = send(network, &address, asked, self.wanted.size).await;
        let answered = answered.map_err(|fault| known.refused(fault))?;
        *known = Known::Address(answered.redirected_to.unwrap_or(address));
        Ok(Body::Network(answered.response))
    }

    /// Lets go of what only requests need.
    pub(crate) async fn forget_source(&self) {
        *self.known.lock().await = Known::Nothing;
    }

    async fn ask(&self, network: &Network) -> Result<SourceAnswer, Fault> {
        let answer = network.pending.expect(self.wanted.id, self.wanted.size);
        // Both fail only when the conversation is over, and then nobody reads the fault.
        let gone =
            || Fault::Broken { host: "the controller".to_owned(), why: "the conversation ended".to_owned() };
        network.reports.send(Report::NeedSource { file: self.wanted.id }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    async fn unless_stale(
        &self,
        answered: Result<Response, Fault>,
        address: &Address,
    ) -> Result<Body, Fault> {
        if answered.as_ref().is_err_and(|fault| fault.retry_decision() == RetryDecision::RetryWithNewAddress)
        {
            let mut known = self.known.lock().await;
            if matches!(&*known, Known::Address(stale) if stale == address) {
                *known = Known::Nothing;
            }
        }
        answered.map(Body::Network)
    }
}

impl Known {
    /// Remembers a refusal for those who wait for the same answer.
    fn refused(&mut self, fault: Fault) -> Fault {
        *self = Self::Refused(fault.clone(), Instant::now());
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::super::cooldowns::Cooldowns;
    use super::*;
    use crate::environment::Environment;
    use crate::source::PendingSources;
    use hfdown_protocol::{Digest, Failure, FailureKind, FileId, RepoPath};
    use std::time::Duration;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_refusal_that_may_pass_is_shared_by_those_who_wait_for_it_and_asked_about_again_later() {
        let (reports, mut asked) = mpsc::channel(8);
        let (pending, client) = (PendingSources::default(), Environment::new(None).unwrap().client);
        let (stall, cooldowns) = (Duration::from_secs(1), Cooldowns::default());
        let network = Network { client, stall, cooldowns, pending, reports };
        let path = RepoPath::new("file").unwrap();
        let wanted = Wanted { id: FileId(0), path, size: 4, digest: Digest::Sha256([0; 32]) };
        let task = FileTransfer::new(wanted, None, "part".to_owned(), Source::OnRequest);
        let away =
            || SourceAnswer::SourceUnavailable(Failure::new(FailureKind::Unreachable, "the Hub is away"));
        let controller = async {
            for answer in [away(), SourceAnswer::Bytes(Bytes::from_static(b"here"))] {
                asked.recv().await.unwrap();
                network.pending.give(FileId(0), answer).unwrap();
            }
        };
        let connections = async {
            let (first, second) =
                tokio::join!(task.request(&network, &Asked::Whole), task.request(&network, &Asked::Whole));
            assert!([first, second].iter().all(|had| matches!(had, Err(Fault::SourceUnavailable(_)))));
            assert!(matches!(task.request(&network, &Asked::Whole).await, Ok(Body::Inline(_))));
        };
        tokio::join!(controller, connections);
        assert!(asked.try_recv().is_err(), "it was asked about twice");
    }
}
