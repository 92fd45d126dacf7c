//! Blobs that several names, revisions and programs share.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::lacking::{Lacking, LackingPrograms};
use hfdown_tests::sandbox::{DestinationKind, Sandbox, ended, run};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{cache, judge, objects, sync, syncing, text};
use crate::places::HFDOWN;

const MODEL: &str = "acme/shared";
const FOLDER: &str = "models--acme--shared";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 3_000_000;

fn content() -> Content {
    Content::random(9, SIZE)
}

fn blob(sandbox: &Sandbox) -> PathBuf {
    cache(sandbox).join(FOLDER).join("blobs").join(content().sha256())
}

fn link(sandbox: &Sandbox, commit: &str, name: &str) -> PathBuf {
    cache(sandbox).join(FOLDER).join("snapshots").join(commit).join(name)
}

async fn revisions_share_blobs_and_a_blob_without_its_link_costs_no_byte(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let first = sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, content()).commit();
    assert_eq!(sync(&sandbox, MODEL, &[]).await.code, 0);
    let second = sandbox.hub.model(MODEL).file("config.json", "[]").lfs("copy/of.bin", content()).commit();
    let (first, second) = (first.to_string(), second.to_string());
    sandbox.hub.forget_requests();
    let ended = sync(&sandbox, MODEL, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0, "it is there under another name");
    assert_eq!(objects(&ended, "finished")[0]["fetched"], 2, "{}", ended.stdout);

    fs::remove_file(link(&sandbox, &second, FILE)).unwrap();
    fs::remove_dir_all(cache(&sandbox).join(FOLDER).join("snapshots").join(&first)).unwrap();
    sandbox.hub.forget_requests();
    for revision in ["main", &first] {
        let ended = sync(&sandbox, MODEL, &["--revision", revision]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
    }
    let said = judge(&hf, &cache(&sandbox), MODEL, "main", &[FILE, "copy/of.bin", "config.json"]);
    assert_eq!(
        said["snapshot"],
        text(&link(&sandbox, &second, "").join("x")).trim_end_matches("/x"),
        "{said}"
    );
    let [first_files, second_files] =
        [json!(["config.json", FILE]), json!(["config.json", "copy/of.bin", FILE])];
    let found = json!({
        &first: { "refs": [], "files": first_files, "bytes": SIZE + 2 },
        &second: { "refs": ["main"], "files": second_files, "bytes": SIZE + 2 },
    });
    assert_eq!(said["revisions"], found, "{said}");
}

async fn a_blob_that_is_wrong_or_leads_nowhere_is_replaced_and_never_written_through(sandbox: Sandbox) {
    let commit = sandbox.hub.model(MODEL).lfs(FILE, content()).commit().to_string();
    let store = cache(&sandbox).join("blobs").join("ab");
    fs::create_dir_all(&store).unwrap();
    fs::create_dir_all(blob(&sandbox).parent().unwrap()).unwrap();
    let right = content().to_vec();
    let wrong = vec![7; usize::try_from(SIZE).unwrap()];
    for (what, stored, fetched) in [
        ("right", Some(&right), 0),
        ("wrong", Some(&wrong), SIZE),
        ("short", Some(&wrong[..9].to_vec()), SIZE),
        ("nowhere", None, SIZE),
    ] {
        let target = store.join(what);
        if let Some(stored) = stored {
            fs::write(&target, stored).unwrap();
        }
        let _ = fs::remove_file(blob(&sandbox));
        symlink(format!("../../blobs/ab/{what}"), blob(&sandbox)).unwrap();
        sandbox.hub.forget_requests();
        let ended = sync(&sandbox, MODEL, &["--json"]).await;
        assert_eq!(ended.code, 0, "{what}: {}", ended.stderr);
        assert_eq!(objects(&ended, "finished")[0]["fetched"], fetched, "{what}: {}", ended.stdout);
        assert!(fs::read(link(&sandbox, &commit, FILE)).unwrap() == right, "{what}");
        assert_eq!(fs::read(&target).ok().as_ref(), stored, "{what}: the store is as it was");
        assert_eq!(fs::symlink_metadata(blob(&sandbox)).unwrap().is_symlink(), fetched == 0, "{what}");
    }
}

/// Waits until a run says that it waits for a file, and goes on reading.
async fn until_it_waits(child: &mut tokio::process::Child) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        if object["type"] == "waiting" {
            assert_eq!(object["path"], FILE, "{line}");
            return;
        }
    }
    panic!("it does not wait");
}

/// Opens the lock that `hf` holds while it fetches the file.
fn lock(sandbox: &Sandbox) -> File {
    let locks = cache(sandbox).join(".locks").join(FOLDER);
    fs::create_dir_all(&locks).unwrap();
    let path = locks.join(format!("{}.lock", content().sha256()));
    File::options().create(true).truncate(false).read(true).write(true).open(path).unwrap()
}

async fn what_hf_is_fetching_is_waited_for_and_costs_no_byte(sandbox: Sandbox) {
    let commit = sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, content()).commit();
    let held = lock(&sandbox);
    held.lock().unwrap();
    let ended_early = sync(&sandbox, MODEL, &["--lock-timeout", "0"]).await;
    assert_eq!(ended_early.code, 3, "{}", ended_early.stderr);
    assert!(
        ended_early.stderr.contains("another program is fetching it into the same cache"),
        "{}",
        ended_early.stderr
    );

    let mut child = syncing(&sandbox, MODEL, &["--json"]).spawn().unwrap();
    until_it_waits(&mut child).await;
    fs::write(blob(&sandbox), content().to_vec()).unwrap();
    drop(held);
    let ended = ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
    assert_eq!(objects(&ended, "finished")[0]["end"], "done", "{}", ended.stdout);
    assert!(fs::read(link(&sandbox, commit.as_str(), FILE)).unwrap() == content().to_vec());
}

async fn hf_waits_for_what_is_being_fetched_and_fetches_nothing_twice(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    sandbox.hub.model(MODEL).lfs(FILE, content()).commit();
    let stall = sandbox.hub.stall(1_000_000, When::file(FILE).at(HubOrigin::Cdn));
    let child = syncing(&sandbox, MODEL, &[]).spawn().unwrap();
    stall.reached().await;
    assert!(lock(&sandbox).try_lock().is_err(), "the lock is held");
    let directory = cache(&sandbox);
    let theirs = tokio::task::spawn_blocking(move || {
        hf.succeeds(&["download", MODEL, "--cache-dir", text(&directory)]);
    });
    // It has asked where the bytes are, and gets no further.
    while !sandbox.hub.requests_for(FILE).iter().any(|request| request.method == "HEAD") {
        tokio::task::yield_now().await;
    }
    stall.release();
    let ended = ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    theirs.await.unwrap();
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent < SIZE + SIZE / 2, "{sent} bytes for {SIZE}");
    assert_eq!(fs::metadata(blob(&sandbox)).unwrap().size(), SIZE);
}

async fn where_there_are_no_locks_none_is_left_that_hf_would_wait_for(place: DestinationKind) {
    let programs = LackingPrograms { hfdown: HFDOWN, without: env!("CARGO_BIN_EXE_without") };
    let Some(lacking) = Lacking::start(place, programs, "flock=ENOSYS").await else { return };
    let sandbox = &lacking.sandbox;
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, content()).commit();
    let locks = cache(sandbox).join(".locks").join(FOLDER);
    fs::create_dir_all(&locks).unwrap();
    // This one may be held.
    let theirs = format!("{}.lock", content().sha256());
    fs::write(locks.join(&theirs), "").unwrap();
    let words = ["download", MODEL, "--cache-dir", text(&cache(sandbox))].map(str::to_owned);
    let ended = run(lacking.lacking(sandbox.hfdown(&words))).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let left = fs::read_dir(&locks).unwrap().map(|lock| lock.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.collect::<Vec<_>>(), [theirs]);
}

here! {
    where_there_are_no_locks_none_is_left_that_hf_would_wait_for,
    revisions_share_blobs_and_a_blob_without_its_link_costs_no_byte,
    a_blob_that_is_wrong_or_leads_nowhere_is_replaced_and_never_written_through,
    what_hf_is_fetching_is_waited_for_and_costs_no_byte,
    hf_waits_for_what_is_being_fetched_and_fetches_nothing_twice,
}
