//! `hfdown forget-host HOST[:PORT]`: the key that hfdown remembers for a box, removed.

use super::Context;
use crate::cli::host_to_forget;
use crate::event::Event;
use crate::failure::{self, Exit, Problem};
use crate::link;

pub(super) async fn run(typed: &str, context: &Context) -> Result<Exit, Problem> {
    let (targets, settings) = host_to_forget(typed)?;
    let events = context.events(None);
    let file = settings.own_known_hosts.display().to_string();
    let mut forgotten = false;
    for target in &targets {
        let is_gone = link::forget(target, &settings)
            .map_err(|error| failure::known_hosts(format!("cannot forget {target}"), &error))?;
        if is_gone {
            events.send(Event::Forgotten { host: target.to_string(), file: file.clone() }).await;
        }
        forgotten |= is_gone;
    }
    if !forgotten {
        // What was asked for is so: not an error, but perhaps a mistyped port.
        let text = format!("no key of {typed} is remembered in {file}");
        events.send(Event::Warning { text }).await;
    }
    Ok(Exit::Done)
}
