//! A small process between the benchmark and what is measured.
//!
//! The system counts a starting process's memory from what its parent had, so the parent had better have little.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Instant;

use wait4::Wait4 as _;

use crate::measurements::Cost;

/// The argument that asks for this.
pub(crate) const WORD: &str = "measure";

/// `measure REPORT PROGRAM ARGUMENT…`: runs the program and writes what it cost to the report. Ends as it ended.
pub(crate) fn main(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(report), Some(program)) = (words.next(), words.next()) else { return ExitCode::from(2) };
    let began = Instant::now();
    let ended = Command::new(program).args(words).spawn().and_then(|mut child| child.wait4());
    let wall = began.elapsed();
    let Ok(ended) = ended else { return ExitCode::from(127) };
    let used = ended.rusage;
    let cost = Cost { wall, cpu: used.utime + used.stime, memory: used.maxrss };
    if std::fs::write(report, cost.to_line()).is_err() {
        return ExitCode::from(126);
    }
    // One that a signal ended has no code.
    ExitCode::from(ended.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(125))
}
