//! The real program once more: cargo builds binaries for the tests of their own package only.

fn main() -> std::process::ExitCode {
    hfdown::main()
}
