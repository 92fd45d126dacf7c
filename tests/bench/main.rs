//! The benchmark: hfdown beside what people use instead, in the same minutes, on a Hub of this machine.
//!
//! `cargo bench-rivals --help` says how to run it. It is no test: it prints tables. This one program plays three parts,
//! so that nothing else has to be built: the benchmark with the test Hub in it, `hfdown` when it is called by that
//! name, and `measure`, a small process that starts what is measured and asks the system what that has cost. The Hub's
//! own CPU time counts for none of the programs.
//!
//! Over TLS from nginx, with the system calls of each: `cargo bench-rivals --over tls --cdn nginx --only A --on /dev/shm --syscalls`. Two
//! builds of hfdown beside each other: `--hfdown FILE --beside FILE`. `cargo bench-rivals fleet --help` is about many boxes, `cargo bench-rivals xet --help` about the Xet store.

mod circumstances;
mod fleet;
mod invocations;
mod measure;
mod measurements;
mod options;
mod round;
mod scenario;
mod servers;
mod system_calls;
mod table;
mod tool;
mod workspace;
mod xet;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;

use circumstances::Circumstances;
use measurements::Measurements;
use options::Options;
use scenario::Scenario;
use servers::{CdnKind, Servers, Transport};
use system_calls::CallTable;
use table::Table;
use tool::Tool;
use workspace::Workspace;

/// What this program is called when it is to be the real thing.
const HFDOWN: &str = "hfdown";
/// What another build of it is called.
const BESIDE: &str = "hfdown-beside";

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    if Path::new(&called).file_name().is_some_and(|name| name == HFDOWN || name == BESIDE) {
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
    if options.cdn.contains(&CdnKind::Nginx) || options.syscalls {
        // What is missing all the same is told where it is needed.
        tool::install_rivals();
    }
    let tools = found(options)?;
    let circumstances = Circumstances::of(options)?;
    let mut workspace = Workspace::prepare(options)?;
    say(&format!("files in {}, {} rounds", workspace.folder().display(), options.rounds));
    if circumstances.is_on_disk() {
        let rate = circumstances::write_rate(workspace.folder())?;
        say(&format!("that disk writes {:.0} MB/s (dd bs=16M oflag=dsync)", rate / 1e6));
    }
    say("");
    let own = std::env::current_exe()?;
    for (name, program) in
        [(HFDOWN, options.hfdown.as_ref().or(Some(&own))), (BESIDE, options.beside.as_ref())]
    {
        if let Some(program) = program {
            std::os::unix::fs::symlink(std::fs::canonicalize(program)?, workspace.folder().join(name))?;
        }
    }
    let scenarios = options.scenarios();
    let ways: Vec<_> =
        options.cdn.iter().flat_map(|cdn| options.over.iter().map(|over| (*over, *cdn))).collect();
    if let (true, Some(scenario), Some(way)) = (options.serve, scenarios.first(), ways.first()) {
        return serve(*scenario, *way, &mut workspace);
    }
    for (number, scenario) in scenarios.iter().enumerate() {
        for way in &ways {
            run(*scenario, *way, &tools, &circumstances, &mut workspace, options)?;
        }
        let later: Vec<_> =
            scenarios[number + 1..].iter().flat_map(|scenario| scenario.sets()).copied().collect();
        workspace.keep_only(&later);
    }
    Ok(())
}

/// Until Ctrl-C.
fn serve(
    scenario: Scenario,
    way: (Transport, CdnKind),
    workspace: &mut Workspace,
) -> Result<(), Box<dyn Error>> {
    let files = workspace.files(scenario);
    let servers = Servers::start(scenario, &files, way, workspace.memory())?;
    let trust =
        servers.certificate().map_or(String::new(), |file| format!("SSL_CERT_FILE={} ", file.display()));
    say(&format!("{scenario}: {trust}HF_ENDPOINT={} {}", servers.hub.endpoint(), workspace::MODEL));
    loop {
        std::thread::park();
    }
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

fn run(
    scenario: Scenario,
    way: (Transport, CdnKind),
    tools: &[(Tool, PathBuf)],
    circumstances: &Circumstances,
    workspace: &mut Workspace,
    options: &Options,
) -> Result<(), Box<dyn Error>> {
    let files = workspace.files(scenario);
    let mut servers = Servers::start(scenario, &files, way, workspace.memory())?;
    let mut table = Table::new(scenario, way, circumstances.describe(&options.on), &files);
    let (mut taking_part, left_out): (Vec<_>, Vec<_>) =
        tools.iter().partition(|(tool, _)| scenario.refuses(*tool).is_none());
    for (tool, _) in left_out {
        table.left_out(*tool, scenario.refuses(*tool).unwrap_or_default());
    }
    for round in 0..options.rounds {
        // Who failed once would fail again.
        taking_part.retain(|(tool, program)| {
            let mut site =
                workspace.site(&mut servers, circumstances, &files, *tool, program, scenario.choice());
            match round::run(scenario, *tool, &mut site, round + 1 == options.rounds) {
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
    if options.syscalls && scenario.is_traced() {
        let mut calls = CallTable::new(&files);
        for (tool, program) in taking_part {
            let mut site =
                workspace.site(&mut servers, circumstances, &files, *tool, program, scenario.choice());
            calls.add(*tool, round::traced(*tool, &mut site));
        }
        say(&calls.to_string());
    }
    Ok(())
}

/// What the benchmark has to say is all on standard output.
fn say(text: &str) {
    // A closed output has no reader to be told.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
}
