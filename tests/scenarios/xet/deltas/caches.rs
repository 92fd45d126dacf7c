//! Older versions in the hub cache, and those that the real `hf` has placed.

use std::fs;
use std::path::Path;

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::Content;
use hfdown_tests::odd_file::Untouched;
use hfdown_tests::sandbox::Sandbox;

use super::{FEW, FILE, MODEL, bring, commit, planned, reasons, travelled, versions};
use crate::cache::{cache, judge, sync, text};

everywhere! { in_the_cache_an_older_snapshot_is_the_basis, }
here_and_on_a_box! {
    in_the_cache_a_file_that_was_renamed_is_the_basis, what_hf_left_in_a_folder_is_a_basis, what_hf_left_in_the_cache_is_a_basis,
}

/// Where a version is in the cache.
fn blob(sandbox: &Sandbox, bytes: &[u8]) -> std::path::PathBuf {
    cache(sandbox).join("models--acme--weights/blobs").join(Content::from(bytes.to_vec()).sha256())
}

/// Brings the newest version into the cache; only what is new travels, and the older one stays what it is.
async fn only_what_is_new_comes(sandbox: &Sandbox, (old, new): (&[u8], &[u8])) {
    let before = Untouched::of(&blob(sandbox, old));
    sandbox.hub.forget_requests();
    let dry = sync(sandbox, MODEL, &["--json", "--dry-run"]).await;
    assert_eq!((dry.code, travelled(sandbox)), (0, 0), "{}", dry.stderr);
    let ended = sync(sandbox, MODEL, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let (few, (fetch, fresh, _)) = (travelled(sandbox), planned(&ended));
    assert!(few < FEW && fresh < FEW && fetch == new.len() as u64, "{few}: {}", ended.stdout);
    assert!(reasons(&ended).is_empty(), "{}", ended.stdout);
    assert_eq!(planned(&dry), planned(&ended));
    assert!(fs::read(blob(sandbox, new)).unwrap() == new);
    assert!(before == Untouched::of(&blob(sandbox, old)), "it is only read");
}

async fn in_the_cache_an_older_snapshot_is_the_basis(sandbox: Sandbox) {
    let (old, new) = versions();
    let first = commit(&sandbox, FILE, &old);
    assert_eq!(sync(&sandbox, MODEL, &[]).await.code, 0);
    let second = commit(&sandbox, FILE, &new);
    only_what_is_new_comes(&sandbox, (&old, &new)).await;
    // Both are whole, for the library as well.
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    for (revision, commit, bytes) in [("main", &second, &new), (first.as_str(), &first, &old)] {
        let said = judge(&hf, &cache(&sandbox), MODEL, revision, &[FILE]);
        let snapshot = said["snapshot"].as_str().unwrap_or_else(|| panic!("{said}"));
        assert!(snapshot.ends_with(commit.as_str()), "{said}");
        assert!(fs::read(Path::new(snapshot).join(FILE)).unwrap() == *bytes);
    }
    // The older one again, of which the newer is now the other version: it is there.
    sandbox.hub.forget_requests();
    assert_eq!(sync(&sandbox, MODEL, &["--revision", first.as_str()]).await.code, 0);
    assert_eq!(travelled(&sandbox), 0);
}

async fn in_the_cache_a_file_that_was_renamed_is_the_basis(sandbox: Sandbox) {
    const OLD: &str = "model-00001-of-00001.safetensors";
    let (old, new) = versions();
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}");
    draft.in_xet(OLD, Content::from(old.clone())).commit();
    assert_eq!(sync(&sandbox, MODEL, &[]).await.code, 0);
    sandbox.hub.model(MODEL).remove(OLD).in_xet(FILE, Content::from(new.clone())).commit();
    only_what_is_new_comes(&sandbox, (&old, &new)).await;
}

async fn what_hf_left_in_a_folder_is_a_basis(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let (old, new) = versions();
    let root = sandbox.root();
    for with_xet in [false, true] {
        _ = fs::remove_dir_all(&root);
        commit(&sandbox, FILE, &old);
        let words = ["download", MODEL, "--local-dir", text(&root)];
        let had = if with_xet { hf.run_with_xet(&words) } else { hf.run(&words) };
        assert!(had.status.success(), "{}", String::from_utf8_lossy(&had.stderr));
        assert!(sandbox.read(FILE).is_some_and(|read| read == old));
        commit(&sandbox, FILE, &new);
        let (ended, few) = bring(&sandbox, &new, &[]).await;
        assert!(few < FEW && reasons(&ended).is_empty(), "{few}: {}", ended.stdout);
        // And hf takes the folder for its own afterwards.
        sandbox.hub.forget_requests();
        hf.succeeds(&words);
        assert_eq!(travelled(&sandbox), 0);
    }
}

async fn what_hf_left_in_the_cache_is_a_basis(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let (old, new) = versions();
    for with_xet in [false, true] {
        _ = fs::remove_dir_all(cache(&sandbox));
        commit(&sandbox, FILE, &old);
        let folder = cache(&sandbox);
        let words = ["download", MODEL, "--cache-dir", text(&folder)];
        let had = if with_xet { hf.run_with_xet(&words) } else { hf.run(&words) };
        assert!(had.status.success(), "{}", String::from_utf8_lossy(&had.stderr));
        commit(&sandbox, FILE, &new);
        only_what_is_new_comes(&sandbox, (&old, &new)).await;
    }
}
