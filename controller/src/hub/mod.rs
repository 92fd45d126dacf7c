//! The controller's own client of the Hub's API: what a repository contains, and where its bytes are.
//!
//! [`Hub`] asks, in this order: [`Hub::info`] pins a revision to a commit; [`Hub::list`] lists that commit's files;
//! [`Hub::public_address`] and [`Hub::sign`] say where a file's bytes can be had without a token, and
//! [`Hub::read_small`] and [`Hub::read_range`] read those that only the token's owner may read. Other model bytes never pass
//! here.
//!
//! Two promises. Questions go to the endpoint's own origin and nowhere else, so the token does, and never unencrypted over
//! a network: a redirect out of it is an answer, not a way.
//! And everything that arrives is hostile until it has passed a constructor: sizes, pages, redirects and waiting times
//! are bounded, and what can't be trusted is refused by name instead of being dropped.

mod body;
mod client;
mod endpoint;
mod entry;
mod error;
mod error_response;
mod head;
mod info;
mod interception;
mod lifetime;
mod listing;
mod listing_builder;
mod page;
mod pasted_text;
mod ranged;
mod reference;
mod repo;
mod retry;
mod revision;
mod settings;
pub mod snapshot_listing;
mod source;
mod token;
mod tree_details;
mod tree_text;
mod variables;
mod xet;

pub use client::{Credential, Hub, HubSetupError};
pub use endpoint::{Endpoint, EndpointError};
pub use entry::{ListedFile, RefusalReason};
pub use error::{HubError, Nonsense, OtherOrigin, ProxyRefusal, RetrySummary, Unreached};
pub use error_response::ErrorResponse;
pub use info::{Gating, RepoInfo};
pub use interception::{InterceptedAs, Interception};
pub use lifetime::lifetime;
pub use listing::{Listing, Refused};
pub use ranged::{HubBody, RangeAnswer};
pub use reference::{InnerPath, InnerPathKind, ReferenceError, RepoReference};
pub use repo::{RepoId, RepoIdError, RepoKind};
pub use retry::Retrying;
pub use revision::{Revision, RevisionError};
pub use settings::{HubSettings, NetworkAccess, Observer, PagingObserver, RetryPolicy};
pub use snapshot_listing::{SnapshotListing, SnapshotListingError};
pub use source::{Resolved, SMALL};
pub use token::{Token, TokenError, TokenSource};
pub use tree_details::TreeDetails;
pub use tree_text::tree_text;
pub use variables::Variables;
pub use xet::{ReconstructionError, XetError, XetReconstruction, XetStore};
