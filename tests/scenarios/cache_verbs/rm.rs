//! `hfdown cache rm`.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use hfdown_tests::terminal::TestTerminal;
use serde_json::json;

use super::{FIRST, SECOND, cache, fill, objects, sandbox};
use crate::terminal::without_terminal;

/// Everything that stands in a folder, by its path.
fn all(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        found.push(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            found.extend(all(&entry.path()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_revision_goes_with_its_names_and_what_others_need_stays() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    let tiny = folder.repository("models--acme--tiny");
    tiny.put(&format!("trees/{FIRST}.json"), b"{}");
    tiny.put(&format!(".no_exist/{FIRST}/adapter.json"), b"");
    let before = all(folder.path());
    let shown = cache(&sandbox, &["rm", "acme/tiny@refs/pr/1", "--dry-run"]).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("remove acme/tiny@111111111111 (refs/pr/1)"), "{}", shown.stdout);
    assert!(shown.stdout.contains("1 revision of 1 repository: 2 B will be free"), "{}", shown.stdout);
    assert_eq!(all(folder.path()), before);
    let removed = cache(&sandbox, &["rm", "acme/tiny@1111111", "--yes", "--json"]).await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    let plan = &objects(&removed, "removal")[0];
    let going = json!({"id": "acme/tiny", "kind": "model", "whole": false, "revisions": [FIRST],
        "refs": ["refs/pr/1"], "incomplete": 0, "partial": 0, "orphaned": 0, "bytes": 2});
    assert_eq!(
        (&plan["dry_run"], &plan["remove"], &plan["bytes"]),
        (&json!(false), &json!([going]), &json!(2))
    );
    let freed = json!({"type": "freed", "repositories": 1, "revisions": 1, "failed": 0, "bytes": 2});
    assert_eq!(objects(&removed, "freed"), [freed]);
    for gone in ["refs/refs", "trees", ".no_exist", ".hfdown", &format!("snapshots/{FIRST}")] {
        assert!(!tiny.has(gone), "{gone}");
    }
    assert_eq!(fs::read_dir(tiny.path.join("blobs")).unwrap().count(), 2);
    let Some(hf) = folder.scanned_by_hf() else { return };
    assert_eq!(hf.0["warnings"], json!([]));
    assert_eq!(folder.is_whole_for_hf("acme/tiny", "main"), Some(true));
    assert_eq!(folder.is_whole_for_hf("acme/tiny", FIRST), Some(false));
}

#[tokio::test]
async fn a_repository_goes_with_its_locks_and_what_others_share_with_it_stays() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    let plain = folder.repository("models--gpt2");
    plain.put("../.locks/models--gpt2/abc.lock", b"");
    plain.put("../.locks/models--acme--tiny/abc.lock", b"");
    plain.put("blobs/abc.12345678.incomplete", &[0; 300]);
    plain.put(".hfdown/parts/part", &[0; 400]);
    plain.put("of/another/program", &[0; 1]);
    symlink("/etc", plain.path.join("snapshots/link")).unwrap();
    symlink("../../../..", plain.path.join("snapshots").join(FIRST).join("loop")).unwrap();
    let removed = cache(&sandbox, &["rm", "model/gpt2", "-y", "--json"]).await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    assert_eq!(objects(&removed, "freed")[0]["bytes"], 700);
    assert!(!plain.path.exists() && !folder.path().join(".locks/models--gpt2").exists());
    assert!(folder.path().join(".locks/models--acme--tiny/abc.lock").exists());
    let Some(hf) = folder.scanned_by_hf() else { return };
    assert_eq!(hf.0["warnings"], json!([]));
    assert_eq!(folder.is_whole_for_hf("acme/gpt2-copy", "main"), Some(true));
    // The last one takes what they shared with it.
    let removed = cache(&sandbox, &["rm", SECOND, "models--acme--gpt2-copy", "-y", "--json"]).await;
    assert_eq!(removed.code, 2, "{}", removed.stderr);
    let one = format!("acme/gpt2-copy@{SECOND}");
    let removed = cache(&sandbox, &["rm", &one, "-y", "--json"]).await;
    assert_eq!((removed.code, &objects(&removed, "freed")[0]["bytes"]), (0, &json!(9_000)));
    assert!(!folder.path().join("models--acme--gpt2-copy").exists());
    let stored = all(&folder.path().join("blobs"));
    let is_content = |file: &&String| Path::new(file).file_name().unwrap().len() == 64;
    let left: Vec<_> = stored.iter().filter(is_content).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(folder.scanned_by_hf().unwrap().0["size"], 5_000 + 16 + 2 + 700 + 60);
}

#[tokio::test]
async fn a_link_that_the_list_does_not_know_of_keeps_what_is_shared() {
    let (sandbox, folder) = sandbox().await;
    let one = folder.repository("models--one");
    let blob = one.shared_blob(&[7; 500]);
    one.link(FIRST, "model.bin", &blob);
    one.name("main", FIRST);
    // A copy of the repository's folder, made by hand.
    let other = folder.repository("models--other");
    let target = fs::read_link(one.path.join("blobs").join(&blob)).unwrap();
    symlink(&target, other.path.join("blobs").join(&blob)).unwrap();
    other.link(FIRST, "model.bin", &blob);
    other.name("main", FIRST);
    let removed = cache(&sandbox, &["rm", "one", "--yes", "--json"]).await;
    assert_eq!((removed.code, &objects(&removed, "freed")[0]["bytes"]), (0, &json!(0)), "{}", removed.stderr);
    assert_eq!(fs::read(other.path.join("snapshots").join(FIRST).join("model.bin")).unwrap(), [7; 500]);
}

#[tokio::test]
async fn words_that_name_nothing_or_several_things_remove_nothing() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    symlink("/etc", folder.path().join("models--linked")).unwrap();
    let before = all(folder.path());
    for (target, code, word) in [
        ("acme/tinny", 5, "hint: there is acme/tiny"),
        ("nothing-like-it", 5, "`hfdown cache ls` shows what is in"),
        ("acme/tiny@v1", 5, "acme/tiny is in the cache, but not this revision of it"),
        ("3333333", 5, "it is not in the cache"),
        ("1111", 5, "it may be the beginning of a commit, of which it takes 7 digits"),
        ("acme/tiny@1111", 5, "hint: there is 1111111"),
        ("https://huggingface.co/acme/tiny/blob/main/a", 2, "it leads to `a` inside of `acme/tiny`"),
        ("https://example.org/acme/tiny", 2, "that address does not belong to"),
        ("https://huggingface.co/acme/tinny", 5, "cannot remove acme/tinny"),
        ("1111111", 2, "it may be models/acme/tiny@1111"),
        ("linked", 1, "models--linked is a link to /etc, and what is behind it is never removed"),
        ("evil\u{1b}[2J", 5, "cannot remove evil[2J"),
        ("/", 5, "it is not in the cache"),
        ("..", 5, "it is not in the cache"),
    ] {
        // A word that makes sense does not help those that make none.
        let ended = cache(&sandbox, &["rm", "datasets/acme/data", target, "--yes"]).await;
        assert_eq!(ended.code, code, "{target}: {}", ended.stderr);
        assert!(ended.stderr.contains(word), "{target}: {}", ended.stderr);
    }
    assert_eq!(all(folder.path()), before);
    for (target, gone) in [
        ("hf://datasets/acme/data", "datasets--acme--data"),
        ("ACME/Tiny", "models--acme--tiny"),
        ("kernel/acme/kernel", "kernels--acme--kernel"),
        ("https://huggingface.co/gpt2", "models--gpt2"),
    ] {
        let ended = cache(&sandbox, &["rm", target, "--yes"]).await;
        assert_eq!(ended.code, 0, "{target}: {}", ended.stderr);
        assert!(!folder.path().join(gone).exists(), "{target}");
    }
}

#[tokio::test]
async fn without_a_yes_it_asks_and_without_a_terminal_it_says_what_to_type() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    let asking = || {
        let mut command = sandbox.hfdown(["cache", "rm", "gpt2"]);
        command.env("HF_HUB_CACHE", folder.path());
        command
    };
    let ended = hfdown_tests::sandbox::run(without_terminal(&asking())).await;
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: --yes removes it without a question"), "{}", ended.stderr);
    for (answer, code) in
        [("\r", 130), ("n\r", 130), ("\u{4}", 130), ("\u{3}", 130), ("maybe\r", 130), ("y\r", 0)]
    {
        assert!(folder.path().join("models--gpt2").exists(), "{answer:?}");
        let mut terminal = TestTerminal::start(&asking());
        terminal.until("remove gpt2: all of it (1 revision: main), 0 B").await;
        terminal.until("[y/N] ").await;
        terminal.enter(answer).await;
        let (said, status) = terminal.ended().await;
        assert_eq!(status.code(), Some(code), "{answer:?}: {said}");
    }
    assert!(!folder.path().join("models--gpt2").exists());
}

#[tokio::test]
async fn a_repository_that_a_run_is_at_work_in_is_left_alone() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    let tiny = folder.repository("models--acme--tiny");
    tiny.put(".hfdown/lock", b"process 123");
    tiny.put("../.locks/models--gpt2/abc.lock", b"");
    for (lock, repository, word) in [
        (tiny.path.join(".hfdown/lock"), "acme/tiny", "it is in use (hfdown, process 123)"),
        (
            folder.path().join(".locks/models--gpt2/abc.lock"),
            "gpt2",
            "it is in use (hf, by its lock .locks/models--gpt2/abc.lock)",
        ),
    ] {
        let file = File::options().read(true).write(true).open(lock).unwrap();
        file.lock().unwrap();
        let before = all(folder.path());
        let refused = cache(&sandbox, &["rm", "datasets/acme/data", repository, "--yes", "--json"]).await;
        assert_eq!(refused.code, 6, "{}", refused.stderr);
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
        assert_eq!(objects(&refused, "not_freed")[0]["kind"], "held", "{}", refused.stdout);
        assert_eq!(all(folder.path()), before, "{repository}");
        drop(file);
        let removed = cache(&sandbox, &["rm", repository, "--yes"]).await;
        assert_eq!(removed.code, 0, "{}", removed.stderr);
    }
}

#[tokio::test]
async fn a_kill_at_any_instant_leaves_no_ref_to_what_is_not_whole() {
    let (sandbox, folder) = sandbox().await;
    let large = folder.repository("models--large");
    for number in 0..2_000 {
        large.file(FIRST, &format!("data/{number}.bin"), format!("{number}").as_bytes());
        large.link(SECOND, &format!("data/{number}.bin"), &large.blob(format!("{}", number / 2).as_bytes()));
    }
    large.name("main", FIRST);
    large.name("v1", SECOND);
    let mut command = sandbox.hfdown(["cache", "rm", "large", "--yes"]);
    let mut child = command.env("HF_HUB_CACHE", folder.path()).spawn().unwrap();
    // Both names go first: a revision that still has its own would be kept below.
    while large.has("refs/main") || large.has("refs/v1") {
        assert!(child.try_wait().unwrap().is_none_or(|status| status.success()));
        tokio::task::yield_now().await;
    }
    child.kill().await.unwrap();
    for file in all(folder.path()) {
        let is_link = fs::symlink_metadata(&file).unwrap().is_symlink();
        assert!(!is_link || file.contains("/.hfdown/") || fs::metadata(&file).is_ok(), "{file}");
    }
    // What is left is what nothing needs.
    let pruned = cache(&sandbox, &["prune", "--yes"]).await;
    assert_eq!(pruned.code, 0, "{}", pruned.stderr);
    assert!(!large.path.exists(), "{:?}", all(&large.path));
}
