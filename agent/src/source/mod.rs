//! Where the bytes of a file come from.

mod pending;

pub(crate) use pending::{PendingSources, SourceAnswer};
