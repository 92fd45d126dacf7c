//! The program's face: one value that is told everything, and draws it in the style that was chosen.

use std::time::Instant;

use indicatif::ProgressDrawTarget;

use super::bars::{Bars, FRAMES_PER_SECOND, Screen};
use super::fleet::ScreenSize;
use super::json::Json;
use super::lines::Lines;
use super::printer::Printer;
use super::renderer::Renderer;
use super::style::{Look, OutputEnvironment, OutputOptions, Style};
use super::{Log, Unwritable};
use crate::event::Event;
use crate::problem::{Exit, Problem};
use crate::report::Recorder;

/// Where events and problems are told. Made once; only its owner prints.
#[derive(Debug)]
pub struct Output {
    renderer: Box<dyn Renderer>,
    printer: Printer,
    recorder: Option<Box<Recorder>>,
}

impl Output {
    /// For this process's terminal and streams.
    pub fn for_process(options: impl Into<OutputOptions>, environment: &OutputEnvironment) -> Self {
        let look = Look::choose(options.into(), environment);
        let target = ProgressDrawTarget::stderr_with_hz(FRAMES_PER_SECOND);
        Self::new(look, Printer::standard(), target, || {
            let (lines, columns) = console::Term::stderr().size_checked()?;
            Some(ScreenSize { lines: lines.into(), columns: columns.into() })
        })
    }

    /// With everything it touches as a parameter: streams, where bars are drawn, and how large the terminal is, if
    /// that can be told. It is asked anew for every frame.
    fn new(
        look: Look,
        printer: Printer,
        target: ProgressDrawTarget,
        size: impl Fn() -> Option<ScreenSize> + Send + 'static,
    ) -> Self {
        let renderer: Box<dyn Renderer> = match look.style {
            Style::Bars => Box::new(Bars::new(look, Screen::new(target, size))),
            Style::Lines => Box::new(Lines::new(look)),
            Style::Json => Box::new(Json::new(look)),
        };
        Self { renderer, printer, recorder: None }
    }

    /// The same, with reports to be written at the end.
    #[must_use]
    pub(crate) fn recorded(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder.map(Box::new);
        self
    }

    /// Writes the reports of a run that has ended like this.
    pub(crate) fn write_reports(&mut self, outcome: &Result<Exit, Problem>) -> Result<(), Problem> {
        self.recorder.as_mut().map_or(Ok(()), |recorder| recorder.write(outcome))
    }

    /// Tells an event of the box of this name, or of this machine.
    pub fn event(&mut self, name: Option<&str>, event: &Event) -> Result<(), Unwritable> {
        let now = Instant::now();
        if let Some(recorder) = &mut self.recorder {
            recorder.hear(name, event, now);
        }
        self.renderer.event(name, event, now, &mut self.printer)
    }

    /// Tells the error that ends the run.
    pub fn problem(&mut self, problem: &Problem) -> Result<(), Unwritable> {
        self.renderer.problem(problem, &mut self.printer)
    }

    /// Whether something that moves is to be drawn again soon, though nothing happens.
    pub fn is_behind(&self) -> bool {
        self.renderer.is_behind()
    }

    /// Draws that.
    pub fn catch_up(&mut self) {
        self.renderer.catch_up(Instant::now());
    }

    /// Takes away what moves until the next event: a prompt is about to use the terminal.
    pub fn step_aside(&mut self) {
        self.renderer.step_aside();
    }

    /// Takes away what moves. What was said remains.
    pub fn finish(&mut self) {
        self.renderer.finish();
    }

    /// Where log lines go without disturbing what moves: a `MakeWriter`, for any thread.
    pub fn log(&self) -> Log {
        self.renderer.log(&self.printer)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.finish();
    }
}
