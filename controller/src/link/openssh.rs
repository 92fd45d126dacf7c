//! OpenSSH's own programs, which tests compare with. Not every machine has them: a developer's run then says what it
//! leaves out, and under `CI=true` it is a failure.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// A program of OpenSSH, to be given arguments.
pub(super) fn program(name: &str) -> Option<Command> {
    let started = Command::new(name).arg("-?").stdin(Stdio::null()).output();
    if started.is_ok() {
        return Some(Command::new(name));
    }
    let thread = std::thread::current();
    let missing = format!("{name} is missing: left out {}", thread.name().unwrap_or("a test"));
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
    // Past the test harness, which keeps back what passing tests print with `eprintln!`.
    let _ = writeln!(std::io::stderr(), "{missing}");
    None
}
