//! The files that the Hub serves from memory, the Hub, and where the programs put what they fetch. All of it is gone
//! afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use hfdown_tests::hub::{Content, HubFault, HubOrigin, TestHub, When};
use tempfile::TempDir;

use crate::scenario::{CAP, DELAY, Scenario};
use crate::tool::Tool;

/// What the Hub calls it all.
pub(crate) const MODEL: &str = "bench/model";

/// Files that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Set {
    /// 4 GiB.
    Large,
    /// 8 × 512 MiB.
    Shards,
    /// 2,000 × 20 kB, in folders of 100.
    Small,
    /// 2 GiB.
    Capped,
    /// 100,000 × 10 bytes, in folders of 1,000.
    Listed,
}

/// A file of the Hub.
#[derive(Clone, Debug)]
pub(crate) struct ServedFile {
    pub(crate) path: String,
    pub(crate) content: Content,
    is_lfs: bool,
}

/// A folder with everything in it.
pub(crate) struct Workspace {
    folder: TempDir,
    divisor: u64,
    connections: Option<u16>,
    sets: BTreeMap<Set, Vec<ServedFile>>,
}

/// What one program has before it.
pub(crate) struct Site<'a> {
    pub(crate) hub: &'a TestHub,
    pub(crate) files: &'a [ServedFile],
    /// The program.
    pub(crate) program: PathBuf,
    /// Its own folder, as good as new.
    pub(crate) folder: PathBuf,
    /// How many connections hfdown is told to have.
    pub(crate) connections: Option<u16>,
    /// The pattern that files are chosen by in a dry run, where it is one.
    pub(crate) choice: Option<&'static str>,
}

impl Workspace {
    /// Takes a new folder in `on`, which Ctrl-C removes as well.
    pub(crate) fn prepare(on: &Path, divisor: u64, connections: Option<u16>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("hfdown-bench-").tempdir_in(on)?;
        let doomed = folder.path().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
                // The programs that run hear the signal as well. One that still writes makes the first try fail.
                let _ = fs::remove_dir_all(&doomed).or_else(|_| fs::remove_dir_all(&doomed));
                std::process::exit(130);
            }
        });
        Ok(Self { folder, divisor, connections, sets: BTreeMap::new() })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The files of a scenario, made where they are not there yet.
    pub(crate) fn files(&mut self, scenario: Scenario) -> Vec<ServedFile> {
        let mut files = Vec::new();
        for set in scenario.sets() {
            if !self.sets.contains_key(set) {
                self.sets.insert(*set, set.make(self.divisor));
            }
            files.extend(self.sets.get(set).into_iter().flatten().cloned());
        }
        files
    }

    /// Lets go of the files that nothing needs any more.
    pub(crate) fn keep_only(&mut self, needed: &[Set]) {
        self.sets.retain(|set, _| needed.contains(set));
    }

    pub(crate) fn site<'a>(
        &self,
        hub: &'a TestHub,
        files: &'a [ServedFile],
        tool: Tool,
        program: &Path,
        choice: Option<&'static str>,
    ) -> Site<'a> {
        let folder = self.folder().join(format!("{tool:?}"));
        let (program, connections) = (self.folder().join(program), self.connections);
        Site { hub, files, program, folder, connections, choice }
    }
}

impl Set {
    fn make(self, divisor: u64) -> Vec<ServedFile> {
        let shapes: Vec<(String, u64)> = match self {
            Self::Large => vec![("model.safetensors".to_owned(), (4 << 30) / divisor)],
            Self::Capped => vec![("model.safetensors".to_owned(), (2 << 30) / divisor)],
            Self::Shards => (1..=8)
                .map(|n| (format!("model-{n:05}-of-00008.safetensors"), (512 << 20) / divisor))
                .collect(),
            // `.bin`: what is called a text would be compressed for those who ask for that.
            Self::Small => (0..(2_000 / divisor).max(20))
                .map(|n| (format!("folder-{:02}/{n:04}.bin", n / 100), 20_000))
                .collect(),
            Self::Listed => (0..(100_000 / divisor).max(20))
                .map(|n| (format!("folder-{:03}/{n:06}.bin", n / 1_000), 10))
                .collect(),
        };
        let (next, cpus) = (AtomicUsize::new(0), cpus());
        let mut made: Vec<(usize, ServedFile)> = std::thread::scope(|scope| {
            let work = || {
                let mut made = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((path, size)) = shapes.get(number) else { return made };
                    // Another seed for each file: equal ones would be one to the Hub. In memory, so that the Hub does
                    // nothing but send.
                    let generated = Content::random((self as u64) << 32 | number as u64, *size);
                    let content = Content::bytes(generated.to_vec());
                    let is_lfs = !matches!(self, Self::Small | Self::Listed) || number % 2 == 0;
                    if is_lfs {
                        // Computed once, here, where it is done for several files at a time.
                        content.sha256();
                    }
                    made.push((number, ServedFile { path: path.clone(), content, is_lfs }));
                }
            };
            let makers: Vec<_> = (0..cpus).map(|_| scope.spawn(work)).collect();
            makers
                .into_iter()
                .flat_map(|maker| maker.join().expect("there is memory for the files"))
                .collect()
        });
        made.sort_by_key(|(number, _)| *number);
        made.into_iter().map(|(_, file)| file).collect()
    }
}

/// A Hub with these files, as the scenario wants it.
pub(crate) fn hub(scenario: Scenario, files: &[ServedFile]) -> TestHub {
    let hub = TestHub::start();
    let draft = files.iter().fold(hub.model(MODEL), |draft, file| {
        if file.is_lfs {
            draft.lfs(&file.path, file.content.clone())
        } else {
            draft.file(&file.path, file.content.clone())
        }
    });
    draft.commit();
    if scenario == Scenario::SlowConnections {
        hub.fault(HubFault::Throttle { bytes_per_second: CAP }, When::always().at(HubOrigin::Cdn));
        hub.fault(HubFault::Delay(DELAY), When::always());
    }
    hub
}

/// How many processors there are.
pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
