//! Scenarios that keep a CPU busy by themselves, or measure: beside others, whose waits are short, each would spoil the
//! other's figures.

#![expect(clippy::unwrap_used, reason = "a step that fails is a scenario that fails")]
#![expect(clippy::print_stderr, reason = "what was measured is worth a look")]

mod killed;
mod scale;
mod system_calls;
mod tampered;

/// The program under test.
const HFDOWN: &str = env!("CARGO_BIN_EXE_hfdown-tested");
