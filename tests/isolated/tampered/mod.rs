//! Bookkeeping as other programs may leave it: flipped, cut, grown, replaced, linked and re-owned at random, before each
//! of several hundred runs. No run that ends with 0 leaves wrong bytes, none writes outside of its destination, none
//! hangs, and what a failed run leaves is right again once `.cache` is gone.
//!
//! `HFDOWN_TEST_SEED=n` makes the states of an earlier run again.

mod tampering;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::mount::{is_root, left_out};
use hfdown_tests::processes::Process;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, ended};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::HFDOWN;
use tampering::{Tampered, TamperedFolder};

const MODEL: &str = "acme/tampered";
/// Small ones and large ones, one in a folder, and two of the same bytes.
const FILES: [(&str, u64, u64); 6] = [
    ("config.json", 1, 400),
    ("nested/tokenizer.json", 2, 5_000),
    ("model-1.safetensors", 3, 9_000_000),
    ("model-2.safetensors", 4, 1_500_000),
    ("copy/model-2.safetensors", 4, 1_500_000),
    ("tiny.bin", 5, 20_000),
];
/// Not a measurement: what takes so long hangs.
const LONGEST: Duration = Duration::from_secs(60);
/// What the program may have resident, whatever it is given to read.
const ALLOWED: u64 = 64 << 20;
/// How often a change is looked for: some can't be made where others were.
const TRIES: usize = 1000;
/// How a run may end: done, failed, files failed, not allowed, corrupt.
const ENDINGS: [i32; 5] = [0, 1, 3, 4, 7];

/// Everything in a folder that no run may touch: kind, mode, owner, time and bytes of each name.
type Outside = BTreeMap<PathBuf, (u32, u32, i64, i64, Vec<u8>)>;

struct Lane {
    sandbox: Sandbox,
    outside: PathBuf,
    names: Vec<PathBuf>,
}

impl Lane {
    async fn start(place: DestinationKind) -> Self {
        let sandbox = Sandbox::start(place, HFDOWN).await.expect("neither place needs anything");
        let draft = sandbox.hub.model(MODEL);
        let publish = |draft: hfdown_tests::hub::Draft, (name, seed, size): (&str, u64, u64)| {
            let content = Content::random(seed, size);
            if size < 10_000 { draft.file(name, content) } else { draft.lfs(name, content) }
        };
        FILES.into_iter().fold(draft, publish).commit();
        let outside = sandbox.scratch().join("outside");
        fs::create_dir_all(outside.join("folder")).unwrap();
        fs::write(outside.join("file"), "mine").unwrap();
        fs::write(outside.join("folder").join("inside"), "mine as well").unwrap();
        let own = ["lock", "records", "records.new", "parts", ".gitignore"].map(str::to_owned);
        let digests = FILES.map(|(_, seed, size)| Content::random(seed, size).sha256());
        let parts = digests.iter().flat_map(|digest| {
            [format!("parts/{digest}"), format!("parts/{digest}.journal"), format!("parts/{digest}-1")]
        });
        let metadata = FILES.map(|(name, ..)| format!(".cache/huggingface/download/{name}.metadata"));
        let names = own.into_iter().chain(parts).map(|name| format!(".cache/hfdown/{name}")).chain(metadata);
        Self { names: names.map(PathBuf::from).collect(), sandbox, outside }
    }

    /// A folder as an earlier run may have left it: complete, without some of its files, or killed on the way.
    async fn prepare(&self, random: &mut StdRng) {
        for (name, ..) in FILES {
            let path = self.sandbox.root().join(name);
            // It may not be there.
            if random.random_bool(0.3) {
                _ = fs::remove_file(path);
            } else if random.random_bool(0.1) {
                _ = edit(&path, random);
            }
        }
        if random.random_bool(0.5) {
            return;
        }
        let until = self.sandbox.hub.bytes_sent(HubOrigin::Cdn) + random.random_range(0..8_000_000);
        let mut child = self.sandbox.syncing(MODEL, &["--quiet"]).spawn().unwrap();
        while child.try_wait().unwrap().is_none() && self.sandbox.hub.bytes_sent(HubOrigin::Cdn) < until {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().await.unwrap();
        while self.sandbox.host.as_ref().is_some_and(|host| !host.agent_pids().is_empty()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Some changes, at least one.
    fn tamper(&self, random: &mut StdRng) -> Vec<Tampered> {
        let root = self.sandbox.root();
        fs::create_dir_all(root.join(".cache/hfdown/parts")).unwrap();
        let ground = TamperedFolder {
            root: &root,
            outside: &self.outside,
            names: &self.names,
            model: Path::new(FILES[3].0),
        };
        let wanted = random.random_range(1..=4);
        let mut changed = Vec::new();
        // Where the first one has left nothing to change, it stays the only one.
        for _ in 0..TRIES {
            if changed.len() < wanted {
                changed.extend(ground.change(random));
            }
        }
        assert!(!changed.is_empty(), "there was nothing to change");
        changed
    }

    /// Runs to the end, within bounds of time and memory.
    async fn run(&self) -> Result<Ended, String> {
        let child = self.sandbox.syncing(MODEL, &["--quiet"]).spawn().unwrap();
        let process = Process { pid: child.id().unwrap() };
        let mut end = std::pin::pin!(tokio::time::timeout(LONGEST, ended(child)));
        let mut peak = 0;
        let ended = loop {
            tokio::select! {
                ended = &mut end => break ended.map_err(|_| format!("it is not done after {LONGEST:?}"))?,
                () = tokio::time::sleep(Duration::from_millis(5)) => peak = peak.max(process.peak_memory()),
            }
        };
        if peak > ALLOWED {
            return Err(format!("{peak} bytes were resident"));
        }
        if !ENDINGS.contains(&ended.code) || ended.stderr.contains("panicked") {
            return Err(format!("it ended with {}: {}", ended.code, ended.stderr));
        }
        Ok(ended)
    }

    /// The bytes of the model's files.
    fn files(&self) -> [Option<Vec<u8>>; FILES.len()] {
        FILES.map(|(name, ..)| self.sandbox.read(name))
    }

    /// What is wrong about the model's files. A run that has failed may leave them as they were before.
    fn faults(&self, code: i32, before: &[Option<Vec<u8>>]) -> String {
        let mut faults = String::new();
        for ((name, seed, size), before) in FILES.into_iter().zip(before) {
            match self.sandbox.read(name) {
                Some(bytes) if bytes == Content::random(seed, size).to_vec() => {}
                Some(bytes) if code != 0 && before.as_ref() == Some(&bytes) => {}
                Some(_) => write!(faults, "{name} has wrong bytes. ").unwrap(),
                None if code == 0 => write!(faults, "{name} is missing. ").unwrap(),
                None => {}
            }
            let there = fs::symlink_metadata(self.sandbox.root().join(name));
            if there.is_ok_and(|there| code == 0 && !there.is_file()) {
                write!(faults, "{name} is no file. ").unwrap();
            }
        }
        faults
    }

    /// One state: made, run on, looked at.
    async fn state(&self, random: &mut StdRng, report: &mut Vec<Tampered>) -> Result<i32, String> {
        self.prepare(random).await;
        *report = self.tamper(random);
        let (before, files) = (snapshot(&self.outside), self.files());
        let Ended { code, stderr, .. } = self.run().await?;
        let untouched = |when: &str| {
            let is_same = snapshot(&self.outside) == before;
            if is_same { Ok(()) } else { Err(format!("{when}, something was changed outside")) }
        };
        untouched("after it")?;
        let faults = self.faults(code, &files);
        if !faults.is_empty() {
            return Err(format!("it ended with {code}, and {faults}{stderr}"));
        }
        if code == 0 {
            let Ended { code, stderr, .. } = self.run().await?;
            let faults = self.faults(code, &files);
            if code != 0 || !faults.is_empty() {
                return Err(format!("the next run ended with {code}, and {faults}{stderr}"));
            }
            untouched("after the next run")?;
            return Ok(0);
        }
        if stderr.trim().is_empty() {
            return Err(format!("it ended with {code} and said nothing"));
        }
        let cache = self.sandbox.root().join(".cache");
        fs::remove_dir_all(&cache).or_else(|_| fs::remove_file(&cache)).unwrap();
        let mended = self.run().await?;
        let faults = self.faults(mended.code, &files);
        if mended.code != 0 || !faults.is_empty() {
            return Err(format!(
                "without .cache it ended with {}, and {faults}{}",
                mended.code, mended.stderr
            ));
        }
        untouched("after that")?;
        Ok(code)
    }
}

/// Changes a bit of a file and gives it back its time, as a careless copy would.
fn edit(path: &Path, random: &mut StdRng) -> io::Result<()> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let there = file.metadata()?;
    let (mut byte, at) = ([0], random.random_range(0..there.len()));
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ 1], at)?;
    file.set_modified(there.modified()?)
}

fn snapshot(folder: &Path) -> Outside {
    let mut names = Outside::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let there = fs::symlink_metadata(&path).unwrap();
        let bytes = if there.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if there.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        names.insert(path, (there.mode(), there.uid(), there.mtime(), there.mtime_nsec(), bytes));
    }
    names
}

fn seed() -> u64 {
    std::env::var("HFDOWN_TEST_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"))
}

/// So many states on several lanes side by side, each with a seed of its own.
async fn survive(place: DestinationKind, lanes: u64, states: u64) {
    if !is_root() {
        return left_out("only root can give files to another user");
    }
    let first = seed();
    // Past the test runner, which shows only what a failed test prints.
    let said = format!("{place:?}: {} states, HFDOWN_TEST_SEED={first}\n", lanes * states);
    io::stderr().write_all(said.as_bytes()).unwrap();
    let lane = async |number: u64| {
        let lane = Lane::start(place).await;
        let mut random = StdRng::seed_from_u64(first.wrapping_add(number));
        let mut done = 0;
        for state in 0..states {
            let mut changed = Vec::new();
            let told = lane.state(&mut random, &mut changed).await;
            let story = || changed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            match told {
                Ok(0) => done += 1,
                Ok(_) => {}
                Err(why) => panic!("seed {first}, lane {number}, state {state} ({}): {why}", story()),
            }
        }
        done
    };
    let done: u64 = futures_util::future::join_all((0..lanes).map(lane)).await.iter().sum();
    // Most changes are mended on the way; were they not, the states would show little.
    assert!(2 * done > lanes * states, "{done} of {} runs ended with 0", lanes * states);
}

#[tokio::test]
async fn tampered_bookkeeping_costs_bytes_and_never_truth_here() {
    survive(DestinationKind::Here, 4, 60).await;
}

#[tokio::test]
async fn tampered_bookkeeping_costs_bytes_and_never_truth_on_a_box() {
    survive(DestinationKind::InProcess, 2, 30).await;
}
