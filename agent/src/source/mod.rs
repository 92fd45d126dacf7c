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
//!
//! # Adding a kind
//!
//! A kind is one file here, one variant of `Location` and one of `ByteStream`; nothing in the transfer changes.
//!
//! *A Xet reconstruction* (`xet.rs`): `Location::Xet(Arc<Reconstruction>)` holds the file's terms, each with its length,
//! the signed address of its xorb, and the chunks and the wire range that it takes there.
//! - `Location::cuts` is [`Cuts::At`] the terms' borders, so that no chunk is fetched and decoded twice. The queue
//!   widens what it hands out to such borders; bytes that are on disk already are not written again.
//! - `Location::open` picks the terms within the extent and asks `address::ask` for the xorb range of the first one, with
//!   no total to claim (`Request::total` is `None`: a xorb's length is not the file's). Its `ByteStream::Xet` decodes
//!   chunk by chunk: [`Chunk::wire`] is the compressed length, [`Chunk::bytes`] the decoded bytes, and it goes on to the
//!   next term's address by itself.
//! - A stale address of one term is [`FetchFault::Stale`](crate::fault::FetchFault::Stale): the reconstruction is forgotten and
//!   asked for again, as a signed address is. Any other trouble with Xet may put `Location::Address` in its place.
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
mod xet;

pub(crate) use chunk::{Chunk, Extent};
pub(crate) use cooldowns::Cooldowns;
pub(crate) use cuts::Cuts;
pub(crate) use file_source::FileSource;
pub(crate) use network::{Network, WaitingConnections, WantsToken};
pub(crate) use pending::{PendingSources, SourceAnswer};
pub(crate) use relayed::Streams;
pub(crate) use stream::ByteStream;
