//! Where the bytes of a file come from.
//!
//! A [`FileSource`] belongs to one file and finds out where its bytes are when the first range of it is asked for: one
//! question per file, however many ranges it has. From then on it gives, for each [`Extent`], a [`ByteStream`](stream::ByteStream): the
//! bytes at their offsets, and what each chunk cost on the wire. Everything that is particular to a kind of source
//! (addresses, redirects, the checks of an answer's head, refusals, signed addresses that turn stale) stays in this room.
//!
//! # Kinds
//!
//! | kind | file | its bytes | may be cut |
//! |---|---|---|---|
//! | [`Location::Address`](file_source) | [`address`] | come over the network, one wire byte each | anywhere, or nowhere where a server ignores ranges |
//! | [`Location::Inline`](file_source) | [`inline`] | are in memory, sent by the controller | anywhere |
//! | [`Location::Relayed`](file_source) | [`relayed`] | are read by the controller and passed on, one wire byte each | as of an address |
//! | [`Location::Xet`](file_source) | [`xet`] | are decoded from the chunks of xorbs, which cost what they take there | at the borders of terms |
//!
//! # Out of xorbs
//!
//! A file that is to come out of xorbs has an address besides, or gets one: [`xet_faults`] weighs what fails, and after that
//! the file comes as any other does. An answer of the Xet store is about what was missing when it was asked for. Where an
//! address in it has expired, or a connection broke in the middle of a term, another answer is asked for; what is leased by
//! then is leased again, along the new terms.
//!
//! # Adding a kind
//!
//! A kind is one file here, one variant of `Location` and one of `ByteStream`; nothing in the transfer changes.
//!
//! *A copy from a file that is there* (`copy.rs`): `Location::Copy(Arc<File>, offset)`. Its stream reads a buffer at a
//! time on a blocking thread, its chunks have a wire cost of 0 and [`is_over_network`](stream::ByteStream::is_over_network) is false, so that it
//! counts for neither the rate, the throttle nor the number of connections. [`Cuts::Anywhere`].

mod address;
mod chunk;
mod cooldowns;
mod cuts;
mod file_source;
mod head;
mod inline;
mod network;
mod pending;
mod relayed;
mod stream;
mod terms_at_hand;
mod xet;
mod xet_faults;
mod xorb_answer;

pub(crate) use chunk::{Chunk, Extent};
pub(crate) use cooldowns::Cooldowns;
pub(crate) use cuts::Cuts;
pub(crate) use file_source::FileSource;
pub(crate) use network::{Network, WaitingConnections, WantsToken};
pub(crate) use pending::PendingSources;
pub(crate) use relayed::Streams;
pub(crate) use stream::ByteStream;
