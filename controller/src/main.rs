//! The program: see [`hfdown::main`].

fn main() -> std::process::ExitCode {
    hfdown::main()
}
