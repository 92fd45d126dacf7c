//! What is said of a fleet: each box in one line when it ends, what goes wrong, and all of them at the end.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::ending;
use super::repeated::Repeated;
use crate::board::{Board, BoardTotals, outcome};
use crate::event::Event;
use crate::fleet::{BoxEnding, FleetEvent, fold};
use crate::output::Unwritable;
use crate::output::sentences::OutputLine;
use crate::output::style::{Look, Style, Verbosity};
use crate::problem::Exit;
use crate::text::units::{bytes, left, percent, rate};

/// So many different lines about files of boxes are gathered until the end; more are said at once.
const GATHERED: usize = 4_096;

/// What becomes of something that a box would say if it were alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::output) enum FleetVoice {
    /// It is said.
    Said,
    /// It is not.
    Silent,
}

/// What is remembered of a fleet to say it truthfully.
#[derive(Debug)]
pub(in crate::output) struct FleetSentences {
    look: Look,
    board: Board,
    repeated: Repeated,
    /// Lines of data by their text, with the boxes they are about.
    data: HashMap<String, (usize, BTreeSet<usize>)>,
    /// Ends that were told at once.
    ends: Repeated,
    /// Texts about the whole fleet.
    told: BTreeSet<String>,
    is_over: bool,
}

impl FleetSentences {
    pub(in crate::output) fn new(look: Look) -> Self {
        Self {
            look,
            board: Board::default(),
            repeated: Repeated::default(),
            data: HashMap::new(),
            ends: Repeated::default(),
            told: BTreeSet::new(),
            is_over: false,
        }
    }

    /// What is known of its boxes.
    pub(in crate::output) fn board(&self) -> &Board {
        &self.board
    }

    /// Whether there is a fleet.
    pub(in crate::output) fn is_fleet(&self) -> bool {
        self.board.is_fleet()
    }

    /// Whether its end was told.
    pub(in crate::output) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes note of an event, and says what of it is about the fleet.
    pub(in crate::output) fn hear(
        &mut self,
        name: Option<&str>,
        event: &Event,
        now: Instant,
        say: &mut dyn FnMut(OutputLine) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        // Of a single box there is nothing to be counted.
        if self.is_fleet() || matches!(event, Event::Fleet(_) | Event::Listed { .. } | Event::Recalled { .. })
        {
            self.board.hear(name.filter(|_| self.is_fleet()), event, now);
        }
        let Event::Fleet(event) = event else { return Ok(()) };
        match &**event {
            FleetEvent::Begun { targets, jobs } => {
                let at_once =
                    if *jobs < targets.len() { format!(", {jobs} at a time") } else { String::new() };
                let boxes = if targets.len() == 1 { "box" } else { "boxes" };
                self.message(Verbosity::Normal, format!("{} {boxes}{at_once}", targets.len()), say)
            }
            FleetEvent::BoxBegun => Ok(()),
            FleetEvent::BoxEnded(ended) => {
                let Some((name, record)) = name.and_then(|name| Some((name, self.board.get(name)?))) else {
                    return Ok(());
                };
                let (_, words) = outcome(record, ended);
                let is_told = match (self.look.style, self.look.verbosity) {
                    (_, Verbosity::Quiet) => false,
                    (_, Verbosity::Verbose) | (Style::Lines, _) => true,
                    // Its row says it as well; the first of its kind stays in sight.
                    _ => ended.exit != Exit::Done && self.ends.is_new(0, &words),
                };
                let failed = if matches!(ended.ending, BoxEnding::Failed(_)) { "failed: " } else { "" };
                let text = format!("{name}: {failed}{words}");
                if is_told { say(OutputLine::Message(text)) } else { Ok(()) }
            }
            FleetEvent::Ended(fleet) => {
                self.is_over = true;
                self.tell_data(say)?;
                self.tell_others(say)?;
                let Look { verbosity, colour, .. } = self.look;
                let lines = ending::lines(&self.board, fleet, verbosity, colour);
                lines.into_iter().try_for_each(say)
            }
        }
    }

    /// Whether a box says this. What many say alike is said by the first of them.
    pub(in crate::output) fn voice(&mut self, name: Option<&str>, event: &Event, text: &str) -> FleetVoice {
        let is_said = match event {
            _ if self.look.verbosity == Verbosity::Verbose => true,
            Event::Listed { .. } | Event::Recalled { .. } | Event::Cancelling => {
                self.told.insert(text.to_owned())
            }
            // The end says it.
            Event::Opened { .. }
            | Event::Verification { .. }
            | Event::Joined { .. }
            | Event::Ended { .. }
            | Event::Detached { .. }
            | Event::Disconnected
            | Event::Finished(_) => false,
            _ => return self.note(name, text),
        };
        if is_said { FleetVoice::Said } else { FleetVoice::Silent }
    }

    /// The same of what many boxes may have to say.
    pub(in crate::output) fn note(&mut self, name: Option<&str>, text: &str) -> FleetVoice {
        let is_new = match name.and_then(|name| self.place(name)) {
            _ if self.look.verbosity == Verbosity::Verbose => true,
            Some(place) => self.repeated.is_new(place, text),
            None => self.told.len() < GATHERED && self.told.insert(text.to_owned()),
        };
        if is_new { FleetVoice::Said } else { FleetVoice::Silent }
    }

    /// Keeps a line of data about a box until the end, where the same ones are said at once. Whether it was kept.
    pub(in crate::output) fn keeps(&mut self, name: Option<&str>, line: &str) -> bool {
        let Some(place) = name.and_then(|name| self.place(name)) else { return false };
        let number = self.data.len();
        match self.data.get_mut(line) {
            Some((_, boxes)) => boxes.insert(place),
            None if number < GATHERED => {
                self.data.insert(line.to_owned(), (number, BTreeSet::from([place]))).is_none()
            }
            None => return false,
        };
        true
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.board.place(name)
    }

    fn names(&self, places: impl IntoIterator<Item = usize>) -> String {
        let names = places.into_iter().filter_map(|place| self.board.boxes().get(place));
        fold(names.map(|record| &*record.name))
    }

    fn message(
        &self,
        level: Verbosity,
        text: String,
        say: &mut dyn FnMut(OutputLine) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        if level <= self.look.verbosity { say(OutputLine::Message(text)) } else { Ok(()) }
    }

    fn tell_data(
        &mut self,
        say: &mut dyn FnMut(OutputLine) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        let mut lines: Vec<_> = std::mem::take(&mut self.data).into_iter().collect();
        lines.sort_by_key(|(_, (number, _))| *number);
        lines.into_iter().try_for_each(|(line, (_, boxes))| {
            say(OutputLine::Data(format!("{}: {line}", self.names(boxes))))
        })
    }

    /// What was said by one box, and would have been said by others.
    fn tell_others(
        &self,
        say: &mut dyn FnMut(OutputLine) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        for (text, others) in self.repeated.others() {
            let number = others.len();
            let (names, others) = (self.names(others), if number == 1 { "other" } else { "others" });
            let text = format!("the same on {number} {others}, {names}: {text}");
            self.message(Verbosity::Normal, text, say)?;
        }
        match self.repeated.left_out() {
            0 => Ok(()),
            more => {
                let text = format!("{more} more messages were left out; --verbose has them all");
                self.message(Verbosity::Normal, text, say)
            }
        }
    }
}

/// How far a fleet is: `12 of 200 boxes done, 1 failed · 34 % of 2.7 TB, 3.4 GB/s, 5 m 10 s left`.
pub(in crate::output) fn progress(totals: &BoardTotals) -> String {
    let BoardTotals { boxes, done, failed, bytes: there, of_bytes, .. } = *totals;
    let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    let rest = totals.left().map(|rest| format!(", {} left", left(rest))).unwrap_or_default();
    let (percent, speed) = (percent(there, of_bytes), rate(totals.rate));
    format!("{done} of {boxes} boxes done{failed} · {percent} % of {}, {speed}{rest}", bytes(of_bytes))
}
