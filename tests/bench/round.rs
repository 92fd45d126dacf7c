//! One program's turn: what it costs, what it fetches, and whether the files are right.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hfdown_tests::hub::{Origin, TestHub};

use crate::figures::{Cost, Figures};
use crate::ground::{Listed, Site};
use crate::measure;
use crate::scenario::Scenario;
use crate::steps::{Step, Steps};
use crate::tool::Tool;

/// How often it is looked whether half of a file has been sent.
const LOOK: Duration = Duration::from_millis(2);
/// A look at a file reads this much of its beginning, its middle and its end.
const SAMPLE: u64 = 64 << 10;
/// A connection that carried less was for a question.
const WORTH_MENTIONING: u64 = 1 << 20;

type Failed = Box<dyn Error>;

/// Runs a program in a scenario. What it fetched is removed again, unless the next round starts from there.
pub(crate) fn run(scenario: Scenario, tool: Tool, site: &Site<'_>, is_last: bool) -> Result<Figures, Failed> {
    let figures = measured(scenario, tool, site);
    let is_kept = scenario == Scenario::Again && !is_last && figures.is_ok();
    if !is_kept && site.folder.exists() {
        fs::remove_dir_all(&site.folder)?;
    }
    figures
}

fn measured(scenario: Scenario, tool: Tool, site: &Site<'_>) -> Result<Figures, Failed> {
    let is_new = !site.folder.exists();
    let steps = Steps::of(tool, site)?;
    if scenario == Scenario::Again && is_new {
        cost_of(&steps.fetch)?;
    }
    site.hub.forget_requests();
    let whole: u64 = site.files.iter().map(|file| file.content.size()).sum();
    let sent_before = match scenario {
        Scenario::Killed => Some(kill_halfway(&steps.fetch, site.hub, whole)?),
        _ => None,
    };
    site.hub.forget_requests();
    // What the one before has not written yet is not this one's business.
    Command::new("sync").status()?;
    let cost =
        steps.each().try_fold(Cost::default(), |cost, step| Ok::<_, Failed>(cost.then(cost_of(step)?)))?;
    let model = site.folder.join("model");
    site.files.iter().try_for_each(|file| look_at(&model, file))?;
    if steps.prove.is_some() {
        check_digests(steps.fetch.home(), &model, site.files)?;
    }
    let fetched = sent(site.hub);
    Ok(Figures {
        cost,
        fetched,
        requests: site.hub.requests().len() as u64,
        connections: connections(site.hub),
        again: sent_before.map(|before| (before + fetched).saturating_sub(whole)),
    })
}

fn cost_of(step: &Step) -> Result<Cost, Failed> {
    let report = step.home().join("report");
    let before: [OsString; 3] =
        [std::env::current_exe()?.into(), measure::WORD.into(), report.clone().into()];
    let status = step.command(&before)?.status()?;
    if !status.success() {
        let log = fs::read_to_string(step.log()).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Err(format!("failed ({status}): {last}").into());
    }
    Cost::of_line(&fs::read_to_string(report)?).ok_or_else(|| "there are no figures".into())
}

/// Says how many bytes had been sent to it in the end.
fn kill_halfway(step: &Step, hub: &TestHub, size: u64) -> Result<u64, Failed> {
    let mut child = step.command(&[])?.spawn()?;
    while sent(hub) < size / 2 {
        if let Some(status) = child.try_wait()? {
            return Err(format!("ended before it could be killed ({status})").into());
        }
        std::thread::sleep(LOOK);
    }
    child.kill()?;
    child.wait()?;
    Ok(sent(hub))
}

fn sent(hub: &TestHub) -> u64 {
    hub.bytes_sent(Origin::Cdn) + hub.bytes_sent(Origin::Hub)
}

fn connections(hub: &TestHub) -> u64 {
    let mut carried: HashMap<u64, u64> = HashMap::new();
    for request in hub.requests() {
        *carried.entry(request.connection).or_default() += request.bytes_sent;
    }
    carried.values().filter(|bytes| **bytes >= WORTH_MENTIONING).count() as u64
}

/// A program that ends well may still have left something else than the file.
fn look_at(model: &Path, file: &Listed) -> Result<(), Failed> {
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
fn check_digests(home: &Path, model: &Path, files: &[Listed]) -> Result<(), Failed> {
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
