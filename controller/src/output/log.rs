//! A way to the terminal for what others say while bars are drawn: `tracing`'s lines.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::fmt::MakeWriter;

use super::printer::StandardError;

/// Where log lines go: to standard error, around the bars if there are any. It is a `MakeWriter`, and clones are cheap.
#[derive(Debug, Clone)]
pub struct Log {
    bars: Option<MultiProgress>,
    stderr: StandardError,
}

/// A writer whose text is printed as a whole when it is flushed or dropped.
#[derive(Debug)]
pub struct LogLine {
    log: Log,
    text: Vec<u8>,
}

impl Log {
    pub(super) fn new(bars: Option<MultiProgress>, stderr: StandardError) -> Self {
        Self { bars, stderr }
    }
}

impl MakeWriter<'_> for Log {
    type Writer = LogLine;

    fn make_writer(&self) -> LogLine {
        LogLine { log: self.clone(), text: Vec::new() }
    }
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        let text = String::from_utf8_lossy(&text);
        let text = text.trim_end();
        match &self.log.bars {
            _ if text.is_empty() => {}
            Some(bars) if !bars.is_hidden() => bars.println(text)?,
            Some(_) | None => self.log.stderr.say(text),
        }
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        // Where standard error is gone, the line has no reader.
        let _ = self.flush();
    }
}
