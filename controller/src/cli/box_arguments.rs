//! Where a model is to be: a box and how to get in, a folder on it, a hub cache.

use clap::Args;
use clap::builder::NonEmptyStringValueParser as NotEmpty;

use super::fleet_arguments::FleetArguments;
use super::values::parse_fingerprint;

/// The options that take the place of DIR.
pub(super) const CACHE: [&str; 2] = ["cache", "cache_dir"];

/// Folders on boxes, and how to get there.
#[derive(Debug, Args)]
pub struct BoxArguments {
    /// The SSH command of each box as the console gives it, quoted: 'ssh -p 20544 root@142.214.185.187', or a range like
    /// root@gpu[001-064]; then the folder on the boxes
    #[arg(value_name = "SSH… DIR")]
    pub places: Vec<String>,
    /// How to get in.
    #[command(flatten)]
    pub login: LoginArguments,
    /// Which boxes beside these, and how to go about many.
    #[command(flatten)]
    pub fleet: FleetArguments,
}

/// Folders on boxes, or the hub caches there, and how to get there.
#[derive(Debug, Args)]
pub struct BoxDestination {
    /// The SSH command of each box as the console gives it, quoted: 'ssh -p 20544 root@142.214.185.187', or a range like
    /// root@gpu[001-064]; then the folder on the boxes: files land directly in it
    #[arg(value_name = "SSH… DIR")]
    pub places: Vec<String>,
    /// The hub cache, in its place.
    #[command(flatten)]
    pub cache: CacheArguments,
    /// How to get in.
    #[command(flatten)]
    pub login: LoginArguments,
    /// How to go about many boxes.
    #[command(flatten)]
    pub fleet: FleetArguments,
}

/// The hub cache as a destination.
#[derive(Debug, Args)]
pub struct CacheArguments {
    /// The hub cache, where transformers, vLLM and `hf` look, in the place of DIR; on a box, that of its user, as a login
    /// shell there has it
    #[arg(long)]
    pub cache: bool,
    /// This hub cache, whatever the environment says
    #[arg(long, value_name = "DIR", value_parser = NotEmpty::new())]
    pub cache_dir: Option<String>,
}

impl CacheArguments {
    /// Whether the hub cache is the destination.
    pub fn is_wanted(&self) -> bool {
        self.cache || self.cache_dir.is_some()
    }
}

/// How to get into a box.
#[derive(Debug, Args)]
pub struct LoginArguments {
    /// Accept only this host key (SHA256:…)
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "strict_host_key", value_parser = parse_fingerprint)]
    pub host_key: Option<String>,
    /// Refuse hosts whose key is not known yet
    #[arg(long)]
    pub strict_host_key: bool,
    /// What to put up with.
    #[command(flatten)]
    pub link: LinkArguments,
}

/// What to put up with from the link to a box.
#[derive(Debug, Args)]
pub struct LinkArguments {
    /// How long to try a box that refuses connections or keys, as one does that was just started; 0 asks once
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    pub wait: u16,
    /// How often in a row to make a new link when the old one broke; what has arrived counts; 0 gives up at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub retries: u32,
    /// After how many seconds of silence a link is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 30, hide = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub link_silence: u16,
}
