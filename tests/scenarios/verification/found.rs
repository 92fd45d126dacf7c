//! What is found: right, wrong, missing and extra files, and what is none of them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use hfdown_tests::mount::Mount;
use hfdown_tests::sandbox::{Sandbox, run};

use super::{Ended, FILES, MODEL, flaws, objects, publish, told};
use crate::disks::foreign::nobodys;
use crate::refusals::words::{everything, plain, refusal};

/// Changes a byte of a file and gives it back its times, as a disk does that goes bad.
fn rot(path: &Path) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[1_000] ^= 1;
    fs::write(path, bytes).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(before).unwrap();
}

async fn a_folder_that_is_right_is_said_to_be_and_nothing_in_it_is_changed(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    // Whatever the records say, and whether or not there are any.
    for records in ["there", "gone"] {
        if records == "gone" {
            fs::remove_dir_all(sandbox.root().join(".cache")).unwrap();
        }
        let before = everything(&sandbox.root());
        sandbox.hub.forget_requests();
        let ended = sandbox.verify(MODEL, &[]).await;
        assert_eq!((ended.code, told(&sandbox, &ended)), (0, vec![]), "{}", ended.stderr);
        assert!(ended.stderr.contains("verified: 5 files right (3.3 MB)"), "{}", ended.stderr);
        assert_eq!(everything(&sandbox.root()), before, "records are {records}");
        assert!(sandbox.hub.requests().iter().all(|request| !request.path.contains("resolve")));
    }
    let ended = sandbox.verify(MODEL, &["--verbose"]).await;
    assert_eq!(told(&sandbox, &ended).len(), 5, "{}", ended.stdout);
    assert!(ended.stdout.contains("ok        3.0 MB  model.safetensors\n"), "{}", ended.stdout);
    let ended = sandbox.verify(MODEL, &["--json"]).await;
    let checked = objects(&ended, "checked");
    assert!(checked.iter().all(|file| file["state"] == "ok" && file["kind"].is_null()), "{}", ended.stdout);
    let paths: Vec<_> = checked.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, FILES);
    let [verification] = &objects(&ended, "verification")[..] else { panic!("{}", ended.stdout) };
    assert_eq!((&verification["ok"], &verification["ok_bytes"]), (&5.into(), &3_300_015.into()));
    let [finished] = &objects(&ended, "finished")[..] else { panic!("{}", ended.stdout) };
    assert_eq!((&finished["end"], &finished["kept"]), (&"done".into(), &5.into()), "{finished}");
}

async fn what_is_wrong_missing_or_extra_is_told_by_file_and_in_sum(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let root = sandbox.root();
    rot(&root.join("model.safetensors"));
    fs::write(root.join("config.json"), "{}").unwrap();
    fs::remove_file(root.join("onnx/model.onnx")).unwrap();
    fs::create_dir_all(root.join(".git/hooks")).unwrap();
    fs::write(root.join(".git/hooks/pre-push"), "").unwrap();
    fs::create_dir_all(root.join("deep/er")).unwrap();
    fs::write(root.join("deep/er/\u{1b}[2Jnotes"), "12345").unwrap();
    symlink("/etc/passwd", root.join("link")).unwrap();

    let before = everything(&root);
    let ended = sandbox.verify(MODEL, &[]).await;
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    let expected = [
        "wrong       13 B  config.json  (it has 2 B, and 13 are listed)",
        "wrong     3.0 MB  model.safetensors  (its size is right, its digest is not)",
        "missing   300 kB  onnx/model.onnx",
        "extra        5 B  deep/er/[2Jnotes  (not listed)",
        "extra       11 B  link  (not listed)",
    ];
    assert_eq!(told(&sandbox, &ended), expected);
    let sum = "not right: 2 wrong (3.0 MB), 1 missing (300 kB) · 2 right (2 B) · 2 extra (16 B)";
    assert!(ended.stderr.contains(sum), "{}", ended.stderr);
    let fetches = "hint: the same command with `--repair` fetches what is wrong or missing\n";
    assert!(ended.stderr.contains(fetches), "{}", ended.stderr);
    assert_eq!(everything(&root), before);

    let ended = sandbox.verify(MODEL, &["--quiet"]).await;
    assert_eq!(
        (ended.code, told(&sandbox, &ended)),
        (7, expected[..3].iter().map(|line| (*line).to_owned()).collect())
    );
    let ended = sandbox.verify(MODEL, &["--json"]).await;
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    let expected = [
        "config.json wrong other_size",
        "deep/er/[2Jnotes extra foreign",
        "link extra foreign",
        "model.safetensors wrong other_content",
        "onnx/model.onnx missing -",
    ];
    assert_eq!(flaws(&ended), expected);
    let [finished] = &objects(&ended, "finished")[..] else { panic!("{}", ended.stdout) };
    assert_eq!((&finished["end"], &finished["failed"]), (&"incomplete".into(), &3.into()), "{finished}");

    // What is extra alone changes nothing.
    assert_eq!(sandbox.sync(MODEL, &["--checksum"]).await.code, 0);
    let ended = sandbox.verify(MODEL, &[]).await;
    assert_eq!((ended.code, told(&sandbox, &ended).len()), (0, 2), "{}", ended.stderr);
    assert!(ended.stderr.contains("5 files right (3.3 MB) · 2 extra (16 B)"), "{}", ended.stderr);
}

async fn what_an_earlier_sync_placed_and_is_no_longer_listed_is_told_apart(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    sandbox.hub.model(MODEL).remove("onnx/config.json").remove("empty.txt").commit();
    fs::write(sandbox.root().join("empty.txt"), "mine").unwrap();
    let ended = sandbox.verify(MODEL, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(flaws(&ended), ["empty.txt extra foreign", "onnx/config.json extra extraneous"]);
    // Another version is another listing.
    let ended = sandbox.verify(MODEL, &["--json", "--revision", "no-such-branch"]).await;
    assert_eq!(ended.code, 5, "{}", ended.stderr);
}

async fn what_is_no_file_or_cannot_be_read_is_one_file_that_is_wrong(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let root = sandbox.root();
    for name in ["config.json", "empty.txt", "model.safetensors", "onnx/config.json", "onnx/model.onnx"] {
        fs::remove_file(root.join(name)).unwrap();
    }
    fs::create_dir(root.join("config.json")).unwrap();
    symlink("nowhere", root.join("empty.txt")).unwrap();
    fs::write(sandbox.scratch().join("outside"), "{}").unwrap();
    symlink(sandbox.scratch().join("outside"), root.join("onnx/config.json")).unwrap();
    let pipe = Command::new("mkfifo").arg(root.join("model.safetensors")).status().unwrap();
    assert!(pipe.success());
    symlink("model.onnx", root.join("onnx/model.onnx")).unwrap();
    let ended = sandbox.verify(MODEL, &["--json"]).await;
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    let expected = [
        "config.json wrong in_the_way",
        "empty.txt missing -",
        "model.safetensors wrong in_the_way",
        "onnx/config.json wrong in_the_way",
        "onnx/model.onnx wrong disk",
    ];
    assert_eq!(flaws(&ended), expected);
    assert!(ended.stdout.contains("a link leads out of the folder"), "{}", ended.stdout);
    // One is missing and can be fetched; what is in the way of the others stays.
    let hint = |ended: &Ended| objects(ended, "hint")[0]["text"].as_str().unwrap().to_owned();
    let said = hint(&ended);
    assert!(
        said.starts_with("the same command with `--repair` fetches what is wrong or missing; "),
        "{said}"
    );
    assert!(said.contains("what stands in the place of a file has to be moved away before"), "{said}");
    assert_eq!(sandbox.verify(MODEL, &["--repair"]).await.code, 3);
    let ended = sandbox.verify(MODEL, &["--json"]).await;
    let said = hint(&ended);
    assert!(said.starts_with("move away what stands in the place of these files, then "), "{said}");
}

async fn a_folder_that_is_not_there_is_an_error_and_an_empty_one_lacks_everything(sandbox: Sandbox) {
    publish(&sandbox);
    let ended = sandbox.verify(MODEL, &[]).await;
    let said = refusal(&sandbox, &ended, 5);
    assert!(said.contains("caused by: there is no folder SCRATCH/models/model"), "{said}");
    let verb = if sandbox.host.is_some() { "rsync-to-vast" } else { "rsync-sync" };
    let ended = sandbox.verify(MODEL, &["--include", "*.json"]).await;
    assert!(
        refusal(&sandbox, &ended, 5).contains(" --include '*.json'` brings the model there"),
        "{}",
        ended.stderr
    );
    assert!(said.contains(&format!("hint: check the path; `hfdown {verb} {MODEL} ")), "{said}");
    assert!(!sandbox.root().exists());
    fs::create_dir_all(sandbox.root()).unwrap();
    let ended = sandbox.verify(MODEL, &[]).await;
    assert_eq!((ended.code, told(&sandbox, &ended).len()), (7, 5), "{}", ended.stderr);
    assert!(ended.stderr.contains("not right: 5 missing (3.3 MB)"), "{}", ended.stderr);
    assert_eq!(everything(&sandbox.root()), [""; 0]);
}

async fn a_model_of_which_a_part_was_fetched_is_asked_about(sandbox: Sandbox) {
    publish(&sandbox);
    let part = ["--include", "*.json"];
    assert_eq!(sandbox.sync(MODEL, &part).await.code, 0);
    let ended = sandbox.verify(MODEL, &[]).await;
    let asked = "; if only a part was wanted, say which: --include, --exclude or --quant\n";
    assert!(ended.code == 7 && ended.stderr.contains(asked), "{}", ended.stderr);
    assert_eq!(sandbox.verify(MODEL, &part).await.code, 0);
    fs::remove_file(sandbox.root().join("config.json")).unwrap();
    let ended = sandbox.verify(MODEL, &part).await;
    assert!(ended.code == 7 && !ended.stderr.contains(asked), "{}", ended.stderr);
}

async fn a_cache_without_the_model_is_answered_with_the_command_that_fills_it(sandbox: Sandbox) {
    publish(&sandbox);
    let home = sandbox.scratch().join("home of hf");
    let (cache, default) = (sandbox.scratch().join("a cache"), home.join("hub"));
    for folder in [&cache, &default] {
        fs::create_dir_all(folder).unwrap();
    }
    for (words, expected) in [
        (vec!["--cache"], "--cache --include '*.json'".to_owned()),
        (
            vec!["--cache-dir", cache.to_str().unwrap()],
            format!("--cache-dir '{}' --include '*.json'", cache.display()),
        ),
    ] {
        let typed = [&["verify", MODEL][..], &words, &["--include", "*.json"]].concat();
        let mut command = sandbox.hfdown(typed);
        command.env("HF_HOME", &home).env_remove("HF_HUB_CACHE");
        let ended = run(command).await;
        let hint = format!("`hfdown rsync-sync {MODEL} {expected}` brings the model there");
        assert!(ended.code == 5 && ended.stderr.contains(&hint), "{expected}: {}", ended.stderr);
    }
}

async fn a_folder_that_may_not_be_written_to_is_verified_like_any_other(sandbox: Sandbox) {
    publish(&sandbox);
    let Some(disk) = Mount::memory(&sandbox.root(), "size=16m") else { return };
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    fs::remove_file(sandbox.root().join("config.json")).unwrap();
    rot(&sandbox.root().join("model.safetensors"));
    disk.remount("remount,ro");
    let ended = sandbox.verify(MODEL, &["--json"]).await;
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    assert_eq!(flaws(&ended), ["config.json missing -", "model.safetensors wrong other_content"]);
}

async fn what_another_user_keeps_for_themselves_is_told_as_what_cannot_be_read(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    for closed in ["model.safetensors", "onnx"] {
        fs::set_permissions(sandbox.root().join(closed), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let Some(command) = nobodys(&sandbox, &sandbox.verifying(MODEL, &["--json"])) else { return };
    let ended = run(command).await;
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    let expected = [
        "model.safetensors wrong permission_denied",
        "onnx/config.json wrong permission_denied",
        "onnx/model.onnx wrong permission_denied",
    ];
    assert_eq!(flaws(&ended), expected, "{}", plain(&sandbox, &ended.stdout));
}

async fn a_verification_needs_no_lock(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let lock = fs::File::options().write(true).open(sandbox.root().join(".cache/hfdown/lock")).unwrap();
    lock.lock().unwrap();
    let ended = sandbox.verify(MODEL, &["--lock-timeout", "0"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let ended = sandbox.verify(MODEL, &["--repair", "--lock-timeout", "0"]).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
}

everywhere! {
    a_folder_that_is_right_is_said_to_be_and_nothing_in_it_is_changed,
    what_is_wrong_missing_or_extra_is_told_by_file_and_in_sum,
}

here_and_on_a_box! {
    a_folder_that_is_not_there_is_an_error_and_an_empty_one_lacks_everything,
    what_an_earlier_sync_placed_and_is_no_longer_listed_is_told_apart,
    a_folder_that_may_not_be_written_to_is_verified_like_any_other,
}

here! {
    what_is_no_file_or_cannot_be_read_is_one_file_that_is_wrong,
    what_another_user_keeps_for_themselves_is_told_as_what_cannot_be_read,
    a_model_of_which_a_part_was_fetched_is_asked_about,
    a_cache_without_the_model_is_answered_with_the_command_that_fills_it,
    a_verification_needs_no_lock,
}
