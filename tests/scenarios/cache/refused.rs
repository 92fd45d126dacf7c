//! Caches that can't be used, and what is said of them.

use std::fs;
use std::os::unix::fs::symlink;

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::mount::Mount;
use hfdown_tests::sandbox::{Ended, Sandbox, run};

use super::{cache, objects, sync, text};

const MODEL: &str = "acme/refused";
const FOLDER: &str = "models--acme--refused";
const SIZE: u64 = 1_500_000;

fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs("m.bin", Content::random(2, SIZE)).commit();
}

/// What was said, with the sandbox's folder by a name of its own.
fn said(sandbox: &Sandbox, ended: &Ended) -> String {
    ended.stderr.replace(text(sandbox.scratch()), "SCRATCH")
}

async fn a_cache_and_a_folder_are_one_too_many_and_neither_is_one_too_few(sandbox: Sandbox) {
    for (words, complaint) in [
        (&["download", MODEL, "DIR", "--cache"][..], "'[DIR]' cannot be used with '--cache'"),
        (&["download", MODEL, "DIR", "--cache-dir", "x"], "'[DIR]' cannot be used with '--cache-dir <DIR>'"),
        (&["rsync-sync", MODEL, "DIR", "--cache"], "'[DIR]' cannot be used with '--cache'"),
        (&["rsync-sync", MODEL], "<DIR>"),
        (&["rsync-to-vast", MODEL, "ssh root@box", "/w", "--cache"], "--cache stands in the place of DIR"),
        (&["rsync-to-vast", MODEL, "ssh root@box"], "<DIR>"),
        (&["rsync-sync", MODEL, "--cache-dir", "$HOME/x"], "cannot use `$HOME/x` as the hub cache"),
    ] {
        let ended = run(sandbox.hfdown(words)).await;
        assert_eq!(ended.code, 2, "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(complaint), "{words:?}: {}", ended.stderr);
        assert_eq!(sandbox.hub.requests().len(), 0, "{words:?}");
    }
}

async fn what_is_no_cache_is_said_with_what_named_it(sandbox: Sandbox) {
    publish(&sandbox);
    let cache = cache(&sandbox);
    let hub = "cannot open the hub cache SCRATCH/hub (HF_HUB_CACHE)";
    for more in [&["--dry-run"][..], &[]] {
        symlink(sandbox.scratch().join("gone"), &cache).unwrap();
        let ended = sync(&sandbox, MODEL, more).await;
        let words = said(&sandbox, &ended);
        assert_eq!(ended.code, 1, "{words}");
        let nowhere = "SCRATCH/hub is a link to SCRATCH/gone, which is not there";
        assert!(words.contains(hub) && words.contains(nowhere), "{words}");
        fs::remove_file(&cache).unwrap();
        fs::write(&cache, "a file").unwrap();
        let ended = sync(&sandbox, MODEL, more).await;
        let words = said(&sandbox, &ended);
        assert!(
            ended.code == 1 && words.contains(hub) && words.contains("SCRATCH/hub is not a folder"),
            "{words}"
        );
        fs::remove_file(&cache).unwrap();
    }
    // A repository that is kept elsewhere.
    let elsewhere = sandbox.scratch().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::create_dir(&cache).unwrap();
    symlink(&elsewhere, cache.join(FOLDER)).unwrap();
    let ended = sync(&sandbox, MODEL, &[]).await;
    let words = said(&sandbox, &ended);
    assert_eq!(ended.code, 1, "{words}");
    assert!(words.contains("models--acme--refused is a link, and is not followed"), "{words}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

async fn a_cache_on_another_disk_works_and_one_that_can_t_be_written_to_is_said(sandbox: Sandbox) {
    publish(&sandbox);
    let disk = sandbox.scratch().join("disk");
    let Some(mounted) = Mount::memory(&disk, "size=16m") else { return };
    symlink(&disk, cache(&sandbox)).unwrap();
    let ended = sync(&sandbox, MODEL, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(disk.join(FOLDER).join("refs/main").exists());
    drop(mounted);

    let Some(_mounted) = Mount::memory(&disk, "size=1m,ro") else { return };
    let ended = sync(&sandbox, MODEL, &[]).await;
    let words = said(&sandbox, &ended);
    assert_eq!(ended.code, 1, "{words}");
    assert!(words.contains("the hub cache SCRATCH/hub (HF_HUB_CACHE)"), "{words}");
    assert!(words.contains("read-only") || words.contains("Read-only"), "{words}");
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), SIZE, "nothing more is fetched");
    let dry = sync(&sandbox, MODEL, &["--dry-run", "--json"]).await;
    assert!(dry.code == 0 || !objects(&dry, "error").is_empty(), "{}", dry.stdout);
}

here! {
    a_cache_and_a_folder_are_one_too_many_and_neither_is_one_too_few,
    what_is_no_cache_is_said_with_what_named_it,
    a_cache_on_another_disk_works_and_one_that_can_t_be_written_to_is_said,
}
