//! One program's turn: what it costs, what it fetches, and whether the files are right.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hfdown_tests::processes::Process;
use hfdown_tests::system_calls::{self, SystemCalls};

use crate::invocations::{Invocation, Invocations};
use crate::measure;
use crate::measurements::{Cost, Measurements};
use crate::scenario::Scenario;
use crate::servers::Servers;
use crate::tool::Tool;
use crate::workspace::{ServedFile, Site};

/// How often it is looked whether half of a file has been written.
const LOOK: Duration = Duration::from_millis(2);
/// A look at a file reads this much of its beginning, its middle and its end.
const SAMPLE: u64 = 64 << 10;

/// Why there are no figures.
pub(crate) type Failed = Box<dyn Error>;

/// Runs a program in a scenario. What it fetched is removed again, unless the next round starts from there.
pub(crate) fn run(
    scenario: Scenario,
    tool: Tool,
    site: &mut Site<'_>,
    is_last: bool,
) -> Result<Measurements, Failed> {
    let measurements = measured(scenario, tool, site);
    let is_kept = scenario == Scenario::Again && !is_last && measurements.is_ok();
    if !is_kept && site.folder.exists() {
        fs::remove_dir_all(&site.folder)?;
    }
    measurements
}

fn measured(scenario: Scenario, tool: Tool, site: &mut Site<'_>) -> Result<Measurements, Failed> {
    let is_new = !site.folder.exists();
    let invocations = Invocations::of(tool, site)?;
    let before = site.circumstances.before();
    if scenario == Scenario::Again && is_new {
        cost_of(&invocations.fetch, &before)?;
    }
    site.servers.forget()?;
    let whole: u64 = site.files.iter().map(|file| file.content.size()).sum();
    let killed = match scenario {
        Scenario::Killed => Some(kill_halfway(&invocations.fetch, &before, site.servers, whole)?),
        _ => None,
    };
    site.servers.forget()?;
    // What the one before has not written yet is not this one's business.
    site.circumstances.prepare()?;
    let cost = invocations.each().try_fold(Cost::default(), |cost, invocation| {
        Ok::<_, Failed>(cost.then(cost_of(invocation, &before)?))
    })?;
    let flushed = if site.circumstances.is_on_disk() { Some(flush(&site.folder)?) } else { None };
    check(tool, &invocations, site)?;
    site.servers.settle();
    let traffic = site.servers.traffic()?;
    Ok(Measurements {
        cost,
        flushed,
        traffic,
        again: killed.as_ref().map(|killed| (killed.sent + traffic.sent).saturating_sub(whole)),
        buffered: killed.and_then(|killed| killed.buffered),
    })
}

/// How long it takes until all that is in a folder's disk's cache is on the disk.
fn flush(folder: &Path) -> Result<Duration, Failed> {
    let begun = Instant::now();
    let status = Command::new("sync").arg("--file-system").arg(folder).status()?;
    if status.success() { Ok(begun.elapsed()) } else { Err("sync failed".into()) }
}

/// Runs a program under a tracer, which slows it down. What it fetched is removed again.
pub(crate) fn traced(tool: Tool, site: &mut Site<'_>) -> Result<SystemCalls, Failed> {
    let calls = counted(tool, site);
    if site.folder.exists() {
        fs::remove_dir_all(&site.folder)?;
    }
    calls
}

fn counted(tool: Tool, site: &mut Site<'_>) -> Result<SystemCalls, Failed> {
    let invocations = Invocations::of(tool, site)?;
    let log = invocations.fetch.home().join("calls");
    let mut calls = SystemCalls::default();
    for invocation in invocations.each() {
        let words: Vec<OsString> =
            site.circumstances.before().into_iter().chain(system_calls::tracer(&log)).collect();
        succeed(invocation, &words)?;
        calls.add(&SystemCalls::read(&log)?);
    }
    check(tool, &invocations, site)?;
    Ok(calls)
}

/// Whether the files are what they should be.
fn check(tool: Tool, invocations: &Invocations, site: &Site<'_>) -> Result<(), Failed> {
    let model = site.folder.join("model");
    let fetching = if site.choice.is_some() { &[] } else { site.files };
    fetching.iter().try_for_each(|file| look_at(&model, file))?;
    if tool.prints_digests() {
        check_digests(invocations.fetch.home(), &model, site.files)?;
    }
    Ok(())
}

fn cost_of(invocation: &Invocation, before: &[OsString]) -> Result<Cost, Failed> {
    let report = invocation.home().join("report");
    let measuring: [OsString; 3] =
        [std::env::current_exe()?.into(), measure::WORD.into(), report.clone().into()];
    succeed(invocation, &[before, &measuring].concat())?;
    Cost::of_line(&fs::read_to_string(report)?).ok_or_else(|| "there are no measurements".into())
}

/// Runs a program behind other words. What it said last is why it failed.
fn succeed(invocation: &Invocation, before: &[OsString]) -> Result<(), Failed> {
    let status = invocation.command(before)?.status()?;
    if status.success() {
        return Ok(());
    }
    let log = fs::read_to_string(invocation.log()).unwrap_or_default();
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("failed ({status}): {last}").into())
}

/// A run that ended early.
struct Killed {
    /// Bytes that the servers had sent to it in the end.
    sent: u64,
    /// Those of them that had not come further than the system's buffers.
    buffered: Option<u64>,
}

fn kill_halfway(
    invocation: &Invocation,
    before: &[OsString],
    servers: &Servers,
    size: u64,
) -> Result<Killed, Failed> {
    let mut child = invocation.command(before)?.spawn()?;
    let process = Process { pid: child.id() };
    while process.bytes_written() < size / 2 {
        if let Some(status) = child.try_wait()? {
            return Err(format!("ended before it could be killed ({status})").into());
        }
        std::thread::sleep(LOOK);
    }
    let buffered = servers.buffered();
    child.kill()?;
    child.wait()?;
    servers.settle();
    Ok(Killed { sent: servers.traffic()?.sent, buffered })
}

/// A program that ends well may still have left something else than the file.
fn look_at(model: &Path, file: &ServedFile) -> Result<(), Failed> {
    let wrong = || format!("left {} wrong", file.path);
    let size = file.content.size();
    let found = File::open(model.join(&file.path)).map_err(|error| format!("{}: {error}", wrong()))?;
    if found.metadata()?.len() != size {
        return Err(wrong().into());
    }
    for start in [0, size / 2, size.saturating_sub(SAMPLE)] {
        let expected = file.content.read(start..size.min(start + SAMPLE));
        let mut bytes = vec![0; expected.len()];
        found.read_exact_at(&mut bytes, start)?;
        if bytes != expected {
            return Err(wrong().into());
        }
    }
    Ok(())
}

/// Compares what `sha256sum` and `openssl dgst -r` print: the digest, a space, a space or an asterisk, the name.
fn check_digests(home: &Path, model: &Path, files: &[ServedFile]) -> Result<(), Failed> {
    let mut digests = HashMap::new();
    for entry in fs::read_dir(home)?.collect::<io::Result<Vec<_>>>()? {
        if !entry.file_name().to_string_lossy().starts_with("digests.") {
            continue;
        }
        let text = fs::read_to_string(entry.path())?;
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        digests.extend(lines.map(|(digest, name)| (name[1..].to_owned(), digest.to_owned())));
        fs::remove_file(entry.path())?;
    }
    for file in files {
        let name = model.join(&file.path).display().to_string();
        if digests.get(&name) != Some(&file.content.sha256()) {
            return Err(format!("left {} wrong, by its digest", file.path).into());
        }
    }
    Ok(())
}
