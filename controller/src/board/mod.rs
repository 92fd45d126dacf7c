//! What is known of each box while a command runs, from what happens there: one [`Board`] for the rows of a screen, for the
//! objects of programs and for a report. It draws nothing.

mod fields;
mod fleet_board;
mod groups;
mod money;
mod record;
mod totals;
mod words;

pub(crate) use fields::{BoxFields, FleetFields, GroupFields};
pub(crate) use fleet_board::Board;
pub(crate) use groups::{OutcomeGroup, groups, outcome};
pub(crate) use money::dollars;
pub(crate) use record::{BoxRecord, BoxState};
pub(crate) use totals::{BoardTotals, FleetTotals};
