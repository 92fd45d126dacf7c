//! Names in a snapshot that can't be had, and blobs that go while a run is at it: each is one file, and no reference leads
//! to what is not whole.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::mount::Mount;
use hfdown_tests::sandbox::{Sandbox, ended};

use super::{cache, sync, syncing, text};

const MODEL: &str = "acme/names";
const FOLDER: &str = "models--acme--names";
const SIZE: u64 = 1_500_000;

fn content() -> Content {
    Content::random(5, SIZE)
}

fn repository(sandbox: &Sandbox) -> PathBuf {
    cache(sandbox).join(FOLDER)
}

fn snapshot(sandbox: &Sandbox, commit: &str) -> PathBuf {
    repository(sandbox).join("snapshots").join(commit)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

/// Nothing leads to the snapshot, and no part is left.
fn assert_unreferred(sandbox: &Sandbox, what: &str) {
    assert!(!repository(sandbox).join("refs/main").exists(), "{what}");
    assert!(is_empty(&repository(sandbox).join(".hfdown/parts")), "{what}");
}

async fn a_name_that_can_t_be_had_costs_its_own_file_and_no_byte(sandbox: Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("file/b", "AB").file("link/d", "D").file("out/f", "F");
    let draft = draft.file("whole", "W").lfs("fixed/only.bin", Content::random(6, SIZE));
    let draft = draft.lfs("fixed/shared.bin", content()).lfs("shared.bin", content());
    let commit = draft.commit().to_string();
    let folder = snapshot(&sandbox, &commit);
    let [inside, outside] = [cache(&sandbox).join("inside"), sandbox.scratch().join("outside")];
    for made in [&folder, &inside, &outside, &folder.join("fixed")] {
        fs::create_dir_all(made).unwrap();
    }
    fs::write(folder.join("file"), "mine").unwrap();
    symlink("../../../inside", folder.join("link")).unwrap();
    symlink(&outside, folder.join("out")).unwrap();
    let Some(mounted) = Mount::memory(&folder.join("fixed"), "size=1m,ro") else { return };
    let refused = ["file/b", "link/d", "out/f", "fixed/only.bin", "fixed/shared.bin"];
    // At first the bytes of one are missing, and then its name alone.
    for run in ["first", "second"] {
        let ended = sync(&sandbox, MODEL, &[]).await;
        assert_eq!(ended.code, 3, "{run}: {}", ended.stderr);
        assert!(refused.iter().all(|path| ended.stderr.contains(path)), "{run}: {}", ended.stderr);
        assert!(!ended.stderr.contains("cannot record"), "{run}: {}", ended.stderr);
        assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), SIZE, "{run}: nothing is fetched in vain");
        assert!(fs::read(folder.join("shared.bin")).unwrap() == content().to_vec(), "{run}");
        assert_eq!(fs::read_to_string(folder.join("whole")).unwrap(), "W", "{run}");
        assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "mine", "{run}");
        assert!(is_empty(&inside) && is_empty(&outside), "{run}");
        assert_unreferred(&sandbox, run);
    }

    drop(mounted);
    for name in ["file", "link", "out"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
    let ended = sync(&sandbox, MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 2 * SIZE);
    assert_eq!(fs::read_to_string(repository(&sandbox).join("refs/main")).unwrap(), commit);
}

async fn a_name_that_is_refused_when_it_is_made_leaves_those_of_the_same_bytes(sandbox: Sandbox) {
    let draft = sandbox.hub.model(MODEL).lfs("bound/x.bin", content()).lfs("other/x.bin", content());
    let commit = draft.commit().to_string();
    let folder = snapshot(&sandbox, &commit);
    let bound = folder.join("bound");
    fs::create_dir_all(&bound).unwrap();
    // Nothing shows that no rename leads into it.
    let Some(mounted) = Mount::bound(&bound, &bound) else { return };
    for (run, code, complaint) in
        [("fetched", 3, "bound/x.bin"), ("there", 1, "cannot give bound/x.bin its name in the snapshot")]
    {
        let ended = sync(&sandbox, MODEL, &[]).await;
        assert_eq!(ended.code, code, "{run}: {}", ended.stderr);
        assert!(ended.stderr.contains(complaint), "{run}: {}", ended.stderr);
        assert!(!ended.stderr.contains("other/x.bin"), "{run}: {}", ended.stderr);
        assert!(fs::read(folder.join("other/x.bin")).unwrap() == content().to_vec(), "{run}");
        assert_unreferred(&sandbox, run);
    }
    drop(mounted);
    let ended = sync(&sandbox, MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(fs::read(folder.join("bound/x.bin")).unwrap() == content().to_vec());
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), SIZE);
}

async fn a_blob_that_goes_meanwhile_gets_no_link_and_its_snapshot_no_reference(sandbox: Sandbox) {
    let old = sandbox.hub.model(MODEL).lfs("a.bin", content()).commit().to_string();
    assert_eq!(sync(&sandbox, MODEL, &[]).await.code, 0);
    let new = sandbox.hub.model(MODEL).lfs("z.bin", Content::random(6, 2 * SIZE)).commit().to_string();
    let folder = snapshot(&sandbox, &new);
    let stall = sandbox.hub.stall(1_000_000, When::file("z.bin").at(HubOrigin::Cdn));
    let child = syncing(&sandbox, MODEL, &[]).spawn().unwrap();
    stall.reached().await;
    fs::remove_file(repository(&sandbox).join("blobs").join(content().sha256())).unwrap();
    stall.release();
    let ended = ended(child).await;
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let words = "another program has removed or changed a.bin meanwhile: the same command fetches it again";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    assert!(fs::symlink_metadata(folder.join("a.bin")).is_err(), "no link leads to nothing");
    assert!(folder.join("z.bin").exists());
    let reference = repository(&sandbox).join("refs/main");
    assert_eq!(fs::read_to_string(&reference).unwrap(), old);

    let again = sync(&sandbox, MODEL, &[]).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(fs::read_to_string(&reference).unwrap(), new);
    assert!(fs::read(folder.join("a.bin")).unwrap() == content().to_vec(), "{}", text(&folder));
}

here! {
    a_name_that_can_t_be_had_costs_its_own_file_and_no_byte,
    a_name_that_is_refused_when_it_is_made_leaves_those_of_the_same_bytes,
    a_blob_that_goes_meanwhile_gets_no_link_and_its_snapshot_no_reference,
}
