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

use hfdown_tests::hub::{HubOrigin, TestHub};

use crate::invocations::{Invocation, Invocations};
use crate::measure;
use crate::measurements::{Cost, Measurements};
use crate::scenario::Scenario;
use crate::tool::Tool;
use crate::workspace::{ServedFile, Site};

/// How often it is looked whether half of a file has been sent.
const LOOK: Duration = Duration::from_millis(2);
/// A look at a file reads this much of its beginning, its middle and its end.
const SAMPLE: u64 = 64 << 10;
/// A connection that carried less was for a question.
const WORTH_MENTIONING: u64 = 1 << 20;

/// Why there are no figures.
pub(crate) type Failed = Box<dyn Error>;

/// Runs a program in a scenario. What it fetched is removed again, unless the next round starts from there.
pub(crate) fn run(
    scenario: Scenario,
    tool: Tool,
    site: &Site<'_>,
    is_last: bool,
) -> Result<Measurements, Failed> {
    let measurements = measured(scenario, tool, site);
    let is_kept = scenario == Scenario::Again && !is_last && measurements.is_ok();
    if !is_kept && site.folder.exists() {
        fs::remove_dir_all(&site.folder)?;
    }
    measurements
}

fn measured(scenario: Scenario, tool: Tool, site: &Site<'_>) -> Result<Measurements, Failed> {
    let is_new = !site.folder.exists();
    let invocations = Invocations::of(tool, site)?;
    if scenario == Scenario::Again && is_new {
        cost_of(&invocations.fetch)?;
    }
    site.hub.forget_requests();
    let whole: u64 = site.files.iter().map(|file| file.content.size()).sum();
    let killed = match scenario {
        Scenario::Killed => Some(kill_halfway(&invocations.fetch, site.hub, whole)?),
        _ => None,
    };
    site.hub.forget_requests();
    // What the one before has not written yet is not this one's business.
    Command::new("sync").status()?;
    let cost = invocations
        .each()
        .try_fold(Cost::default(), |cost, invocation| Ok::<_, Failed>(cost.then(cost_of(invocation)?)))?;
    let model = site.folder.join("model");
    let fetching = if site.choice.is_some() { &[] } else { site.files };
    fetching.iter().try_for_each(|file| look_at(&model, file))?;
    if invocations.prove.is_some() {
        check_digests(invocations.fetch.home(), &model, site.files)?;
    }
    let fetched = sent(site.hub);
    let (connections, connected) = connections(site.hub);
    Ok(Measurements {
        cost,
        fetched,
        requests: site.hub.requests().len() as u64,
        connections,
        connected,
        again: killed.as_ref().map(|killed| (killed.sent + fetched).saturating_sub(whole)),
        buffered: killed.and_then(|killed| killed.buffered),
    })
}

fn cost_of(invocation: &Invocation) -> Result<Cost, Failed> {
    let report = invocation.home().join("report");
    let before: [OsString; 3] =
        [std::env::current_exe()?.into(), measure::WORD.into(), report.clone().into()];
    let status = invocation.command(&before)?.status()?;
    if !status.success() {
        let log = fs::read_to_string(invocation.log()).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Err(format!("failed ({status}): {last}").into());
    }
    Cost::of_line(&fs::read_to_string(report)?).ok_or_else(|| "there are no measurements".into())
}

/// A run that ended early.
struct Killed {
    /// Bytes that the Hub had sent to it in the end.
    sent: u64,
    /// Those of them that had not come further than the system's buffers.
    buffered: Option<u64>,
}

fn kill_halfway(invocation: &Invocation, hub: &TestHub, size: u64) -> Result<Killed, Failed> {
    let mut child = invocation.command(&[])?.spawn()?;
    while sent(hub) < size / 2 {
        if let Some(status) = child.try_wait()? {
            return Err(format!("ended before it could be killed ({status})").into());
        }
        std::thread::sleep(LOOK);
    }
    let buffered = buffered(hub);
    child.kill()?;
    child.wait()?;
    Ok(Killed { sent: sent(hub), buffered })
}

/// What waits on both sides of the connections to the Hub, by the system's own table: `sl local remote state tx:rx …`,
/// all numbers in hexadecimal.
fn buffered(hub: &TestHub) -> Option<u64> {
    let ports = [hub.endpoint(), hub.cdn_origin()].map(|origin| {
        let port = origin.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        port.map(|port| format!(":{port:04X}"))
    });
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let connections = table.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (local, remote, queues) = (words.next()?, words.next()?, words.nth(1)?);
        ports.iter().flatten().any(|port| local.ends_with(port) || remote.ends_with(port)).then_some(queues)
    });
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
    Some(
        connections.filter_map(|queues| queues.split_once(':')).map(|(tx, rx)| number(tx) + number(rx)).sum(),
    )
}

fn sent(hub: &TestHub) -> u64 {
    hub.bytes_sent(HubOrigin::Cdn) + hub.bytes_sent(HubOrigin::Hub)
}

/// How many connections there were, and for how long, added up.
fn connections(hub: &TestHub) -> (u64, Duration) {
    let mut all: HashMap<u64, (u64, Instant, Instant)> = HashMap::new();
    for request in hub.requests() {
        let end = request.came + request.lasted;
        let (bytes, came, gone) = all.entry(request.connection).or_insert((0, request.came, end));
        *bytes += request.bytes_sent;
        (*came, *gone) = ((*came).min(request.came), (*gone).max(end));
    }
    let busy = all.values().filter(|(bytes, ..)| *bytes >= WORTH_MENTIONING);
    busy.fold((0, Duration::ZERO), |(count, connected), (_, came, gone)| {
        (count + 1, connected + gone.duration_since(*came))
    })
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
