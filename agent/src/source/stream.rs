//! Bytes on their way from a source to the disk.

use super::address::AddressStream;
use super::chunk::Chunk;
use super::inline::InlineStream;
use super::relayed::RelayedStream;
use super::xet::XetStream;
use crate::fault::FetchFault;

/// The bytes of an extent. Its chunks follow one another without a gap, from the extent's beginning. It may end early
/// and may have more than was asked for: the receiver checks that.
#[derive(Debug)]
pub(crate) enum ByteStream {
    Address(AddressStream),
    Inline(InlineStream),
    Relayed(RelayedStream),
    Xet(Box<XetStream>),
}

impl ByteStream {
    /// The next chunk; none at the end. To be dropped after a fault.
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk>, FetchFault> {
        match self {
            Self::Address(stream) => stream.next().await,
            Self::Inline(stream) => Ok(stream.next()),
            Self::Relayed(stream) => stream.next().await,
            Self::Xet(stream) => {
                let next = stream.next().await;
                next.map_err(|fault| fault.of_terms(stream.answer))
            }
        }
    }

    /// A fault of it that was seen from outside: that it is silent, or too slow.
    pub(crate) fn at_fault(&self, fault: FetchFault) -> FetchFault {
        match self {
            Self::Xet(stream) => fault.of_terms(stream.answer),
            Self::Address(_) | Self::Inline(_) | Self::Relayed(_) => fault,
        }
    }

    /// Whether its bytes come over the network, and so count for the rate, the throttle, and how fast a connection is.
    pub(crate) fn is_over_network(&self) -> bool {
        match self {
            Self::Address(_) | Self::Relayed(_) | Self::Xet(_) => true,
            Self::Inline(_) => false,
        }
    }

    /// The host that sends it, for messages.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Address(stream) => stream.host(),
            Self::Inline(_) => InlineStream::HOST,
            Self::Relayed(stream) => stream.host(),
            Self::Xet(stream) => stream.host(),
        }
    }
}
