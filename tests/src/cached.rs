//! A hub cache that a test lays out by hand, as `huggingface_hub` does, and the real library's word on it.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::counterpart::Counterpart;

/// The folder of a cache.
pub struct TestCache {
    path: PathBuf,
}

/// A repository's folder in it.
pub struct CachedFolder {
    cache: PathBuf,
    /// Its path.
    pub path: PathBuf,
}

/// What the real library sees in a cache.
#[derive(Debug)]
pub struct LibraryScan(pub Value);

impl TestCache {
    /// An empty one.
    pub fn create(path: &Path) -> Self {
        fs::create_dir_all(path).expect("a temporary folder");
        Self { path: path.to_owned() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of a repository, by its name there: `models--acme--tiny`.
    pub fn repository(&self, folder: &str) -> CachedFolder {
        let path = self.path.join(folder);
        fs::create_dir_all(path.join("blobs")).expect("a temporary folder");
        CachedFolder { cache: self.path.clone(), path }
    }

    /// What the real library makes of it; `None` where there is none, after saying so.
    pub fn scanned_by_hf(&self) -> Option<LibraryScan> {
        const SCAN: &str = "
import json, sys
from huggingface_hub import scan_cache_dir
found = scan_cache_dir(sys.argv[1])
print(json.dumps({
    'size': found.size_on_disk,
    'warnings': [str(warning) for warning in found.warnings],
    'incomplete': found.incomplete_size_on_disk,
    'repositories': {repo.cache_id: {
        'size': repo.size_on_disk, 'files': repo.nb_files, 'refs': sorted(repo.refs),
        'used': int(repo.last_accessed), 'changed': int(repo.last_modified),
        'revisions': {revision.commit_hash: {
            'size': revision.size_on_disk, 'files': revision.nb_files, 'refs': sorted(revision.refs),
            'changed': int(revision.last_modified),
        } for revision in repo.revisions},
    } for repo in found.repos},
}))";
        Some(LibraryScan(python(SCAN, &[&self.path.display().to_string()])?))
    }

    /// Whether the real library finds a snapshot there without a network; `None` where there is no library.
    pub fn is_whole_for_hf(&self, repository: &str, revision: &str) -> Option<bool> {
        const LOAD: &str = "
import json, os, sys
from huggingface_hub import snapshot_download
try:
    folder = snapshot_download(sys.argv[2], revision=sys.argv[3], cache_dir=sys.argv[1], local_files_only=True)
    whole = all(os.path.exists(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)
except Exception:
    whole = False
print(json.dumps(whole))";
        let found = python(LOAD, &[&self.path.display().to_string(), repository, revision])?;
        Some(found == Value::Bool(true))
    }
}

/// Runs a program of the real library's Python, which prints JSON.
fn python(program: &str, arguments: &[&str]) -> Option<Value> {
    let python = Counterpart::Hf.require()?.with_file_name("python");
    let output = Command::new(python)
        .args(["-c", program])
        .args(arguments)
        .env_clear()
        .env("HF_HUB_OFFLINE", "1")
        .env("HOME", arguments[0])
        .output()
        .expect("python can be started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).expect("it prints JSON"))
}

impl CachedFolder {
    /// Puts a blob there and gives back its name.
    pub fn blob(&self, content: &[u8]) -> String {
        let name = data_encoding::HEXLOWER.encode(&Sha256::digest(content));
        fs::write(self.path.join("blobs").join(&name), content).expect("a temporary folder");
        name
    }

    /// Puts a blob into the store that repositories share, with a link to it here.
    pub fn shared_blob(&self, content: &[u8]) -> String {
        let name = data_encoding::HEXLOWER.encode(&Sha256::digest(content));
        // Xet's hash is another one; to the store it is a name.
        let hash: String = name.chars().rev().collect();
        let store = self.cache.join("blobs");
        fs::create_dir_all(store.join(&hash[..2])).expect("a temporary folder");
        fs::write(store.join(".huggingface-shared-blobs"), "1\n").expect("a temporary folder");
        let stored = store.join(&hash[..2]).join(&hash);
        fs::write(&stored, content).expect("a temporary folder");
        let blob = self.path.join("blobs").join(&name);
        let below = blob.strip_prefix(&self.cache).expect("it is in the cache").display().to_string();
        let manifest = stored.with_file_name(format!("{hash}.refs"));
        let refs = fs::read_to_string(&manifest).unwrap_or_default();
        fs::write(&manifest, format!("{refs}{below}\n")).expect("a temporary folder");
        symlink(format!("../../blobs/{}/{hash}", &hash[..2]), blob).expect("a temporary folder");
        name
    }

    /// Makes a file of a snapshot, which is a link to a blob.
    pub fn link(&self, commit: &str, path: &str, blob: &str) {
        let file = self.path.join("snapshots").join(commit).join(path);
        fs::create_dir_all(file.parent().expect("it is in a snapshot")).expect("a temporary folder");
        let up = "../".repeat(2 + path.matches('/').count());
        symlink(format!("{up}blobs/{blob}"), file).expect("a temporary folder");
    }

    /// The same, and the blob.
    pub fn file(&self, commit: &str, path: &str, content: &[u8]) -> String {
        let blob = self.blob(content);
        self.link(commit, path, &blob);
        blob
    }

    /// Names a commit.
    pub fn name(&self, name: &str, commit: &str) {
        let file = self.path.join("refs").join(name);
        fs::create_dir_all(file.parent().expect("it is in refs")).expect("a temporary folder");
        fs::write(file, commit).expect("a temporary folder");
    }

    /// Puts a file of this content anywhere into it.
    pub fn put(&self, path: &str, content: &[u8]) {
        let file = self.path.join(path);
        fs::create_dir_all(file.parent().expect("it is below the folder")).expect("a temporary folder");
        fs::write(file, content).expect("a temporary folder");
    }

    /// Whether something stands at a path, be it a link to nothing.
    pub fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path.join(path)).is_ok()
    }
}
