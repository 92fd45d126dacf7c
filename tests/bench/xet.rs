//! `bench xet`: files out of a Xet store, beside `hf download` with `hf_xet`, from the same store in the same minutes.
//!
//! The store is xet-core's own `local_cas_server`, filled by the real `hf_xet`; the Hub is the test Hub. Between both and what
//! is measured is a wire that counts, and may be narrow.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::{Parser, ValueEnum};
use hfdown_tests::cas_server::CasServer;
use hfdown_tests::hub::{Content, HubOrigin, TestHub};
use hfdown_tests::proxy::Proxy;
use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::measurements::Cost;
use crate::round::Failed;
use crate::tool::installed;
use crate::{HFDOWN, measure, say};

/// The argument that asks for this.
pub(crate) const WORD: &str = "xet";
const MODEL: &str = "bench/model";
const FILE: &str = "model.safetensors";
/// The header of a file, and that of its next version.
const HEADER: usize = 100_000;

/// Compares hfdown with `hf download` and `hf_xet`. The folders are in TMPDIR.
#[derive(Debug, Parser)]
#[command(name = "bench xet")]
struct XetBenchOptions {
    /// How large the file is, in MB.
    #[arg(long, value_name = "MB", default_value_t = 1000)]
    size: usize,

    /// What is in it.
    #[arg(long, value_name = "WEIGHTS,…", value_delimiter = ',', default_value = "bf16,random,mixed")]
    weights: Vec<WeightKind>,

    /// What there is before.
    #[arg(
        long,
        value_name = "CHANGE,…",
        value_delimiter = ',',
        default_value = "fresh,header,appended,moved,reuploaded"
    )]
    changes: Vec<VersionChange>,

    /// How many MB per second the wire carries in all; 0 for as many as it can.
    #[arg(long, value_name = "MB/S", default_value_t = 0)]
    cap: u64,

    /// How often each is measured; the medians are shown.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

/// What the bytes of a file are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WeightKind {
    /// Normal numbers of two bytes, σ 0.02.
    Bf16,
    /// What no compression makes smaller.
    Random,
    /// Quantised weights, scales of four bytes, and a vocabulary.
    Mixed,
}

/// What happened to a file since it was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum VersionChange {
    /// It was not fetched yet.
    Fresh,
    /// A header of another length.
    Header,
    /// A twentieth more at its end.
    Appended,
    /// Its halves have changed places.
    Moved,
    /// A header of another length, by an uploader that does not deduplicate.
    Reuploaded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum XetTool {
    Hfdown,
    Hf,
}

/// `bench xet …`.
pub(crate) fn main() -> ExitCode {
    let words = std::env::args_os().enumerate().filter(|(number, _)| *number != 1).map(|(_, word)| word);
    match compare(&XetBenchOptions::parse_from(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the benchmark failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &XetBenchOptions) -> Result<(), Failed> {
    say(&crate::table::machine());
    let wire = if options.cap == 0 {
        "as fast as can be".to_owned()
    } else {
        format!("{} MB/s in all", options.cap)
    };
    say(&format!("a file of {} MB, {wire}, {} rounds\n", options.size, options.rounds));
    say("| weights | what was there | | wall, s | CPU, s | peak, MiB | MB on the wire |");
    say("|---|---|---|---|---|---|---|");
    for weights in &options.weights {
        for change in &options.changes {
            let ground = XetGround::prepare(*weights, *change, options)?;
            for (tool, name) in [(XetTool::Hfdown, "hfdown"), (XetTool::Hf, "hf, hf_xet")] {
                let mut rounds = Vec::new();
                for _ in 0..options.rounds {
                    rounds.push(ground.measured(tool)?);
                }
                rounds.sort_by_key(|(cost, _)| cost.wall);
                let (cost, bytes) = rounds[(rounds.len() - 1) / 2];
                let (wall, cpu) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
                let (memory, sent) = (cost.memory >> 20, bytes as f64 / 1e6);
                say(&format!(
                    "| {weights:?} | {change:?} | {name} | {wall:.2} | {cpu:.2} | {memory} | {sent:.1} |"
                ));
            }
        }
    }
    Ok(())
}

/// A Hub that leads to a store with two versions of a file, and a folder for what is measured.
struct XetGround {
    hub: TestHub,
    wire: Proxy,
    old: Option<String>,
    new: String,
    size: u64,
    folder: TempDir,
    _store: CasServer,
    /// What the wire runs in.
    _runtime: Runtime,
}

impl XetGround {
    fn prepare(
        weights: WeightKind,
        change: VersionChange,
        options: &XetBenchOptions,
    ) -> Result<Self, Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let store = CasServer::start().ok_or("local_cas_server or hf_xet is missing")?;
        let wire = runtime.block_on(Proxy::with_cap(store.port(), options.cap * 1_000_000));
        let (hub, folder) = (TestHub::start(), tempfile::Builder::new().prefix("hfdown-bench-").tempdir()?);
        hub.lead_to_store(&format!("http://127.0.0.1:{}", wire.port()), "t");
        fs::create_dir(folder.path().join("home"))?;
        std::os::unix::fs::symlink(std::env::current_exe()?, folder.path().join(HFDOWN))?;
        let body = weights.bytes(options.size * 1_000_000);
        let uploaded = |name: &str, uploader: &str, pieces: &[&[u8]]| -> Result<String, Failed> {
            let path = folder.path().join(name);
            let mut file = File::create(&path)?;
            pieces.iter().try_for_each(|piece| file.write_all(piece))?;
            let hash = store.upload_file(uploader, &path);
            Ok(hub.model(MODEL).in_xet_as(FILE, Content::disk(&path), &hash).commit().to_string())
        };
        let (header, next) = (vec![1; HEADER], vec![2; HEADER + 333]);
        let old = match change {
            VersionChange::Fresh => None,
            _ => Some(uploaded("old", "one", &[&header, &body])?),
        };
        let more = WeightKind::Random.bytes(body.len() / 20);
        let half = body.len() / 2;
        let new = match change {
            VersionChange::Fresh => uploaded("new", "one", &[&header, &body]),
            VersionChange::Header => uploaded("new", "one", &[&next, &body]),
            VersionChange::Appended => uploaded("new", "one", &[&header, &body, &more]),
            VersionChange::Moved => uploaded("new", "one", &[&header, &body[half..], &body[..half]]),
            VersionChange::Reuploaded => uploaded("new", "another", &[&next, &body]),
        }?;
        let size = fs::metadata(folder.path().join("new"))?.len();
        Ok(Self { hub, wire, old, new, size, folder, _store: store, _runtime: runtime })
    }

    /// What the newer version costs where the older one is, and how many bytes travel.
    fn measured(&self, tool: XetTool) -> Result<(Cost, u64), Failed> {
        let _ = fs::remove_dir_all(self.folder.path().join("there"));
        if let Some(old) = &self.old {
            self.cost_of(tool, old)?;
        }
        self.hub.forget_requests();
        let before = self.wire.bytes_down();
        let cost = self.cost_of(tool, &self.new)?;
        let there = self.folder.path().join("there").join(FILE);
        if fs::metadata(&there)?.len() != self.size {
            return Err("the file is incomplete".into());
        }
        let sent = self.hub.bytes_sent(HubOrigin::Cdn) + self.wire.bytes_down() - before;
        Ok((cost, sent))
    }

    fn cost_of(&self, tool: XetTool, revision: &str) -> Result<Cost, Failed> {
        let folder = self.folder.path();
        let words: Vec<OsString> = match tool {
            XetTool::Hfdown => {
                let words = ["rsync-sync", "--quiet", MODEL, "there", "--revision", revision];
                [folder.join(HFDOWN).into_os_string()].into_iter().chain(words.map(OsString::from)).collect()
            }
            XetTool::Hf => {
                let hf: PathBuf = fs::canonicalize(installed(&[], "counterparts/bin")?)?.join("hf");
                let words = ["download", MODEL, "--local-dir", "there", "--revision", revision];
                [hf.into_os_string()].into_iter().chain(words.map(OsString::from)).collect()
            }
        };
        run(&self.hub, folder, &words)
    }
}

/// Runs what is measured with a home of its own.
fn run(hub: &TestHub, folder: &Path, words: &[OsString]) -> Result<Cost, Failed> {
    let report = folder.join("report");
    let log = File::create(folder.join("log"))?;
    let mut measuring = Command::new(std::env::current_exe()?);
    measuring.arg(measure::WORD).arg(&report).args(words).env_clear();
    for switch in ["TELEMETRY", "UPDATE_CHECK", "PROGRESS_BARS"] {
        measuring.env(format!("HF_HUB_DISABLE_{switch}"), "1");
    }
    let status = measuring
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder.join("home"))
        .env("HF_HOME", folder.join("home/hf"))
        .env("LC_ALL", "C.UTF-8")
        .env("HF_ENDPOINT", hub.endpoint())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()?;
    if !status.success() {
        let log = fs::read_to_string(folder.join("log"))?;
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Err(format!("failed ({status}): {last}").into());
    }
    Cost::of_line(&fs::read_to_string(report)?).ok_or_else(|| "there are no measurements".into())
}

impl WeightKind {
    fn bytes(self, size: usize) -> Vec<u8> {
        let mut random = SmallRng::seed_from_u64(size as u64);
        let mut bytes = vec![0; size];
        match self {
            Self::Bf16 => bytes.chunks_exact_mut(2).for_each(|number| {
                let high = normal(&mut random).to_le_bytes();
                number.copy_from_slice(&high[2..]);
            }),
            Self::Random => random.fill_bytes(&mut bytes),
            Self::Mixed => {
                let (quantised, rest) = bytes.split_at_mut(size / 20 * 18);
                random.fill_bytes(quantised);
                let (scales, words) = rest.split_at_mut(size / 20);
                scales
                    .chunks_exact_mut(4)
                    .for_each(|number| number.copy_from_slice(&normal(&mut random).to_le_bytes()));
                for letter in words {
                    *letter = b'a' + random.random_range(0..26) % 7;
                }
            }
        }
        bytes
    }
}

/// A normal number, σ 0.02, of twelve even ones.
fn normal(random: &mut SmallRng) -> f32 {
    let sum: f32 = (0..12).map(|_| random.random::<f32>()).sum();
    (sum - 6.0) * 0.02
}
