//! What this machine remembers of a transfer that it detached: which repository's files the box may be given addresses of.
//!
//! A box that is joined later asks for addresses by name, and its word is not enough to give any away. Nothing in a ticket
//! is secret: the token is found anew, where it always is.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use hfdown_protocol::Commit;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A repository's version on a Hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The Hub's address.
    pub endpoint: String,
    /// The repository, as it can be typed.
    pub repo: String,
    /// Its version.
    pub commit: Commit,
}

/// Where tickets are kept.
#[derive(Debug)]
pub struct Tickets {
    folder: PathBuf,
}

impl Tickets {
    /// `$XDG_STATE_HOME/hfdown/detached`, which is `~/.local/state/…` where that is not set.
    pub fn from_environment() -> Self {
        let set = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
        let home = || env::home_dir().map(|home| home.join(".local").join("state"));
        Self { folder: set.or_else(home).unwrap_or_default().join("hfdown").join("detached") }
    }

    /// Remembers what is fetched to a folder of a box.
    pub fn keep(&self, name: &str, root: &str, ticket: &Ticket) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        fs::write(self.file(name, root), serde_json::to_vec(ticket)?)
    }

    /// What was remembered. What can't be read is nothing.
    pub fn find(&self, name: &str, root: &str) -> Option<Ticket> {
        serde_json::from_slice(&fs::read(self.file(name, root)).ok()?).ok()
    }

    /// Forgets it.
    pub fn forget(&self, name: &str, root: &str) {
        // One that stays behind is overwritten by the next transfer to that folder.
        let _ = fs::remove_file(self.file(name, root));
    }

    fn file(&self, name: &str, root: &str) -> PathBuf {
        let digest = Sha256::digest(format!("{name}\n{root}"));
        let name = digest[..8].iter().fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
        self.folder.join(name + ".json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_for_one_folder_of_one_box() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets { folder: folder.path().join("a/b") };
        let ticket = Ticket {
            endpoint: "https://hub.example".to_owned(),
            repo: "datasets/acme/private".to_owned(),
            commit: Commit::new("607a30d783dfa663caf39e06633721c8d4cfcd7e").unwrap(),
        };
        tickets.keep("box:1", "/workspace", &ticket).unwrap();
        assert_eq!(tickets.find("box:1", "/workspace"), Some(ticket));
        for (name, root) in [("box:2", "/workspace"), ("box:1", "/workspace/a"), ("box:1/workspace", "")] {
            assert_eq!(tickets.find(name, root), None);
        }
        tickets.forget("box:1", "/workspace");
        assert_eq!(tickets.find("box:1", "/workspace"), None);
    }
}
