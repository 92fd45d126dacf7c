//! Why a request got no answer, or only a part of one.

use std::error::Error;
use std::iter;
use std::net::IpAddr;

use hyper_util::client::legacy;

use crate::http::names::{PrivateAddress, UnknownName};
use crate::http::network_fault::{innermost, refuses_certificate};
use crate::http::{NetworkFault, ProxyFault};

/// A request that failed. No text of it holds the address, which may be a signed one.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TransportError {
    /// The host can't be reached, or its answer broke off, and why.
    #[error("{0}: {1}")]
    Network(NetworkFault, String),
    /// The host's name leads to this private address, where it may not lead.
    #[error("{0} is an address of a private network")]
    Private(IpAddr),
    /// The proxy on the way does not do what it is there for.
    #[error("{0}")]
    Proxy(Box<ProxyFault>),
}

impl TransportError {
    /// No connection could be made.
    pub(super) fn connecting(error: &(dyn Error + 'static)) -> Self {
        let mut causes = iter::successors(Some(error), |cause| (*cause).source());
        if let Some(PrivateAddress(address)) = causes.clone().find_map(|cause| cause.downcast_ref()) {
            return Self::Private(*address);
        }
        let fault = if causes.any(<dyn Error>::is::<UnknownName>) {
            NetworkFault::Name
        } else if refuses_certificate(error) {
            NetworkFault::Certificate
        } else {
            NetworkFault::Connect
        };
        Self::Network(fault, innermost(error))
    }

    /// A connection could not be made, or the one that there was broke before the answer had begun.
    pub(super) fn asking(error: &legacy::Error) -> Self {
        let carried = error.source().and_then(|source| source.downcast_ref::<Self>());
        carried.cloned().unwrap_or_else(|| Self::Network(NetworkFault::Broken, innermost(error)))
    }

    /// The connection broke in the middle of an answer.
    pub(super) fn reading(error: &hyper::Error) -> Self {
        Self::Network(NetworkFault::Broken, innermost(error))
    }
}
