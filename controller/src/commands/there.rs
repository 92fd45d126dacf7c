//! A box, from what was typed.

use hfdown_protocol::Traces;

use super::Context;
use crate::cli::{self, BoxArguments};
use crate::display::Events;
use crate::event::Event;
use crate::failure::Problem;
use crate::link::IgnoredOption;
use crate::session::Machine;

/// A box, and where what happens on it is told.
pub(super) struct Place {
    pub(super) machine: Machine,
    /// The box's name on the screen.
    pub(super) name: String,
    pub(super) events: Events,
}

impl Place {
    /// Reads what was typed, and says what of it is passed over.
    pub(super) async fn new(
        there: &BoxArguments,
        traces: Traces,
        context: &Context,
    ) -> Result<Self, Problem> {
        let (machine, name, ignored) = cli::there(there, traces)?;
        let events = context.events(Some(&name));
        for IgnoredOption { option, reason } in ignored {
            events.send(Event::Warning { text: format!("{option} is ignored: {reason}") }).await;
        }
        Ok(Self { machine, name, events })
    }
}
