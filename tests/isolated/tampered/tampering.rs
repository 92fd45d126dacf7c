//! What a state has been through: changes to the files under `.cache/` that another program might make.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use rand::RngExt as _;
use rand::rngs::StdRng;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

/// A user that is not the one who runs the tests.
const STRANGER: u32 = 12_345;
/// More than may be read into memory, and none of it on disk.
const SPARSE: u64 = 3_000_000_000;
/// The device that has zeros without end: major and minor number.
const ENDLESS: (u32, u32) = (1, 5);
/// More than any honest growth of a bookkeeping file in one run.
const GROWTH: usize = 200_000;

/// One change to one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tampering {
    Flip,
    Cut,
    Grow,
    GrowSparse,
    Garbage,
    Empty,
    CopyOfAnother,
    LinkOutside,
    LinkToAnother,
    LinkToItself,
    LinkToNothing,
    LinkToEndlessDevice,
    HardLinkOutside,
    HardLinkToModel,
    Fifo,
    Socket,
    Device,
    Folder,
    FilledFolder,
    Owner,
    ModeForAll,
    ModeForNone,
    Removed,
    SwappedWithAnother,
}

const ALL: [Tampering; 24] = [
    Tampering::Flip,
    Tampering::Cut,
    Tampering::Grow,
    Tampering::GrowSparse,
    Tampering::Garbage,
    Tampering::Empty,
    Tampering::CopyOfAnother,
    Tampering::LinkOutside,
    Tampering::LinkToAnother,
    Tampering::LinkToItself,
    Tampering::LinkToNothing,
    Tampering::LinkToEndlessDevice,
    Tampering::HardLinkOutside,
    Tampering::HardLinkToModel,
    Tampering::Fifo,
    Tampering::Socket,
    Tampering::Device,
    Tampering::Folder,
    Tampering::FilledFolder,
    Tampering::Owner,
    Tampering::ModeForAll,
    Tampering::ModeForNone,
    Tampering::Removed,
    Tampering::SwappedWithAnother,
];

/// What was changed, for the message of a test that fails.
#[derive(Debug, Clone)]
pub(super) struct Tampered {
    name: PathBuf,
    change: Tampering,
}

impl fmt::Display for Tampered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} of {}", self.change, self.name.display())
    }
}

/// A destination whose bookkeeping is changed, and a folder beside it which no run may touch.
#[derive(Debug)]
pub(super) struct TamperedFolder<'a> {
    pub(super) root: &'a Path,
    pub(super) outside: &'a Path,
    /// Names below the root that hfdown or `hf` would give to bookkeeping, whether they are there or not.
    pub(super) names: &'a [PathBuf],
    /// A file of the model.
    pub(super) model: &'a Path,
}

impl TamperedFolder<'_> {
    /// Changes a name at random. `None` where that can't be done to what is there.
    pub(super) fn change(&self, random: &mut StdRng) -> Option<Tampered> {
        let names = self.all_names();
        let name = names[random.random_range(0..names.len())].clone();
        let another = names[random.random_range(0..names.len())].clone();
        let change = ALL[random.random_range(0..ALL.len())];
        // An earlier change may have put a link to the outside above it: what lies there is not ours to change.
        let is_within = |name: &Path| {
            let parent = self.root.join(name);
            parent.parent().and_then(|parent| fs::canonicalize(parent).ok()).is_some_and(|parent| {
                fs::canonicalize(self.root).is_ok_and(|root| parent.starts_with(root.join(".cache")))
            })
        };
        if !is_within(&name) || !is_within(&another) {
            return None;
        }
        self.apply(change, &self.root.join(&name), &self.root.join(&another), random).ok()?;
        Some(Tampered { name, change })
    }

    /// Everything below `.cache/`, and what could be there.
    fn all_names(&self) -> Vec<PathBuf> {
        let mut names = self.names.to_vec();
        let mut folders = vec![self.root.join(".cache")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                }
                names.extend(entry.path().strip_prefix(self.root).ok().map(Path::to_owned));
            }
        }
        // In a settled order: the same seed makes the same changes.
        names.sort();
        names.dedup();
        names
    }

    fn apply(&self, change: Tampering, name: &Path, another: &Path, random: &mut StdRng) -> io::Result<()> {
        let mode = Mode::from_raw_mode(0o666);
        let anew = |make: &dyn Fn() -> io::Result<()>| remove(name).and_then(|()| make());
        let special = |kind, device| anew(&|| Ok(mknodat(CWD, name, kind, mode, device)?));
        match change {
            Tampering::Flip => {
                let length = own_file(name)?.size();
                let at = random.random_range(0..length.max(1));
                let file = fs::OpenOptions::new().read(true).write(true).open(name)?;
                let mut byte = [0];
                file.read_exact_at(&mut byte, at)?;
                file.write_all_at(&[byte[0] ^ (1 << random.random_range(0..8_u32))], at)
            }
            Tampering::Cut => {
                let length = own_file(name)?.size();
                resize(name, random.random_range(0..length.max(1)))
            }
            Tampering::Grow => {
                let length = own_file(name)?.size();
                let tail: Vec<u8> = (0..random.random_range(1..GROWTH)).map(|_| random.random()).collect();
                fs::OpenOptions::new().write(true).open(name)?.write_all_at(&tail, length)
            }
            Tampering::GrowSparse => own_file(name).and_then(|_| resize(name, SPARSE)),
            Tampering::Garbage => {
                let bytes: Vec<u8> = (0..random.random_range(1..GROWTH)).map(|_| random.random()).collect();
                anew(&|| fs::write(name, &bytes))
            }
            Tampering::Empty => anew(&|| fs::write(name, "")),
            Tampering::CopyOfAnother => {
                own_file(another)?;
                let bytes = fs::read(another)?;
                anew(&|| fs::write(name, &bytes))
            }
            Tampering::LinkOutside => {
                let targets = ["file", "folder", "not there yet"];
                let target = targets[random.random_range(0..targets.len())];
                anew(&|| symlink(self.outside.join(target), name))
            }
            Tampering::LinkToAnother => anew(&|| symlink(another, name)),
            Tampering::LinkToItself => anew(&|| symlink(name, name)),
            Tampering::LinkToNothing => anew(&|| symlink("nothing", name)),
            Tampering::LinkToEndlessDevice => anew(&|| symlink("/dev/zero", name)),
            Tampering::HardLinkOutside => anew(&|| fs::hard_link(self.outside.join("file"), name)),
            Tampering::HardLinkToModel => anew(&|| fs::hard_link(self.root.join(self.model), name)),
            Tampering::Fifo => special(FileType::Fifo, 0),
            Tampering::Socket => special(FileType::Socket, 0),
            Tampering::Device => special(FileType::CharacterDevice, makedev(ENDLESS.0, ENDLESS.1)),
            Tampering::Folder => anew(&|| fs::create_dir(name)),
            Tampering::FilledFolder => anew(&|| {
                fs::create_dir(name)?;
                fs::write(name.join("mine"), "mine")
            }),
            Tampering::Owner => lchown(name, Some(STRANGER), Some(STRANGER)),
            Tampering::ModeForAll => set_mode(name, 0o777),
            Tampering::ModeForNone => set_mode(name, 0),
            Tampering::Removed => fs::symlink_metadata(name).and_then(|_| remove(name)),
            Tampering::SwappedWithAnother => {
                own_file(name)?;
                own_file(another)?;
                let aside = self.root.join(".cache").join("aside");
                fs::rename(name, &aside)?;
                fs::rename(another, name).or_else(|_| fs::rename(&aside, name))?;
                fs::rename(&aside, another)
            }
        }
    }
}

/// A file that can be changed without changing anything else.
fn own_file(name: &Path) -> io::Result<fs::Metadata> {
    let metadata = fs::symlink_metadata(name)?;
    if metadata.is_file() && metadata.nlink() == 1 { Ok(metadata) } else { Err(io::ErrorKind::Other.into()) }
}

fn resize(name: &Path, length: u64) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(name)?.set_len(length)
}

fn set_mode(name: &Path, mode: u32) -> io::Result<()> {
    let metadata = fs::symlink_metadata(name)?;
    // A mode is that of the file, whichever of its names it is set by.
    if metadata.is_symlink() || (metadata.is_file() && metadata.nlink() > 1) {
        return Err(io::ErrorKind::Other.into());
    }
    fs::set_permissions(name, fs::Permissions::from_mode(mode))
}

fn remove(name: &Path) -> io::Result<()> {
    match fs::symlink_metadata(name) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(name),
        Ok(_) => fs::remove_file(name),
        // Where nothing is, there is nothing to remove.
        Err(_) => Ok(()),
    }
}
