//! What is on disk of what is wanted.

use hfdown_protocol::{
    Check, Folding, Found, Order, RepoPath, Report, UnlistedFile, Wanted, batches, limits,
};
use std::collections::HashSet;

use super::carryover::Carryover;
use super::error::SessionError;
use super::session::{Heard, Session, cleaned, unexpected};
use super::twins::PlacedNames;
use crate::display::Events;
use crate::event::Event;
use crate::plan::{ByFile, Inventory};
use crate::selection::Selected;

/// An agent stops looking when it has told so many, but tells what it has in its hands.
const MOST_UNLISTED: usize = limits::FILES + limits::ENTRIES;

/// What is looked for. A function of its own: what it borrows is nameless, which a task can't carry.
fn asked_for(selected: &Selected) -> impl Iterator<Item = Wanted> {
    selected.wanted.iter().map(|(id, file)| file.wanted(id))
}

impl Session {
    /// Asks the agent to look, and checks that it speaks of every wanted file once and of no other.
    pub async fn survey(
        &mut self,
        selected: &Selected,
        check: Check,
        events: &Events,
        run: &mut Carryover,
    ) -> Result<Inventory, SessionError> {
        for files in batches(asked_for(selected)) {
            self.say(Order::List { files }).await?;
        }
        self.say(Order::Survey { check }).await?;
        self.lull.begin(selected.total());
        let mut furthest = 0;
        let mut found = ByFile::unknown(selected.wanted.len());
        let mut extraneous = Vec::new();
        let (mut unwanted_parts, mut unlisted) = (Vec::new(), Vec::new());
        let (mut names, mut bases) = (0, Vec::new());
        loop {
            match self.hear().await? {
                Heard::Cancelled => return Err(SessionError::Cancelled),
                Heard::Report(Report::Surveying { read, of }) => {
                    if read > furthest {
                        furthest = read;
                        self.lull.end();
                    }
                    events.sample(Event::Surveying { read, of });
                }
                Heard::Report(Report::Warning { warning }) => {
                    if let Some(event) = run.warning(&self.root, warning) {
                        events.send(event).await;
                    }
                }
                Heard::Report(Report::Found { files }) => {
                    for (id, this) in files {
                        if !found.is_unknown(id.0 as usize) {
                            return Err(SessionError::protocol("it found a file that was not asked for"));
                        }
                        let this = match this {
                            Found::Obstructed { failure } => Found::Obstructed { failure: cleaned(&failure) },
                            this => this,
                        };
                        found.set(id.0 as usize, this);
                    }
                }
                Heard::Report(Report::Extraneous { extraneous: more }) => {
                    names += more.iter().map(|file| file.path.as_str().len()).sum::<usize>();
                    if extraneous.len() + more.len() > limits::FILES || names > limits::NAMES {
                        return Err(SessionError::protocol("it finds more extraneous files than can be"));
                    }
                    extraneous.extend(more);
                }
                Heard::Report(Report::Unlisted { files }) if check == Check::Everything => {
                    names += files.iter().map(|file| file.path.len()).sum::<usize>();
                    unlisted.extend(files);
                    if unlisted.len() > MOST_UNLISTED || names > 2 * limits::NAMES {
                        return Err(SessionError::protocol("it finds more files than were to be told"));
                    }
                }
                Heard::Report(Report::Bases { bases: more }) => {
                    bases.extend(more);
                    if bases.len() > limits::BASES {
                        return Err(SessionError::protocol("it has more bases than were to be told"));
                    }
                }
                Heard::Report(Report::UnwantedParts { digests }) => {
                    if unwanted_parts.len() + digests.len() > limits::FILES {
                        return Err(SessionError::protocol("it has more parts than can be"));
                    }
                    unwanted_parts.extend(digests);
                }
                Heard::Report(Report::Surveyed { folding }) => {
                    if !found.is_whole() {
                        return Err(SessionError::protocol("it did not look at every file"));
                    }
                    unlisted.sort_unstable_by(|a: &UnlistedFile, b| a.path.cmp(&b.path));
                    let inventory = Inventory { found, extraneous, unwanted_parts, unlisted, bases };
                    if calls_wanted_extraneous(&inventory, selected) {
                        return Err(SessionError::protocol("it calls a wanted file extraneous"));
                    }
                    return Ok(told_apart(inventory, selected, folding));
                }
                Heard::Report(report) => return Err(unexpected(&report)),
            }
        }
    }
}

fn calls_wanted_extraneous(inventory: &Inventory, selected: &Selected) -> bool {
    let extraneous: HashSet<&str> = inventory.extraneous.iter().map(|file| file.path.as_str()).collect();
    !extraneous.is_empty() && selected.wanted.iter().any(|(_, file)| extraneous.contains(file.path.as_str()))
}

/// What is there, but for what the disk can't tell apart: one file of a name has its place, the others are obstructed.
/// What an earlier sync called otherwise and is a wanted file now is not extraneous: with `--delete`, that file would go.
fn told_apart(mut inventory: Inventory, selected: &Selected, folding: Folding) -> Inventory {
    if folding == Folding::Nothing {
        return inventory;
    }
    let mut names = PlacedNames::on(folding);
    for (id, file) in selected.wanted.iter() {
        if let Err(failure) = names.place(file.path) {
            inventory.found.set(id.0 as usize, Found::Obstructed { failure });
        }
    }
    inventory.extraneous.retain(|file| !names.has(&file.path));
    inventory.unlisted.retain(|file| !RepoPath::new(file.path.as_str()).is_ok_and(|path| names.has(&path)));
    inventory
}
