//! What a user or a program sees.
//!
//! [`Output`] is told every [`Event`](crate::event::Event) and draws it in the one [`Style`] that was chosen when the
//! program began: [bars](Style::Bars) on a terminal, [lines](Style::Lines) elsewhere, [objects](Style::Json) for
//! programs (`json.rs` has the table). Standard output is data, standard error is conversation, and only `printer.rs`
//! writes to either; bars alone have a way of their own to the terminal.

mod bars;
mod cache;
mod console;
mod description_objects;
mod detached;
mod disk_warning;
mod fleet;
mod info;
mod json;
mod lines;
mod log;
mod object;
mod objects;
mod plan_lines;
mod plan_object;
mod printer;
mod problem;
mod reason;
mod renderer;
mod rows;
#[cfg(test)]
mod sample;
mod sentences;
mod status;
mod style;
mod summary;
mod verification;
#[cfg(test)]
mod xet_tests;

pub use console::Output;
pub use log::{Log, LogLine};
pub use printer::{Printer, Unwritable};
pub use style::{Colour, Look, Naming, OutputEnvironment, OutputOptions, Style, Verbosity};
