//! One range of a xorb on its way: asked for, received and decoded chunk by chunk.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::address::{self, AddressStream, NamedBy};
use super::chunk::Extent;
use super::network::Network;
use crate::fault::FetchFault;
use crate::xet::{ChunkDecoder, ChunkError, Reconstruction};

/// A request for a xorb range. It goes on while nothing waits for its answer: connections look up several times a second,
/// and a server may take longer.
pub(super) struct Asking(Pin<Box<dyn Future<Output = Result<XorbAnswer, FetchFault>> + Send>>);

/// The bytes of a xorb range on their way.
#[derive(Debug)]
pub(super) struct XorbAnswer {
    range: u32,
    /// The next chunk to come, and the one behind the last.
    chunk: u32,
    end: u32,
    stream: AddressStream,
    /// What has come and is not decoded yet.
    received: Bytes,
    /// How many bytes have not come.
    left: u64,
    decoder: ChunkDecoder,
}

impl fmt::Debug for Asking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Asking")
    }
}

impl Asking {
    /// Asks for one of the ranges that a reconstruction names.
    pub(super) fn new(
        network: &Arc<Network>,
        reconstruction: &Reconstruction,
        range: u32,
    ) -> Result<Self, FetchFault> {
        let xorb = reconstruction
            .range(range)
            .ok_or_else(|| FetchFault::of_xet_store(&"names a xorb that it does not list"))?;
        let (network, xorb, hub) = (Arc::clone(network), xorb.clone(), reconstruction.hub());
        Ok(Self(Box::pin(async move {
            let (extent, named_by) = (Extent::Range(xorb.bytes.clone()), NamedBy::Store(hub));
            // What the length of all the xorb is, is not said.
            let answered = address::ask(&network, &xorb.address, named_by, &extent, None).await?;
            Ok(XorbAnswer {
                range,
                chunk: xorb.chunks.start,
                end: xorb.chunks.end,
                stream: answered.stream,
                received: Bytes::new(),
                left: xorb.bytes.end - xorb.bytes.start,
                decoder: ChunkDecoder::default(),
            })
        })))
    }

    /// To be dropped once it has answered.
    pub(super) async fn answer(&mut self) -> Result<XorbAnswer, FetchFault> {
        self.0.as_mut().await
    }
}

impl XorbAnswer {
    pub(super) fn range(&self) -> u32 {
        self.range
    }

    /// The next chunk that is to come.
    pub(super) fn chunk(&self) -> u32 {
        self.chunk
    }

    pub(super) fn host(&self) -> &str {
        self.stream.host()
    }

    /// A chunk of the range, once all of it has come. Those before it are passed over.
    pub(super) fn next(&mut self, chunk: u32) -> Result<Option<Bytes>, FetchFault> {
        while self.chunk < chunk {
            if self.decoder.pass(&mut self.received).map_err(|error| self.broken(error))?.is_none() {
                return Ok(None);
            }
            self.chunk += 1;
        }
        let Some(bytes) = self.decoder.next(&mut self.received).map_err(|error| self.broken(error))? else {
            return Ok(None);
        };
        self.chunk += 1;
        if self.chunk == self.end && (self.left > 0 || !self.received.is_empty()) {
            return Err(self.nonsense("has more bytes in a range than its chunks are"));
        }
        Ok(Some(bytes))
    }

    /// Receives more. How much came over the network. Cancel-safe: nothing is taken before the wait.
    pub(super) async fn receive(&mut self) -> Result<u64, FetchFault> {
        if self.left == 0 {
            return Err(self.nonsense("has fewer bytes in a range than its chunks are"));
        }
        let Some(received) = self.stream.next().await? else {
            let (host, why) = (self.host().to_owned(), format!("{} bytes are missing", self.left));
            return Err(FetchFault::Broken { host, why });
        };
        let left = self.left.checked_sub(received.wire);
        self.left = left.ok_or_else(|| self.nonsense("sends more bytes than were asked for"))?;
        self.received = received.bytes;
        Ok(received.wire)
    }

    fn broken(&self, error: ChunkError) -> FetchFault {
        self.nonsense(&error.to_string())
    }

    fn nonsense(&self, what: &str) -> FetchFault {
        FetchFault::Nonsense { host: self.host().to_owned(), what: what.to_owned() }
    }
}
