//! The hub cache as a destination, judged by the library whose cache it is.

mod both_ways;
mod detached;
mod names;
mod refused;
mod shared;
mod snapshots;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hfdown_tests::hf::Hf;
use hfdown_tests::sandbox::{Ended, Sandbox, run};
use serde_json::Value;

/// What the library says of a repository in a cache: where its snapshot is, if it is whole; what it warns of; which
/// revisions there are, by whose names, with which files; and where it finds each of them.
const JUDGE: &str = r#"
import json, sys
from huggingface_hub import scan_cache_dir, snapshot_download, try_to_load_from_cache
cache, repo, kind, revision = sys.argv[1:5]
said = {"snapshot": None, "error": None}
try:
    said["snapshot"] = snapshot_download(repo, repo_type=kind, revision=revision, cache_dir=cache, local_files_only=True)
except Exception as error:
    said["error"] = type(error).__name__
scan = scan_cache_dir(cache)
said["warnings"] = [str(warning) for warning in scan.warnings]
said["revisions"] = {
    revision.commit_hash: {
        "refs": sorted(revision.refs),
        "files": sorted(str(file.file_path.relative_to(revision.snapshot_path)) for file in revision.files),
        "bytes": revision.size_on_disk,
    }
    for found in scan.repos for revision in found.revisions
}
said["loaded"] = {
    name: isinstance(try_to_load_from_cache(repo, name, cache, revision, kind), str) for name in sys.argv[5:]
}
print(json.dumps(said))
"#;

/// A cache of a sandbox's own.
pub(crate) fn cache(sandbox: &Sandbox) -> PathBuf {
    sandbox.scratch().join("hub")
}

/// A name in it.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Syncs a model into the cache: here by the environment, on a box by name.
fn syncing(sandbox: &Sandbox, model: &str, more: &[&str]) -> tokio::process::Command {
    let cache = cache(sandbox);
    match &sandbox.host {
        None => {
            let mut command = sandbox.hfdown(["rsync-sync", model, "--cache"].iter().chain(more));
            command.env("HF_HUB_CACHE", cache);
            command
        }
        Some(host) => {
            let words = ["rsync-to-vast", model, &host.command(), "--cache-dir", text(&cache)];
            sandbox.hfdown(words.iter().chain(more))
        }
    }
}

pub(crate) async fn sync(sandbox: &Sandbox, model: &str, more: &[&str]) -> Ended {
    run(syncing(sandbox, model, more)).await
}

/// The objects of one type that a run with `--json` printed.
fn objects(ended: &Ended, kind: &str) -> Vec<Value> {
    let objects = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.filter(|object| object["type"] == kind).collect()
}

/// What the library says.
pub(crate) fn judge(hf: &Hf, cache: &Path, repo: &str, revision: &str, names: &[&str]) -> Value {
    let words = [text(cache), repo, "model", revision];
    hf.library(JUDGE, &words.iter().chain(names).copied().collect::<Vec<_>>())
}

/// Everything in a folder but for what is hfdown's own: what each thing is, its mode, and what is in it.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(folder, "", &mut found);
    found
}

fn collect(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if name.ends_with("/.hfdown") {
            continue;
        }
        let metadata = fs::symlink_metadata(entry.path()).unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_symlink() {
            found.insert(name, format!("-> {}", fs::read_link(entry.path()).unwrap().display()));
        } else if metadata.is_dir() {
            collect(&entry.path(), &format!("{name}/"), found);
            found.insert(name, format!("folder {mode:o}"));
        } else {
            let content = fs::read(entry.path()).unwrap();
            found.insert(name, format!("file {mode:o} {}", String::from_utf8_lossy(&content)));
        }
    }
}
