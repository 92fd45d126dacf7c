//! Bytes of a file out of the chunks of xorbs: one term after the other, each from the range of a xorb that has its chunks.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::chunk::{Chunk, Extent};
use super::network::Network;
use super::xorb_answer::{Asking, XorbAnswer};
use crate::fault::FetchFault;
use crate::xet::Reconstruction;

/// What is kept of chunks that are to come again soon: a file may have the same one many times over, as one of zeros has.
/// Every connection may keep as much.
const KEPT: usize = 512 << 10;

/// So many answers are left waiting while a term comes from another xorb, where the terms go on in them soon: to ask again is
/// to have all of it come again.
const WAITING: usize = 2;

/// The bytes of an extent, chunk by chunk.
#[derive(Debug)]
pub(crate) struct XetStream {
    network: Arc<Network>,
    reconstruction: Arc<Reconstruction>,
    /// Which answer of the Xet store this is by.
    pub(super) answer: u32,
    host: String,
    /// Those that are still to come; the first is under way.
    terms: Range<usize>,
    /// The next chunk of it, how many bytes are passed over before its own begin, and how many of these have been given.
    chunk: u32,
    skip: usize,
    given: u32,
    asking: Option<Asking>,
    /// The last one is under way, the others wait.
    xorbs: Vec<XorbAnswer>,
    kept: VecDeque<KeptChunk>,
    /// What has come over the network since the last chunk was given.
    wire: u64,
}

/// A chunk that is to come again soon.
#[derive(Debug)]
struct KeptChunk {
    range: u32,
    chunk: u32,
    bytes: Bytes,
}

impl XetStream {
    /// Asks for the first xorb of an extent of a file of `size` bytes.
    pub(super) async fn open(
        network: &Arc<Network>,
        reconstruction: &Arc<Reconstruction>,
        answer: u32,
        extent: &Extent,
        size: u64,
    ) -> Result<Self, FetchFault> {
        let extent = match extent {
            Extent::Whole => 0..size,
            Extent::Range(range) => range.clone(),
        };
        let terms = reconstruction.terms_of(&extent).ok_or(FetchFault::CutElsewhere)?;
        let first = reconstruction.term(terms.start).ok_or(FetchFault::CutElsewhere)?;
        let (chunk, skip, range) = (first.chunks.start, first.skip as usize, first.range);
        let mut xorb = Asking::new(network, reconstruction, range)?.answer().await?;
        let wire = xorb.take_wire();
        Ok(Self {
            network: Arc::clone(network),
            reconstruction: Arc::clone(reconstruction),
            answer,
            host: xorb.host().to_owned(),
            terms,
            chunk,
            skip,
            given: 0,
            asking: None,
            xorbs: vec![xorb],
            kept: VecDeque::new(),
            wire,
        })
    }

    /// The next chunk, cut to what is its term's; one without bytes where some came over the network and are not enough.
    /// Cancel-safe: what was asked for is kept.
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>, FetchFault> {
        while !self.terms.is_empty() {
            let Some(term) = self.reconstruction.term(self.terms.start) else { break };
            let (offset, length, range, end) = (term.offset, term.length, term.range, term.chunks.end);
            if self.given == length {
                self.go_on();
                continue;
            }
            if self.chunk == end {
                let what = "has fewer bytes than the Xet store says".to_owned();
                return Err(FetchFault::Nonsense { host: self.host.clone(), what });
            }
            let decoded = self.decoded(range, self.chunk).await?;
            let mut bytes = Bytes::new();
            if let Some(decoded) = decoded {
                self.chunk += 1;
                let skipped = self.skip.min(decoded.len());
                self.skip -= skipped;
                bytes = decoded.slice(skipped..);
                bytes.truncate((length - self.given) as usize);
            }
            if bytes.is_empty() && self.wire == 0 {
                continue;
            }
            let offset = offset + u64::from(self.given);
            // No longer than what it was cut to.
            self.given += u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            return Ok(Some(Chunk { offset, bytes, wire: std::mem::take(&mut self.wire) }));
        }
        Ok(None)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Goes on to the next term.
    fn go_on(&mut self) {
        self.terms.start += 1;
        self.given = 0;
        if let Some(next) = self.reconstruction.term(self.terms.start) {
            (self.chunk, self.skip) = (next.chunks.start, next.skip as usize);
        }
    }

    /// One chunk of a xorb range; none where bytes have come that are not all of it.
    async fn decoded(&mut self, range: u32, chunk: u32) -> Result<Option<Bytes>, FetchFault> {
        let is_it = |kept: &&KeptChunk| (kept.range, kept.chunk) == (range, chunk);
        if let Some(kept) = self.kept.iter().find(is_it) {
            return Ok(Some(kept.bytes.clone()));
        }
        // What is before the chunk has been decoded already, or is passed over.
        let is_there = |xorb: &XorbAnswer| xorb.range() == range && xorb.chunk() <= chunk;
        match self.xorbs.iter().position(is_there) {
            Some(place) => self.xorbs[place..].rotate_left(1),
            None => self.ask(range).await?,
        }
        let Some(xorb) = self.xorbs.last_mut() else { return Ok(None) };
        if let Some(bytes) = xorb.next(chunk)? {
            self.keep(range, chunk, &bytes);
            return Ok(Some(bytes));
        }
        self.wire += xorb.receive().await?;
        Ok(None)
    }

    /// Asks for a xorb range.
    async fn ask(&mut self, range: u32) -> Result<(), FetchFault> {
        let (reconstruction, terms) = (&self.reconstruction, &self.terms);
        self.xorbs.retain(|xorb| reconstruction.goes_on_soon(terms, xorb.range(), xorb.chunk()));
        let surplus = self.xorbs.len().saturating_sub(WAITING);
        self.xorbs.drain(..surplus);
        let asking = match &mut self.asking {
            Some(asking) => asking,
            none => none.insert(Asking::new(&self.network, &self.reconstruction, range)?),
        };
        let answered = asking.answer().await;
        self.asking = None;
        let mut xorb = answered?;
        self.wire += xorb.take_wire();
        xorb.host().clone_into(&mut self.host);
        self.xorbs.push(xorb);
        Ok(())
    }

    /// Keeps a chunk that is to come again soon.
    fn keep(&mut self, range: u32, chunk: u32, bytes: &Bytes) {
        let following = self.terms.start + 1..self.terms.end;
        if !self.reconstruction.has_soon(&following, range, chunk) {
            return;
        }
        self.kept.push_back(KeptChunk { range, chunk, bytes: bytes.clone() });
        let mut size: usize = self.kept.iter().map(|kept| kept.bytes.len()).sum();
        while size > KEPT
            && let Some(oldest) = self.kept.pop_front()
        {
            size -= oldest.bytes.len();
        }
    }
}

#[cfg(test)]
#[path = "xet_tests.rs"]
mod tests;
