//! What this machine remembers of a transfer that it detached: which repository's files the box may be given addresses
//! of.
//!
//! A box that is joined later asks for addresses by name, and its word is not enough to give any away. Nothing in a
//! record is secret: the token is found anew, where it always is.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use hfdown_protocol::Commit;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::link::SshTarget;
use crate::own_files;

/// The largest record that is read, in bytes: an address, a name and a commit.
const LARGEST: u64 = 64 << 10;

/// A repository's version on a Hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetachedRecord {
    /// The Hub's address.
    pub endpoint: String,
    /// The repository, as it can be typed.
    pub repo: String,
    /// Its version.
    pub commit: Commit,
}

/// Where records are kept.
#[derive(Debug)]
pub struct DetachedRecords {
    /// None where this machine has no place for a user's files.
    folder: Option<PathBuf>,
}

impl DetachedRecords {
    /// `$XDG_STATE_HOME/hfdown/detached`, which is `~/.local/state/…` where that is not set.
    pub fn from_environment() -> Self {
        let set = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
        let home = || env::home_dir().map(|home| home.join(".local").join("state"));
        let folder = set.or_else(home).filter(|folder| folder.is_absolute());
        Self { folder: folder.map(|folder| folder.join("hfdown").join("detached")) }
    }

    /// Remembers what is fetched to a folder of a box.
    pub fn keep(&self, target: &SshTarget, root: &str, record: &DetachedRecord) -> io::Result<()> {
        let file = self.file(target, root).ok_or(io::ErrorKind::NotFound)?;
        // The one above it as well: it is nothing but ours either.
        self.folder.as_deref().and_then(Path::parent).map_or(Ok(()), own_files::make_folder)?;
        own_files::replace(&file, &serde_json::to_vec(record)?)
    }

    /// What was remembered. What can't be read is nothing.
    pub fn find(&self, target: &SshTarget, root: &str) -> Option<DetachedRecord> {
        serde_json::from_slice(&own_files::read(&self.file(target, root)?, LARGEST).ok()?).ok()
    }

    /// Forgets it.
    pub fn forget(&self, target: &SshTarget, root: &str) {
        if let Some(file) = self.file(target, root) {
            // One that stays behind is overwritten by the next transfer to that folder.
            let _ = fs::remove_file(file);
        }
    }

    /// The way to a box is part of its name: `localhost` behind one jump host is not that behind another, and a box
    /// only gets what was meant for it.
    fn file(&self, target: &SshTarget, root: &str) -> Option<PathBuf> {
        let name = |target: &SshTarget| format!("{}@{target}\n", target.user.as_deref().unwrap_or_default());
        let way: String = target.jumps.iter().chain([target]).map(name).collect();
        let digest = Sha256::digest(way + root);
        Some(self.folder.as_ref()?.join(HEXLOWER.encode(&digest[..8]) + ".json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_for_one_folder_of_one_box() {
        let folder = tempfile::tempdir().unwrap();
        let records = DetachedRecords { folder: Some(folder.path().join("a/b")) };
        let target = |typed: &str| SshTarget::parse(typed).unwrap().0;
        let record = DetachedRecord {
            endpoint: "https://hub.example".to_owned(),
            repo: "datasets/acme/private".to_owned(),
            commit: Commit::new("607a30d783dfa663caf39e06633721c8d4cfcd7e").unwrap(),
        };
        let there = target("ssh -J gate root@box");
        records.keep(&there, "/workspace", &record).unwrap();
        assert_eq!(records.find(&there, "/workspace"), Some(record.clone()));
        assert_eq!(records.find(&there, "/workspace/a"), None);
        for other in
            ["ssh -J other root@box", "ssh root@box", "ssh -J gate you@box", "ssh -J gate -p 2 root@box"]
        {
            assert_eq!(records.find(&target(other), "/workspace"), None, "{other}");
        }
        records.forget(&there, "/workspace");
        assert_eq!(records.find(&there, "/workspace"), None);
        assert!(DetachedRecords { folder: None }.keep(&there, "/workspace", &record).is_err());
    }
}
