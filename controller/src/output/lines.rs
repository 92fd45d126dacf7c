//! Sentences on standard error, and progress now and then: for logs, pipes and terminals that can't do more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::printer::Printer;
use super::renderer::Renderer;
use super::sentences::{OutputLine, Sentences, checking, listing, progress};
use super::style::{Colour, Look, Verbosity};
use super::{Log, Unwritable, fleet, problem};
use crate::board::BoardTotals;
use crate::event::Event;
use crate::problem::Problem;

/// Progress is said at most this often: a log of an hour has 360 lines of it.
const PAUSE: Duration = Duration::from_secs(10);

/// The style.
#[derive(Debug)]
pub(super) struct Lines {
    sentences: Sentences,
    verbosity: Verbosity,
    colour: Colour,
    /// When progress was last said, or began, by the box's name.
    said: BTreeMap<String, Instant>,
}

impl Lines {
    pub(super) fn new(look: Look) -> Self {
        let Look { verbosity, colour, .. } = look;
        Self { sentences: Sentences::new(look), verbosity, colour, said: BTreeMap::new() }
    }

    /// A sample in words, when it is time for one. What is over within a pause is never said.
    fn sample(&mut self, name: Option<&str>, event: &Event, now: Instant) -> Option<String> {
        if self.sentences.fleet().is_some() {
            return match event {
                Event::Surveying { .. } | Event::Progress(_) => {
                    // Totals are of every box: they are made where they are said.
                    if !self.due(None, now) {
                        return None;
                    }
                    self.sentences.fleet().map(|fleet| fleet::progress(&BoardTotals::of(fleet.board())))
                }
                _ => None,
            };
        }
        let text = match event {
            Event::Listing { files } => listing(*files),
            Event::Surveying { read, of } => checking(*read, *of),
            Event::Progress(sample) => progress(sample),
            Event::Listed { .. } | Event::Planned { .. } | Event::Joined { .. } => {
                self.said.remove(name.unwrap_or_default());
                return None;
            }
            _ => return None,
        };
        self.due(name, now).then(|| match name {
            Some(name) => format!("{name}: {text}"),
            None => text,
        })
    }

    /// Whether it is time to say how far a box is, or all.
    fn due(&mut self, name: Option<&str>, now: Instant) -> bool {
        let last = self.said.entry(name.unwrap_or_default().to_owned()).or_insert(now);
        let is_due = now.duration_since(*last) >= PAUSE && self.verbosity > Verbosity::Quiet;
        if is_due {
            *last = now;
        }
        is_due
    }
}

impl Renderer for Lines {
    fn event(
        &mut self,
        name: Option<&str>,
        event: &Event,
        now: Instant,
        printer: &mut Printer,
    ) -> Result<(), Unwritable> {
        if let Some(text) = self.sample(name, event, now) {
            printer.say(&text);
        }
        self.sentences.hear(name, event, now, &mut |line| match line {
            OutputLine::Data(text) => printer.data(&text),
            OutputLine::Message(text) => {
                printer.say(&text);
                Ok(())
            }
        })
    }

    fn problem(&mut self, problem: &Problem, printer: &mut Printer) -> Result<(), Unwritable> {
        printer.say(&problem::draw(problem, self.colour));
        Ok(())
    }

    fn finish(&mut self) {}

    fn log(&self, printer: &Printer) -> Log {
        Log::new(None, printer.stderr())
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
