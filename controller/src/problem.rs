//! An error as a user meets it: what was attempted, why it failed, what to do next, and how the program ends.
//!
//! What makes one of an error is [`failure`](crate::failure), what draws it is [`output`](crate::output).

use std::process::ExitCode;

use hfdown_agent::in_words;

use crate::text::sanitize;

/// The most characters of an error in a few words: it stands in a row, beside the name of a box.
const BRIEF: usize = 80;

/// An error, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A lower-case fragment: what was attempted, on what.
    pub attempted: String,
    /// Why it failed, from the outside in.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// How the program ends.
    pub exit: Exit,
    /// The reason in a few words that have no name and no address in them: of boxes that failed for the same one, they
    /// are equal. None is the last cause.
    pub brief: Option<String>,
}

/// How the program ends: documented, and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything is in place.
    Done,
    /// Something failed that has no code of its own.
    Failed,
    /// What was typed makes no sense.
    Usage,
    /// Some files failed.
    Partial,
    /// Token, gate, SSH authentication, host key.
    NotAllowed,
    /// No such repository, revision or file.
    NotFound,
    /// The Hub or the box can't be reached, or the folder, which another run holds.
    Unreachable,
    /// Bytes arrived wrong, and wrong again; or what was verified is not right.
    Corrupt,
    /// Ctrl-C.
    Cancelled,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::NotAllowed => 4,
            Self::NotFound => 5,
            Self::Unreachable => 6,
            Self::Corrupt => 7,
            Self::Cancelled => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Problem {
    /// A problem without causes or a hint.
    pub fn new(exit: Exit, attempted: impl Into<String>) -> Self {
        Self { attempted: attempted.into(), causes: Vec::new(), hint: None, exit, brief: None }
    }

    /// Adds a cause.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "what is passed was made to be passed")]
    pub fn because(mut self, cause: impl ToString) -> Self {
        self.causes.push(in_words(&cause.to_string()));
        self
    }

    /// Adds an error and its own causes.
    #[must_use]
    pub fn because_of(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = in_words(&error.to_string());
            // Errors that only wrap another one repeat its text.
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Says the reason in a few words.
    #[must_use]
    pub fn in_brief(mut self, words: impl Into<String>) -> Self {
        self.brief = Some(words.into());
        self
    }

    /// The reason in a few words, sanitised.
    pub fn brief(&self) -> String {
        let words = self.brief.as_ref().or(self.causes.last()).unwrap_or(&self.attempted);
        sanitize(words, BRIEF)
    }

    /// What was attempted and why it failed, in one line.
    pub fn in_one_line(&self) -> String {
        let causes = self.causes.iter().map(String::as_str);
        std::iter::once(self.attempted.as_str()).chain(causes).collect::<Vec<_>>().join(": ")
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
