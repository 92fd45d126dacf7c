//! Which chunks of which xorbs the missing bytes of a file are.

use std::sync::Arc;

use hfdown_protocol::{Term, XorbRange};

use crate::fault::FetchFault;

/// The terms of what is missing of one file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reconstruction {
    terms: Vec<Term>,
}

impl Reconstruction {
    /// Checks an answer about a file of `size` bytes.
    pub(crate) fn new(_ranges: Vec<XorbRange>, terms: Vec<Term>, _size: u64) -> Result<Self, FetchFault> {
        if terms.windows(2).any(|pair| pair[1].offset < pair[0].offset + u64::from(pair[0].length)) {
            let (host, what) = ("the Xet store".to_owned(), "gives terms that overlap".to_owned());
            return Err(FetchFault::Nonsense { host, what });
        }
        Ok(Self { terms })
    }

    /// Where the file may be cut.
    pub(crate) fn cuts(&self) -> Arc<[u64]> {
        let mut cuts: Vec<_> =
            self.terms.iter().flat_map(|term| [term.offset, term.offset + u64::from(term.length)]).collect();
        cuts.dedup();
        cuts.into()
    }
}
