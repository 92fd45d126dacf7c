//! The rows of a fleet as text: which boxes are shown where there is no room for all, and which columns. Pure but for the
//! memory of which box has which row: a box keeps its row until it has ended.

use std::time::{Duration, Instant};

use crate::board::{Board, BoardTotals, BoxRecord, BoxState, outcome};
use crate::output::rows::{draw_bar, shorten};
use crate::output::style::{Colour, Highlight};
use crate::text::units::{bytes, left, percent, rate};
use crate::text::width::{columns as columns_of, cut, padded};

/// Lines of a terminal that rows leave to what is said above them, and to the cursor.
const OTHER_LINES: usize = 2;
/// Columns between two columns of text.
const GAP: usize = 2;
/// `connecting`, `retry 12`.
const STATE: usize = 10;
/// `100 %`, `999 kB`, `118 MB/s`, `59 m 59 s`.
const PERCENT: usize = 5;
const BYTES: usize = 6;
const RATE: usize = 8;
const LEFT: usize = 9;
const SHORTEST_BAR: usize = 6;
const LONGEST_BAR: usize = 40;
/// Columns of a name where there are few, and of the longest one where there are many.
const SHORTEST_NAME: usize = 6;
const LONGEST_NAME: usize = 32;
/// A box is slow whose rate is under one of so many parts of the median.
const SLOW: u64 = 4;
/// After it has been fetching for so long.
const SLOW_AFTER: Duration = Duration::from_secs(5);
/// While at least so many others are.
const SLOW_AMONG: usize = 3;

/// How large a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::output) struct ScreenSize {
    /// Its lines.
    pub(in crate::output) lines: usize,
    /// Its columns.
    pub(in crate::output) columns: usize,
}

/// How much a box has to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// It is not shown where there is no room for all.
    Counted,
    /// It is at work.
    Working,
    /// It is slow, or trying again.
    Troubled,
    /// It has failed.
    Failed,
}

/// Which box has which row.
#[derive(Debug, Default)]
pub(in crate::output) struct FleetRows {
    /// Places on the board.
    shown: Vec<usize>,
}

/// A row.
#[derive(Debug, Clone, Copy)]
struct FleetLayout {
    columns: usize,
    name: usize,
    cells: FleetCells,
}

/// What there is room for beside a name, a state and a percentage, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum FleetCells {
    /// A bar, bytes, a rate, and the time that is left.
    All,
    /// The same without the time.
    Rate,
    /// A bar and a rate.
    BarAndRate,
    /// A rate.
    RateAlone,
    /// Nothing.
    Nothing,
}

/// What is drawn of a part of the work.
struct Work {
    done: u64,
    total: u64,
    rate: Option<u64>,
    left: Option<Duration>,
}

impl FleetRows {
    /// The rows, the total last.
    pub(in crate::output) fn draw(
        &mut self,
        board: &Board,
        size: ScreenSize,
        colour: Colour,
        now: Instant,
    ) -> Vec<String> {
        let boxes = board.boxes();
        let totals = BoardTotals::of(board);
        let room = size.lines.saturating_sub(OTHER_LINES).max(1);
        let median = median_rate(boxes);
        let urgency = |record: &BoxRecord| Urgency::of(record, median, now);
        let fits = boxes.len() < room;
        if fits {
            self.shown = (0..boxes.len()).collect();
        } else {
            self.choose(boxes, room.saturating_sub(2), urgency);
        }
        let shown = || self.shown.iter().filter_map(|place| boxes.get(*place));
        let sum = sum_label(&totals);
        let names = shown().map(|record| columns_of(&record.name)).max().unwrap_or(0);
        let layout = FleetLayout::fitting(size.columns, names, columns_of(&sum));
        let mut rows: Vec<_> = shown()
            .map(|record| layout.lay_out(record, urgency(record) == Urgency::Troubled, colour))
            .collect();
        if !fits
            && room > 1
            && let Some(others) = others(&totals, boxes, &self.shown)
        {
            rows.push(layout.line(&others));
        }
        let work =
            Work { done: totals.bytes, total: totals.of_bytes, rate: Some(totals.rate), left: totals.left() };
        rows.push(layout.lay_out_work(&sum, None, &work, colour));
        rows
    }

    /// Chooses the boxes that are seen. One that is seen stays where it is until it has ended; the place of one that has
    /// is given to the next, and those that are urgent take the places of those that are not.
    fn choose(&mut self, boxes: &[BoxRecord], room: usize, urgency: impl Fn(&BoxRecord) -> Urgency) {
        let mut candidates: Vec<_> = boxes
            .iter()
            .enumerate()
            .map(|(place, record)| (urgency(record), place))
            .filter(|(urgency, _)| *urgency > Urgency::Counted)
            .collect();
        // The most urgent first, and of equal ones those that are seen already.
        let is_shown = |place: &usize| self.shown.contains(place);
        candidates.sort_by_key(|(urgency, place)| (std::cmp::Reverse(*urgency), !is_shown(place), *place));
        // Failed boxes leave room for others.
        let failed = candidates.iter().filter(|(urgency, _)| *urgency == Urgency::Failed).count();
        let most_failed = (room / 3).max(1).max(room.saturating_sub(candidates.len() - failed));
        let dropped = most_failed.min(failed)..failed;
        let mut wanted: Vec<_> = candidates.into_iter().map(|(_, place)| place).collect();
        wanted.drain(dropped);
        wanted.truncate(room);
        let mut new: Vec<_> = wanted.iter().copied().filter(|place| !is_shown(place)).collect();
        new.reverse();
        let mut shown = Vec::new();
        for place in &self.shown {
            if wanted.contains(place) {
                shown.push(*place);
            } else if let Some(next) = new.pop() {
                shown.push(next);
            }
        }
        shown.extend(new.into_iter().rev());
        shown.truncate(room);
        self.shown = shown;
    }
}

impl Urgency {
    fn of(record: &BoxRecord, median: Option<u64>, now: Instant) -> Self {
        let is_slow = record.state == BoxState::Fetching
            && now.saturating_duration_since(record.since) >= SLOW_AFTER
            && median.is_some_and(|median| record.rate < median / SLOW);
        match record.state {
            BoxState::Failed | BoxState::Incomplete => Self::Failed,
            BoxState::Waiting | BoxState::Done | BoxState::Detached | BoxState::Stopped => Self::Counted,
            _ if is_slow || record.is_retrying() => Self::Troubled,
            _ => Self::Working,
        }
    }
}

/// The median of the rates, where enough boxes have one.
fn median_rate(boxes: &[BoxRecord]) -> Option<u64> {
    let fetching = boxes.iter().filter(|record| record.state == BoxState::Fetching);
    let mut rates: Vec<_> = fetching.map(|record| record.rate).collect();
    if rates.len() <= SLOW_AMONG {
        return None;
    }
    let middle = rates.len() / 2;
    Some(*rates.select_nth_unstable(middle).1)
}

fn sum_label(totals: &BoardTotals) -> String {
    let BoardTotals { boxes, done, failed, stopped, .. } = totals;
    let failed = match failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let stopped = match stopped {
        0 => String::new(),
        stopped => format!(", {stopped} stopped"),
    };
    format!("{done} of {boxes} done{failed}{stopped}")
}

/// What is not shown, in words.
fn others(totals: &BoardTotals, boxes: &[BoxRecord], shown: &[usize]) -> Option<String> {
    let is_shown = |state: BoxState| {
        shown.iter().filter(|place| boxes.get(**place).is_some_and(|record| record.state == state)).count()
    };
    let failed_shown = is_shown(BoxState::Failed);
    let over = totals.done + totals.failed + totals.stopped;
    let running = totals.boxes.saturating_sub(over + totals.waiting);
    let running_shown = shown.len() - failed_shown;
    let counts = [
        (totals.failed.saturating_sub(failed_shown), "more failed"),
        (running.saturating_sub(running_shown), "more at work"),
        (totals.waiting, "waiting"),
    ];
    let counts: Vec<_> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

impl FleetLayout {
    /// The richest layout that leaves room for a bar and a name.
    fn fitting(columns: usize, longest_name: usize, sum: usize) -> Self {
        use FleetCells::{All, BarAndRate, Nothing, Rate, RateAlone};
        let wanted = longest_name.max(sum.saturating_sub(GAP + STATE)).clamp(SHORTEST_NAME, LONGEST_NAME);
        let layouts = [All, Rate, BarAndRate, RateAlone].into_iter();
        let fitting = layouts.map(|cells| Self { columns, name: 0, cells }).find(|layout| {
            let name = wanted.min(if layout.has_bar() { columns / 4 } else { SHORTEST_NAME });
            layout.room() >= name + layout.shortest_bar()
        });
        let layout = fitting.unwrap_or(Self { columns, name: 0, cells: Nothing });
        Self { name: wanted.min(layout.room().saturating_sub(layout.shortest_bar())), ..layout }
    }

    fn has_bar(&self) -> bool {
        self.cells <= FleetCells::BarAndRate
    }

    fn shortest_bar(&self) -> usize {
        if self.has_bar() { GAP + SHORTEST_BAR } else { 0 }
    }

    /// Columns for the name and the bar. The terminal's last column stays empty: writing there wraps on some.
    fn room(&self) -> usize {
        let cells = match self.cells {
            FleetCells::All => 3 * GAP + BYTES + RATE + LEFT,
            FleetCells::Rate => 2 * GAP + BYTES + RATE,
            FleetCells::BarAndRate | FleetCells::RateAlone => GAP + RATE,
            FleetCells::Nothing => 0,
        };
        self.columns.saturating_sub(1 + GAP + GAP + STATE + GAP + PERCENT + cells)
    }

    fn lay_out(&self, record: &BoxRecord, is_troubled: bool, colour: Colour) -> String {
        let name = padded(&shorten(&record.name, self.name), self.name);
        let state = match record.state {
            BoxState::Retrying(attempt) => format!("retry {attempt}"),
            BoxState::Fetching if is_troubled => "slow".to_owned(),
            state => state.word().to_owned(),
        };
        let is_fetching = record.state == BoxState::Fetching;
        if is_fetching || (record.state == BoxState::Checking && record.total > 0) {
            let rate = is_fetching.then_some(record.rate);
            let work = Work { done: record.done, total: record.total, rate, left: record.left };
            return self.lay_out_work(&name, Some(&state), &work, colour);
        }
        let note = match &record.outcome {
            Some(ended) if record.state != BoxState::Failed => {
                let (_, words) = outcome(record, ended);
                let words = words.trim_start_matches(record.state.word()).trim_start_matches([',', ' ']);
                words.to_owned()
            }
            Some(ended) => outcome(record, ended).1,
            None => record.note.clone(),
        };
        let room = self.columns.saturating_sub(1 + GAP + self.name + GAP + STATE + GAP);
        let state = padded(&state, STATE);
        let state =
            if record.state == BoxState::Failed { colour.paint(Highlight::Red, &state) } else { state };
        format!("  {name}  {state}  {}", cut(&note, room)).trim_end().to_owned()
    }

    /// Without a state, the label has its column as well.
    fn lay_out_work(&self, label: &str, state: Option<&str>, work: &Work, colour: Colour) -> String {
        let mut cells = match state {
            Some(state) => vec![label.to_owned(), padded(state, STATE)],
            None => vec![padded(cut(label, self.name + GAP + STATE), self.name + GAP + STATE)],
        };
        if self.has_bar() {
            let bar = self.room().saturating_sub(self.name + GAP).min(LONGEST_BAR);
            cells.push(draw_bar(work.done, work.total, bar, colour));
        }
        cells.push(format!("{:>PERCENT$}", format!("{} %", percent(work.done, work.total))));
        if self.cells <= FleetCells::Rate {
            cells.push(format!("{:>BYTES$}", bytes(work.done)));
        }
        if self.cells < FleetCells::Nothing {
            cells.push(format!("{:>RATE$}", work.rate.map(rate).unwrap_or_default()));
        }
        if let (FleetCells::All, Some(time)) = (self.cells, work.left) {
            cells.push(left(time));
        }
        format!("  {}", cells.join("  ")).trim_end().to_owned()
    }

    fn line(&self, text: &str) -> String {
        format!("  {}", cut(text, self.columns.saturating_sub(1 + GAP)))
    }
}
