//! What is said of an event: one sentence, mostly. Lines and bars say the same.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hfdown_protocol::{Commit, Failure, MachineInfo, RepoPath};

use super::fleet::{FleetSentences, FleetVoice};
use super::reason::because;
use super::style::{Look, Naming, Verbosity};
use super::summary::{PlanTotals, summary};
use super::{Unwritable, cache, detached, disk_warning, info, plan_lines, status, verification};
use crate::event::{Agent, Event, HintBeside, Progress, RecordCompleteness};
use crate::link::BadAgent;
use crate::plan::{Intent, Plan};
use crate::text::units::{bytes, count, duration, grouped};

/// A wait that a user would notice is said without `--verbose`.
const NOTICED: Duration = Duration::from_secs(5);

/// A line, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OutputLine {
    /// For standard output.
    Data(String),
    /// For standard error.
    Message(String),
}

/// What is said, and what has to be remembered of each run to say it truthfully.
#[derive(Debug)]
pub(super) struct Sentences {
    verbosity: Verbosity,
    naming: Naming,
    /// By the box's name; none is the empty one.
    runs: BTreeMap<String, RunSoFar>,
    fleet: FleetSentences,
}

/// What is remembered of a run.
#[derive(Debug, Default)]
struct RunSoFar {
    expected: PlanTotals,
}

impl Sentences {
    pub(super) fn new(look: Look) -> Self {
        let fleet = FleetSentences::new(look);
        Self { verbosity: look.verbosity, naming: look.naming, runs: BTreeMap::new(), fleet }
    }

    /// The fleet, where there is one.
    pub(super) fn fleet(&self) -> Option<&FleetSentences> {
        Some(&self.fleet).filter(|fleet| fleet.is_fleet())
    }

    /// Says what is said of an event, line by line: a plan may have a million. Samples are not: each style has its own way
    /// with them.
    pub(super) fn hear(
        &mut self,
        name: Option<&str>,
        event: &Event,
        now: Instant,
        say: &mut dyn FnMut(OutputLine) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        self.fleet.hear(name, event, now, say)?;
        self.count_boxes(name);
        // What is of all boxes is said of none.
        let name_of_all = self.fleet.is_fleet()
            && matches!(event, Event::Listed { .. } | Event::Recalled { .. } | Event::Cancelling);
        let named = name.filter(|_| self.naming == Naming::Always && !name_of_all);
        let mut say = |line: OutputLine| {
            say(match named {
                Some(name) => line.prefixed(name),
                None => line,
            })
        };
        match event {
            Event::Planned { plan, intent } => self.planned(name, plan, *intent, &mut say),
            Event::Described { info, selected, contents } => {
                info::lines(info, selected, contents).try_for_each(|line| say(OutputLine::Data(line)))
            }
            Event::Cache(event) => cache::lines(event, self.verbosity).into_iter().try_for_each(say),
            Event::Checked(file) if verification::level(&file.verdict) <= self.verbosity => {
                let line = verification::line(file);
                if self.fleet.keeps(name, &line) { Ok(()) } else { say(OutputLine::Data(line)) }
            }
            Event::Status(status) => {
                let line = status::line(status);
                if self.fleet.keeps(name, &line) { Ok(()) } else { say(OutputLine::Data(line)) }
            }
            Event::Joined { status } => {
                let run = self.runs.entry(name.unwrap_or_default().to_owned()).or_default();
                run.expected = PlanTotals::of_status(status);
                self.told(name, event).map(OutputLine::Message).map_or(Ok(()), say)
            }
            event => self.told(name, event).map(OutputLine::Message).map_or(Ok(()), say),
        }
    }

    /// The sentence about an event, unless a fleet is told it another way.
    fn told(&mut self, name: Option<&str>, event: &Event) -> Option<String> {
        let text = self.sentence(name, event)?;
        let is_said = !self.fleet.is_fleet() || self.fleet.voice(name, event, &text) == FleetVoice::Said;
        is_said.then_some(text)
    }

    /// As soon as there are two boxes, lines must say of which they speak.
    fn count_boxes(&mut self, name: Option<&str>) {
        if let Some(name) = name
            && !self.runs.contains_key(name)
        {
            if self.runs.keys().any(|known| !known.is_empty()) {
                self.naming = Naming::Always;
            }
            self.runs.insert(name.to_owned(), RunSoFar::default());
        }
    }

    fn planned(
        &mut self,
        name: Option<&str>,
        plan: &Plan,
        intent: Intent,
        say: &mut dyn FnMut(OutputLine) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        let run = self.runs.entry(name.unwrap_or_default().to_owned()).or_default();
        run.expected = PlanTotals::of(plan);
        // Of a fleet, equal plans are told at once, at the end.
        let is_alone = !self.fleet.is_fleet();
        if self.verbosity >= Verbosity::Normal {
            if is_alone || self.verbosity == Verbosity::Verbose {
                say(OutputLine::Message(plan_lines::headline(plan)))?;
            }
            for note in plan_lines::notes(plan) {
                if is_alone || self.fleet.note(name, &note) == FleetVoice::Said {
                    say(OutputLine::Message(note))?;
                }
            }
        }
        match intent {
            Intent::DryRun if !is_alone && self.verbosity < Verbosity::Verbose => Ok(()),
            Intent::DryRun => {
                plan_lines::table(plan, self.verbosity).try_for_each(|row| say(OutputLine::Data(row)))
            }
            Intent::Execute if self.verbosity == Verbosity::Verbose => {
                plan_lines::reasons(plan).try_for_each(|reason| say(OutputLine::Message(reason)))
            }
            Intent::Execute | Intent::Verify => Ok(()),
        }
    }

    fn sentence(&self, name: Option<&str>, event: &Event) -> Option<String> {
        let run = self.runs.get(name.unwrap_or_default());
        let (level, text) = match event {
            Event::Warning { text } => (Verbosity::Normal, format!("warning: {text}")),
            Event::DiskWarning { root, warning } => {
                (Verbosity::Normal, format!("warning: {}", disk_warning::text(root, warning)))
            }
            Event::Hint { text, beside: HintBeside::Failure } => (Verbosity::Quiet, format!("hint: {text}")),
            Event::Hint { text, beside: HintBeside::Result } => (Verbosity::Normal, format!("hint: {text}")),
            Event::Delayed { why, attempt, wait } => {
                let wait = duration(*wait);
                (Verbosity::Normal, format!("{why}; trying again in {wait} (attempt {attempt} failed)"))
            }
            Event::Listed { repo, commit, portion } => {
                let size = bytes(portion.bytes);
                let files = count(portion.files, "file");
                (Verbosity::Normal, format!("{repo} @ {} · {files} · {size}", commit.short()))
            }
            Event::Recalled { repo, commit, completeness, files, bytes } => {
                (Verbosity::Normal, recalled(repo, commit.as_ref(), *completeness, *files, *bytes))
            }
            Event::NotReady { why, left } => (Verbosity::Normal, not_ready(why, *left)),
            Event::Reconnecting { why, attempt, of, wait } => {
                let wait = duration(*wait);
                (Verbosity::Normal, format!("{why}; reconnecting in {wait} (attempt {attempt} of {of})"))
            }
            Event::Waiting { holder, path, waited } => {
                (Verbosity::Normal, waiting(holder, path.as_ref(), *waited))
            }
            Event::Opened { root, asked, free, machine, agent, after } => {
                // Who wrote `~/models` would not know where the files land.
                let is_elsewhere = root != asked.trim_end_matches('/');
                let place = self.place(name, root, is_elsewhere, machine, *agent);
                // A disk may not say.
                let free = if *free == u64::MAX {
                    "free space unknown".to_owned()
                } else {
                    format!("{} free", bytes(*free))
                };
                (Verbosity::Normal, format!("{place}{free}{}", readiness(*agent, *after, self.verbosity)))
            }
            Event::Started { path, size, resumed } if *resumed > 0 => {
                let (size, resumed) = (bytes(*size), bytes(*resumed));
                (Verbosity::Verbose, format!("resuming {path}: {resumed} of {size} are there"))
            }
            Event::Retrying { path, attempt, failure, wait } => {
                let level = if *wait >= NOTICED { Verbosity::Normal } else { Verbosity::Verbose };
                let (why, wait) = (because(failure), duration(*wait));
                (level, format!("retrying {path} in {wait}: {why} (attempt {attempt} failed)"))
            }
            Event::FellBack { path, failure } => (Verbosity::Verbose, fell_back(path.as_ref(), failure)),
            Event::Verified { path, digest } => {
                (Verbosity::Verbose, format!("proved {path}: {}:{digest}", digest.kind()))
            }
            Event::Placed { path, size, fetched } => {
                let others =
                    if fetched == size { String::new() } else { format!(", {} fetched", bytes(*fetched)) };
                (Verbosity::Verbose, format!("placed {path} ({}{others})", bytes(*size)))
            }
            Event::Failed { path, failure } => {
                (Verbosity::Quiet, format!("error: cannot fetch {path}: {}", because(failure)))
            }
            Event::Removed { path } => (Verbosity::Verbose, format!("removed {path}")),
            Event::NotRemoved { path, failure } => {
                (Verbosity::Normal, format!("warning: cannot remove {path}: {}", because(failure)))
            }
            Event::Detached { files, bytes, attach, stop } => {
                (Verbosity::Normal, detached::detached(*files, *bytes, attach, stop))
            }
            Event::Joined { status } => (Verbosity::Normal, detached::joined(status)),
            Event::Ended { status, conclusion, ago } => {
                (Verbosity::Quiet, detached::ended(status, conclusion, *ago))
            }
            Event::Forgotten { host, file } => {
                (Verbosity::Normal, format!("forgot the key of {host} (it was in {file})"))
            }
            Event::Disconnected => (Verbosity::Normal, "left; the transfer goes on".to_owned()),
            Event::Cancelling => {
                (Verbosity::Normal, "stopping; press Ctrl-C again to end at once".to_owned())
            }
            Event::Verification { totals, took } => (Verbosity::Normal, verification::summary(totals, *took)),
            // The verification has said it.
            Event::Finished(outcome) if outcome.intent == Intent::Verify => return None,
            Event::Finished(outcome) => {
                let expected = run.map(|run| run.expected).unwrap_or_default();
                (Verbosity::Normal, summary(outcome, expected))
            }
            Event::Described { .. }
            | Event::Cache(_)
            | Event::Fleet(_)
            | Event::Status(_)
            | Event::Checked(_)
            | Event::Planned { .. }
            | Event::Started { .. }
            | Event::Listing { .. }
            | Event::Surveying { .. }
            | Event::Tallied(_)
            | Event::Progress(_) => return None,
        };
        (level <= self.verbosity).then_some(text)
    }

    /// Where an agent is: the box, where it is not named at the start of the line already, and the folder, where it is
    /// here or goes by another name than the user's.
    fn place(
        &self,
        name: Option<&str>,
        root: &str,
        is_elsewhere: bool,
        machine: &MachineInfo,
        agent: Agent,
    ) -> String {
        let MachineInfo { os, arch, .. } = machine;
        let folder = if is_elsewhere { format!("{root} · ") } else { String::new() };
        match (agent, name, self.naming) {
            (Agent::InProcess, ..) => format!("{root} · "),
            (_, Some(name), Naming::Once) => format!("{name} · {folder}{os} {arch} · "),
            (_, Some(_), Naming::Always) => format!("{folder}{os} {arch} · "),
            (_, None, _) => format!("{root} · {os} {arch} · "),
        }
    }
}

fn not_ready(why: &str, left: Duration) -> String {
    format!("{why}; a box that was just started does that: trying for {}", duration(left))
}

fn fell_back(path: Option<&RepoPath>, failure: &Failure) -> String {
    let which = path.map_or("some files", RepoPath::as_str);
    format!("without Xet: {which}: {}", because(failure))
}

/// What is waited for, and for how long already.
fn waiting(holder: &str, path: Option<&RepoPath>, waited: Duration) -> String {
    match path {
        Some(path) => format!("waiting: another program fetches {path} into the same cache: {holder}"),
        None if waited.is_zero() => format!("waiting: another run holds the folder ({holder})"),
        None => {
            let waited = duration(waited);
            format!("still waiting after {waited}: another run holds the folder ({holder})")
        }
    }
}

/// What the last sync has recorded, in the place of what the Hub lists.
fn recalled(
    repo: &str,
    commit: Option<&Commit>,
    completeness: RecordCompleteness,
    files: usize,
    size: u64,
) -> String {
    let commit = commit.map(|commit| format!(" @ {}", commit.short())).unwrap_or_default();
    let incomplete = match completeness {
        RecordCompleteness::Whole => "",
        RecordCompleteness::Partial => ", which was not complete,",
    };
    let (files, size) = (count(files, "file"), bytes(size));
    format!("{repo}{commit}, as its last sync{incomplete} recorded it · {files} · {size}")
}

impl OutputLine {
    fn prefixed(self, name: &str) -> Self {
        let prefix = |text: String| {
            let lines: Vec<_> = text.lines().map(|line| format!("{name}: {line}")).collect();
            lines.join("\n")
        };
        match self {
            Self::Data(text) => Self::Data(prefix(text)),
            Self::Message(text) => Self::Message(prefix(text)),
        }
    }
}

fn readiness(agent: Agent, after: Duration, verbosity: Verbosity) -> String {
    match agent {
        Agent::InProcess => String::new(),
        Agent::Cached => format!(" · agent ready in {}", duration(after)),
        Agent::Uploaded { bytes: size, replaces } => {
            let why = match replaces.filter(|_| verbosity == Verbosity::Verbose) {
                None => "",
                Some(BadAgent::NotOurs) => ", as the one that was there is no program of this user alone",
                Some(BadAgent::Damaged) => ", as the one that was there is damaged",
            };
            format!(" · agent ready in {} (uploaded {}{why})", duration(after), bytes(size))
        }
    }
}

/// How far a transfer is: `71 % of 548 MB, 118 MB/s, 1 s left`.
pub(super) fn progress(progress: &Progress) -> String {
    let (percent, rate) =
        (crate::text::units::percent(progress.done, progress.total), crate::text::units::rate(progress.rate));
    let left =
        progress.left.map(|left| format!(", {} left", crate::text::units::left(left))).unwrap_or_default();
    format!("{percent} % of {}, {rate}{left}", bytes(progress.total))
}

/// How far a listing is, in words.
pub(super) fn listing(files: usize) -> String {
    format!("listing: {} files so far", grouped(files))
}

/// How far a survey is: `checking 34 % of 5.2 GB`.
pub(super) fn checking(read: u64, of: u64) -> String {
    format!("checking {} % of {}", crate::text::units::percent(read, of), bytes(of))
}
