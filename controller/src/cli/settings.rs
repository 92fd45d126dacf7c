//! What was typed and what the environment says, turned into the domain's types once. Nothing later reads either.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hfdown_agent::Environment;
use hfdown_agent::http::{EnvironmentOwner, ExtraRoots, Proxies, SpeedFloor};
use hfdown_protocol::{Check, Limits, Traces, limits};

use super::arguments::{LimitArguments, SyncArguments};
use super::box_arguments::{LinkArguments, LoginArguments};
use super::model::Model;
use crate::detached_records::DetachedRecords;
use crate::display::Events;
use crate::event::Event;
use crate::failure::{self, Exit, Problem, in_words};
use crate::hub::{
    self, Credential, Hub, NetworkAccess, Observer, PagingObserver, RepoId, Revision, Token, Variables,
};
use crate::link::{AgentImages, HostKeyPolicy, LinkSettings, SharedLinks, SshTarget, TargetError};
use crate::plan::{Extraneous, Policy};
use crate::routes::XetPolicy;
use crate::session::{Machine, Timeouts};

// What to type instead.
const TOKEN: &str =
    "tokens begin with `hf_` and are made at https://huggingface.co/settings/tokens; public models need none";
const SSH: &str = "paste it as the box's console shows it, in quotes: 'ssh -p PORT USER@HOST'";
const FORGET: &str = "write HOST or HOST:PORT, or paste the box's SSH command in quotes";
const SSH_CONFIG: &str =
    "mend that line, or write `-F none` into the SSH command: then no ssh_config file is read";

/// What a run is about.
pub struct Settings {
    /// The Hub that is asked.
    pub hub: Arc<Hub>,
    /// The repository that was asked for.
    pub repo: RepoId,
    /// Its version.
    pub revision: Revision,
    /// The verb that was typed.
    pub verb: &'static str,
    /// After how many seconds without a byte a connection is given up (`HF_HUB_DOWNLOAD_TIMEOUT`), where that is set.
    pub stall_seconds: Option<NonZeroU16>,
    /// Whether files come from the Hub's Xet store, where nothing else is typed (`HF_HUB_DISABLE_XET`).
    pub xet: XetPolicy,
    extra_roots: Option<PathBuf>,
    proxies: Proxies,
}

impl Settings {
    /// Reads the environment, for a model that was typed. The Hub may be no slower than `floor`.
    pub fn new(
        model: Model,
        token: Option<&str>,
        floor: SpeedFloor,
        events: &Events,
    ) -> Result<Self, Problem> {
        let variable = |name: &str| std::env::var(name).ok();
        let file = |path: &std::path::Path| std::fs::read_to_string(path);
        let variables = Variables { variable: &variable, file: &file };
        let Model { endpoint, repo, revision, quantisation: _, verb } = model;
        let token = Token::find(token, &variables).map_err(|error| {
            Problem::new(Exit::NotAllowed, "cannot use the token").because_of(&error).hint(TOKEN)
        })?;

        let extra_roots = variables.text("SSL_CERT_FILE").map(PathBuf::from);
        let roots = extra_roots.as_deref().map_or_else(|| Ok(ExtraRoots::default()), ExtraRoots::read);
        let roots =
            roots.map_err(|error| Problem::new(Exit::Failed, "cannot use the network").because_of(&error))?;
        let network = if variables.is_offline() { NetworkAccess::Forbidden } else { NetworkAccess::Allowed };
        let (observer, paging) = (observer(events), paging(events));
        let settings = hub::HubSettings { floor, observer, paging, network, ..hub::HubSettings::default() };
        let proxies = Proxies::of_process(EnvironmentOwner::ThisMachine);
        let hub =
            Hub::new(endpoint, token.as_ref().map(|(token, _)| token), &roots, proxies.clone(), settings)
                .map_err(|error| failure::hub_setup(&error))?;
        if hub.credential() == Credential::Withheld {
            let text = match hub.withheld_for() {
                Some(proxy) => format!(
                    "the token is not sent: {} is not encrypted, and {proxy} is not on this machine",
                    hub.endpoint()
                ),
                None => format!("the token is not sent: {} is not encrypted", hub.endpoint()),
            };
            events.sample(Event::Warning { text });
        }
        // What is no number of seconds is passed over, as `hf` does.
        let stall_seconds =
            variables.text("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|text| text.trim().parse().ok());
        let is_disabled = variables.says_yes("HF_HUB_DISABLE_XET");
        let xet = if is_disabled { XetPolicy::Never } else { XetPolicy::default() };
        Ok(Self { hub: Arc::new(hub), repo, revision, verb, stall_seconds, xet, extra_roots, proxies })
    }

    /// An agent in this process.
    pub fn local(&self) -> Result<Machine, Problem> {
        Environment::new(self.extra_roots.as_deref(), self.proxies.clone())
            .map(Machine::Local)
            .map_err(|error| Problem::new(Exit::Failed, "cannot use the network").because_of(&error))
    }
}

/// How boxes are reached: settled once for all boxes of a command, which share what the user is asked for.
pub struct BoxAccess {
    settings: LinkSettings,
    images: AgentImages,
    timeouts: Timeouts,
    authorities: Arc<[Vec<u8>]>,
    links: SharedLinks,
}

impl BoxAccess {
    /// As it was typed, and as the environment has it.
    pub fn new(login: &LoginArguments, traces: Traces) -> Result<Self, Problem> {
        let LoginArguments { host_key, strict_host_key, link } = login;
        let mut settings = LinkSettings::from_environment();
        let images = AgentImages::from_environment()
            .map_err(|error| Problem::new(Exit::Usage, "cannot use that agent").because(error))?;
        if let Some(fingerprint) = host_key {
            settings.host_keys = HostKeyPolicy::Pinned(fingerprint.clone());
        } else if *strict_host_key {
            settings.host_keys = HostKeyPolicy::Strict;
        }
        settings.traces = traces;
        let authorities = handed_down(std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()))?;
        let links = SharedLinks::default();
        Ok(Self { settings, images, timeouts: link.timeouts(), authorities: authorities.into(), links })
    }

    /// An agent on a box, and the box's name on the screen.
    pub fn machine(&self, ssh: &str) -> Result<(Machine, String, Vec<crate::link::IgnoredOption>), Problem> {
        let settings = self.settings.for_target();
        let (target, ignored) =
            SshTarget::resolve(ssh, &settings).map_err(|error| unreadable_ssh(ssh, &error))?;
        let name = target.to_string();
        let Self { images, timeouts, authorities, links, .. } = self;
        let machine = Machine::Box {
            target,
            settings,
            links: links.clone(),
            images: images.clone(),
            timeouts: *timeouts,
            authorities: Arc::clone(authorities),
        };
        Ok((machine, name, ignored))
    }
}

/// An SSH command that names no box.
pub(super) fn unreadable_ssh(ssh: &str, error: &TargetError) -> Problem {
    let hint = if error.is_of_a_file() { SSH_CONFIG } else { SSH };
    usage(&format!("cannot read the SSH command `{ssh}`"), error).hint(hint)
}

/// What a box is told of `SSL_CERT_FILE`: a mirror that is trusted here is trusted there.
fn handed_down(file: Option<std::ffi::OsString>) -> Result<Vec<Vec<u8>>, Problem> {
    let Some(file) = file.map(PathBuf::from) else { return Ok(Vec::new()) };
    let authorities = ExtraRoots::read(&file)
        .map(ExtraRoots::not_bundled)
        .map_err(|error| Problem::new(Exit::Failed, "cannot use the network").because_of(&error))?;
    if authorities.iter().map(Vec::len).sum::<usize>() > limits::AUTHORITIES {
        let attempted = format!("cannot hand the certificates of {} to the box", file.display());
        return Err(Problem::new(Exit::Usage, attempted)
            .because(format_args!(
                "they are more than {} KiB, well-known ones not counted",
                limits::AUTHORITIES / 1024
            ))
            .hint("let SSL_CERT_FILE name a file that has only your own authority"));
    }
    Ok(authorities)
}

/// The folder of the Hub's cache on this machine: the one that was typed, or where `huggingface_hub` has it.
pub fn hub_cache(typed: Option<&str>) -> Result<PathBuf, Problem> {
    let variable = |name: &str| std::env::var(name).ok();
    let file = |path: &std::path::Path| std::fs::read_to_string(path);
    let variables = Variables { variable: &variable, file: &file };
    let found = typed.map(|typed| variables.expand(typed)).or_else(|| variables.hub_cache());
    found.ok_or_else(|| {
        Problem::new(Exit::Usage, "cannot find the cache")
            .because("no variable names this user's own folder")
            .hint("name the cache's folder with --cache-dir, or set HF_HUB_CACHE")
    })
}

/// What this machine remembers of transfers that it detached.
pub fn detached_records() -> DetachedRecords {
    DetachedRecords::from_environment()
}

impl LimitArguments {
    /// The least that must arrive, as far as it is not left to the agent.
    pub fn floor(&self) -> SpeedFloor {
        let usual = SpeedFloor::default();
        let time = self.speed_time.map(|seconds| Duration::from_secs(seconds.get().into()));
        SpeedFloor {
            bytes_per_second: self.speed_limit.unwrap_or(usual.bytes_per_second),
            time: time.unwrap_or(usual.time),
        }
    }

    /// What a transfer may use.
    pub fn limits(&self, stall_seconds: Option<NonZeroU16>) -> Limits {
        Limits {
            connections: self.connections.and_then(NonZeroU16::new),
            bytes_per_second: self.max_speed,
            stall_seconds,
            first_wait_millis: self.first_wait,
            lock_seconds: self.lock_timeout,
            speed_limit: self.speed_limit,
            speed_seconds: self.speed_time,
        }
    }
}

impl LinkArguments {
    /// How long links may take for what.
    pub fn timeouts(&self) -> Timeouts {
        let Self { wait, retries, link_silence } = self;
        let seconds = |seconds: u16| Duration::from_secs(seconds.into());
        Timeouts { wait: seconds(*wait), retries: *retries, silence: seconds(*link_silence) }
    }
}

/// The host that is to be forgotten: as it was typed, which is how errors name it, and as configuration files know it.
pub fn host_to_forget(typed: &str) -> Result<(Vec<SshTarget>, LinkSettings), Problem> {
    let settings = LinkSettings::from_environment();
    let (target, _) = SshTarget::parse(typed)
        .map_err(|error| usage(&format!("`{typed}` names no host"), &error).hint(FORGET))?;
    let resolved = SshTarget::resolve(typed, &settings).ok().map(|(target, _)| target);
    Ok((std::iter::once(target).chain(resolved).collect(), settings))
}

impl SyncArguments {
    /// What was asked for.
    pub fn policy(&self) -> Policy {
        let check = match (self.checksum, self.no_checksum) {
            (true, _) => Check::Contents,
            (false, true) => Check::Sizes,
            (false, false) => Check::Records,
        };
        Policy { check, extraneous: if self.delete { Extraneous::Remove } else { Extraneous::Keep } }
    }
}

fn usage(attempted: &str, error: &dyn std::error::Error) -> Problem {
    Problem::new(Exit::Usage, attempted).because_of(error)
}

/// Retried questions to the Hub are shown.
fn observer(events: &Events) -> Observer {
    let events = events.clone();
    Observer::new(move |retrying| {
        let why = in_words(&retrying.error.to_string());
        events.sample(Event::Delayed { why, attempt: retrying.attempt, wait: retrying.wait });
    })
}

/// How far a listing is, is shown.
fn paging(events: &Events) -> PagingObserver {
    let events = events.clone();
    PagingObserver::new(move |files| events.sample(Event::Listing { files }))
}
