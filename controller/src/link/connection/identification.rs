//! The identification string (RFC 4253, 4.2) of the server at a port, by which an SSH server is told from anything else.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::reply_clock::ReplyClock;
use crate::text::{sanitize, sanitize_lines};

/// How much is listened to, in bytes. An SSH server may say this much before it names itself: 20 lines of 255 bytes are
/// what russh puts up with.
const LISTENED_TO: usize = 20 * 256 + 256;

/// How much is quoted, in lines and in characters.
const QUOTED: (usize, usize) = (1, 120);

/// What OpenSSH says, without identifying itself, to clients that it has no time for, or that it punishes for failed
/// logins: that passes.
const BUSY: [&str; 2] = ["Exceeded MaxStartups", "Not allowed at this time"];

/// The first bytes that a server sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Identification(Arc<Mutex<Vec<u8>>>);

/// What the first bytes show the server to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// It has not said anything.
    Silent,
    /// An SSH server.
    Ssh,
    /// An SSH server that takes no connections from here just now, in these words. Sanitised.
    Busy(String),
    /// Something else, which says this. Sanitised.
    Other(String),
}

impl Identification {
    /// What the server is.
    pub(super) fn peer(&self) -> Peer {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = || heard.split(|byte| *byte == b'\n');
        let is_of_ssh = |line: &[u8]| line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-");
        let is_busy = |line: &&[u8]| BUSY.iter().any(|busy| line.starts_with(busy.as_bytes()));
        if heard.is_empty() {
            Peer::Silent
        } else if lines().any(is_of_ssh) {
            Peer::Ssh
        } else if let Some(busy) = lines().find(is_busy) {
            Peer::Busy(sanitize(busy, QUOTED.1))
        } else {
            let (lines, longest) = QUOTED;
            Peer::Other(sanitize_lines(&*heard, lines, longest))
        }
    }

    fn hear(&self, words: &[u8]) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = LISTENED_TO.saturating_sub(heard.len()).min(words.len());
        heard.extend_from_slice(&words[..room]);
    }
}

/// A stream whose first bytes are recorded, and on which answers are timed.
pub(super) struct RecordedStream<S> {
    stream: S,
    identification: Identification,
    replies: ReplyClock,
    /// What is left to listen to.
    left: usize,
}

impl<S> RecordedStream<S> {
    pub(super) fn new(stream: S, identification: Identification, replies: ReplyClock) -> Self {
        Self { stream, identification, replies, left: LISTENED_TO }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RecordedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = pin!(&mut self.stream).poll_read(context, buffer);
        let words = &buffer.filled()[before..];
        if !words.is_empty() {
            self.replies.heard();
        }
        if self.left > 0 {
            self.identification.hear(words);
            self.left = self.left.saturating_sub(words.len());
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RecordedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = pin!(&mut self.stream).poll_write(context, bytes);
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.replies.sent();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_ssh_servers_from_others() {
        let other = |said: &str| Peer::Other(said.to_owned());
        for (heard, peer) in [
            (&b""[..], Peer::Silent),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n\x14\x00", Peer::Ssh),
            (b"SSH-1.99-old\n", Peer::Ssh),
            (b"Welcome to vast.ai\r\nSSH-2.0-OpenSSH_9.2p1\r\n", Peer::Ssh),
            (b"Exceeded MaxStartups\r\n", Peer::Busy("Exceeded MaxStartups".to_owned())),
            (b"Not allowed at this time\r\n", Peer::Busy("Not allowed at this time".to_owned())),
            (b"SSH-1.5-ancient\n", other("SSH-1.5-ancient")),
            (b"HTTP/1.1 400 Bad \x1b[31mRequest\r\nServer: x\r\n", other("HTTP/1.1 400 Bad [31mRequest")),
            (b"220 ftp.example.com SSH-2.0-not\r\n", other("220 ftp.example.com SSH-2.0-not")),
            (b"\x15\x03\x01\x00\x02\x02", other("")),
        ] {
            let identification = Identification::default();
            // In pieces, as they may come.
            heard.chunks(3).for_each(|piece| identification.hear(piece));
            assert_eq!(identification.peer(), peer);
        }
    }

    #[test]
    fn a_flood_is_not_remembered() {
        let identification = Identification::default();
        (0..100).for_each(|_| identification.hear(&[b'x'; 1000]));
        assert_eq!(identification.0.lock().unwrap().len(), LISTENED_TO);
    }
}
