//! One range of a xorb on its way: asked for, received and decoded chunk by chunk.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hfdown_protocol::{HubNetwork, XorbRange};

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
    host: String,
    /// What is still to be received of it; none of what is in stock.
    stream: Option<AddressStream>,
    /// What has come and is not decoded yet.
    received: Bytes,
    /// How many bytes have not come.
    left: u64,
    /// How many bytes came over the network before it was there.
    wire: u64,
    decoder: ChunkDecoder,
}

impl fmt::Debug for Asking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Asking")
    }
}

impl Asking {
    /// Asks for one of the ranges that a reconstruction names, unless it is in stock.
    pub(super) fn new(
        network: &Arc<Network>,
        reconstruction: &Arc<Reconstruction>,
        range: u32,
    ) -> Result<Self, FetchFault> {
        let xorb = reconstruction.range(range);
        let xorb =
            xorb.ok_or_else(|| FetchFault::of_xet_store(&"names a xorb that it does not list"))?.clone();
        let (network, reconstruction) = (Arc::clone(network), Arc::clone(reconstruction));
        Ok(Self(Box::pin(async move {
            let request = || XorbAnswer::ask(&network, &xorb, range, reconstruction.hub());
            let Some(stock) = reconstruction.stock(range) else { return request().await };
            let mut first = None;
            let bytes = stock.get_or_try_init(|| async {
                let answer = first.insert(request().await?);
                answer.whole().await
            });
            let (bytes, host) = (bytes.await?.clone(), xorb.address.expose().host_str().unwrap_or_default());
            let wire = if first.is_some() { bytes.len() as u64 } else { 0 };
            let host = first.map_or_else(|| host.to_owned(), |first| first.host);
            Ok(XorbAnswer {
                stream: None,
                received: bytes,
                left: 0,
                wire,
                ..XorbAnswer::new(&xorb, range, host)
            })
        })))
    }

    /// To be dropped once it has answered.
    pub(super) async fn answer(&mut self) -> Result<XorbAnswer, FetchFault> {
        self.0.as_mut().await
    }
}

impl XorbAnswer {
    fn new(xorb: &XorbRange, range: u32, host: String) -> Self {
        Self {
            range,
            chunk: xorb.chunks.start,
            end: xorb.chunks.end,
            host,
            stream: None,
            received: Bytes::new(),
            left: xorb.bytes.end - xorb.bytes.start,
            wire: 0,
            decoder: ChunkDecoder::default(),
        }
    }

    async fn ask(
        network: &Network,
        xorb: &XorbRange,
        range: u32,
        hub: HubNetwork,
    ) -> Result<Self, FetchFault> {
        let (extent, named_by) = (Extent::Range(xorb.bytes.clone()), NamedBy::Store(hub));
        // What the length of all the xorb is, is not said.
        let answered = address::ask(network, &xorb.address, named_by, &extent, None).await?;
        let host = answered.stream.host().to_owned();
        Ok(Self { stream: Some(answered.stream), ..Self::new(xorb, range, host) })
    }

    /// All bytes of the range. It is one of those that are small.
    async fn whole(&mut self) -> Result<Bytes, FetchFault> {
        let mut whole = BytesMut::new();
        while self.left > 0 {
            self.receive().await?;
            whole.extend_from_slice(&self.received);
        }
        Ok(whole.freeze())
    }

    /// How many bytes came over the network before it was there. They count once.
    pub(super) fn take_wire(&mut self) -> u64 {
        std::mem::take(&mut self.wire)
    }

    pub(super) fn range(&self) -> u32 {
        self.range
    }

    /// The next chunk that is to come.
    pub(super) fn chunk(&self) -> u32 {
        self.chunk
    }

    pub(super) fn host(&self) -> &str {
        &self.host
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
        let received = match &mut self.stream {
            Some(stream) => stream.next().await?,
            None => None,
        };
        let Some(received) = received else {
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
