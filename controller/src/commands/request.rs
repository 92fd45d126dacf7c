//! What is wanted, and where: a [`SyncRequest`] is the same for every box, a [`Target`] is one of them.

use std::num::NonZeroU32;
use std::sync::Arc;

use hfdown_agent::cache_place::{OWN, SNAPSHOTS};
use hfdown_protocol::{Access, Check, Commit, FileTable, Layout, Limits, Mode, RepoPath, Symlinks, Traces};

use super::Context;
use crate::cli::{
    self, BoxAccess, BoxPlaces, Cache, FleetArguments, FleetMembers, FleetTexts, LimitArguments, Settings,
    TransferArguments, TypedPlaces,
};
use crate::detached_records::DetachedRecords;
use crate::display::Events;
use crate::event::Event;
use crate::failure::{Exit, Problem};
use crate::fleet::FleetTarget;
use crate::link::IgnoredOption;
use crate::plan::{Extraneous, Intent, Policy};
use crate::routes::XetPolicy;
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
    /// Whether files come from the Hub's Xet store.
    pub(super) xet: XetPolicy,
    /// For how many seconds an agent that is left alone may wait for new addresses, where it is to be left alone.
    pub(super) detach: Option<NonZeroU32>,
}

/// What a folder is to look like: the [`Layout`] of which the commit is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FolderLayout {
    /// The cache of `huggingface_hub`, where a snapshot may consist of links or not.
    HubCache(Symlinks),
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

/// Where it is wanted: in one place, or in many.
pub(super) enum Targets {
    /// One.
    One(Box<Target>),
    /// Many, or what may be many.
    Fleet(Vec<(FleetTarget, Target)>),
}

/// Where it is wanted.
pub(super) struct Target {
    /// Where the agent runs.
    pub(super) machine: Machine,
    /// The folder there, as it was typed; none is the hub cache of the user there.
    pub(super) folder: Option<String>,
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
        let intent = if arguments.dry_run { Intent::DryRun } else { Intent::Execute };
        Self::within(settings, &arguments.limits, intent)
    }

    /// The same for what may be more than a transfer, or less.
    pub(super) fn within(settings: Settings, limits: &LimitArguments, intent: Intent) -> Self {
        Self {
            limits: limits.limits(settings.stall_seconds),
            xet: limits.xet.unwrap_or(settings.xet),
            intent,
            settings,
            selection: Selection::Everything,
            layout: FolderLayout::LocalDir,
            traces: Traces::Keep,
            policy: Policy { check: Check::Records, extraneous: Extraneous::Keep },
            through: Through::Nothing,
            detach: None,
        }
    }

    /// What an agent is asked for, once it is known what a commit contains.
    pub(super) fn open(
        &self,
        target: &Target,
        commit: &Commit,
        listing: Arc<FileTable>,
        attempt: ConnectAttempt,
    ) -> FolderRequest {
        FolderRequest {
            root: target.folder.clone(),
            access: match self.intent {
                Intent::Execute => Access::ReadWrite,
                Intent::DryRun | Intent::Verify => Access::ReadOnly,
            },
            layout: match self.layout {
                FolderLayout::LocalDir => Layout::LocalDir { commit: commit.clone() },
                FolderLayout::Bare => Layout::Bare,
                FolderLayout::HubCache(symlinks) => self.hub_cache(commit, symlinks),
            },
            traces: self.traces,
            limits: self.limits.clone(),
            attempt,
            mode: if self.detach.is_some() { Mode::Detached } else { Mode::Attached },
            listing,
        }
    }
}

impl SyncRequest {
    /// The same into the hub cache, where that was asked for.
    pub(super) fn into_cache(self, cache: Option<&Cache>) -> Self {
        match cache {
            Some(cache) => Self { layout: FolderLayout::HubCache(cache.symlinks), ..self },
            None => self,
        }
    }

    /// Where the snapshot of a commit is, in the folder that an agent has for itself.
    pub(super) fn snapshot(&self, held: &str, commit: &Commit) -> Option<String> {
        matches!(self.layout, FolderLayout::HubCache(_)).then(|| format!("{held}/{SNAPSHOTS}/{commit}"))
    }

    /// Our own folder in the one that an agent has for itself.
    pub(super) fn own_folder(&self, target: &Target, held: &str) -> String {
        match self.layout {
            FolderLayout::HubCache(_) => format!("{held}/{OWN}"),
            FolderLayout::LocalDir | FolderLayout::Bare => format!("{}/.cache/hfdown", target.typed_folder()),
        }
    }

    /// Under the name that was typed, as `huggingface_hub` does it: that is what will be looked for.
    fn hub_cache(&self, commit: &Commit, symlinks: Symlinks) -> Layout {
        let Settings { repo, revision, .. } = &self.settings;
        let revision = Some(revision.to_string()).filter(|revision| revision != commit.as_str());
        let revision = revision.and_then(|revision| RepoPath::new(revision).ok());
        Layout::HubCache { repository: repo.cache_folder(), revision, commit: commit.clone(), symlinks }
    }
}

impl Targets {
    /// Each of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Target> {
        let (one, fleet) = match self {
            Self::One(target) => (Some(&**target), &[][..]),
            Self::Fleet(fleet) => (None, &fleet[..]),
        };
        one.into_iter().chain(fleet.iter().map(|(_, target)| target))
    }

    /// Where it is told what concerns all of them.
    pub(super) fn events(&self, context: &Context) -> Events {
        match self {
            Self::One(target) => target.events.clone(),
            Self::Fleet(_) => context.events(None),
        }
    }

    /// Folders on boxes, or the hub caches there.
    pub(super) async fn on_boxes(
        typed: TypedPlaces<'_>,
        access: &BoxAccess,
        cache: Option<&Cache>,
        context: &Context,
    ) -> Result<Self, Problem> {
        let texts = fleet_texts(typed.fleet, context).await?;
        Ok(match typed.settle(&texts)? {
            BoxPlaces::One { ssh, folder } => {
                let target = Target::on_box((&ssh, access), folder.as_deref(), cache, context).await?;
                Self::One(Box::new(target))
            }
            BoxPlaces::Fleet(FleetMembers { targets, notes }) => {
                for text in notes {
                    context.events(None).send(Event::Warning { text }).await;
                }
                let mut fleet = Vec::with_capacity(targets.len());
                for each in targets {
                    let FleetTarget { name, ssh, folder, .. } = &each;
                    let way = (ssh.as_str(), access);
                    let target = Target::named(way, Some(name), folder.as_deref(), cache, context).await?;
                    fleet.push((each, target));
                }
                Self::Fleet(fleet)
            }
        })
    }
}

/// The texts that name boxes. A pipe may stay open for as long as it likes, but for the user who has seen enough.
async fn fleet_texts(fleet: &FleetArguments, context: &Context) -> Result<FleetTexts, Problem> {
    if !fleet.names_boxes() {
        return Ok(FleetTexts::default());
    }
    let fleet = fleet.clone();
    let reading = tokio::task::spawn_blocking(move || FleetTexts::read(&fleet));
    tokio::select! {
        read = reading => read.map_err(|error| Problem::new(Exit::Failed, "cannot read the hosts").because(error))?,
        () = context.cancel.cancelled() => Err(Problem::new(Exit::Cancelled, "")),
    }
}

impl Target {
    /// The folder, as it was typed; nothing where none was.
    pub(super) fn typed_folder(&self) -> &str {
        self.folder.as_deref().unwrap_or_default()
    }

    /// A folder here, or the hub cache in its place.
    pub(super) fn local(
        settings: &Settings,
        folder: String,
        cache: Option<&Cache>,
        events: Events,
    ) -> Result<Self, Problem> {
        let machine = settings.local()?;
        let records = cli::detached_records();
        let (folder, destination) = match cache {
            Some(cache) => (cache.folder.clone(), cache.in_words.clone()),
            None => (Some(folder.clone()), folder),
        };
        Ok(Self { machine, folder, destination, ssh: String::new(), events, records })
    }

    /// A folder on a box, or the hub cache in its place. What of its SSH command is ignored is told.
    pub(super) async fn on_box(
        (ssh, access): (&str, &BoxAccess),
        folder: Option<&str>,
        cache: Option<&Cache>,
        context: &Context,
    ) -> Result<Self, Problem> {
        Self::named((ssh, access), None, folder, cache, context).await
    }

    /// The same under a name of its own, as one of many.
    pub(super) async fn named(
        (ssh, access): (&str, &BoxAccess),
        name: Option<&str>,
        folder: Option<&str>,
        cache: Option<&Cache>,
        context: &Context,
    ) -> Result<Self, Problem> {
        let (machine, address, ignored) = access.machine(ssh)?;
        let name = name.map_or(address, str::to_owned);
        let events = context.events(Some(&name));
        for IgnoredOption { option, reason } in ignored {
            events.send(Event::Warning { text: format!("{option} is ignored: {reason}") }).await;
        }
        let (folder, destination) = match cache {
            Some(cache) => (cache.folder.clone(), format!("{} on {name}", cache.in_words)),
            None => (folder.map(str::to_owned), format!("{name}:{}", folder.unwrap_or_default())),
        };
        let (ssh, records) = (ssh.to_owned(), cli::detached_records());
        Ok(Self { machine, folder, destination, ssh, events, records })
    }
}
