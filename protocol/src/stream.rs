//! Bytes of a file that only the controller may read, on their way over the conversation: streams with windows, as the
//! channels of SSH have them.
//!
//! An agent opens a stream for each range that it wants, and is sent no more of it than its window holds. So neither half
//! keeps more than [`limits::WINDOW`] of a stream in memory, and one that is not read from holds up no other.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Failure, FileId, codec, limits};

/// A stream's number within one conversation, given by the agent. Each is higher than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId(pub u32);

/// What an agent says of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamRequest {
    /// Ask the server for these bytes of a file, and send them as far as the window goes: [`limits::WINDOW`] at first.
    Open {
        /// The file, for which the answer to `NeedSource` was `Relayed`.
        file: FileId,
        /// Which of its bytes; `None` for all of them, from a server that need not know of ranges.
        range: Option<Range<u64>>,
    },
    /// So many more bytes may be sent.
    Window {
        /// As many as have been taken out of the window.
        bytes: u32,
    },
    /// No more of it is wanted.
    Close,
}

/// What a controller says of a stream: `Head`, `Bytes` …, `End`, or `Failed` at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamEvent {
    /// The server has answered. What follows are the bytes of its answer, as many as they are.
    Head(StreamHead),
    /// The next of them.
    Bytes {
        /// At most [`limits::INLINE`], and no more than the window holds.
        #[serde(with = "codec::byte_string")]
        bytes: Vec<u8>,
    },
    /// There are no more.
    End,
    /// The server could not be asked, refuses it, or went away.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// The beginning of a server's answer, as far as it says what follows. The agent compares it with what it asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Length`.
    pub length: Option<u64>,
    /// `Content-Range`.
    pub range: Option<String>,
    /// `Content-Encoding`.
    pub encoding: Option<String>,
    /// `Content-Type`.
    pub media_type: Option<String>,
    /// For how many seconds the server asks to be left alone.
    pub wait_seconds: Option<u64>,
}

impl StreamEvent {
    pub(crate) fn is_bounded(&self) -> bool {
        let text_is = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= limits::TEXT);
        match self {
            Self::Head(head) => [&head.range, &head.encoding, &head.media_type].into_iter().all(text_is),
            Self::Bytes { bytes } => bytes.len() <= limits::INLINE,
            Self::End => true,
            Self::Failed { failure } => failure.is_bounded(),
        }
    }
}
