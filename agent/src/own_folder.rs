//! A folder of ours within the destination, and the files in it, read and written with distrust: whatever another user,
//! an accident or another program has left there, nothing blocks, nothing outside is touched, and nothing that is not
//! ours is believed.
//!
//! A file is *ours* if it is a regular one, belongs to the user that runs this program, has one name, may be written to
//! by no other user, and is no larger than its kind can be. Whatever else stands at its name counts as not there; where a
//! file is to be written, it is removed, or replaced by a rename, and never written through. No link is followed.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirEntry, Metadata};
use hfdown_protocol::DiskWarning;

use crate::disk_warnings::DiskWarnings;
use crate::system::{self, DiskFeature, FileAccess, FileMode, Looks};

/// How often what stands in the way of a new file is removed before that is given up: another run may do the same.
const ATTEMPTS: u32 = 8;
/// What a file is called before it gets the name of the one that it replaces.
const NEW: &str = ".new";
/// What is made for a moment, to see how the disk shows a file of ours.
const PROBE: &str = "probe";
/// What is made to see which names the disk takes for the same one: `é` as one character,
const COMPOSED: &str = "probe-\u{e9}";
/// and as two.
const DECOMPOSED: &str = "probe-e\u{301}";

/// A folder that is open.
#[derive(Debug)]
pub(crate) struct OwnFolder {
    /// What it is called in messages: where it is, relative to the destination.
    name: String,
    dir: Dir,
    ownership: Ownership,
    /// Where it is noted what the disk can't do.
    warnings: Arc<DiskWarnings>,
}

/// Whether a disk tells who a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// It does.
    Shown,
    /// A file that we have just created does not look like ours: FAT, some network disks and FUSE show every file as
    /// one user's, or lets every user write to it. There, nothing can be told from it.
    Hidden,
}

/// Why a folder is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// It belongs to another user.
    Owner { uid: u32 },
    /// Others may write to it.
    Writable { mode: u32 },
}

/// What becomes of folders that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingFolders {
    /// That is an error.
    Fail,
    /// They are made, with the modes that the user's umask lets.
    Make,
    /// They are made, and no other user may write to them.
    MakeOurs,
}

impl OwnFolder {
    pub(crate) fn new(name: String, dir: Dir) -> Self {
        Self { name, dir, ownership: Ownership::Shown, warnings: Arc::default() }
    }

    /// The same, with what its disk can't do noted here.
    pub(crate) fn noting_in(self, warnings: &Arc<DiskWarnings>) -> Self {
        Self { warnings: Arc::clone(warnings), ..self }
    }

    /// Where it is noted what the disk can't do.
    pub(crate) fn warnings(&self) -> &Arc<DiskWarnings> {
        &self.warnings
    }

    /// A folder by its path.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        Ok(Self::new(path.display().to_string(), dir))
    }

    /// The folder itself, for what knows by itself what it does there: rename, remove.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Where it is, relative to the destination.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The folder at a path below another one. No link is followed.
    pub(crate) fn below(above: &Dir, path: &str, missing: MissingFolders) -> io::Result<Self> {
        let mut found: Option<Self> = None;
        for component in path.split('/') {
            found = Some(match &found {
                None => Self::new(component.to_owned(), open_folder(above, component, component, missing)?),
                Some(above) => above.folder(component, missing)?,
            });
        }
        found.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// A folder in it. No link is followed.
    pub(crate) fn folder(&self, name: &str, missing: MissingFolders) -> io::Result<Self> {
        let path = format!("{}/{name}", self.name);
        let dir = open_folder(&self.dir, name, &path, missing)?;
        let warnings = Arc::clone(&self.warnings);
        Ok(Self { name: path, dir, ownership: self.ownership, warnings })
    }

    /// Whether a regular file of whatever kind stands there.
    pub(crate) fn has_file(&self, name: &str) -> bool {
        self.dir.symlink_metadata(name).is_ok_and(|metadata| metadata.is_file())
    }

    /// Opens a file of ours. None where there is none, and also where what is there is not ours, or larger than `most`.
    pub(crate) fn open(&self, name: &str, access: FileAccess, most: u64) -> io::Result<Option<File>> {
        // Before it is opened: that alone makes some devices do something.
        match self.dir.symlink_metadata(name) {
            Ok(metadata) if self.is_ours(&metadata, most) => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let file = match system::open_file(&self.dir, name, access) {
            Ok(file) => file,
            Err(error) if system::is_no_file_of_ours(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        // After it was opened: another may have taken its place.
        let is_ours = self.is_ours(&Metadata::from_file(&file)?, most);
        Ok(is_ours.then_some(file))
    }

    /// What stands there, without opening it; `None` as with [`Self::open`].
    pub(crate) fn look(&self, name: &str, most: u64) -> Option<Metadata> {
        self.dir.symlink_metadata(name).ok().filter(|metadata| self.is_ours(metadata, most))
    }

    /// What is in a file of ours; `None` as with [`Self::open`].
    pub(crate) fn read(&self, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.open(name, FileAccess::Read, most)? else { return Ok(None) };
        let mut bytes = Vec::new();
        // It may grow while it is read.
        file.take(most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Creates a file. Whatever stands there is removed, unless it is a folder.
    pub(crate) fn create(&self, name: &str, mode: FileMode) -> io::Result<File> {
        let mut attempts = 0;
        loop {
            match system::create_file(&self.dir, name, mode) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempts < ATTEMPTS => {
                    attempts += 1;
                    self.remove(name)?;
                }
                created => return created,
            }
        }
    }

    /// Makes a file for a moment, to see what this disk makes of it.
    pub(crate) fn probe<T>(
        &self,
        mode: FileMode,
        look: impl FnOnce(&File) -> io::Result<T>,
    ) -> io::Result<T> {
        let file = self.create(PROBE, mode)?;
        let seen = look(&file);
        self.remove(PROBE)?;
        seen
    }

    /// Gives a file this content, as a whole or not at all: a new file takes the place of whatever stands there, unless
    /// that is a folder.
    pub(crate) fn replace(&self, name: &str, content: &[u8], mode: FileMode) -> io::Result<()> {
        self.replace_by(&format!("{name}{NEW}"), name, content, mode)
    }

    /// The same with a file that is called `new` until it has its name.
    pub(crate) fn replace_by(&self, new: &str, name: &str, content: &[u8], mode: FileMode) -> io::Result<()> {
        self.create(new, mode)?.write_all(content)?;
        self.rename_over(new, name)
    }

    /// Gives a file that was [created](Self::create) here its name.
    pub(crate) fn rename_over(&self, new: &str, name: &str) -> io::Result<()> {
        self.dir.rename(new, &self.dir, name).map_err(|error| self.in_the_way(name, error))
    }

    /// Removes whatever stands there, unless it is a folder. That nothing does is fine.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match self.dir.remove_file(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| self.in_the_way(name, error)),
        }
    }

    /// Whatever is in it.
    pub(crate) fn entries(&self) -> impl Iterator<Item = DirEntry> {
        self.dir.entries().into_iter().flatten().flatten()
    }

    /// Waits until the bytes of a file in it would survive a crash of the machine, where its disk has a way to.
    pub(crate) fn flush_file(&self, file: &File) -> io::Result<()> {
        self.warnings.without(DiskFeature::Flush, DiskWarning::NoFlush, file.sync_all())
    }

    /// Makes the names in it survive a crash of the machine.
    pub(crate) fn flush(&self) -> io::Result<()> {
        system::flush_folder(&self.dir, ".")
    }

    /// Whether the folder is ours alone; if it does not look so, a file is created to see what the disk's word is worth.
    pub(crate) fn check(&mut self) -> io::Result<Result<(), Distrust>> {
        let looks = system::looks(&self.dir.dir_metadata()?);
        let probe = || self.probe(FileMode::Private, |file| Ok(system::looks(&Metadata::from_file(file)?)));
        Ok(match ownership(looks, system::own_uid(), probe)? {
            Ok(ownership) => {
                self.ownership = ownership;
                Ok(())
            }
            Err(distrust) => Err(distrust),
        })
    }

    /// Whether the folder looks as if it were ours alone.
    pub(crate) fn looks_ours(&self) -> bool {
        let looks = self.dir.dir_metadata().map(|metadata| system::looks(&metadata));
        looks.is_ok_and(|looks| distrust(looks, system::own_uid()).is_none())
    }

    /// Whether the disk takes Unicode's two spellings of `é` for the same name: a file is created to see.
    pub(crate) fn folds_normalisation(&self) -> io::Result<bool> {
        // A run that was killed here may have left one, and a copy of the folder may have it in the other spelling.
        self.remove(DECOMPOSED)?;
        self.create(COMPOSED, FileMode::Private)?;
        let folds = self.has_file(DECOMPOSED);
        self.remove(COMPOSED)?;
        Ok(folds)
    }

    fn is_ours(&self, metadata: &Metadata, most: u64) -> bool {
        let looks = system::looks(metadata);
        let is_owned = || self.ownership == Ownership::Hidden || distrust(looks, system::own_uid()).is_none();
        metadata.is_file() && looks.links <= 1 && metadata.len() <= most && is_owned()
    }

    /// The error, in words where it is a folder that is in the way.
    fn in_the_way(&self, name: &str, error: io::Error) -> io::Error {
        match self.dir.symlink_metadata(name) {
            Ok(metadata) if metadata.is_dir() => {
                let detail = format!("a folder stands at {}/{name}", self.name);
                io::Error::new(ErrorKind::IsADirectory, detail)
            }
            _ => error,
        }
    }
}

/// Opens a folder. What it is called in messages is `path`.
fn open_folder(above: &Dir, name: &str, path: &str, missing: MissingFolders) -> io::Result<Dir> {
    let open = || system::open_folder(above, name);
    let opened = match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = match missing {
                MissingFolders::Fail => return Err(error),
                MissingFolders::Make => above.create_dir(name),
                MissingFolders::MakeOurs => system::create_folder(above, name),
            };
            match made {
                // Another run was faster.
                Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
                _ => open(),
            }
        }
        opened => opened,
    };
    opened.map_err(|error| {
        let what = match above.symlink_metadata(name) {
            Ok(metadata) if metadata.is_symlink() => "a link, and is not followed",
            Ok(metadata) if !metadata.is_dir() => "no folder",
            _ => return error,
        };
        io::Error::new(ErrorKind::AlreadyExists, format!("{path} is {what}"))
    })
}

/// What to make of a folder that looks like this. `probe` creates a file in it and says what that looks like.
fn ownership(
    folder: Looks,
    own_uid: u32,
    probe: impl FnOnce() -> io::Result<Looks>,
) -> io::Result<Result<Ownership, Distrust>> {
    let Some(found) = distrust(folder, own_uid) else { return Ok(Ok(Ownership::Shown)) };
    match probe() {
        Ok(created) if distrust(created, own_uid).is_some() => Ok(Ok(Ownership::Hidden)),
        Ok(_) => Ok(Err(found)),
        // Where we may not create anything, it is not ours.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(Err(found)),
        Err(error) => Err(error),
    }
}

/// Why what looks like this is not ours alone, if it is not.
fn distrust(looks: Looks, own_uid: u32) -> Option<Distrust> {
    /// Who may write, beside the owner.
    const OTHERS_WRITE: u32 = 0o022;
    if looks.uid != own_uid {
        return Some(Distrust::Owner { uid: looks.uid });
    }
    (looks.mode & OTHERS_WRITE != 0).then_some(Distrust::Writable { mode: looks.mode })
}

#[cfg(test)]
#[path = "own_folder_tests.rs"]
mod tests;
