//! What is wanted, and where: a [`SyncRequest`] is the same for every box, a [`Target`] is one of them.

use std::num::NonZeroU32;

use hfdown_protocol::{Access, Check, Commit, Layout, Limits, Mode, Traces};

use super::Context;
use crate::cli::{self, BoxArguments, Settings, TransferArguments};
use crate::detached_records::DetachedRecords;
use crate::display::Events;
use crate::event::Event;
use crate::failure::Problem;
use crate::link::IgnoredOption;
use crate::plan::{Extraneous, Intent, Policy};
use crate::selection::Selection;
use crate::session::{ConnectAttempt, FolderRequest, Machine};

/// What is wanted.
pub(super) struct SyncRequest {
    /// The Hub, the repository and its revision.
    pub(super) settings: Settings,
    /// Which of its files.
    pub(super) selection: Selection,
    /// What the folder is to look like.
    pub(super) layout: FolderLayout,
    /// What may stay on the machine beside the files.
    pub(super) traces: Traces,
    /// How closely to look, and what becomes of extraneous files.
    pub(super) policy: Policy,
    /// What the transfer may use.
    pub(super) limits: Limits,
    /// Whether it is carried out.
    pub(super) intent: Intent,
    /// By what way a box gets what it can't fetch by itself.
    pub(super) through: Through,
    /// For how many seconds an agent that is left alone may wait for new addresses, where it is to be left alone.
    pub(super) detach: Option<NonZeroU32>,
}

/// What a folder is to look like: the [`Layout`] of which the commit is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FolderLayout {
    /// The repository's files as `hf download --local-dir` lays them out.
    LocalDir,
    /// Files among others of the user's.
    Bare,
}

/// By what way a box gets what only this machine may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Through {
    /// By none.
    Nothing,
    /// Through this machine, byte by byte (`--through-controller`).
    Controller,
}

/// Where it is wanted.
pub(super) struct Target {
    /// Where the agent runs.
    pub(super) machine: Machine,
    /// The folder there, as it was typed.
    pub(super) folder: String,
    /// The destination in words, for errors.
    pub(super) destination: String,
    /// The SSH command that leads there, as it was typed; empty for this machine.
    pub(super) ssh: String,
    /// Where what happens there is told.
    pub(super) events: Events,
    /// What this machine remembers of transfers that it detached.
    pub(super) records: DetachedRecords,
}

impl SyncRequest {
    /// All files of a repository, in a folder of their own.
    pub(super) fn new(settings: Settings, arguments: &TransferArguments) -> Self {
        Self {
            limits: arguments.limits(settings.stall_seconds),
            intent: if arguments.dry_run { Intent::DryRun } else { Intent::Execute },
            settings,
            selection: Selection::Everything,
            layout: FolderLayout::LocalDir,
            traces: Traces::Keep,
            policy: Policy { check: Check::Records, extraneous: Extraneous::Keep },
            through: Through::Nothing,
            detach: None,
        }
    }

    /// What an agent is asked for, once the commit is known.
    pub(super) fn open(&self, target: &Target, commit: &Commit, attempt: ConnectAttempt) -> FolderRequest {
        FolderRequest {
            root: target.folder.clone(),
            access: match self.intent {
                Intent::Execute => Access::ReadWrite,
                Intent::DryRun => Access::ReadOnly,
            },
            layout: match self.layout {
                FolderLayout::LocalDir => Layout::LocalDir { commit: commit.clone() },
                FolderLayout::Bare => Layout::Bare,
            },
            traces: self.traces,
            limits: self.limits.clone(),
            attempt,
            mode: if self.detach.is_some() { Mode::Detached } else { Mode::Attached },
        }
    }
}

impl Target {
    /// A folder here.
    pub(super) fn local(settings: &Settings, folder: String, events: Events) -> Result<Self, Problem> {
        let (machine, destination) = (settings.local()?, folder.clone());
        let records = cli::detached_records();
        Ok(Self { machine, folder, destination, ssh: String::new(), events, records })
    }

    /// A folder on a box. What of its SSH command is ignored is told.
    pub(super) async fn on_box(
        arguments: &BoxArguments,
        traces: Traces,
        context: &Context,
    ) -> Result<Self, Problem> {
        let (machine, name, ignored) = cli::on_box(arguments, traces)?;
        let events = context.events(Some(&name));
        for IgnoredOption { option, reason } in ignored {
            events.send(Event::Warning { text: format!("{option} is ignored: {reason}") }).await;
        }
        let (folder, ssh) = (arguments.folder.clone(), arguments.ssh.clone());
        let (destination, records) = (format!("{name}:{folder}"), cli::detached_records());
        Ok(Self { machine, folder, destination, ssh, events, records })
    }
}
