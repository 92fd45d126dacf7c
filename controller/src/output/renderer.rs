//! What every style must be able to draw.

use std::time::Instant;

use super::printer::Printer;
use super::{Log, Unwritable};
use crate::event::Event;
use crate::problem::Problem;

/// One style. It holds what it has to remember; where to print and what time it is are given to it.
pub(super) trait Renderer: Send + std::fmt::Debug {
    /// Draws an event of the box of this name, or of this machine.
    fn event(
        &mut self,
        name: Option<&str>,
        event: &Event,
        now: Instant,
        printer: &mut Printer,
    ) -> Result<(), Unwritable>;

    /// Draws the error that ends the run.
    fn problem(&mut self, problem: &Problem, printer: &mut Printer) -> Result<(), Unwritable>;

    /// Whether something that moves is drawn otherwise than it stands, because it was drawn a moment ago.
    fn is_behind(&self) -> bool {
        false
    }

    /// Draws that.
    fn catch_up(&mut self, _now: Instant) {}

    /// Takes away what moves until the next event: a prompt is about to use the terminal.
    fn step_aside(&mut self) {}

    /// Takes away what moves. What was said remains.
    fn finish(&mut self);

    /// A way to the terminal for lines that others say, which does not disturb what moves.
    fn log(&self, printer: &Printer) -> Log;
}
