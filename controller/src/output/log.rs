//! A way to the terminal for what others say while bars are drawn: `tracing`'s lines.

use std::io::{self, Write};

use indicatif::MultiProgress;

/// A writer of whole lines to standard error that takes bars away first and brings them back afterwards.
///
/// What is written between two flushes, or before the value is dropped, stays together.
#[derive(Debug, Clone, Default)]
pub struct Log {
    bars: Option<MultiProgress>,
    text: Vec<u8>,
}

impl Log {
    pub(super) fn around(bars: MultiProgress) -> Self {
        Self { bars: Some(bars), text: Vec::new() }
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        match &self.bars {
            Some(bars) if !bars.is_hidden() => bars.println(String::from_utf8_lossy(&text).trim_end()),
            Some(_) | None => io::stderr().write_all(&text),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.flush();
    }
}
