//! `hfdown forget-host HOST[:PORT]`: the key that hfdown remembers for a box, removed.

use super::Context;
use crate::cli::host_to_forget;
use crate::event::Event;
use crate::failure::{self, Exit, Problem};
use crate::link;

pub(super) async fn run(typed: &str, context: &Context) -> Result<Exit, Problem> {
    let (targets, settings) = host_to_forget(typed)?;
    let mut forgotten = false;
    for target in &targets {
        forgotten |= link::forget(target, &settings)
            .map_err(|error| failure::known_hosts(format!("cannot forget {target}"), &error))?;
    }
    if !forgotten {
        // What was asked for is so: not an error, but perhaps a mistyped port.
        let text = format!("no key of {typed} is remembered in {}", settings.own_known_hosts.display());
        context.events(None).send(Event::Warning { text }).await;
    }
    Ok(Exit::Done)
}
