//! `--report FILE.json|.html`: what became of each box, and how it came to that over time, in a file.
//!
//! A [`Recorder`] hears every event. Its memory is bounded: of each box a few hundred points, thinned as time goes on.
//! The file is written at the end, however the run ended, and has its name only when it is whole.

mod document;
mod file;
mod page;
mod recorder;
mod timeline;

pub(crate) use recorder::Recorder;
