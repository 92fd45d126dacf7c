//! What is remembered for a report while a run lasts.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use super::document::ReportDocument;
use super::file::{ReportFile, ReportKind};
use super::page;
use super::timeline::Timeline;
use crate::board::Board;
use crate::event::Event;
use crate::fleet::{BoxEnding, BoxOutcome, FleetEvent};
use crate::problem::{Exit, Problem};

/// Hears every event, and writes the reports at the end.
#[derive(Debug)]
pub(crate) struct Recorder {
    files: Vec<ReportFile>,
    board: Board,
    timelines: Vec<Timeline>,
    began: Instant,
    began_at: SystemTime,
    /// How the run ended, where its end was told: a detached transfer, for one, has no tally.
    ending: Option<BoxEnding>,
}

impl Recorder {
    /// For reports to these files, if there are any. What can't be written is found out here.
    pub(crate) fn new(paths: &[PathBuf]) -> Result<Option<Self>, Problem> {
        if paths.is_empty() {
            return Ok(None);
        }
        let files = paths.iter().map(|path| ReportFile::new(path)).collect::<Result<_, _>>()?;
        Ok(Some(Self {
            files,
            board: Board::default(),
            timelines: Vec::new(),
            began: Instant::now(),
            began_at: SystemTime::now(),
            ending: None,
        }))
    }

    /// Takes note of an event of the box of this name, or of this machine.
    pub(crate) fn hear(&mut self, name: Option<&str>, event: &Event, now: Instant) {
        match event {
            Event::Finished(tally) => self.ending = Some(BoxEnding::Finished(tally.clone())),
            Event::Detached { files, bytes, .. } => {
                self.ending = Some(BoxEnding::Detached { files: *files, bytes: *bytes });
            }
            Event::Ended { status, conclusion, .. } => {
                let (status, conclusion) = (status.clone(), conclusion.clone());
                self.ending = Some(BoxEnding::Ended { status, conclusion });
            }
            Event::Status(status) => self.ending = Some(BoxEnding::Status(status.clone())),
            Event::Disconnected => self.ending = Some(BoxEnding::Disconnected),
            _ => {}
        }
        let index = self.board.hear(name, event, now);
        self.timelines.resize_with(self.board.boxes().len(), Timeline::default);
        let at = now.saturating_duration_since(self.began);
        let begins = matches!(event, Event::Fleet(event) if matches!(**event, FleetEvent::Begun { .. }));
        let noted =
            if begins { 0..self.timelines.len() } else { index.map_or(0..0, |index| index..index + 1) };
        for index in noted {
            if let (Some(record), Some(timeline)) =
                (self.board.boxes().get(index), self.timelines.get_mut(index))
            {
                timeline.note(record, event, at);
            }
        }
    }

    /// Writes the reports of a run that has ended like this.
    pub(crate) fn write(&mut self, outcome: &Result<Exit, Problem>) -> Result<(), Problem> {
        self.write_after(outcome, self.began.elapsed())
    }

    /// The same of one that has taken so long.
    pub(super) fn write_after(
        &mut self,
        outcome: &Result<Exit, Problem>,
        elapsed: Duration,
    ) -> Result<(), Problem> {
        let now = self.began + elapsed;
        let exit = match outcome {
            Ok(exit) => *exit,
            Err(problem) => problem.exit,
        };
        if exit == Exit::Usage && self.board.boxes().is_empty() {
            // A command that never began leaves an earlier report as it is.
            return Ok(());
        }
        if !self.board.is_fleet() {
            let ending = match (outcome, self.ending.take()) {
                (Err(problem), _) if exit == Exit::Cancelled && problem.causes.is_empty() => {
                    BoxEnding::Stopped
                }
                (Err(problem), _) => BoxEnding::Failed(problem.clone()),
                (Ok(_), Some(ending)) => ending,
                (Ok(Exit::Cancelled), None) => BoxEnding::Stopped,
                (Ok(_), None) => BoxEnding::NotBegun,
            };
            self.board.end(&BoxOutcome { exit, ending, elapsed }, now);
            if let (Some(record), Some(timeline)) = (self.board.boxes().first(), self.timelines.first_mut()) {
                timeline.end(record, elapsed);
            }
        }
        let document = ReportDocument::new(&self.board, &self.timelines, self.began_at, elapsed, outcome);
        let mut written = Ok(());
        for file in &self.files {
            let text = match file.kind {
                ReportKind::Json => serde_json::to_string_pretty(&document)
                    .map_err(|error| Problem::new(Exit::Failed, "cannot write a report").because(error))?,
                ReportKind::Html => page::draw(&document),
            };
            // One that can't be written keeps no other from it.
            written = written.and(file.write(&text));
        }
        written
    }
}
