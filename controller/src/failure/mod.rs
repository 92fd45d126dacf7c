//! Errors as users meet them: what was attempted, why it failed, what to do next, and the exit code.
//!
//! Each seam has an enum of its own; here, and only here, each of their variants becomes a [`Problem`].

mod agent;
mod brief;
mod cache;
mod hub;
mod link;
mod login;
mod selection;
mod session;
mod shell;

pub use agent::exit_of;
pub use brief::kind_in_brief;
pub use cache::{cache, cache_removal, cache_target, not_freed};
pub(crate) use hfdown_agent::in_words;
pub use hub::{hub, hub_advice, hub_setup};
pub use link::known_hosts;
pub use selection::{selection, selection_note};
pub use session::{AttachVerb, session, session_after, timed_out};

pub use crate::problem::{Exit, Problem};
