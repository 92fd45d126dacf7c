//! Bytes of a file out of the chunks of xorbs.

use std::sync::Arc;

use super::chunk::{Chunk, Extent};
use super::network::Network;
use crate::fault::{FetchFault, RetryDecision};
use crate::xet::Reconstruction;

/// So many faults without progress, and the file comes as any other does.
pub(super) const MOST_FAULTS: u32 = 4;

/// The bytes of an extent, chunk by chunk.
#[derive(Debug)]
pub(crate) struct XetStream {
    host: String,
}

impl XetStream {
    #[expect(clippy::unused_async, reason = "it is to come")]
    pub(super) async fn open(
        _network: &Network,
        _reconstruction: &Arc<Reconstruction>,
        _extent: &Extent,
    ) -> Result<Self, FetchFault> {
        Ok(Self { host: "no xorb server".to_owned() })
    }

    #[expect(clippy::unused_async, reason = "it is to come")]
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>, FetchFault> {
        Ok(None)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// Whether what failed may work with new terms.
pub(super) fn is_worth_another_try(fault: &FetchFault) -> bool {
    matches!(fault.retry_decision(), RetryDecision::Retry | RetryDecision::RetryWithNewAddress)
        || matches!(fault, FetchFault::FreshRefused { .. })
}
