//! The cache's folder, open.

use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

/// The cache of the Hub. Its own path may lead through links, which are the user's; what is in it leads nowhere else.
#[derive(Debug)]
pub struct HubCache {
    path: PathBuf,
    /// The same without links, which absolute links in it begin with.
    resolved: PathBuf,
    pub(super) root: Dir,
}

/// Why there is no looking into a cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheFault {
    /// What it is a link to is not there.
    #[error("it is a link to {}, which is not there", .0.display())]
    DeadLink(PathBuf),
    /// A file stands there, or on the way to it.
    #[error("it is no folder")]
    NotAFolder,
    /// It can't be opened or read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
}

impl HubCache {
    /// Opens it. None where there is none.
    pub fn open(path: &Path) -> Result<Option<Self>, CacheFault> {
        match std::fs::metadata(path) {
            Ok(metadata) if !metadata.is_dir() => return Err(CacheFault::NotAFolder),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return std::fs::read_link(path).map_or(Ok(None), |target| Err(CacheFault::DeadLink(target)));
            }
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(CacheFault::NotAFolder),
            Err(error) => return Err(error.into()),
        }
        let root = Dir::open_ambient_dir(path, ambient_authority())?;
        let resolved = std::fs::canonicalize(path)?;
        Ok(Some(Self { path: path.to_owned(), resolved, root }))
    }

    /// Where it is, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a link in a folder of the cache leads, by its text alone, as names from the cache's folder on. None where
    /// it leads out of the cache, or through names that are no text.
    pub(super) fn target_of(&self, folder: &[&str], target: &Path) -> Option<Vec<String>> {
        let within = if target.is_absolute() {
            let below = target.strip_prefix(&self.resolved).or_else(|_| target.strip_prefix(&self.path));
            below.ok()?
        } else {
            target
        };
        let from = if target.is_absolute() { &[] } else { folder };
        let mut names: Vec<String> = from.iter().map(|name| (*name).to_owned()).collect();
        for component in within.components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => drop(names.pop()?),
                Component::Normal(name) => names.push(name.to_str()?.to_owned()),
                Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_and_not_followed() {
        let ground = tempfile::tempdir().unwrap();
        let cache = HubCache::open(ground.path()).unwrap().unwrap();
        let from = ["models--a", "snapshots", "c", "sub"];
        let absolute = ground.path().join("models--a/blobs/d");
        for (target, expected) in [
            ("../../../blobs/d", Some("models--a/blobs/d")),
            ("./../.././../blobs/d", Some("models--a/blobs/d")),
            (absolute.to_str().unwrap(), Some("models--a/blobs/d")),
            ("../../../../models--b/blobs/d", Some("models--b/blobs/d")),
            ("../../../../../x", None),
            ("/etc/passwd", None),
        ] {
            let names = cache.target_of(&from, Path::new(target)).map(|names| names.join("/"));
            assert_eq!(names.as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn what_is_no_cache_is_told_from_none() {
        let ground = tempfile::tempdir().unwrap();
        let at = |name: &str| ground.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        assert!(HubCache::open(&at("none")).unwrap().is_none());
        assert!(matches!(HubCache::open(&at("file")), Err(CacheFault::NotAFolder)));
        assert!(matches!(HubCache::open(&at("file/hub")), Err(CacheFault::NotAFolder)));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("gone", at("link")).unwrap();
            assert!(matches!(HubCache::open(&at("link")), Err(CacheFault::DeadLink(_))));
        }
    }
}
