//! Destinations that are no folder, may not be written, lead elsewhere, or are another run's for the moment.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::mount::{Mount, is_root, left_out};
use hfdown_tests::sandbox::{Sandbox, ended, run};

use super::words::{everything, plain, refusal, refused};
use crate::sync::until_it_says;

const MODEL: &str = "acme/tiny";
const WEIGHTS: u64 = 3_000_000;

fn publish(sandbox: &Sandbox) {
    sandbox
        .hub
        .model(MODEL)
        .file("config.json", "{}")
        .file("new.json", "[]")
        .file("onnx/config.json", "{}")
        .lfs("onnx/model.onnx", Content::random(2, 300_000))
        .lfs("model.safetensors", Content::random(1, WEIGHTS))
        .commit();
}

/// The causes and the hint; the headline names the box, if there is one.
fn below_headline<'a>(said: &'a str, headline: &str) -> &'a str {
    let (first, rest) = said.split_once('\n').expect("causes follow");
    assert!(first.starts_with(headline) && first.ends_with("SCRATCH/models/model"), "{said}");
    rest
}

async fn a_file_is_no_folder(sandbox: Sandbox) {
    publish(&sandbox);
    let (models, root) = (sandbox.scratch().join("models"), sandbox.root());
    let not_there =
        |path: &str| format!("caused by: {path} is not a folder\n\nhint: choose a folder, or another name");
    for more in [&[][..], &["--dry-run"]] {
        std::fs::write(&models, "mine").unwrap();
        let ended = sandbox.sync(MODEL, more).await;
        let said = refusal(&sandbox, &ended, 1);
        assert_eq!(below_headline(&said, "error: cannot open "), not_there("SCRATCH/models"), "{more:?}");
        assert_eq!(std::fs::read_to_string(&models).unwrap(), "mine");
        std::fs::remove_file(&models).unwrap();

        std::fs::create_dir(&models).unwrap();
        std::fs::write(&root, "mine").unwrap();
        let ended = sandbox.sync(MODEL, more).await;
        let said = refusal(&sandbox, &ended, 1);
        assert_eq!(
            below_headline(&said, "error: cannot open "),
            not_there("SCRATCH/models/model"),
            "{more:?}"
        );
        assert_eq!(std::fs::read_to_string(&root).unwrap(), "mine");
        assert_eq!(everything(&models), ["model"], "nothing was written beside it");
        std::fs::remove_dir_all(&models).unwrap();
    }
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "once it is out of the way: {}", ended.stderr);
}

async fn what_may_not_be_written_is_left_alone(sandbox: Sandbox) {
    publish(&sandbox);
    let Some(disk) = Mount::memory(&sandbox.scratch().join("models"), "size=64m") else { return };
    std::fs::create_dir(sandbox.root()).unwrap();
    std::fs::write(sandbox.root().join("config.json"), "{}").unwrap();
    disk.remount("remount,ro");
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(
        below_headline(&refusal(&sandbox, &ended, 1), "error: cannot open "),
        "caused by: cannot write to SCRATCH/models/model: read-only file system\n\n\
         hint: choose a folder that you may write to"
    );
    let ended = sandbox.sync(MODEL, &["--dry-run"]).await;
    assert_eq!(ended.code, 0, "who only looks writes nothing: {}", ended.stderr);
    disk.remount("remount,rw");
    assert_eq!(everything(&sandbox.root()), ["config.json"]);
    std::fs::remove_dir_all(sandbox.root()).unwrap();
    disk.remount("remount,ro");
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(
        below_headline(&refusal(&sandbox, &ended, 1), "error: cannot open "),
        "caused by: cannot create SCRATCH/models/model: read-only file system\n\n\
         hint: choose a folder that you may write to"
    );
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
    disk.remount("remount,rw");
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "once it may be written: {}", ended.stderr);
}

/// Permissions mean nothing to root, so another user runs the program.
async fn another_users_folder_is_left_alone(sandbox: Sandbox) {
    publish(&sandbox);
    let program = sandbox.scratch().join("hfdown");
    std::fs::copy(crate::places::HFDOWN, &program).unwrap();
    let open =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    open(sandbox.scratch(), 0o755);
    open(&program, 0o755);
    std::fs::create_dir(sandbox.scratch().join("models")).unwrap();
    std::fs::create_dir(sandbox.root()).unwrap();
    std::fs::write(sandbox.root().join("config.json"), "{}").unwrap();
    let as_nobody = |words: &[&str]| {
        let nobody: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let words = [if is_root() { nobody } else { &[] }, &["./hfdown"], words].concat();
        let inner = sandbox.hfdown(&words[1..]);
        let mut command = tokio::process::Command::new(words[0]);
        command.args(inner.as_std().get_args()).env_clear().current_dir(sandbox.scratch());
        command.envs(inner.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    if !as_nobody(&["--version"]).status().await.is_ok_and(|status| status.success()) {
        return left_out("another user can't run a program (setpriv)");
    }
    // A developer's own folder is opened by its owner.
    let (owner, mend) = if is_root() {
        ("root (uid 0), and nobody (uid 65534)", "`sudo chown 65534 FOLDER` makes it yours")
    } else {
        ("", "`chmod u+rwx FOLDER` lets you")
    };
    for (mode, models, attempt, folder) in [
        (0o555, 0o755, "cannot write to SCRATCH/models/model", "SCRATCH/models/model"),
        (0o000, 0o755, "cannot write to SCRATCH/models/model", "SCRATCH/models/model"),
        (0o755, 0o000, "cannot create SCRATCH/models/model", "SCRATCH/models"),
    ] {
        open(&sandbox.root(), mode);
        open(&sandbox.scratch().join("models"), models);
        let ended = run(as_nobody(&["rsync-sync", MODEL, "models/model"])).await;
        let said = refusal(&sandbox, &ended, 1);
        let begin =
            format!("error: cannot open models/model\ncaused by: {attempt}: {folder} belongs to {owner}");
        assert!(said.starts_with(&begin), "{said}");
        assert!(said.contains(&mend.replace("FOLDER", folder)), "{said}");
        assert!(said.ends_with("\n\nhint: choose a folder that you may write to"), "{said}");
    }
    open(&sandbox.scratch().join("models"), 0o755);
    open(&sandbox.root(), 0o755);
    assert_eq!(everything(&sandbox.root()), ["config.json"]);
}

async fn links_that_lead_out_are_not_followed(sandbox: Sandbox) {
    publish(&sandbox);
    let (root, outside) = (sandbox.root(), sandbox.scratch().join("outside"));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("config.json"), "theirs").unwrap();
    symlink("../../outside/config.json", root.join("config.json")).unwrap();
    symlink(outside.join("new.json"), root.join("new.json")).unwrap();
    symlink(&outside, root.join("onnx")).unwrap();
    for (more, code) in [(&["--dry-run"][..], 3), (&[], 3), (&["--checksum"], 3), (&["--no-checksum"], 3)] {
        let ended = sandbox.sync(MODEL, more).await;
        refusal(&sandbox, &ended, code);
        for file in ["config.json", "new.json", "onnx/config.json", "onnx/model.onnx"] {
            let line =
                format!("error: cannot fetch {file}: cannot look at {file}: a link leads out of the folder");
            assert!(ended.stderr.contains(&line), "{}", ended.stderr);
        }
        assert_eq!(everything(&outside), ["config.json"]);
        assert_eq!(std::fs::read_to_string(outside.join("config.json")).unwrap(), "theirs");
    }
    assert_eq!(
        sandbox.files(),
        ["config.json", "model.safetensors", "new.json", "onnx"],
        "the links are left alone"
    );
    assert_eq!(sandbox.read("model.safetensors").unwrap(), Content::random(1, WEIGHTS).to_vec());
    for link in ["config.json", "new.json", "onnx"] {
        std::fs::remove_file(root.join(link)).unwrap();
    }
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "once they are gone: {}", ended.stderr);
    assert!(ended.stderr.contains("done: 4 files"), "{}", ended.stderr);
}

async fn bookkeeping_that_leads_out_is_not_followed(sandbox: Sandbox) {
    publish(&sandbox);
    let (root, outside) = (sandbox.root(), sandbox.scratch().join("outside"));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir(&outside).unwrap();
    symlink(&outside, root.join(".cache")).unwrap();
    let ended = sandbox.sync(MODEL, &[]).await;
    let said = refusal(&sandbox, &ended, 1);
    assert!(
        said.contains(
            "caused by: cannot write to SCRATCH/models/model: .cache is a link, and is not followed"
        ),
        "{said}"
    );
    assert_eq!((everything(&outside), sandbox.files().len()), (Vec::new(), 1));
    std::fs::remove_file(root.join(".cache")).unwrap();
    std::fs::create_dir(root.join(".cache")).unwrap();
    symlink(&outside, root.join(".cache/huggingface")).unwrap();
    let ended = sandbox.sync(MODEL, &[]).await;
    let warning = ".cache/huggingface is a link, and is not followed\n";
    assert!(ended.code == 0 && ended.stderr.contains(warning), "a courtesy to `hf`: {}", ended.stderr);
    assert_eq!(everything(&outside), [""; 0]);
}

async fn folders_and_files_in_the_way_stay(sandbox: Sandbox) {
    publish(&sandbox);
    let root = sandbox.root();
    std::fs::create_dir_all(root.join("config.json")).unwrap();
    std::fs::write(root.join("config.json/notes"), "mine").unwrap();
    std::fs::write(root.join("onnx"), "mine").unwrap();
    let ended = sandbox.sync(MODEL, &[]).await;
    refusal(&sandbox, &ended, 3);
    for line in [
        "error: cannot fetch config.json: a folder stands at config.json\n",
        "error: cannot fetch onnx/config.json: a file stands where onnx/config.json needs a folder\n",
        "error: cannot fetch onnx/model.onnx: a file stands where onnx/model.onnx needs a folder\n",
    ] {
        assert!(ended.stderr.contains(line), "{}", ended.stderr);
    }
    assert_eq!(sandbox.files(), ["config.json/notes", "model.safetensors", "new.json", "onnx"]);
    assert_eq!(sandbox.read("onnx").unwrap(), b"mine");
}

async fn a_second_run_waits_for_the_first(sandbox: Sandbox) {
    publish(&sandbox);
    let stall = sandbox.hub.stall(1_000_000, When::file("model.safetensors").at(HubOrigin::Cdn).first(1));
    let first = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    stall.reached().await;
    let mut second = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    let rest = until_it_says(&mut second, "waiting: another run holds the folder (process ").await;
    stall.release();
    let rest = rest.await.unwrap();
    let (first, second) = (ended(first).await, ended(second).await);
    assert_eq!((first.code, second.code), (0, 0), "{}\n{rest}", first.stderr);
    assert!(rest.contains("5 files are there already"), "{rest}");
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), WEIGHTS + 300_000, "nothing was fetched twice");
}

async fn one_file_goes_where_cp_would_put_it(sandbox: Sandbox) {
    publish(&sandbox);
    std::fs::create_dir(sandbox.scratch().join("there")).unwrap();
    std::fs::write(sandbox.scratch().join("old.json"), "to be replaced").unwrap();
    std::fs::write(sandbox.scratch().join("plain"), "mine").unwrap();
    for (destination, place) in [
        (None, "config.json"),
        (Some("there"), "there/config.json"),
        (Some("new/"), "new/config.json"),
        (Some("other.json"), "other.json"),
        (Some("old.json"), "old.json"),
        (Some("a/b/c.json"), "a/b/c.json"),
    ] {
        let words = ["file", MODEL, "onnx/config.json"].into_iter().chain(destination);
        let ended = run(sandbox.hfdown(words)).await;
        assert_eq!(ended.code, 0, "{destination:?}: {}", ended.stderr);
        assert_eq!(std::fs::read_to_string(sandbox.scratch().join(place)).unwrap(), "{}", "{destination:?}");
    }
    let before = everything(sandbox.scratch());
    assert!(
        !before.iter().any(|file| file.contains(".cache")),
        "no bookkeeping among the user's own: {before:?}"
    );
    let said = refused(&sandbox, &["file", MODEL, "config.json", "plain/c.json"], &[], 1).await;
    assert!(said.contains("caused by: SCRATCH/plain is not a folder"), "{said}");
    let said = refused(&sandbox, &["file", MODEL, "config.json", "plain/"], &[], 1).await;
    assert!(said.contains("caused by: SCRATCH/plain is not a folder"), "{said}");
    std::fs::create_dir(sandbox.scratch().join("there/new.json")).unwrap();
    let ended = run(sandbox.hfdown(["file", MODEL, "new.json", "there"])).await;
    let said = plain(&sandbox, &ended.stderr);
    assert_eq!(ended.code, 1, "{said}");
    assert!(said.contains("error: cannot fetch new.json: a folder stands at new.json"), "{said}");
    std::fs::remove_dir(sandbox.scratch().join("there/new.json")).unwrap();
    assert_eq!(everything(sandbox.scratch()), before);
}

everywhere! {
    a_file_is_no_folder,
    what_may_not_be_written_is_left_alone,
    links_that_lead_out_are_not_followed,
    a_second_run_waits_for_the_first,
}

here! {
    another_users_folder_is_left_alone,
    bookkeeping_that_leads_out_is_not_followed,
    folders_and_files_in_the_way_stay,
    one_file_goes_where_cp_would_put_it,
}
