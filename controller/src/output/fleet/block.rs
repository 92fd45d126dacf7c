//! The rows of a fleet on a terminal: one block, drawn ten times a second at most, and only where a row has changed.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::rows::{FleetRows, ScreenSize};
use crate::board::Board;
use crate::output::style::Colour;

/// Between two frames: boxes have more to say than can be seen.
const FRAME: Duration = Duration::from_millis(100);
/// What is over within this time never had a row.
const PATIENCE: Duration = Duration::from_millis(250);
/// All rows. What follows them takes the cursor back to the first column, which is empty: the `^C` of the terminal would
/// begin another row otherwise.
const ROWS: &str = "{msg}\u{1b}[1G";

/// The block.
#[derive(Debug, Default)]
pub(in crate::output) struct FleetBlock {
    bar: Option<ProgressBar>,
    rows: FleetRows,
    /// What stands there.
    text: String,
    drawn: Option<Instant>,
    is_behind: bool,
}

impl FleetBlock {
    /// Draws where the boxes stand, unless that was done a moment ago.
    pub(in crate::output) fn update(
        &mut self,
        board: &Board,
        bars: &MultiProgress,
        size: impl FnOnce() -> ScreenSize,
        colour: Colour,
        now: Instant,
    ) {
        let is_early = board.began().is_none_or(|began| now.duration_since(began) < PATIENCE);
        let is_soon = self.drawn.is_some_and(|drawn| now.duration_since(drawn) < FRAME);
        self.is_behind = is_early || is_soon;
        if self.is_behind {
            return;
        }
        self.drawn = Some(now);
        let size = size();
        let widest = size.columns.saturating_sub(1);
        let rows = self.rows.draw(board, size, colour, now);
        let mut rows: Vec<_> = rows.iter().map(|row| console::truncate_str(row, widest, "")).collect();
        // Indicatif fills what is left of a line with spaces, and of the last one behind its jump to the first column.
        if let Some(last) = rows.last_mut() {
            *last = console::pad_str(last, size.columns, console::Alignment::Left, None).into_owned().into();
        }
        let text = rows.join("\n");
        if text == self.text {
            return;
        }
        self.text.clone_from(&text);
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template(ROWS);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            bars.add(ProgressBar::no_length().with_style(style))
        });
        bar.set_message(text);
    }

    /// Whether rows are drawn otherwise than boxes stand.
    pub(in crate::output) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// The terminal was used by another; the rows are drawn again.
    pub(in crate::output) fn forget(&mut self) {
        self.text.clear();
        self.is_behind = true;
    }

    /// Takes the rows away.
    pub(in crate::output) fn finish(&mut self, bars: &MultiProgress) {
        self.is_behind = false;
        self.text.clear();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            bars.remove(&bar);
        }
    }
}
