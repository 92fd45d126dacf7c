//! What is on disk of what is wanted.

use hfdown_protocol::{Check, FileId, Folding, Found, Order, RepoPath, Report, Wanted, batches, limits};
use std::collections::HashSet;

use super::carryover::Carryover;
use super::error::SessionError;
use super::session::{Heard, Session, cleaned, unexpected};
use super::twins::PlacedNames;
use crate::display::Events;
use crate::event::Event;
use crate::plan::Inventory;
use crate::selection::{Selected, SelectedFile};

impl Session {
    /// Asks the agent to look, and checks that it speaks of every wanted file once and of no other.
    pub async fn survey(
        &mut self,
        selected: &Selected,
        check: Check,
        events: &Events,
        run: &mut Carryover,
    ) -> Result<Inventory, SessionError> {
        for files in batches(wanted(selected)) {
            self.say(Order::List { files }).await?;
        }
        self.say(Order::Survey { check }).await?;
        self.lull.begin(selected.wanted.iter().map(|file| file.listed.size).fold(0, u64::saturating_add));
        let mut furthest = 0;
        let mut found: Vec<Option<Found>> = vec![None; selected.wanted.len()];
        let mut extraneous = Vec::new();
        let mut names = 0;
        let paths: HashSet<&RepoPath> = selected.wanted.iter().map(SelectedFile::path).collect();
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
                        let place = found.get_mut(id.0 as usize).filter(|place| place.is_none());
                        let place = place.ok_or_else(|| {
                            SessionError::protocol("it found a file that was not asked for")
                        })?;
                        *place = Some(match this {
                            Found::Obstructed { failure } => Found::Obstructed { failure: cleaned(&failure) },
                            this => this,
                        });
                    }
                }
                Heard::Report(Report::Extraneous { extraneous: more }) => {
                    names += more.iter().map(|file| file.path.as_str().len()).sum::<usize>();
                    if extraneous.len() + more.len() > limits::FILES || names > limits::NAMES {
                        return Err(SessionError::protocol("it finds more extraneous files than can be"));
                    }
                    if more.iter().any(|file| paths.contains(&file.path)) {
                        return Err(SessionError::protocol("it calls a wanted file extraneous"));
                    }
                    extraneous.extend(more);
                }
                Heard::Report(Report::Surveyed { folding }) => {
                    let found: Option<Vec<Found>> = found.into_iter().collect();
                    let found =
                        found.ok_or_else(|| SessionError::protocol("it did not look at every file"))?;
                    let inventory = Inventory { found, extraneous };
                    return Ok(told_apart(inventory, selected, folding));
                }
                Heard::Report(report) => return Err(unexpected(&report)),
            }
        }
    }
}

/// What is there, but for what the disk can't tell apart: one file of a name has its place, the others are obstructed.
/// What an earlier sync called otherwise and is a wanted file now is not extraneous: with `--delete`, that file would go.
fn told_apart(mut inventory: Inventory, selected: &Selected, folding: Folding) -> Inventory {
    let mut names = PlacedNames::on(folding);
    for (file, found) in selected.wanted.iter().zip(&mut inventory.found) {
        if let Err(failure) = names.place(file.path()) {
            *found = Found::Obstructed { failure };
        }
    }
    inventory.extraneous.retain(|file| !names.has(&file.path));
    inventory
}

fn wanted(selected: &Selected) -> impl Iterator<Item = Wanted> {
    (0..).map(FileId).zip(&selected.wanted).map(|(id, file)| Wanted {
        id,
        path: file.path().clone(),
        size: file.listed.size,
        digest: file.listed.digest,
    })
}
