//! Bars that move, and sentences above them: for a terminal.
//!
//! What moves is gone at the end; the sentences remain. Sentences go through the same [`MultiProgress`], so that
//! neither overwrites the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::fleet::{FleetBlock, ScreenSize};
use super::printer::Printer;
use super::renderer::Renderer;
use super::rows::{BoxActivity, rows};
use super::sentences::{OutputLine, Sentences};
use super::style::{Colour, Look};
use super::{Log, Unwritable, problem};
use crate::event::Event;
use crate::fleet::FleetEvent;
use crate::problem::Problem;

/// Frames per second.
pub(super) const FRAMES_PER_SECOND: u8 = 10;
/// What is over within this time never had a bar.
const PATIENCE: Duration = Duration::from_millis(250);
/// A terminal that does not say how large it is. A narrower one cuts rows off at its edge.
const SIZE: ScreenSize = ScreenSize { lines: 24, columns: 80 };

/// One row. The terminal's edge cuts it off, so that it stays one row whatever happens to the window.
const ROW: &str = "{wide_msg}";
/// The last one takes the cursor back to its first column, which is empty. Indicatif leaves it at the edge, where the
/// `^C` of the terminal would begin another row that it knows nothing of, and one of its own would stay on the screen.
const LAST_ROW: &str = "{wide_msg}\u{1b}[1G";

/// Where bars are drawn.
pub(super) struct Screen {
    bars: MultiProgress,
    size: Box<dyn Fn() -> Option<ScreenSize> + Send>,
}

impl Screen {
    pub(super) fn new(
        target: ProgressDrawTarget,
        size: impl Fn() -> Option<ScreenSize> + Send + 'static,
    ) -> Self {
        Self { bars: MultiProgress::with_draw_target(target), size: Box::new(size) }
    }

    fn say(&self, text: &str, printer: &mut Printer) {
        // Where bars can't be drawn, indicatif would swallow the line; where the terminal is gone, it has no reader.
        if self.bars.is_hidden() {
            printer.say(text);
        } else {
            let _ = self.bars.println(text);
        }
    }

    fn size(&self) -> ScreenSize {
        let size = (self.size)().unwrap_or(SIZE);
        let or = |length, otherwise| if length == 0 { otherwise } else { length };
        ScreenSize { lines: or(size.lines, SIZE.lines), columns: or(size.columns, SIZE.columns) }
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Screen").field("bars", &self.bars).finish_non_exhaustive()
    }
}

/// The style.
#[derive(Debug)]
pub(super) struct Bars {
    sentences: Sentences,
    colour: Colour,
    screen: Screen,
    /// A slot per row; what stands in it changes.
    slots: Vec<ProgressBar>,
    /// What runs are doing, by the box's name; none is the empty one.
    activities: BTreeMap<String, BoxActivity>,
    /// When the first of these began.
    began: Option<Instant>,
    /// The rows of a fleet, which take the place of all that.
    fleet: FleetBlock,
}

impl Bars {
    pub(super) fn new(look: Look, screen: Screen) -> Self {
        let colour = look.colour;
        let (slots, activities) = (Vec::new(), BTreeMap::new());
        let (sentences, fleet) = (Sentences::new(look), FleetBlock::default());
        Self { sentences, colour, screen, slots, activities, began: None, fleet }
    }

    /// Takes note of what a run is doing, and draws it if that has been going on for long enough.
    fn act(&mut self, name: Option<&str>, activity: BoxActivity, now: Instant) {
        self.activities.insert(name.unwrap_or_default().to_owned(), activity);
        let began = *self.began.get_or_insert(now);
        if now.duration_since(began) >= PATIENCE {
            self.draw();
        }
    }

    /// A run has come to the end of what it was doing.
    fn rest(&mut self, name: Option<&str>) {
        if self.activities.remove(name.unwrap_or_default()).is_some() && !self.slots.is_empty() {
            self.draw();
        }
        if self.activities.is_empty() {
            self.began = None;
        }
    }

    fn draw(&mut self) {
        let boxes: Vec<_> =
            self.activities.iter().map(|(name, activity)| (name.as_str(), activity)).collect();
        let rows = rows(&boxes, self.screen.size().columns, self.colour);
        while self.slots.len() > rows.len() {
            if let Some(slot) = self.slots.pop() {
                slot.finish_and_clear();
                self.screen.bars.remove(&slot);
            }
        }
        while self.slots.len() < rows.len() {
            if let Some(last) = self.slots.last() {
                last.set_style(style(ROW));
            }
            self.slots.push(self.screen.bars.add(ProgressBar::no_length().with_style(style(ROW))));
        }
        if let Some(last) = self.slots.last() {
            last.set_style(style(LAST_ROW));
        }
        for (slot, row) in self.slots.iter().zip(rows) {
            slot.set_message(row);
        }
    }
}

impl Bars {
    /// Draws the rows of a fleet, if there is one.
    fn draw_fleet(&mut self, now: Instant) {
        let Some(sentences) = self.sentences.fleet() else { return };
        let (screen, colour) = (&self.screen, self.colour);
        if sentences.is_over() {
            self.fleet.finish(&screen.bars);
        } else {
            self.fleet.update(sentences.board(), &screen.bars, || screen.size(), colour, now);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Renderer for Bars {
    fn event(
        &mut self,
        name: Option<&str>,
        event: &Event,
        now: Instant,
        printer: &mut Printer,
    ) -> Result<(), Unwritable> {
        let is_fleet = self.sentences.fleet().is_some();
        match event {
            Event::Fleet(event) if matches!(**event, FleetEvent::Begun { .. } | FleetEvent::Ended(_)) => {
                self.finish();
            }
            _ if is_fleet => {}
            Event::Listing { files } => self.act(name, BoxActivity::Listing { files: *files }, now),
            Event::Surveying { read, of } => {
                self.act(name, BoxActivity::Survey { read: *read, of: *of }, now);
            }
            Event::Progress(sample) => self.act(name, BoxActivity::Transfer(sample.clone()), now),
            // The Hub is asked once, whatever box it is for.
            Event::Listed { .. } | Event::Described { .. } => {
                self.rest(None);
                self.rest(name);
            }
            Event::Planned { .. }
            | Event::Checked(_)
            | Event::Verification { .. }
            | Event::Finished(_)
            | Event::Detached { .. }
            | Event::Disconnected => {
                self.rest(name);
            }
            _ => {}
        }
        let screen = &self.screen;
        self.sentences.hear(name, event, now, &mut |line| match line {
            OutputLine::Data(text) => screen.bars.suspend(|| printer.data(&text)),
            OutputLine::Message(text) => {
                screen.say(&text, printer);
                Ok(())
            }
        })?;
        self.draw_fleet(now);
        Ok(())
    }

    fn problem(&mut self, problem: &Problem, printer: &mut Printer) -> Result<(), Unwritable> {
        self.finish();
        // Nothing moves any more. Indicatif fills its lines up to the edge, so that behind the `^C` of the terminal
        // each would begin two columns further to the right.
        printer.say(&problem::draw(problem, self.colour));
        Ok(())
    }

    fn step_aside(&mut self) {
        // A terminal that is gone has nothing on it.
        let _ = self.screen.bars.clear();
        self.fleet.forget();
    }

    fn is_behind(&self) -> bool {
        self.fleet.is_behind() && self.sentences.fleet().is_some()
    }

    fn catch_up(&mut self, now: Instant) {
        self.draw_fleet(now);
    }

    fn finish(&mut self) {
        self.activities.clear();
        self.began = None;
        self.draw();
        self.fleet.finish(&self.screen.bars);
    }

    fn log(&self, printer: &Printer) -> Log {
        Log::new(Some(self.screen.bars.clone()), printer.stderr())
    }
}

#[cfg(test)]
#[path = "bars_tests.rs"]
mod tests;
