//! Frames: a little-endian `u32` length, at most [`limits::FRAME`], then one message in bincode.
//!
//! This is the one file that names bincode. The length is checked before anything is allocated for it, bytes after the
//! message are an error, and a message that exceeds its own bounds is an error.

use std::borrow::Cow;
use std::io;
use std::marker::PhantomData;

use bincode::config::{self, Configuration, Fixint, Limit, LittleEndian};
use bincode::enc::write::SizeWriter;
use bincode::error::{DecodeError, EncodeError};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Decoder, Encoder, Framed, FramedParts, FramedWrite, LengthDelimitedCodec};

use crate::limits;

/// What one side can say.
pub trait Message: Serialize + DeserializeOwned {
    /// Whether every list and text in it keeps its bound from [`limits`].
    fn is_bounded(&self) -> bool;
}

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The stream broke, ended within a frame, or announced a frame over [`limits::FRAME`].
    #[error("the link broke: {0}")]
    Link(#[from] io::Error),
    /// The bytes are no message.
    #[error("a frame makes no sense: {}", in_words(.0))]
    Decode(DecodeError),
    /// The message can't be put in a frame.
    #[error("a message does not fit a frame")]
    Encode(EncodeError),
    /// Bytes follow the message within its frame.
    #[error("a frame has {0} bytes too many")]
    Trailing(usize),
    /// A list or text is longer than its bound.
    #[error("a message exceeds its bounds")]
    Unbounded,
}

/// What is wrong with a frame. bincode's own words are what Rust prints for programmers.
fn in_words(error: &DecodeError) -> Cow<'static, str> {
    Cow::Borrowed(match error {
        DecodeError::UnexpectedEnd { .. } => "it ends too early",
        DecodeError::LimitExceeded => "it announces more than a frame holds",
        DecodeError::Utf8 { .. } => "it has a text that is none",
        // A constructor's words about a value.
        DecodeError::OtherString(why) => return Cow::Owned(why.clone()),
        DecodeError::Other(why) => why,
        _ => "it is no message",
    })
}

/// Without a source: it would say the same in bincode's words.
impl From<DecodeError> for CodecError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<EncodeError> for CodecError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// Received messages, as a stream. Cancel-safe: a message is yielded whole or stays buffered.
///
/// `FramedRead` could not be this: it looks at what its buffer begins with only once more has come.
pub type Inbox<R, M> = Framed<R, Codec<M>>;
/// Messages to send, as a sink.
pub type Outbox<W, M> = FramedWrite<W, Codec<M>>;

/// Reads messages from a byte stream. `already_read` are bytes that were taken from the stream before.
pub fn inbox<R: AsyncRead, M: Message>(stream: R, already_read: &[u8]) -> Inbox<R, M> {
    let mut parts = FramedParts::new::<M>(stream, Codec::new());
    parts.read_buf = BytesMut::from(already_read);
    Framed::from_parts(parts)
}

/// Writes messages to a byte stream.
pub fn outbox<W: AsyncWrite, M: Message>(stream: W) -> Outbox<W, M> {
    FramedWrite::new(stream, Codec::new())
}

/// Turns frames into messages of one kind and back.
#[derive(Debug)]
pub struct Codec<M> {
    frames: LengthDelimitedCodec,
    message: PhantomData<fn() -> M>,
}

const BINCODE: Configuration<LittleEndian, Fixint, Limit<{ limits::FRAME }>> =
    config::standard().with_fixed_int_encoding().with_limit::<{ limits::FRAME }>();

impl<M> Codec<M> {
    pub(crate) fn new() -> Self {
        let frames = LengthDelimitedCodec::builder()
            .little_endian()
            .length_field_length(4)
            .max_frame_length(limits::FRAME)
            .new_codec();
        Self { frames, message: PhantomData }
    }
}

impl<M: Message> Decoder for Codec<M> {
    type Item = M;
    type Error = CodecError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<M>, CodecError> {
        let Some(frame) = self.frames.decode(source)? else { return Ok(None) };
        let (message, read): (M, usize) = bincode::serde::decode_from_slice(&frame, BINCODE)?;
        if read != frame.len() {
            return Err(CodecError::Trailing(frame.len() - read));
        }
        if message.is_bounded() { Ok(Some(message)) } else { Err(CodecError::Unbounded) }
    }
}

impl<M: Message> Encoder<M> for Codec<M> {
    type Error = CodecError;

    fn encode(&mut self, message: M, destination: &mut BytesMut) -> Result<(), CodecError> {
        if !message.is_bounded() {
            return Err(CodecError::Unbounded);
        }
        let frame = Bytes::from(bincode::serde::encode_to_vec(&message, BINCODE)?);
        Ok(self.frames.encode(frame, destination)?)
    }
}

/// How many bytes a part of a message takes within its frame.
pub(crate) fn encoded_length<T: Serialize>(part: &T) -> usize {
    let mut counter = SizeWriter::default();
    match bincode::serde::encode_into_writer(part, &mut counter, BINCODE) {
        Ok(()) => counter.bytes_written,
        // Nothing else fits beside it, and sending it says why.
        Err(_) => usize::MAX,
    }
}

/// Bytes as one block instead of element by element.
pub(crate) mod byte_string {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileId, Folding, Found, Order, Proof, Report};
    use futures_util::{FutureExt, SinkExt, StreamExt};
    use proptest::prelude::*;

    fn decode<M: Message>(bytes: &[u8]) -> Result<Option<M>, CodecError> {
        Codec::new().decode(&mut BytesMut::from(bytes))
    }

    fn frame(body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
    }

    #[tokio::test]
    async fn messages_survive_an_eight_byte_pipe() {
        let (near, far) = tokio::io::duplex(8);
        let mut sender = outbox::<_, Report>(near);
        let mut reports = inbox::<_, Report>(far, &[]);
        let files = (0..500).map(|n| (FileId(n), Found::Intact { proof: Proof::Read })).collect();
        let sent =
            vec![Report::Pong, Report::Found { files }, Report::Surveyed { folding: Folding::Nothing }];
        let sending = async {
            for report in sent.clone() {
                sender.send(report).await.unwrap();
            }
            drop(sender);
        };
        let (received, ()) = tokio::join!(reports.by_ref().map(Result::unwrap).collect::<Vec<_>>(), sending);
        assert_eq!(received, sent);
    }

    #[tokio::test]
    async fn what_was_read_before_is_heard_though_nothing_more_comes() {
        let (_silent, far) = tokio::io::duplex(8);
        let body =
            bincode::serde::encode_to_vec(Report::Surveyed { folding: Folding::Nothing }, BINCODE).unwrap();
        let two = [frame(&body), frame(&body)].concat();
        let mut reports = inbox::<_, Report>(far, &two[..two.len() - 1]);
        assert!(matches!(reports.next().now_or_never(), Some(Some(Ok(Report::Surveyed { .. })))));
        assert!(reports.next().now_or_never().is_none(), "half of one");
    }

    #[test]
    fn a_giant_frame_is_refused_from_its_length_alone() {
        let length = u32::try_from(limits::FRAME + 1).unwrap().to_le_bytes();
        assert!(matches!(decode::<Order>(&length), Err(CodecError::Link(_))));
    }

    #[test]
    fn bytes_after_the_message_are_refused() {
        let mut body = bincode::serde::encode_to_vec(Order::Ping, BINCODE).unwrap();
        assert!(matches!(decode::<Order>(&frame(&body)), Ok(Some(Order::Ping))));
        body.push(0);
        assert!(matches!(decode::<Order>(&frame(&body)), Err(CodecError::Trailing(1))));
    }

    #[test]
    fn hostile_fields_are_refused_while_decoding() {
        // `List` with one file whose path is `../x`: the variant, the count, the id, the path.
        let mut body = bincode::serde::encode_to_vec(Order::List { files: Vec::new() }, BINCODE).unwrap();
        body.truncate(size_of::<u32>());
        for part in [&1u64.to_le_bytes()[..], &7u32.to_le_bytes(), &4u64.to_le_bytes(), b"../x"] {
            body.extend_from_slice(part);
        }
        let error = decode::<Order>(&frame(&body)).unwrap_err().to_string();
        assert!(error.contains("`..` component"), "{error}");
    }

    #[test]
    fn too_many_entries_are_refused_on_both_sides() {
        let ticked = crate::Ticked { file: FileId(0), done: 0 };
        let report = Report::Tick { files: vec![ticked; limits::ENTRIES + 1] };
        let body = bincode::serde::encode_to_vec(&report, BINCODE).unwrap();
        assert!(matches!(decode::<Report>(&frame(&body)), Err(CodecError::Unbounded)));
        assert!(matches!(Codec::new().encode(report, &mut BytesMut::new()), Err(CodecError::Unbounded)));
    }

    /// Frames as an honest peer sends them, of many forms.
    fn honest() -> Vec<Vec<u8>> {
        let address = crate::Address::new("https://cdn.example/a?b").unwrap();
        let path = crate::RepoPath::new("a/b").unwrap();
        let stamp = crate::Stamp { size: 1, modified: 2, changed: 3, inode: 4 };
        let digest = crate::Digest::Sha256([7; 32]);
        let wanted = crate::Wanted { id: FileId(1), path: path.clone(), size: 9, digest };
        let failure = crate::Failure::new(
            crate::FailureKind::NoSpace { needed: 1, free: 0, scarcity: crate::Scarcity::Inodes },
            "full",
        );
        let orders = [
            Order::Hello { version: "v".to_owned(), mode: crate::Mode::Joining { root: "/r".to_owned() } },
            Order::List { files: vec![wanted.clone(), wanted.clone()] },
            Order::Remove { extraneous: vec![crate::ExtraneousFile { path, stamp }] },
            Order::Source { file: FileId(1), address, hub: crate::HubNetwork::Public },
            Order::Inline { file: FileId(1), bytes: vec![1, 2, 3] },
            Order::SourceUnavailable { file: FileId(1), failure: failure.clone() },
            Order::Trust { authorities: vec![vec![1], vec![2, 3]] },
        ];
        let reports = [
            Report::Found {
                files: vec![(
                    FileId(0),
                    Found::OtherSize { stamp, provenance: crate::Provenance::Edited, partial: 1 },
                )],
            },
            Report::Remaining { files: vec![crate::Remaining { wanted, done: 2 }] },
            Report::Tick { files: vec![crate::Ticked { file: FileId(0), done: 1 }] },
            Report::Retrying { file: FileId(0), attempt: 1, failure, wait_ms: 5 },
        ];
        let bodies = orders.iter().map(|order| bincode::serde::encode_to_vec(order, BINCODE).unwrap());
        bodies
            .chain(reports.iter().map(|report| bincode::serde::encode_to_vec(report, BINCODE).unwrap()))
            .collect()
    }

    /// Whether an error's words are not what Rust prints for programmers. They end with what a constructor said.
    fn is_for_users(error: &CodecError) -> bool {
        let text = error.to_string();
        std::error::Error::source(error).is_none()
            && !["{ ", "(\"", "Some(", "Error"].iter().any(|mark| text.contains(mark))
    }

    proptest! {
        #[test]
        fn no_frame_that_is_almost_right_makes_the_decoder_panic_or_break_a_bound(
            chosen in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in any::<prop::sample::Index>(),
            cuts in any::<bool>(),
        ) {
            let frames = honest();
            let mut body = frames[chosen.index(frames.len())].clone();
            for (at, byte) in changes {
                let at = at.index(body.len());
                body[at] = byte;
            }
            if cuts {
                body.truncate(cut.index(body.len()));
            }
            match decode::<Order>(&frame(&body)) {
                Ok(order) => prop_assert!(order.is_none_or(|order| order.is_bounded())),
                Err(error) => prop_assert!(is_for_users(&error), "{error}"),
            }
            match decode::<Report>(&frame(&body)) {
                Ok(report) => prop_assert!(report.is_none_or(|report| report.is_bounded())),
                Err(error) => prop_assert!(is_for_users(&error), "{error}"),
            }
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(body in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode::<Order>(&frame(&body));
            let _ = decode::<Report>(&frame(&body));
            let _ = decode::<Order>(&body);
        }
    }
}
