//! The agent as a program: see [`hfdown_agent::main`].

fn main() -> std::process::ExitCode {
    hfdown_agent::main()
}
