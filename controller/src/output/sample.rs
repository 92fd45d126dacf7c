//! Events for tests: a model of three files and what may happen to it.

use std::sync::Arc;
use std::time::Duration;

use hfdown_protocol::{
    Commit, Digest, ExtraneousFile, Failure, FailureKind, MachineInfo, PathError, Proof, Provenance,
    RepoPath, Stamp,
};

use super::style::{Colour, Look, Naming, Style, Verbosity};
use crate::event::{Agent, Event, InFlight, Progress};
use crate::hub::{ListedFile, RefusalReason, Refused};
use crate::plan::{Action, Extraneous, Intent, LeftOut, Plan, Reason, Replaced};
use crate::selection::Portion;
use crate::tally::Tally;

pub(super) const COMMIT: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";
pub(super) const BOX: &str = "142.214.185.187:20544";

/// A file and what is to be done about it.
pub(super) type SampleFile = (ListedFile, Action);

pub(super) fn look(style: Style, verbosity: Verbosity) -> Look {
    let naming = if style == Style::Bars { Naming::Once } else { Naming::Always };
    Look { style, verbosity, colour: Colour::Plain, naming }
}

pub(super) fn path(name: &str) -> RepoPath {
    RepoPath::new(name).unwrap()
}

fn stamp(size: u64) -> Stamp {
    Stamp { size, modified: 0, changed: 0, inode: 0 }
}

pub(super) fn fetch(name: &str, size: u64, reason: Reason, partial: u64) -> SampleFile {
    let replaces = (reason != Reason::Missing).then(|| replaced(size, Provenance::Placed));
    planned(name, size, Action::Fetch { reason, replaces, partial })
}

fn replaced(size: u64, provenance: Provenance) -> Replaced {
    Replaced { stamp: stamp(size), provenance }
}

/// A file that replaces one which was put there like this.
pub(super) fn replacing(name: &str, provenance: Provenance) -> SampleFile {
    let replaces = Some(replaced(1, provenance));
    planned(name, 665, Action::Fetch { reason: Reason::OtherSize, replaces, partial: 0 })
}

pub(super) fn keep(name: &str, size: u64, proof: Proof) -> SampleFile {
    planned(name, size, Action::Keep { proof })
}

pub(super) fn planned(name: &str, size: u64, action: Action) -> SampleFile {
    (ListedFile { path: path(name), size, digest: Digest::git_sha1(COMMIT).unwrap() }, action)
}

pub(super) fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "it does not work")
}

/// Something of everything.
pub(super) fn motley() -> Plan {
    let files = [
        fetch("model.safetensors", 548_000_000, Reason::OtherContent, 120_000_000),
        fetch("onnx/config.json", 665, Reason::Missing, 0),
        keep("vocab.json", 1_042_301, Proof::Recorded),
        keep("merges.txt", 456_318, Proof::SizeOnly),
        planned("a", 8, Action::Refuse { failure: failure(FailureKind::InTheWay) }),
    ];
    let mut plan = Plan::of(files);
    plan.left_out = LeftOut { files: 1, bytes: 9_000_000_000 };
    let reason = RefusalReason::Path(PathError::Dots);
    plan.refused = vec![Refused { name: "../\u{1b}[2Jx".to_owned(), reason }];
    plan.extraneous = vec![
        (ExtraneousFile { path: path("old.bin"), stamp: stamp(9_000) }, Extraneous::Remove),
        (ExtraneousFile { path: path("older.bin"), stamp: stamp(9_000) }, Extraneous::Keep),
    ];
    plan
}

/// Two files to fetch, one to keep.
pub(super) fn simple() -> Plan {
    Plan::of(simple_files())
}

/// The files of it.
pub(super) fn simple_files() -> Vec<SampleFile> {
    vec![
        fetch("model.safetensors", 548_000_000, Reason::Missing, 0),
        fetch("config.json", 665, Reason::OtherSize, 0),
        keep("vocab.json", 1_042_301, Proof::Read),
    ]
}

pub(super) fn plan(plan: Plan, intent: Intent) -> Event {
    Event::Planned { plan: Arc::new(plan), intent }
}

pub(super) fn listed() -> Event {
    let repo = "openai-community/gpt2".to_owned();
    let portion = Portion { files: 26, bytes: 5_200_000_000, of_files: 40, of_bytes: 210_000_000_000 };
    Event::Listed { repo, commit: Commit::new(COMMIT).unwrap(), portion }
}

pub(super) fn opened(agent: Agent) -> Event {
    Event::Opened {
        root: "/workspace/gpt2".to_owned(),
        asked: "/workspace/gpt2/".to_owned(),
        free: 118_000_000_000,
        machine: MachineInfo { os: "linux".to_owned(), arch: "x86_64".to_owned(), cpus: 8, pid: 7 },
        agent,
        after: Duration::from_millis(800),
    }
}

pub(super) fn flight(name: &str, done: u64, size: u64) -> InFlight {
    InFlight { path: path(name), done, size, rate: 118_000_000 }
}

pub(super) fn progress() -> Progress {
    Progress {
        done: 405_000_000,
        total: 548_000_665,
        rate: 121_000_000,
        left: Some(Duration::from_secs(1)),
        in_flight: vec![flight("model.safetensors", 389_000_000, 548_000_000)],
    }
}

/// What the simple plan came to.
pub(super) fn outcome() -> Tally {
    Tally {
        placed: 2,
        kept: 1,
        kept_bytes: 1_042_301,
        fetched: 548_000_665,
        written: 548_000_000,
        elapsed: Duration::from_millis(4_900),
        transfer: Duration::from_millis(4_600),
        ..Tally::default()
    }
}

/// All that happens when the simple plan is carried out.
pub(super) fn run() -> Vec<Event> {
    let model = || path("model.safetensors");
    vec![
        listed(),
        opened(Agent::Cached),
        Event::Surveying { read: 340, of: 1_000 },
        plan(simple(), Intent::Execute),
        Event::Started { path: model(), size: 548_000_000, resumed: 0 },
        Event::Progress(progress()),
        Event::Retrying {
            path: model(),
            attempt: 1,
            failure: failure(FailureKind::Unreachable),
            wait: Duration::from_millis(1_500),
        },
        Event::Verified { path: model(), digest: Digest::git_sha1(COMMIT).unwrap() },
        Event::Placed { path: model(), size: 548_000_000, fetched: 548_000_000 },
        Event::Finished(outcome()),
    ]
}
