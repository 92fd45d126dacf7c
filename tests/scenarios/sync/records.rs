//! What records notice: a file that is not the one that was proved, though it looks like it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::mount::Mount;
use hfdown_tests::sandbox::Sandbox;

const MODEL: &str = "acme/recorded";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 3_000_000;

/// Writes the same number of other bytes into a file and gives it back its old time of change.
fn edit(path: &Path) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[1_000_000] ^= 1;
    fs::write(path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(before).unwrap();
    assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), before);
}

/// Puts another file of the same size and time in its place.
fn replace(path: &Path) {
    let other = path.with_extension("other");
    let before = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(&other, vec![7; usize::try_from(SIZE).unwrap()]).unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(before).unwrap();
    fs::rename(&other, path).unwrap();
}

/// Cuts its end off and fills it up again with zeros.
fn truncate(path: &Path) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(SIZE / 2).unwrap();
    file.set_len(SIZE).unwrap();
    file.set_modified(before).unwrap();
}

async fn a_file_that_only_looks_like_the_one_that_was_proved_is_noticed(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(5, SIZE)).commit();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let path = sandbox.root().join(FILE);
    for (damage, name) in
        [(edit as fn(&Path), "edited"), (replace, "replaced"), (truncate, "truncated and filled up")]
    {
        damage(&path);
        let ended = sandbox.sync(MODEL, &["--no-checksum"]).await;
        assert_eq!(ended.code, 0, "{name}: {}", ended.stderr);
        assert!(
            sandbox.read(FILE).unwrap() != Content::random(5, SIZE).to_vec(),
            "{name}: sizes are the same"
        );
        sandbox.hub.forget_requests();
        let ended = sandbox.sync(MODEL, &[]).await;
        assert_eq!(ended.code, 0, "{name}: {}", ended.stderr);
        assert_eq!(sandbox.read(FILE).unwrap(), Content::random(5, SIZE).to_vec(), "{name}");
        assert_eq!(sandbox.hub.requests_for("config.json").len(), 0, "{name}: the other file is left alone");
        assert!(sandbox.hub.bytes_sent(HubOrigin::Cdn) >= SIZE, "{name}");
    }
}

/// Edits a file as soon as a sync has ended, and expects the next one to see that: some rounds of it.
async fn rounds(sandbox: &Sandbox, rounds: usize) {
    sandbox.hub.model(MODEL).lfs(FILE, Content::random(5, SIZE)).commit();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    for round in 0..rounds {
        edit(&sandbox.root().join(FILE));
        let ended = sandbox.sync(MODEL, &[]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(
            sandbox.read(FILE).unwrap() == Content::random(5, SIZE).to_vec(),
            "round {round} was not noticed"
        );
    }
    // None of that is paid for when nothing is done: a file that had to be read would be recorded anew.
    let records = || fs::metadata(sandbox.root().join(".cache/hfdown/records")).unwrap().ino();
    let before = records();
    sandbox.hub.forget_requests();
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!((ended.code, records()), (0, before), "{}", ended.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
}

async fn an_edit_right_after_a_sync_is_noticed(sandbox: Sandbox) {
    rounds(&sandbox, 10).await;
}

async fn an_edit_right_after_a_sync_is_noticed_on_a_disk_that_counts_seconds(sandbox: Sandbox) {
    let image = sandbox.scratch().join("image");
    let Some(_disk) = Mount::counting_seconds(&sandbox.root(), &image) else { return };
    rounds(&sandbox, 4).await;
}

everywhere! {
    a_file_that_only_looks_like_the_one_that_was_proved_is_noticed,
    an_edit_right_after_a_sync_is_noticed,
    an_edit_right_after_a_sync_is_noticed_on_a_disk_that_counts_seconds,
}
