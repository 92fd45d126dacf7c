//! The end of a fleet: boxes that came to the same end in one line, and the sum.

use std::collections::HashSet;
use std::sync::Arc;

use crate::board::{Board, FleetTotals, OutcomeGroup, dollars, groups};
use crate::fleet::{BoxEnding, FleetOutcome, fold};
use crate::output::problem;
use crate::output::sentences::OutputLine;
use crate::output::style::{Colour, Highlight, Verbosity};
use crate::problem::{Exit, Problem};
use crate::text::units::{bytes, count, duration, rate};

/// So many errors are told in full. They are of different kinds; the rest of a zoo is told in a few words each.
const IN_FULL: usize = 12;

/// What can be done about boxes that go on by themselves.
const ATTACH: &str = "hint: `hfdown attach` with the same boxes watches them, `hfdown stop` ends them";

/// The lines: errors in full, one of each kind; the groups; the sum.
pub(super) fn lines(
    board: &Board,
    outcome: &FleetOutcome,
    verbosity: Verbosity,
    colour: Colour,
) -> Vec<OutputLine> {
    let groups = groups(board);
    let mut lines: Vec<_> = in_full(board, &groups, colour).into_iter().map(OutputLine::Message).collect();
    for group in &groups {
        if verbosity >= Verbosity::Normal || group.exit != Exit::Done || is_plan(group) {
            let text = line(group, are_told_apart(group, &groups), colour);
            // A plan is what was asked for.
            lines.push(if is_plan(group) { OutputLine::Data(text) } else { OutputLine::Message(text) });
        }
    }
    if verbosity >= Verbosity::Normal {
        lines.push(OutputLine::Message(sum(board, outcome, &groups)));
        if groups.iter().any(|group| group.name == "detached") {
            lines.push(OutputLine::Message(ATTACH.to_owned()));
        }
    }
    lines
}

/// The same of what went wrong, and nothing else.
pub(in crate::output) fn failures(board: &Board, outcome: &FleetOutcome, colour: Colour) -> Vec<String> {
    let lines = lines(board, outcome, Verbosity::Quiet, colour).into_iter();
    lines
        .filter_map(|line| match line {
            OutputLine::Message(text) => Some(text),
            OutputLine::Data(_) => None,
        })
        .collect()
}

/// Whether it matters which boxes are in a group of good ends: their plans differ.
fn are_told_apart(group: &OutcomeGroup, groups: &[OutcomeGroup]) -> GoodNames {
    let plans = groups.iter().filter(|group| is_plan(group)).count();
    if is_plan(group) && plans > 1 { GoodNames::Told } else { GoodNames::Counted }
}

/// How the boxes of a good end are named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GoodNames {
    Told,
    Counted,
}

fn is_plan(group: &OutcomeGroup) -> bool {
    group.name == "planned"
}

/// The errors, one of each kind: what it is, and what can be done about it.
fn in_full(board: &Board, groups: &[OutcomeGroup], colour: Colour) -> Vec<String> {
    let mut told = HashSet::new();
    let problems = groups.iter().filter_map(|group| {
        let first = board.boxes().get(*group.members.first()?)?;
        let BoxEnding::Failed(problem) = &first.outcome.as_ref()?.ending else { return None };
        Some((Arc::clone(&first.name), problem, group.members.len()))
    });
    let mut problems: Vec<_> = problems.filter(|(_, problem, _)| told.insert(problem.brief())).collect();
    let left_out = problems.len().saturating_sub(IN_FULL);
    problems.truncate(IN_FULL);
    let mut lines: Vec<_> = problems
        .into_iter()
        .filter(|(_, problem, _)| problem.exit != Exit::Cancelled)
        .map(|(name, problem, members)| {
            let others = match members - 1 {
                0 => String::new(),
                others => format!(" (and {})", count(others, "other")),
            };
            let attempted = format!("{name}{others}: {}", problem.attempted);
            // A line between it and what follows.
            problem::draw(&Problem { attempted, ..problem.clone() }, colour) + "\n"
        })
        .collect();
    if left_out > 0 {
        lines.push(format!("{} of other kinds, as below", count(left_out, "more error")));
    }
    lines
}

/// `187 boxes: done, 13 GB each`, `gpu[017,044]: no space (needs 13 GB, 9.0 GB free)`. Of good ends it mostly does not
/// matter which boxes had them.
fn line(group: &OutcomeGroup, good_names: GoodNames, colour: Colour) -> String {
    let folded = || fold(group.names.iter().map(|name| &**name));
    let names = match (group.exit, group.members.len(), good_names) {
        (Exit::Done, members @ 2.., GoodNames::Counted) => boxes(members),
        (Exit::Done, members @ 2.., GoodNames::Told) => format!("{}, {}", boxes(members), folded()),
        _ => folded(),
    };
    let names = if group.exit == Exit::Done { names } else { colour.paint(Highlight::Red, &names) };
    format!("{names}: {}", group.words)
}

fn sum(board: &Board, outcome: &FleetOutcome, groups: &[OutcomeGroup]) -> String {
    let all = board.boxes().len();
    let done: usize =
        groups.iter().filter(|group| group.exit == Exit::Done).map(|group| group.members.len()).sum();
    let totals = FleetTotals::of(board);
    let of = if done == all { boxes(all) } else { format!("{done} of {}", boxes(all)) };
    let is_dry = is_dry(outcome);
    let mut parts = vec![format!("total: {of}")];
    let elapsed = duration(outcome.elapsed);
    if is_dry {
        parts.push(format!("{} to fetch", bytes(totals.to_fetch.unwrap_or_default())));
    } else {
        parts.push(match totals.rate(outcome.elapsed) {
            Some(mean) => format!("{} in {elapsed} ({})", bytes(totals.fetched), rate(mean)),
            None if totals.fetched > 0 => format!("{} in all", bytes(totals.fetched)),
            None if is_transfer(outcome) => format!("nothing fetched in {elapsed}"),
            None => format!("in {elapsed}"),
        });
    }
    if totals.spared > 0 {
        parts.push(format!("{} not fetched again", bytes(totals.spared)));
    }
    if let Some(cost) = totals.cost {
        let price = if is_dry { totals.price_to_fetch.unwrap_or_default() } else { cost.fetched };
        let spared =
            if cost.spared > 0.0 { format!(", {} saved", dollars(cost.spared)) } else { String::new() };
        let unpriced = match totals.unpriced {
            0 => String::new(),
            unpriced => format!(", without {} of unknown price", boxes(unpriced)),
        };
        parts.push(format!("{}{spared}{unpriced}", dollars(price)));
    }
    if is_dry {
        parts.push("dry run: nothing was changed".to_owned());
    }
    parts.join(" · ")
}

/// Whether something was to be fetched, on those that came to an end.
fn is_transfer(outcome: &FleetOutcome) -> bool {
    let is_transfer = |ending: &BoxEnding| matches!(ending, BoxEnding::Finished(tally) if tally.intent == crate::plan::Intent::Execute);
    outcome.boxes.iter().any(|(_, outcome)| is_transfer(&outcome.ending))
}

fn boxes(number: usize) -> String {
    if number == 1 { "1 box".to_owned() } else { format!("{number} boxes") }
}

fn is_dry(outcome: &FleetOutcome) -> bool {
    use crate::plan::Intent::DryRun;
    outcome
        .boxes
        .iter()
        .any(|(_, outcome)| matches!(&outcome.ending, BoxEnding::Finished(tally) if tally.intent == DryRun))
}
