//! The benchmark: hfdown beside what people use instead, in the same minutes, on a Hub of this machine.
//!
//! `cargo bench-rivals --help` says how to run it. It is no test: it prints tables. This one program plays three parts,
//! so that nothing else has to be built: the benchmark with the test Hub in it, `hfdown` when it is called by that
//! name, and `measure`, a small process that starts what is measured and asks the system what that has cost. The Hub's
//! own CPU time counts for none of the programs. `cargo bench-rivals fleet --help` is about many boxes, `cargo bench-rivals xet --help` about the Xet store.

mod fleet;
mod invocations;
mod measure;
mod measurements;
mod options;
mod round;
mod scenario;
mod table;
mod tool;
mod workspace;
mod xet;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;

use measurements::Measurements;
use options::Options;
use scenario::Scenario;
use table::Table;
use tool::Tool;
use workspace::Workspace;

/// What this program is called when it is to be the real thing.
const HFDOWN: &str = "hfdown";

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    if Path::new(&called).file_name().is_some_and(|name| name == HFDOWN) {
        return hfdown::main();
    }
    match words.next() {
        Some(word) if word == measure::WORD => return measure::main(words),
        Some(word) if word == fleet::WORD => return fleet::main(),
        Some(word) if word == xet::WORD => return xet::main(),
        _ => {}
    }
    match compare(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the benchmark failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    say(&table::machine());
    let tools = found(options)?;
    let mut workspace = Workspace::prepare(&options.on, options.size_divisor, options.connections)?;
    say(&format!("files in {}, {} rounds\n", workspace.folder().display(), options.rounds));
    std::os::unix::fs::symlink(std::env::current_exe()?, workspace.folder().join(HFDOWN))?;
    let scenarios = options.scenarios();
    if let (true, Some(scenario)) = (options.serve, scenarios.first()) {
        let hub = workspace::hub(*scenario, &workspace.files(*scenario));
        say(&format!("{scenario}: HF_ENDPOINT={} {}", hub.endpoint(), workspace::MODEL));
        loop {
            std::thread::park();
        }
    }
    for (number, scenario) in scenarios.iter().enumerate() {
        run(*scenario, &tools, &mut workspace, options.rounds);
        let later: Vec<_> =
            scenarios[number + 1..].iter().flat_map(|scenario| scenario.sets()).copied().collect();
        workspace.keep_only(&later);
    }
    Ok(())
}

/// The programs that this machine has. Those that it has not are said.
fn found(options: &Options) -> Result<Vec<(Tool, PathBuf)>, Box<dyn Error>> {
    let mut found = Vec::new();
    for tool in options.tools() {
        match tool.find() {
            Ok(program) => found.push((tool, program)),
            Err(why) => say(&format!("left out: {tool}: {why}")),
        }
    }
    if found.is_empty() { Err("there is nothing to run".into()) } else { Ok(found) }
}

fn run(scenario: Scenario, tools: &[(Tool, PathBuf)], workspace: &mut Workspace, rounds: u64) {
    let files = workspace.files(scenario);
    let hub = workspace::hub(scenario, &files);
    let mut table = Table::new(scenario, &files);
    let (mut taking_part, left_out): (Vec<_>, Vec<_>) =
        tools.iter().partition(|(tool, _)| scenario.refuses(*tool).is_none());
    for (tool, _) in left_out {
        table.left_out(*tool, scenario.refuses(*tool).unwrap_or_default());
    }
    for round in 0..rounds {
        // Who failed once would fail again.
        taking_part.retain(|(tool, program)| {
            let site = workspace.site(&hub, &files, *tool, program, scenario.choice());
            match round::run(scenario, *tool, &site, round + 1 == rounds) {
                Ok(measurements) => table.add(*tool, measurements),
                Err(error) => {
                    table.left_out(*tool, &error.to_string());
                    return false;
                }
            }
            true
        });
    }
    say(&table.to_string());
}

/// What the benchmark has to say is all on standard output.
fn say(text: &str) {
    // A closed output has no reader to be told.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
}
