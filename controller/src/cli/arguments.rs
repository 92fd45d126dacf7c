//! What can be typed.

use std::ffi::OsString;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};

use clap::builder::{NonEmptyStringValueParser as NotEmpty, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};

use super::box_arguments::{BoxArguments, BoxDestination, CACHE, CacheArguments, LoginArguments};
use super::cache_arguments::CacheVerb;
use super::fleet_arguments::FleetArguments;
use super::folders::parse_path_here;
use super::selection::SelectionArguments;
use super::status_arguments::StatusArguments;
use super::tips::with_tip;
use super::topics::topic;
use super::values::{parse_floor, parse_rate};
use super::version::long_version;
use crate::output::OutputOptions;
use crate::routes::XetPolicy;

const AFTER: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 some files or boxes failed, 4 not allowed (token, gate,
SSH key, host key), 5 not found, 6 unreachable (Hub, box, a folder that another run holds; a box
that took longer than --timeout), 7 corrupt, 130 cancelled.

Environment: HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE,
HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_DOWNLOAD_TIMEOUT (seconds that a connection may bring
nothing), HF_HUB_DISABLE_XET, SSL_CERT_FILE, NO_PROXY, HTTPS_PROXY, HTTP_PROXY and ALL_PROXY (proxies of http, https,
socks4, socks4a, socks5 and socks5h) mean what they mean to `hf` and curl; NO_COLOR turns colours
off. HFDOWN_AGENT_X86_64 and HFDOWN_AGENT_AARCH64 name agents to put on boxes instead
of the one built in. HFDOWN_LOG=debug shows the talk with the agent.

Many boxes at once: `hfdown help fleets`.";

/// More than this a CDN takes for an attack.
const MOST_CONNECTIONS: i64 = 64;

/// Moves Hugging Face models to where they are used: a folder here, or a rented box over SSH. Every byte is proved.
#[derive(Debug, Parser)]
#[command(name = "hfdown", version, long_version = long_version(), after_help = AFTER, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Reads a command line.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let typed: Vec<&str> = words.iter().skip(1).map(|word| word.to_str().unwrap_or_default()).collect();
        if let Some(topic) = topic(&typed) {
            return Err(topic);
        }
        Self::try_parse_from(&words).map_err(|error| with_tip(error, &typed))
    }
}

impl Command {
    /// What it says of a repository, if it is about one.
    pub fn source(&self) -> Option<&RepoArguments> {
        match self {
            Self::Info { source, .. }
            | Self::Download { source, .. }
            | Self::File { source, .. }
            | Self::RsyncSync { source, .. }
            | Self::RsyncToVast { source, .. }
            | Self::Verify { source, .. } => Some(source),
            Self::Status(_)
            | Self::Attach { .. }
            | Self::Stop { .. }
            | Self::ForgetHost { .. }
            | Self::Cache { .. } => None,
        }
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what the Hub says of a model: commit, licence, gating, files with sizes and digests
    Info {
        /// What to show.
        #[command(flatten)]
        source: RepoArguments,
        /// Which of its files.
        #[command(flatten)]
        selection: SelectionArguments,
        /// How to show it.
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Fetch a model, or some of its files, into a folder
    Download {
        /// What to fetch.
        #[command(flatten)]
        source: RepoArguments,
        /// The folder [default: ./MODEL]
        #[arg(value_name = "DIR", value_parser = NotEmpty::new().try_map(parse_path_here), conflicts_with_all = CACHE)]
        folder: Option<String>,
        /// The hub cache, in its place.
        #[command(flatten)]
        cache: CacheArguments,
        /// Which of its files.
        #[command(flatten)]
        selection: SelectionArguments,
        /// How to go about it.
        #[command(flatten)]
        transfer: TransferArguments,
    },
    /// Fetch one file of a model
    File {
        /// What to fetch from.
        #[command(flatten)]
        source: RepoArguments,
        /// The file's path in the repository; not behind a MODEL that is the address of a file
        #[arg(value_name = "NAME", value_parser = NotEmpty::new())]
        name: Option<String>,
        /// Where to put it: a file, or a folder that exists or ends in `/` [default: the current folder]
        #[arg(value_name = "DEST", value_parser = NotEmpty::new().try_map(parse_path_here))]
        destination: Option<String>,
        /// How to go about it.
        #[command(flatten)]
        transfer: TransferArguments,
    },
    /// Bring a folder up to date with a model: fetch only what is new or changed
    #[command(visible_alias = "sync")]
    RsyncSync {
        /// What to fetch.
        #[command(flatten)]
        source: RepoArguments,
        /// The folder
        #[arg(
            value_name = "DIR",
            value_parser = NotEmpty::new().try_map(parse_path_here),
            required_unless_present_any = CACHE,
            conflicts_with_all = CACHE
        )]
        folder: Option<String>,
        /// The hub cache, in its place.
        #[command(flatten)]
        cache: CacheArguments,
        /// Which of its files.
        #[command(flatten)]
        selection: SelectionArguments,
        /// How to compare.
        #[command(flatten)]
        sync: SyncArguments,
        /// How to go about it.
        #[command(flatten)]
        transfer: TransferArguments,
    },
    /// Bring a folder on a rented box up to date: the box downloads from the Hub itself, and never sees a token
    #[command(visible_alias = "push")]
    RsyncToVast {
        /// What to fetch.
        #[command(flatten)]
        source: RepoArguments,
        /// Which box.
        #[command(flatten)]
        there: BoxDestination,
        /// Return as soon as the box has begun; it goes on by itself (see `attach` and `stop`)
        #[arg(long, conflicts_with_all = ["dry_run", "no_trace"])]
        detach: bool,
        /// Leave nothing on the box but the model: no agent, no records, so that the next sync reads everything again.
        /// Only parts of a run that was cut off stay, for the next one
        #[arg(long)]
        no_trace: bool,
        /// Send what the Hub gives no signed address for over the link, by way of this machine: a company's mirror that sends
        /// its files itself, to those who show the token. They travel twice
        #[arg(long, conflicts_with = "detach")]
        through_controller: bool,
        /// How long a detached box may wait for addresses that have gone stale to be renewed by `attach`
        #[arg(
            long,
            alias = "patience",
            value_name = "SECONDS",
            default_value = "600",
            hide = true,
            requires = "detach"
        )]
        idle_timeout: NonZeroU32,
        /// Which of its files.
        #[command(flatten)]
        selection: SelectionArguments,
        /// How to compare.
        #[command(flatten)]
        sync: SyncArguments,
        /// How to go about it.
        #[command(flatten)]
        transfer: TransferArguments,
    },
    /// Read every file of a model, here or on a box, and say which are right; nothing is changed without --repair
    #[command(
        override_usage = "hfdown verify [OPTIONS] <MODEL> [SSH]… <DIR>\n       hfdown verify [OPTIONS] <MODEL> [SSH]… --cache"
    )]
    Verify {
        /// What is to be there.
        #[command(flatten)]
        source: RepoArguments,
        /// The folder; before it, for a folder on boxes, their SSH commands, quoted
        #[arg(value_name = "DIR", value_parser = NotEmpty::new())]
        place: Vec<String>,
        /// The hub cache, in its place.
        #[command(flatten)]
        cache: CacheArguments,
        /// Which of its files.
        #[command(flatten)]
        selection: SelectionArguments,
        /// What is done about it.
        #[command(flatten)]
        verify: VerifyArguments,
        /// How to get into a box.
        #[command(flatten)]
        login: LoginArguments,
        /// Which boxes beside these, and how to go about many.
        #[command(flatten)]
        fleet: FleetArguments,
        /// What a repair may use.
        #[command(flatten)]
        limits: LimitArguments,
        /// What to show of it.
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Say what is there of a model, here or on boxes: complete, in part, another commit, nothing, or under way. No file is
    /// read and nothing is changed, but that the agent of hfdown is put into ~/.cache/hfdown of a box that has none
    #[command(
        override_usage = "hfdown status [OPTIONS] [MODEL] [SSH]… <DIR>\n       hfdown status [OPTIONS] <MODEL> [SSH]… --cache"
    )]
    Status(StatusArguments),
    /// Watch a transfer that was detached; Ctrl-C leaves it running
    Attach {
        /// Which box.
        #[command(flatten)]
        there: BoxArguments,
        /// A Hub token, for addresses of private files that have gone stale
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
        /// What to show of it.
        #[command(flatten)]
        output: OutputArguments,
    },
    /// End a transfer that was detached; what has arrived is kept
    Stop {
        /// Which box.
        #[command(flatten)]
        there: BoxArguments,
        /// What to show of it.
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Forget the host key that hfdown remembers for a box; your own files are never written
    ForgetHost {
        /// The box: HOST, HOST:PORT, or its SSH command
        #[arg(value_name = "HOST")]
        host: String,
        /// How to say it.
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Look after the cache of the Hub on this machine, which vLLM, transformers and hf read
    Cache {
        /// What to do with it.
        #[command(subcommand)]
        verb: CacheVerb,
    },
}

/// A version of a repository.
#[derive(Debug, Args)]
pub struct RepoArguments {
    /// A repository: gpt2, org/name, org/name@revision, datasets/org/name, its address in a browser, or
    /// `org/name:Q4_K_M` for `--quant Q4_K_M`
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// A branch, tag, commit or refs/pr/N [default: main]
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,
    /// A Hub token; better in `HF_TOKEN`: what is typed here, other users of this machine can see
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// How closely to look, and what becomes of what is no longer listed.
#[derive(Debug, Args)]
pub struct SyncArguments {
    /// Read every file that is there, even those known to be unchanged since they were proved
    #[arg(long, conflicts_with = "no_checksum")]
    pub checksum: bool,
    /// Compare sizes only, read nothing
    #[arg(long)]
    pub no_checksum: bool,
    /// Remove files that an earlier hfdown sync placed and the Hub no longer lists
    #[arg(long)]
    pub delete: bool,
}

/// What a verification does about what it finds.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Fetch what is wrong or missing; extra files stay
    #[arg(long)]
    pub repair: bool,
    /// Ask the Hub nothing: what should be there is what the last sync has recorded
    #[arg(long, conflicts_with = "repair")]
    pub offline: bool,
    /// With --repair, send what the Hub gives no signed address for to the box over the link, by way of this machine
    #[arg(long, requires = "repair")]
    pub through_controller: bool,
}

/// How to go about a transfer.
#[derive(Debug, Args)]
pub struct TransferArguments {
    /// Show what would be done, change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// What it may use.
    #[command(flatten)]
    pub limits: LimitArguments,
    /// What to show of it.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What a transfer may use.
#[derive(Debug, Default, Args)]
pub struct LimitArguments {
    /// Fetch over exactly this many connections at once, instead of finding out how many are worth having
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MOST_CONNECTIONS))]
    pub connections: Option<u16>,
    /// Bytes per second, over all connections: 50M, 800k, 1.5G
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub max_speed: Option<NonZeroU64>,
    /// Fetch large files as compressed chunks of the Hub's Xet store: where that saves 3 % of the bytes or more, wherever
    /// it has them, or never [default: auto, or never with `HF_HUB_DISABLE_XET`]
    #[arg(long, value_name = "WHEN", value_enum)]
    pub xet: Option<XetPolicy>,
    /// How long to wait for a folder that another run holds; 0 does not wait [default: until it is free]
    #[arg(long, value_name = "SECONDS")]
    pub lock_timeout: Option<u32>,
    /// Bytes per second, over all connections, that must arrive: a connection that brings less than its share is given up
    /// like a silent one, and its range goes on elsewhere; 0 waits for ever [default: 1000]
    #[arg(long, value_name = "RATE", value_parser = parse_floor)]
    pub speed_limit: Option<u64>,
    /// For how many seconds less may arrive [default: 30, or as long as a connection may be silent]
    #[arg(long, value_name = "SECONDS")]
    pub speed_time: Option<NonZeroU16>,
    /// How long to wait after a file's first failed attempt; later waits grow with it
    #[arg(long, value_name = "MILLISECONDS", hide = true)]
    pub first_wait: Option<NonZeroU16>,
}

/// What to show.
#[derive(Debug, Args)]
pub struct OutputArguments {
    /// Say more, where there is more to say: every file, every retry
    #[arg(long, short = 'v', conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say nothing but errors
    #[arg(long, short = 'q')]
    pub quiet: bool,
    /// One JSON object per line on standard output
    #[arg(long)]
    pub json: bool,
}

impl From<&OutputArguments> for OutputOptions {
    fn from(arguments: &OutputArguments) -> Self {
        Self { json: arguments.json, quiet: arguments.quiet, verbose: arguments.verbose }
    }
}
