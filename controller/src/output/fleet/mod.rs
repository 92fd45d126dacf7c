//! Many boxes of one command: calm while they run, a row each where there is room, and equal ends told at once.

mod block;
mod ending;
mod objects;
mod repeated;
mod rows;
mod sentences;

pub(super) use block::FleetBlock;
pub(super) use ending::failures;
pub(super) use objects::{box_finished, fleet_begun, fleet_finished};
pub(super) use rows::ScreenSize;
pub(super) use sentences::{FleetSentences, FleetVoice, progress};

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
