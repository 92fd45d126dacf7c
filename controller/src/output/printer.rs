//! The one place that prints.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::problem::{Exit, Problem};

/// So much is written at once, as far as there is as much: a line mostly is less.
const CHUNK: usize = 16 << 10;

/// Where text goes: data to standard output, conversation to standard error.
pub struct Printer {
    data: Box<dyn Write + Send>,
    stderr: StandardError,
}

/// Standard error, which log lines share.
#[derive(Clone)]
pub(super) struct StandardError(Arc<Mutex<Box<dyn Write + Send>>>);

/// Data that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// The reader is gone, as behind `| head`: a reason to end, and to end quietly.
    #[error("the reader of standard output is gone")]
    Closed,
    /// Another reason, such as a full disk under a redirection: data is missing, which is an error.
    #[error("cannot write to standard output: {0}")]
    Failed(#[source] io::Error),
}

impl Unwritable {
    /// How a run ends that did what it was told, but for data on standard output. One that did not has a code that says
    /// more.
    pub fn after(&self, exit: Exit) -> Result<Exit, Problem> {
        if exit != Exit::Done {
            return Ok(exit);
        }
        let problem = Problem::new(Exit::Failed, "cannot write to standard output");
        let problem = match self {
            Self::Closed => return Ok(exit),
            Self::Failed(error) => problem.because(error),
        };
        Err(problem.hint("what was to be written there is incomplete"))
    }
}

impl Printer {
    /// Prints to the process's own streams.
    pub fn standard() -> Self {
        Self::new(io::stdout(), io::stderr())
    }

    /// Prints data to the first and conversation to the second.
    pub fn new(data: impl Write + Send + 'static, stderr: impl Write + Send + 'static) -> Self {
        Self { data: Box::new(data), stderr: StandardError(Arc::new(Mutex::new(Box::new(stderr)))) }
    }

    /// Prints data: a line or several.
    pub fn data(&mut self, text: &str) -> Result<(), Unwritable> {
        self.data_by(|out| out.write_all(text.as_bytes()))
    }

    /// Prints data as it is made, and ends the line: it need not be in memory as a whole.
    pub(super) fn data_by(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Unwritable> {
        let mut out = BufWriter::with_capacity(CHUNK, &mut self.data);
        let written = write(&mut out).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        // What could not be written is not tried again when the buffer goes.
        let _ = out.into_parts();
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Unwritable::Closed,
            _ => Unwritable::Failed(error),
        })
    }

    /// Says something: a line or several.
    pub fn say(&mut self, text: &str) {
        self.stderr.say(text);
    }

    /// A way to standard error for others.
    pub(super) fn stderr(&self) -> StandardError {
        self.stderr.clone()
    }
}

impl StandardError {
    /// Says something. Where standard error is gone it has no reader, so a failure is not one.
    pub(super) fn say(&self, text: &str) {
        let line = format!("{text}\n");
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.write_all(line.as_bytes()).and_then(|()| stream.flush());
    }
}

impl std::fmt::Debug for StandardError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StandardError").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Printer").finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod capture {
    //! A printer whose prints can be read.

    use std::sync::{Arc, Mutex};

    use super::*;

    /// Text that a printer is writing.
    #[derive(Debug, Clone, Default)]
    pub(in crate::output) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(in crate::output) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A printer, what it prints as data, and what it says.
    pub(in crate::output) fn printer() -> (Printer, Captured, Captured) {
        let (data, stderr) = (Captured::default(), Captured::default());
        (Printer::new(data.clone(), stderr.clone()), data, stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn keeps_data_and_conversation_apart() {
        let (mut printer, data, stderr) = capture::printer();
        printer.data("a\nb").unwrap();
        printer.say("c");
        assert_eq!((data.text().as_str(), stderr.text().as_str()), ("a\nb\n", "c\n"));
    }

    #[test]
    fn tells_a_closed_pipe_from_a_full_disk() {
        let print = |kind| Printer::new(Broken(kind), io::sink()).data("x");
        assert!(matches!(print(io::ErrorKind::BrokenPipe), Err(Unwritable::Closed)));
        assert!(matches!(print(io::ErrorKind::StorageFull), Err(Unwritable::Failed(_))));
        Printer::new(io::sink(), Broken(io::ErrorKind::BrokenPipe)).say("into the void");
    }
}
