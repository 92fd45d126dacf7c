//! What a run leaves in a hub cache that is killed, and what the next one makes of it.

use std::fs;
use std::path::Path;

use hfdown_protocol::{Access, Commit, Layout, RepositoryFolder, Symlinks, Traces};
use tokio_util::sync::CancellationToken;

use crate::folder::{Folder, Opening};

const WORK: &str = "models--acme--m/.hfdown";

async fn open(cache: &Path, commit: &str) -> Folder {
    let (reports, _) = tokio::sync::mpsc::channel(1);
    let layout = Layout::HubCache {
        repository: RepositoryFolder::new("models--acme--m").unwrap(),
        revision: None,
        commit: Commit::new(commit).unwrap(),
        symlinks: Symlinks::WherePossible,
    };
    let opening =
        Opening { access: Access::ReadWrite, layout, traces: Traces::Keep, identity: None, wait: None };
    let root = cache.to_str().unwrap().to_owned();
    Folder::open(Some(root), opening, &reports, &CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn what_a_killed_run_was_told_of_another_commit_is_forgotten() {
    let cache = tempfile::tempdir().unwrap();
    let [first, second] = ["a", "b"].map(|digit| digit.repeat(40));
    let tree = |commit: &str| cache.path().join(format!("models--acme--m/trees/{commit}.json"));
    let work = |name: &str| cache.path().join(WORK).join(name);
    let killed = open(cache.path(), &first).await;
    killed.root.receive_tree(b"first").unwrap();
    fs::write(work("new"), "").unwrap();
    fs::write(work("link-7"), "").unwrap();
    drop(killed);
    assert!(work("tree").exists());

    let next = open(cache.path(), &second).await;
    assert!(["tree", "new", "link-7"].iter().all(|name| !work(name).exists()));
    next.root.begin().unwrap();
    assert!(!tree(&second).exists(), "it was not told of it");
    for part in ["sec", "ond"] {
        next.root.receive_tree(part.as_bytes()).unwrap();
    }
    next.root.begin().unwrap();
    next.root.receive_tree(b"more").unwrap();
    assert_eq!(fs::read_to_string(tree(&second)).unwrap(), "second", "what is in place is not written to");
    assert!(!tree(&first).exists());
}
