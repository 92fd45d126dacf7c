//! The rows of bars as text: which columns fit, how long names are shortened, how a bar is drawn. Pure.

use super::style::{Colour, Highlight};
use crate::event::Progress;
use crate::text::units::{bytes, left, percent, rate};
use crate::text::width::{columns as columns_of, cut, cut_start, padded};

/// The most files that have a row of their own; the others are counted.
const FILES: usize = 8;
/// Columns of a bar at most: more say no more.
const LONGEST_BAR: usize = 40;
/// A bar of fewer columns says nothing.
const SHORTEST_BAR: usize = 6;
/// Columns of the shortest label that still tells files apart: beside a bar, and where columns are few.
const SHORTEST_LABEL: usize = 14;
const NARROW_LABEL: usize = 8;
/// Columns between two columns of text.
const GAP: usize = 2;
/// `100 %`, `999 kB`, `118 MB/s`, `59 m 59 s left`.
const PERCENT: usize = 5;
const BYTES: usize = 6;
const RATE: usize = 8;
const LEFT: usize = 9;
const LEFT_IN_WORDS: usize = 14;

/// What a run is doing.
#[derive(Debug, Clone)]
pub(super) enum BoxActivity {
    /// Asking the Hub for its files, of which there are so many so far.
    Listing { files: usize },
    /// Reading files that are there.
    Survey { read: u64, of: u64 },
    /// Fetching.
    Transfer(Progress),
}

/// A row before it is laid out.
struct Row {
    label: String,
    done: u64,
    size: u64,
    rate: u64,
    left: Option<String>,
}

/// Which columns there are beside the label.
struct RowLayout {
    columns: usize,
    has_bar: bool,
    has_bytes: bool,
    has_rate: bool,
    left: TimeLeft,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TimeLeft {
    Nowhere,
    Short,
    InWords,
}

/// The rows of all boxes for a terminal of so many columns. Files have rows of their own while there is one box only.
pub(super) fn rows(boxes: &[(&str, &BoxActivity)], columns: usize, colour: Colour) -> Vec<String> {
    let mut laid_out = Vec::new();
    let mut bars = Vec::new();
    for (name, activity) in boxes {
        let mut lay_out_text = |text: String| {
            let text = if name.is_empty() { text } else { format!("{name}  {text}") };
            laid_out.push(format!("  {}", cut(&text, columns.saturating_sub(GAP + 1))));
        };
        match activity {
            BoxActivity::Listing { files } => lay_out_text(super::sentences::listing(*files)),
            BoxActivity::Survey { read, of } => lay_out_text(super::sentences::checking(*read, *of)),
            BoxActivity::Transfer(progress) => bars.extend(transfer(name, progress, boxes.len())),
        }
    }
    let longest = bars.iter().map(|(row, _)| columns_of(&row.label)).max().unwrap_or(0);
    let layout = RowLayout::fitting(columns);
    for (row, more) in bars {
        if let Some(more) = more {
            laid_out.push(format!("  {}", cut(&format!("and {more} more"), columns.saturating_sub(GAP + 1))));
        }
        laid_out.push(layout.lay_out(&row, longest, colour));
    }
    laid_out
}

/// The rows of a transfer, the total last; beside the total, how many files have no row.
fn transfer(name: &str, progress: &Progress, boxes: usize) -> Vec<(Row, Option<usize>)> {
    let shown = if boxes == 1 { progress.in_flight.len().min(FILES) } else { 0 };
    let files = progress.in_flight.iter().take(shown).map(|file| Row {
        label: file.path.to_string(),
        done: file.done,
        size: file.size,
        rate: file.rate,
        left: None,
    });
    let mut rows: Vec<_> = files.map(|row| (row, None)).collect();
    let more = progress.in_flight.len() - shown;
    let total = Row {
        label: if name.is_empty() { "total".to_owned() } else { name.to_owned() },
        done: progress.done,
        size: progress.total,
        rate: progress.rate,
        left: progress.left.map(left),
    };
    rows.push((total, (boxes == 1 && more > 0).then_some(more)));
    rows
}

impl RowLayout {
    /// The richest layout that leaves room for a label.
    fn fitting(columns: usize) -> Self {
        let layout =
            |has_bar, has_bytes, has_rate, left| Self { columns, has_bar, has_bytes, has_rate, left };
        let layouts = [
            layout(true, true, true, TimeLeft::InWords),
            layout(true, true, true, TimeLeft::Short),
            layout(true, false, true, TimeLeft::Short),
            layout(false, false, true, TimeLeft::Short),
            layout(false, false, true, TimeLeft::Nowhere),
        ];
        let fits = |layout: &Self| {
            layout.room() >= if layout.has_bar { SHORTEST_LABEL + GAP + SHORTEST_BAR } else { NARROW_LABEL }
        };
        layouts.into_iter().find(fits).unwrap_or(layout(false, false, false, TimeLeft::Nowhere))
    }

    /// Columns for the label and the bar. The terminal's last column stays empty: writing there wraps on some.
    fn room(&self) -> usize {
        let left = match self.left {
            TimeLeft::Nowhere => 0,
            TimeLeft::Short => GAP + LEFT,
            TimeLeft::InWords => GAP + LEFT_IN_WORDS,
        };
        let bytes = if self.has_bytes { GAP + BYTES } else { 0 };
        let rate = if self.has_rate { GAP + RATE } else { 0 };
        (self.columns.saturating_sub(1)).saturating_sub(GAP + GAP + PERCENT + bytes + rate + left)
    }

    fn lay_out(&self, row: &Row, longest: usize, colour: Colour) -> String {
        let room = self.room();
        // What labels leave, but at least a third.
        let spare = room.saturating_sub(GAP);
        let bar = spare.saturating_sub(longest).max(SHORTEST_BAR).max(spare / 3).min(LONGEST_BAR);
        let bar = if self.has_bar { bar } else { 0 };
        let label = longest.min(room.saturating_sub(if self.has_bar { GAP + bar } else { 0 }));
        let mut cells = vec![padded(&shorten(&row.label, label), label)];
        if self.has_bar {
            cells.push(draw_bar(row.done, row.size, bar, colour));
        }
        cells.push(format!("{:>PERCENT$}", format!("{} %", percent(row.done, row.size))));
        if self.has_bytes {
            cells.push(format!("{:>BYTES$}", bytes(row.done)));
        }
        if self.has_rate {
            cells.push(format!("{:>RATE$}", rate(row.rate)));
        }
        match (&row.left, self.left) {
            (None, _) | (_, TimeLeft::Nowhere) => {}
            (Some(left), TimeLeft::Short) => cells.push(left.clone()),
            (Some(left), TimeLeft::InWords) => cells.push(format!("{left} left")),
        }
        format!("  {}", cells.join("  "))
    }
}

/// A bar in steps of half a column.
pub(super) fn draw_bar(done: u64, size: u64, columns: usize, colour: Colour) -> String {
    let steps = (2 * columns as u128 * u128::from(done.min(size))).checked_div(u128::from(size));
    let steps = steps.and_then(|steps| usize::try_from(steps).ok()).unwrap_or(2 * columns);
    let mut drawn = "━".repeat(steps / 2);
    if steps % 2 == 1 {
        drawn.push('╸');
    }
    let rest = " ".repeat(columns - steps.div_ceil(2));
    if drawn.is_empty() { rest } else { colour.paint(Highlight::Cyan, &drawn) + &rest }
}

/// A name of so many columns at most. What is too long loses its middle: of a path the end of its folder, of a file's
/// name what stands before its ending, because `model-00001-of-00030.safetensors` differs from the others in its first
/// half.
pub(super) fn shorten(name: &str, columns: usize) -> String {
    if columns_of(name) <= columns {
        return name.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let tail = match name.rfind('/') {
        Some(slash) if columns_of(&name[slash..]) < room => &name[slash..],
        Some(slash) => return shorten(&name[slash + 1..], columns),
        None => cut_start(name, room / 3),
    };
    format!("{}…{tail}", cut(name, room - columns_of(tail)))
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
