//! The files that the servers have in memory, and where the programs put what they fetch. All of it is gone afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use hfdown_tests::hub::Content;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::circumstances::{self, Circumstances};
use crate::options::Options;
use crate::scenario::Scenario;
use crate::servers::{CdnKind, Servers};
use crate::tool::Tool;

/// What the Hub calls it all.
pub(crate) const MODEL: &str = "bench/model";
/// How much of a file is made at once.
const PIECE: usize = 4 << 20;

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
    pub(crate) is_lfs: bool,
}

/// A folder with everything in it.
pub(crate) struct Workspace {
    folder: TempDir,
    /// Files in memory, for servers that need files.
    memory: Option<TempDir>,
    divisor: u64,
    connections: Option<u16>,
    sets: BTreeMap<Set, Vec<ServedFile>>,
}

/// What one program has before it.
pub(crate) struct Site<'a> {
    pub(crate) servers: &'a mut Servers,
    pub(crate) circumstances: &'a Circumstances,
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
    /// Takes a new folder where the options say, which Ctrl-C and SIGTERM remove as well.
    pub(crate) fn prepare(options: &Options) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("hfdown-bench-").tempdir_in(&options.on)?;
        let needs_files = options.cdn.contains(&CdnKind::Nginx);
        let memory = needs_files
            .then(|| tempfile::Builder::new().prefix("hfdown-bench-").tempdir_in(in_memory()))
            .transpose()?;
        let doomed: Vec<_> = [Some(&folder), memory.as_ref()]
            .into_iter()
            .flatten()
            .map(|folder| folder.path().to_owned())
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            if runtime.block_on(told_to_end()).is_ok() {
                circumstances::clean_up();
                // The programs that run hear Ctrl-C as well. One that still writes makes the first try fail.
                for doomed in doomed {
                    let _ = fs::remove_dir_all(&doomed).or_else(|_| fs::remove_dir_all(&doomed));
                }
                std::process::exit(130);
            }
        });
        let (divisor, connections) = (options.size_divisor, options.connections);
        Ok(Self { folder, memory, divisor, connections, sets: BTreeMap::new() })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A folder whose files are in memory, where servers need files.
    pub(crate) fn memory(&self) -> &Path {
        self.memory.as_ref().unwrap_or(&self.folder).path()
    }

    /// The files of a scenario, made where they are not there yet.
    pub(crate) fn files(&mut self, scenario: Scenario) -> Vec<ServedFile> {
        let mut files = Vec::new();
        for set in scenario.sets() {
            if !self.sets.contains_key(set) {
                let files = set.make(self.divisor, self.memory.as_ref().map(TempDir::path));
                self.sets.insert(*set, files);
            }
            files.extend(self.sets.get(set).into_iter().flatten().cloned());
        }
        files
    }

    /// Lets go of the files that nothing needs any more.
    pub(crate) fn keep_only(&mut self, needed: &[Set]) {
        let is_needed = |set: &Set| needed.contains(set);
        for unneeded in self.sets.keys().filter(|set| !is_needed(set)) {
            if let Some(memory) = &self.memory {
                // It may have no files there.
                _ = fs::remove_dir_all(memory.path().join(format!("{unneeded:?}")));
            }
        }
        self.sets.retain(|set, _| is_needed(set));
    }

    pub(crate) fn site<'a>(
        &self,
        servers: &'a mut Servers,
        circumstances: &'a Circumstances,
        files: &'a [ServedFile],
        tool: Tool,
        program: &Path,
        choice: Option<&'static str>,
    ) -> Site<'a> {
        let folder = self.folder().join(format!("{tool:?}"));
        let (program, connections) = (self.folder().join(program), self.connections);
        Site { servers, circumstances, files, program, folder, connections, choice }
    }
}

impl Set {
    /// Its files: in this program's memory, or in a folder whose files are in memory.
    fn make(self, divisor: u64, memory: Option<&Path>) -> Vec<ServedFile> {
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
                    let content = match memory {
                        None => Content::bytes(generated.to_vec()),
                        Some(memory) => on_disk(&memory.join(format!("{self:?}")), number, &generated)
                            .expect("there is memory for the files"),
                    };
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

/// Returns when the benchmark is to end early.
async fn told_to_end() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// A folder whose files are in memory, where there is one.
fn in_memory() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() { shared } else { std::env::temp_dir() }
}

fn on_disk(folder: &Path, number: usize, content: &Content) -> io::Result<Content> {
    fs::create_dir_all(folder)?;
    let path = folder.join(number.to_string());
    let mut file = fs::File::create(&path)?;
    for start in (0..content.size()).step_by(PIECE) {
        file.write_all(&content.read(start..content.size().min(start + PIECE as u64)))?;
    }
    Ok(Content::disk(path))
}

/// How many processors there are.
pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
