//! Boxes that came to the same end, told at once, as `clush -b` does.

use std::collections::HashMap;
use std::sync::Arc;

use super::fleet_board::Board;
use super::money::{TrafficCost, dollars};
use super::record::BoxRecord;
use super::words::{self, OutcomeRank, OutcomeWords};
use crate::fleet::BoxOutcome;
use crate::problem::Exit;
use crate::text::units::{bytes, bytes_of};

/// Boxes of one end.
#[derive(Debug, Clone)]
pub(crate) struct OutcomeGroup {
    /// How good it is.
    pub(crate) rank: OutcomeRank,
    /// The word for programs.
    pub(crate) name: &'static str,
    /// The exit code of each.
    pub(crate) exit: Exit,
    /// What there is to say, in a few words.
    pub(crate) words: String,
    /// Which, by their places on the board.
    pub(crate) members: Vec<usize>,
    /// Their names.
    pub(crate) names: Vec<Arc<str>>,
}

/// The groups, the best end first, and of equal ones the larger group.
pub(crate) fn groups(board: &Board) -> Vec<OutcomeGroup> {
    let mut by_words: HashMap<(OutcomeRank, String, u8), Vec<(usize, OutcomeWords)>> = HashMap::new();
    let ended = board.boxes().iter().enumerate().filter_map(|(index, record)| {
        record.outcome.as_ref().map(|outcome| (index, outcome, words::words(record, outcome)))
    });
    for (index, outcome, words) in ended {
        let key = (words.rank, words.words.clone(), outcome.exit.code());
        by_words.entry(key).or_default().push((index, words));
    }
    let mut groups: Vec<_> = by_words.into_values().filter_map(|members| group(board, &members)).collect();
    groups.sort_by_key(|group| {
        (group.rank, std::cmp::Reverse(group.members.len()), group.members.first().copied())
    });
    groups
}

fn group(board: &Board, members: &[(usize, OutcomeWords)]) -> Option<OutcomeGroup> {
    let (first, common) = members.first()?;
    let record = |(index, _): &(usize, OutcomeWords)| board.boxes().get(*index);
    let exit = board.boxes().get(*first)?.outcome.as_ref()?.exit;
    let mut words = common.words.clone();
    let sizes: Vec<u64> = members.iter().filter_map(|(_, words)| words.bytes).collect();
    if let (Some(least), Some(most)) = (sizes.iter().min(), sizes.iter().max()) {
        let each = if members.len() == 1 { "" } else { " each" };
        let to_fetch = if common.name == "detached" { " to fetch" } else { "" };
        words = format!("{words}, {}{each}{to_fetch}", range(*least, *most));
    }
    if let Some(detail) = &common.detail
        && members.iter().all(|(_, words)| words.detail == common.detail)
    {
        words = format!("{words} ({detail})");
    }
    let costs: Vec<_> = members.iter().filter_map(record).filter_map(BoxRecord::cost).collect();
    let cost = costs.into_iter().reduce(std::ops::Add::add);
    if let Some(TrafficCost { fetched, .. }) = cost.filter(|cost| cost.fetched > 0.0) {
        words = format!("{words} · {}", dollars(fetched));
    }
    Some(OutcomeGroup {
        rank: common.rank,
        name: common.name,
        exit,
        words,
        members: members.iter().map(|(index, _)| *index).collect(),
        names: members.iter().filter_map(record).map(|record| Arc::clone(&record.name)).collect(),
    })
}

/// `13.4 GB`, or `1.2 to 13.4 GB`.
fn range(least: u64, most: u64) -> String {
    if bytes(least) == bytes(most) { bytes(most) } else { bytes_of(least, most).replacen(" of ", " to ", 1) }
}

/// What has become of one box: the word for programs, and a few for people.
pub(crate) fn outcome(record: &BoxRecord, outcome: &BoxOutcome) -> (&'static str, String) {
    let OutcomeWords { words, detail, bytes: size, name, .. } = words::words(record, outcome);
    let size = size.map(|size| format!(", {}", bytes(size))).unwrap_or_default();
    let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    (name, format!("{words}{size}{detail}"))
}
