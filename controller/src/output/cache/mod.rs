//! `hfdown cache`, as text and as objects.

mod listing;
mod objects;
mod removal;
mod sentences;
mod verification;

pub(super) use objects::objects;
pub(super) use sentences::lines;
