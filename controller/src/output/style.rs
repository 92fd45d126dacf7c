//! How the program shows itself: chosen once, from what was typed and where it runs.

use std::io::IsTerminal;

/// What was typed about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutputOptions {
    /// `--json`.
    pub json: bool,
    /// `--quiet`.
    pub quiet: bool,
    /// `--verbose`.
    pub verbose: bool,
}

/// Where the program runs, as far as its looks depend on it.
#[derive(Debug, Clone, Default)]
pub struct OutputEnvironment {
    /// Whether standard error is a terminal.
    pub is_terminal: bool,
    /// `TERM`.
    pub term: Option<String>,
    /// `NO_COLOR`: no colours if it is set to anything but nothing (<https://no-color.org>).
    pub no_color: Option<String>,
    /// `HFDOWN_LOG`: how much of the conversation with an agent is logged.
    pub log: Option<String>,
}

impl OutputEnvironment {
    /// Those of this process.
    pub fn of_process() -> Self {
        let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self {
            is_terminal: std::io::stderr().is_terminal(),
            term: variable("TERM"),
            no_color: variable("NO_COLOR"),
            log: variable("HFDOWN_LOG"),
        }
    }
}

/// How the program shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// In which form.
    pub style: Style,
    /// How much of it.
    pub verbosity: Verbosity,
    /// Whether in colour.
    pub colour: Colour,
    /// How often a box is named.
    pub naming: Naming,
}

/// In which form events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Bars that move, and sentences above them: for a terminal.
    Bars,
    /// Sentences, and progress now and then: for a log.
    Lines,
    /// One object per line on standard output: for programs.
    Json,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Data and errors.
    Quiet,
    /// What happens.
    Normal,
    /// What happens to every file, and why.
    Verbose,
}

/// Whether words and bars are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// They are not.
    Plain,
    /// They are.
    Coloured,
}

/// How often a box is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// In the sentence that introduces it and beside its bar: one box, on a terminal.
    Once,
    /// At the start of every line: many boxes, or a log.
    Always,
}

/// How a word stands out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Highlight {
    Red,
    Cyan,
    Bold,
}

impl Look {
    /// Chooses. `--json` wins over everything; `--quiet` has no bars; a terminal that can't move its cursor has none
    /// either.
    pub fn choose(options: OutputOptions, environment: &OutputEnvironment) -> Self {
        let is_able =
            environment.is_terminal && environment.term.as_deref().is_some_and(|term| term != "dumb");
        let verbosity = match options {
            OutputOptions { quiet: true, .. } => Verbosity::Quiet,
            OutputOptions { verbose: true, .. } => Verbosity::Verbose,
            OutputOptions { .. } => Verbosity::Normal,
        };
        let style = match options {
            OutputOptions { json: true, .. } => Style::Json,
            OutputOptions { quiet: false, .. } if is_able => Style::Bars,
            OutputOptions { .. } => Style::Lines,
        };
        let refuses = environment.no_color.as_deref().is_some_and(|value| !value.is_empty());
        let colour = if is_able && !refuses { Colour::Coloured } else { Colour::Plain };
        let naming = if style == Style::Bars { Naming::Once } else { Naming::Always };
        Self { style, verbosity, colour, naming }
    }
}

impl Colour {
    pub(super) fn paint(self, highlight: Highlight, text: &str) -> String {
        let code = match highlight {
            Highlight::Red => "1;31",
            Highlight::Cyan => "36",
            Highlight::Bold => "1",
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_chosen_from_wishes_and_surroundings() {
        use Colour::{Coloured, Plain};
        use Style::{Bars, Json, Lines};
        use Verbosity::{Normal, Quiet, Verbose};
        let (nothing, json) =
            (OutputOptions::default(), OutputOptions { json: true, ..OutputOptions::default() });
        let quiet = OutputOptions { quiet: true, ..OutputOptions::default() };
        let verbose = OutputOptions { verbose: true, ..OutputOptions::default() };
        let loud_json = OutputOptions { json: true, verbose: true, quiet: false };
        for (options, is_terminal, term, no_color, expected) in [
            (nothing, true, Some("xterm"), None, (Bars, Normal, Coloured)),
            (nothing, true, Some("xterm"), Some("1"), (Bars, Normal, Plain)),
            (nothing, true, Some("xterm"), Some(""), (Bars, Normal, Coloured)),
            (nothing, true, Some("dumb"), None, (Lines, Normal, Plain)),
            (nothing, true, None, None, (Lines, Normal, Plain)),
            (nothing, false, Some("xterm"), None, (Lines, Normal, Plain)),
            (verbose, true, Some("xterm"), None, (Bars, Verbose, Coloured)),
            (verbose, false, None, None, (Lines, Verbose, Plain)),
            (quiet, true, Some("xterm"), None, (Lines, Quiet, Coloured)),
            (json, true, Some("xterm"), None, (Json, Normal, Coloured)),
            (loud_json, false, None, None, (Json, Verbose, Plain)),
        ] {
            let term = term.map(str::to_owned);
            let environment = OutputEnvironment {
                is_terminal,
                term,
                no_color: no_color.map(str::to_owned),
                ..OutputEnvironment::default()
            };
            let look = Look::choose(options, &environment);
            assert_eq!((look.style, look.verbosity, look.colour), expected, "{options:?} {environment:?}");
        }
    }

    #[test]
    fn paints_only_in_colour() {
        assert_eq!(Colour::Plain.paint(Highlight::Red, "error"), "error");
        assert_eq!(Colour::Coloured.paint(Highlight::Red, "error"), "\u{1b}[1;31merror\u{1b}[0m");
    }
}
