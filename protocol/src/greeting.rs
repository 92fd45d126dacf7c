//! The agent's first bytes: a line with the controller's random nonce, so that whatever a login shell prints before it
//! can be told apart and skipped.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits;

/// A random word of one conversation: 32 hex digits. It is no secret, only unlikely to occur in a banner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub u128);

/// Why the greeting was not found.
#[derive(Debug, thiserror::Error)]
pub enum GreetingError {
    /// The stream ended first. What was read is kept, for it usually says why.
    #[error("the far side ended before it greeted")]
    Ended(Vec<u8>),
    /// More noise than [`limits::NOISE`].
    #[error("the far side printed more than {} KiB before it greeted", limits::NOISE / 1024)]
    TooNoisy(Vec<u8>),
    /// Nothing came in time.
    #[error("the far side did not greet in time")]
    TooLate(Vec<u8>),
    /// The stream broke.
    #[error("the link broke: {0}")]
    Link(#[from] io::Error),
}

impl Nonce {
    fn line(self) -> String {
        format!("\nHFDOWN-AGENT {self}\n")
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl FromStr for Nonce {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// Says the greeting. Frames may follow at once.
pub async fn greet<W: AsyncWrite + Unpin>(stream: &mut W, nonce: Nonce) -> io::Result<()> {
    stream.write_all(nonce.line().as_bytes()).await?;
    stream.flush().await
}

/// Reads up to and including the greeting, within [`limits::NOISE`] bytes and the given time. Returns what was read
/// after it, which belongs to the first frames.
pub async fn await_greeting<R: AsyncRead + Unpin>(
    stream: &mut R,
    nonce: Nonce,
    patience: Duration,
) -> Result<Vec<u8>, GreetingError> {
    let mut read = Vec::with_capacity(4096);
    let searching = async {
        let line = nonce.line().into_bytes();
        loop {
            if let Some(start) = read.windows(line.len()).position(|window| window == line) {
                return Ok(start + line.len());
            }
            if read.len() > limits::NOISE {
                return Err(GreetingStop::TooNoisy);
            }
            if stream.read_buf(&mut read).await.map_err(GreetingStop::Link)? == 0 {
                return Err(GreetingStop::Ended);
            }
        }
    };
    match tokio::time::timeout(patience, searching).await {
        Ok(Ok(end)) => Ok(read.split_off(end)),
        Ok(Err(GreetingStop::Ended)) => Err(GreetingError::Ended(read)),
        Ok(Err(GreetingStop::TooNoisy)) => Err(GreetingError::TooNoisy(read)),
        Ok(Err(GreetingStop::Link(error))) => Err(GreetingError::Link(error)),
        Err(_) => Err(GreetingError::TooLate(read)),
    }
}

enum GreetingStop {
    Ended,
    TooNoisy,
    Link(io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn heard(bytes: Vec<u8>) -> Result<Vec<u8>, GreetingError> {
        await_greeting(&mut bytes.as_slice(), Nonce(7), PATIENCE).await
    }

    #[tokio::test]
    async fn skips_banners_and_keeps_the_first_frame() {
        let mut said = b"Welcome to vast.ai\r\n\x1b[31mHave fun!".to_vec();
        greet(&mut said, Nonce(7)).await.unwrap();
        said.extend_from_slice(b"frame");
        assert_eq!(heard(said).await.unwrap(), b"frame");
    }

    #[tokio::test]
    async fn another_nonce_is_noise() {
        let mut said = Vec::new();
        greet(&mut said, Nonce(8)).await.unwrap();
        assert!(matches!(heard(said).await, Err(GreetingError::Ended(noise)) if noise.ends_with(b"0008\n")));
    }

    #[tokio::test]
    async fn noise_is_bounded() {
        assert!(matches!(heard(vec![b'x'; limits::NOISE * 3]).await, Err(GreetingError::TooNoisy(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_bounded() {
        let (mut near, _far) = tokio::io::duplex(8);
        let error = await_greeting(&mut near, Nonce(7), PATIENCE).await.unwrap_err();
        assert!(matches!(error, GreetingError::TooLate(_)));
    }
}
