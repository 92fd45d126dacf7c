//! What is said of the cache.

use super::{listing, removal, verification};
use crate::cache::{CacheEvent, CacheFileState};
use crate::output::reason::because;
use crate::output::sentences::OutputLine;
use crate::output::style::Verbosity;
use crate::plan::Intent;

/// What is said of an event.
pub(in crate::output) fn lines(event: &CacheEvent, verbosity: Verbosity) -> Vec<OutputLine> {
    let (level, line) = match event {
        CacheEvent::Absent { path } => message(format!("there is no cache in {path} yet")),
        CacheEvent::Listed(listed) => {
            let leftovers = listing::leftovers(&listed.totals).filter(|_| verbosity >= Verbosity::Normal);
            let data = OutputLine::Data(listing::text(listed));
            return std::iter::once(data).chain(leftovers.map(OutputLine::Message)).collect();
        }
        CacheEvent::Planned(planned) => match planned.intent {
            Intent::DryRun => (Verbosity::Quiet, OutputLine::Data(removal::text(planned))),
            Intent::Execute | Intent::Verify => message(removal::text(planned)),
        },
        CacheEvent::NotFreed { id, failure } => {
            let text = format!("warning: {id} is left as it is: {}", because(failure));
            (Verbosity::Quiet, OutputLine::Message(text))
        }
        CacheEvent::Freed(freed) => message(removal::freed(freed)),
        CacheEvent::Checked(file) => {
            let level = match file.state {
                CacheFileState::Right => Verbosity::Verbose,
                CacheFileState::Unknown => Verbosity::Normal,
                CacheFileState::Wrong | CacheFileState::Missing | CacheFileState::Unreadable => {
                    Verbosity::Quiet
                }
            };
            (level, OutputLine::Data(verification::line(file)))
        }
        CacheEvent::Verified(sum) => (Verbosity::Normal, OutputLine::Data(verification::sum(sum))),
        CacheEvent::NothingToPrune { .. } => message("nothing to remove".to_owned()),
    };
    if level <= verbosity { vec![line] } else { Vec::new() }
}

fn message(text: String) -> (Verbosity, OutputLine) {
    (Verbosity::Normal, OutputLine::Message(text))
}
