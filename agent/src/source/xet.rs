//! Bytes of a file out of the chunks of xorbs.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::address::{self, AddressStream, NamedBy};
use super::chunk::{Chunk, Extent};
use super::network::Network;
use crate::fault::{FetchFault, RetryDecision};
use crate::xet::{ChunkDecoder, ChunkError, Reconstruction, TermsOfExtent};

/// So many faults without progress, and the file comes as any other does.
pub(super) const MOST_FAULTS: u32 = 4;
/// What is kept of the chunks that came last: a file may have the same one many times over, as one of zeros has.
const RECENT: usize = 512 << 10;

/// The bytes of an extent, chunk by chunk.
#[derive(Debug)]
pub(crate) struct XetStream {
    network: Arc<Network>,
    reconstruction: Arc<Reconstruction>,
    /// Those that are still to come; the first is under way.
    terms: Range<usize>,
    /// The next chunk of it, how many bytes are passed over before its own begin, and how many of these have been given.
    chunk: u32,
    skip: usize,
    given: u32,
    answer: XorbAnswer,
    recent: VecDeque<(u32, u32, Bytes)>,
    /// What has come over the network since the last chunk was given.
    wire: u64,
}

/// The bytes of a xorb range on their way.
#[derive(Debug)]
struct XorbAnswer {
    range: u32,
    /// The next chunk to come.
    chunk: u32,
    stream: AddressStream,
    /// What has come and is not decoded yet.
    received: Bytes,
    decoder: ChunkDecoder,
}

impl XetStream {
    pub(super) async fn open(
        network: &Arc<Network>,
        reconstruction: &Arc<Reconstruction>,
        extent: &Extent,
        size: u64,
    ) -> Result<Self, FetchFault> {
        let extent = match extent {
            Extent::Whole => 0..size,
            Extent::Range(range) => range.clone(),
        };
        let terms = match reconstruction.terms_of(&extent) {
            TermsOfExtent::Terms(terms) => terms,
            TermsOfExtent::CutElsewhere => return Err(FetchFault::CutElsewhere),
            TermsOfExtent::Gap => return Err(nonsense("leaves out some of the file")),
        };
        let first = reconstruction.term(terms.start).ok_or_else(|| nonsense("leaves out all of the file"))?;
        let answer = XorbAnswer::ask(network, reconstruction, first.range).await?;
        Ok(Self {
            network: Arc::clone(network),
            reconstruction: Arc::clone(reconstruction),
            chunk: first.chunks.start,
            skip: first.skip as usize,
            given: 0,
            terms,
            answer,
            recent: VecDeque::new(),
            wire: 0,
        })
    }

    /// The next chunk, cut to what is its term's.
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>, FetchFault> {
        while !self.terms.is_empty() {
            let Some(term) = self.reconstruction.term(self.terms.start).cloned() else { break };
            if self.chunk == term.chunks.end || self.given == term.length {
                if self.given < term.length {
                    return Err(self.answer.nonsense("has fewer bytes than its term says"));
                }
                self.terms.start += 1;
                self.given = 0;
                if let Some(next) = self.reconstruction.term(self.terms.start) {
                    (self.chunk, self.skip) = (next.chunks.start, next.skip as usize);
                }
                continue;
            }
            let mut bytes = self.decoded(term.range, self.chunk).await?;
            self.chunk += 1;
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.slice(skipped..);
            if bytes.is_empty() {
                continue;
            }
            bytes.truncate((term.length - self.given) as usize);
            let offset = term.offset + u64::from(self.given);
            // No longer than what it was cut to.
            self.given += u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            return Ok(Some(Chunk { offset, bytes, wire: std::mem::take(&mut self.wire) }));
        }
        Ok(None)
    }

    pub(super) fn host(&self) -> &str {
        self.answer.stream.host()
    }

    /// One chunk of a xorb range.
    async fn decoded(&mut self, range: u32, chunk: u32) -> Result<Bytes, FetchFault> {
        let is_it = |(of, number, _): &&(u32, u32, Bytes)| (*of, *number) == (range, chunk);
        if let Some((_, _, bytes)) = self.recent.iter().find(is_it) {
            return Ok(bytes.clone());
        }
        if self.answer.range != range || self.answer.chunk > chunk {
            self.answer = XorbAnswer::ask(&self.network, &self.reconstruction, range).await?;
        }
        loop {
            let number = self.answer.chunk;
            let bytes = self.answer.next(&mut self.wire).await?;
            self.remember(range, number, &bytes);
            if number == chunk {
                return Ok(bytes);
            }
        }
    }

    fn remember(&mut self, range: u32, chunk: u32, bytes: &Bytes) {
        self.recent.push_back((range, chunk, bytes.clone()));
        let mut kept: usize = self.recent.iter().map(|(_, _, bytes)| bytes.len()).sum();
        while kept > RECENT
            && let Some((_, _, oldest)) = self.recent.pop_front()
        {
            kept -= oldest.len();
        }
    }
}

impl XorbAnswer {
    async fn ask(network: &Network, reconstruction: &Reconstruction, index: u32) -> Result<Self, FetchFault> {
        let range =
            reconstruction.range(index).ok_or_else(|| nonsense("names a xorb that it does not list"))?;
        let (extent, hub) = (Extent::Range(range.bytes.clone()), NamedBy::Hub(reconstruction.hub()));
        let answered = address::ask(network, &range.address, hub, &extent, None).await?;
        let (stream, decoder) = (answered.stream, ChunkDecoder::default());
        Ok(Self { range: index, chunk: range.chunks.start, stream, received: Bytes::new(), decoder })
    }

    /// The next chunk of the range.
    async fn next(&mut self, wire: &mut u64) -> Result<Bytes, FetchFault> {
        loop {
            self.decoder.feed(&mut self.received).map_err(|error| self.broken(error))?;
            if let Some(bytes) = self.decoder.take().map_err(|error| self.broken(error))? {
                self.chunk += 1;
                return Ok(bytes);
            }
            let Some(received) = self.stream.next().await? else {
                let (host, why) = (self.stream.host().to_owned(), "some chunks are missing".to_owned());
                return Err(FetchFault::Broken { host, why });
            };
            *wire += received.wire;
            self.received = received.bytes;
        }
    }

    fn broken(&self, error: ChunkError) -> FetchFault {
        FetchFault::Nonsense { host: self.stream.host().to_owned(), what: error.to_string() }
    }

    fn nonsense(&self, what: &str) -> FetchFault {
        FetchFault::Nonsense { host: self.stream.host().to_owned(), what: what.to_owned() }
    }
}

fn nonsense(what: &str) -> FetchFault {
    FetchFault::Nonsense { host: "the Xet store".to_owned(), what: what.to_owned() }
}

/// Whether what failed may work with new terms.
pub(super) fn is_worth_another_try(fault: &FetchFault) -> bool {
    matches!(fault.retry_decision(), RetryDecision::Retry | RetryDecision::RetryWithNewAddress)
        || matches!(fault, FetchFault::FreshRefused { .. })
}
