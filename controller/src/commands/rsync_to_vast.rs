//! `hfdown rsync-to-vast MODEL SSH DIR`: bring a folder on a box up to date.

use super::Context;
use super::road::{Bookkeeping, Selection, Trip, travel};
use crate::cli::{Copying, Settings, Source, Syncing};
use crate::event::Event;
use crate::failure::{Exit, Problem};
use crate::link::{Ignored, Traces};
use crate::session::Machine;

/// A folder on a box.
pub(super) struct There<'a> {
    pub(super) machine: Machine,
    /// The box's name on the screen.
    pub(super) name: String,
    /// What the SSH command asks for and does not get.
    pub(super) ignored: Vec<Ignored>,
    pub(super) folder: &'a str,
    pub(super) traces: Traces,
}

pub(super) async fn run(
    source: &Source,
    there: There<'_>,
    syncing: &Syncing,
    copying: &Copying,
    context: &Context,
) -> Result<Exit, Problem> {
    let There { machine, name, ignored, folder, traces } = there;
    let events = context.events(Some(&name));
    for Ignored { option, reason } in ignored {
        events.send(Event::Warning { text: format!("{option} is ignored: {reason}") }).await;
    }
    let settings = &Settings::new(source, &events)?;
    let trip = Trip {
        settings,
        selection: Selection::Everything,
        machine,
        destination: format!("{name}:{folder}"),
        root: folder.to_owned(),
        bookkeeping: match traces {
            Traces::Kept => Bookkeeping::Full,
            Traces::Removed => Bookkeeping::Traceless,
        },
        policy: syncing.policy(),
        copying,
    };
    let outcome = travel(trip, &events, &context.cancel).await;
    if traces == Traces::Removed && may_have_left_parts(&outcome) {
        let text = format!(
            "what has arrived of files that are not complete stays in {folder}/.cache/hfdown on the box, for the next run \
             to go on from"
        );
        events.send(Event::Warning { text }).await;
    }
    outcome
}

/// A run that got as far as the folder, and not to its end.
fn may_have_left_parts(outcome: &Result<Exit, Problem>) -> bool {
    let exit = match outcome {
        Ok(exit) => *exit,
        Err(problem) => problem.exit,
    };
    !matches!(exit, Exit::Done | Exit::Usage | Exit::NotAllowed | Exit::NotFound)
}
