//! The real agent once more: cargo builds binaries for the tests of their own package only.

fn main() -> std::process::ExitCode {
    hfdown_agent::main()
}
