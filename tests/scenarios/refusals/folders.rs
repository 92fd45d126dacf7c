//! Destinations that are no folder, may not be written, lead elsewhere, or are somebody else's for the moment.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;

use hfdown_tests::hub::{Content, Origin, When};
use hfdown_tests::mount::{Mount, is_root, left_out};
use hfdown_tests::stage::{Stage, ended, run};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::{everything, plain, refusal, refused};

const MODEL: &str = "acme/tiny";
const WEIGHTS: u64 = 3_000_000;

fn publish(stage: &Stage) {
    stage
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

pub(crate) async fn a_file_is_no_folder(stage: Stage) {
    publish(&stage);
    let (models, root) = (stage.scratch().join("models"), stage.root());
    let not_there =
        |path: &str| format!("caused by: {path} is not a folder\n\nhint: choose a folder, or another name");
    for more in [&[][..], &["--dry-run"]] {
        std::fs::write(&models, "mine").unwrap();
        let ended = stage.sync(MODEL, more).await;
        let said = refusal(&stage, &ended, 1);
        assert_eq!(below_headline(&said, "error: cannot open "), not_there("SCRATCH/models"), "{more:?}");
        assert_eq!(std::fs::read_to_string(&models).unwrap(), "mine");
        std::fs::remove_file(&models).unwrap();

        std::fs::create_dir(&models).unwrap();
        std::fs::write(&root, "mine").unwrap();
        let ended = stage.sync(MODEL, more).await;
        let said = refusal(&stage, &ended, 1);
        assert_eq!(
            below_headline(&said, "error: cannot open "),
            not_there("SCRATCH/models/model"),
            "{more:?}"
        );
        assert_eq!(std::fs::read_to_string(&root).unwrap(), "mine");
        assert_eq!(everything(&models), ["model"], "nothing was written beside it");
        std::fs::remove_dir_all(&models).unwrap();
    }
    assert_eq!(stage.hub.bytes_sent(Origin::Cdn), 0);
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "once it is out of the way: {}", ended.stderr);
}

pub(crate) async fn what_may_not_be_written_is_left_alone(stage: Stage) {
    publish(&stage);
    let Some(disk) = Mount::memory(&stage.scratch().join("models"), "size=64m") else { return };
    std::fs::create_dir(stage.root()).unwrap();
    std::fs::write(stage.root().join("config.json"), "{}").unwrap();
    disk.remount("remount,ro");
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(
        below_headline(&refusal(&stage, &ended, 1), "error: cannot open "),
        "caused by: cannot write to SCRATCH/models/model: read-only file system\n\n\
         hint: choose a folder that you may write to"
    );
    let ended = stage.sync(MODEL, &["--dry-run"]).await;
    assert_eq!(ended.code, 0, "who only looks writes nothing: {}", ended.stderr);
    disk.remount("remount,rw");
    assert_eq!(everything(&stage.root()), ["config.json"]);
    std::fs::remove_dir_all(stage.root()).unwrap();
    disk.remount("remount,ro");
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(
        below_headline(&refusal(&stage, &ended, 1), "error: cannot open "),
        "caused by: cannot create SCRATCH/models/model: read-only file system\n\n\
         hint: choose a folder that you may write to"
    );
    assert_eq!(stage.hub.bytes_sent(Origin::Cdn), 0);
    disk.remount("remount,rw");
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "once it may be written: {}", ended.stderr);
}

/// Permissions mean nothing to root, so somebody else runs the program.
pub(crate) async fn another_users_folder_is_left_alone(stage: Stage) {
    publish(&stage);
    let program = stage.scratch().join("hfdown");
    std::fs::copy(crate::HFDOWN, &program).unwrap();
    let open =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    open(stage.scratch(), 0o755);
    open(&program, 0o755);
    std::fs::create_dir(stage.scratch().join("models")).unwrap();
    std::fs::create_dir(stage.root()).unwrap();
    std::fs::write(stage.root().join("config.json"), "{}").unwrap();
    let as_nobody = |words: &[&str]| {
        let nobody: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let words = [if is_root() { nobody } else { &[] }, &["./hfdown"], words].concat();
        let inner = stage.hfdown(&words[1..]);
        let mut command = tokio::process::Command::new(words[0]);
        command.args(inner.as_std().get_args()).env_clear().current_dir(stage.scratch());
        command.envs(inner.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    if !as_nobody(&["--version"]).status().await.is_ok_and(|status| status.success()) {
        return left_out("nobody else can run a program (setpriv)");
    }
    for (mode, models, cause) in [
        (0o555, 0o755, "cannot write to SCRATCH/models/model: permission denied"),
        (0o000, 0o755, "cannot write to SCRATCH/models/model: permission denied"),
        (0o755, 0o000, "cannot create SCRATCH/models/model: permission denied"),
    ] {
        open(&stage.root(), mode);
        open(&stage.scratch().join("models"), models);
        let ended = run(as_nobody(&["rsync-sync", MODEL, "models/model"])).await;
        let said = refusal(&stage, &ended, 1);
        assert_eq!(
            said,
            format!(
                "error: cannot open models/model\ncaused by: {cause}\n\nhint: choose a folder that you may write to"
            )
        );
    }
    open(&stage.scratch().join("models"), 0o755);
    open(&stage.root(), 0o755);
    assert_eq!(everything(&stage.root()), ["config.json"]);
}

pub(crate) async fn links_that_lead_out_are_not_followed(stage: Stage) {
    publish(&stage);
    let (root, outside) = (stage.root(), stage.scratch().join("outside"));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("config.json"), "theirs").unwrap();
    symlink("../../outside/config.json", root.join("config.json")).unwrap();
    symlink(outside.join("new.json"), root.join("new.json")).unwrap();
    symlink(&outside, root.join("onnx")).unwrap();
    for (more, code) in [(&["--dry-run"][..], 3), (&[], 3), (&["--checksum"], 3), (&["--no-checksum"], 3)] {
        let ended = stage.sync(MODEL, more).await;
        refusal(&stage, &ended, code);
        for file in ["config.json", "new.json", "onnx/config.json", "onnx/model.onnx"] {
            let line =
                format!("error: cannot fetch {file}: cannot look at {file}: a link leads out of the folder");
            assert!(ended.stderr.contains(&line), "{}", ended.stderr);
        }
        assert_eq!(everything(&outside), ["config.json"]);
        assert_eq!(std::fs::read_to_string(outside.join("config.json")).unwrap(), "theirs");
    }
    assert_eq!(
        stage.files(),
        ["config.json", "model.safetensors", "new.json", "onnx"],
        "the links are left alone"
    );
    assert_eq!(stage.read("model.safetensors").unwrap(), Content::random(1, WEIGHTS).to_vec());
    for link in ["config.json", "new.json", "onnx"] {
        std::fs::remove_file(root.join(link)).unwrap();
    }
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "once they are gone: {}", ended.stderr);
    assert!(ended.stderr.contains("done: 4 files"), "{}", ended.stderr);
}

pub(crate) async fn bookkeeping_that_leads_out_is_not_followed(stage: Stage) {
    publish(&stage);
    let (root, outside) = (stage.root(), stage.scratch().join("outside"));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir(&outside).unwrap();
    symlink(&outside, root.join(".cache")).unwrap();
    let ended = stage.sync(MODEL, &[]).await;
    let said = refusal(&stage, &ended, 1);
    assert!(
        said.contains("caused by: cannot write to SCRATCH/models/model: a link leads out of the folder"),
        "{said}"
    );
    assert_eq!((everything(&outside), stage.files().len()), (Vec::new(), 1));
    std::fs::remove_file(root.join(".cache")).unwrap();
    std::fs::create_dir(root.join(".cache")).unwrap();
    symlink(&outside, root.join(".cache/huggingface")).unwrap();
    let ended = stage.sync(MODEL, &[]).await;
    refusal(&stage, &ended, ended.code);
    assert_ne!(ended.code, 0, "what could not be recorded is no success: {}", ended.stderr);
    assert_eq!(everything(&outside), [""; 0]);
}

pub(crate) async fn folders_and_files_in_the_way_stay(stage: Stage) {
    publish(&stage);
    let root = stage.root();
    std::fs::create_dir_all(root.join("config.json")).unwrap();
    std::fs::write(root.join("config.json/notes"), "mine").unwrap();
    std::fs::write(root.join("onnx"), "mine").unwrap();
    let ended = stage.sync(MODEL, &[]).await;
    refusal(&stage, &ended, 3);
    for line in [
        "error: cannot fetch config.json: a folder stands at config.json\n",
        "error: cannot fetch onnx/config.json: a file stands where onnx/config.json needs a folder\n",
        "error: cannot fetch onnx/model.onnx: a file stands where onnx/model.onnx needs a folder\n",
    ] {
        assert!(ended.stderr.contains(line), "{}", ended.stderr);
    }
    assert_eq!(stage.files(), ["config.json/notes", "model.safetensors", "new.json", "onnx"]);
    assert_eq!(stage.read("onnx").unwrap(), b"mine");
}

pub(crate) async fn a_second_run_waits_for_the_first(stage: Stage) {
    publish(&stage);
    let stall = stage.hub.stall(1_000_000, When::file("model.safetensors").at(Origin::Cdn).first(1));
    let first = stage.syncing(MODEL, &[]).spawn().unwrap();
    stall.reached().await;
    let mut second = stage.syncing(MODEL, &[]).spawn().unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting: another run holds the folder (process ") {
        line.clear();
        assert!(said.read_line(&mut line).await.unwrap() > 0, "the second run says that it waits");
    }
    stall.release();
    let mut rest = String::new();
    said.read_to_string(&mut rest).await.unwrap();
    let (first, second) = (ended(first).await, ended(second).await);
    assert_eq!((first.code, second.code), (0, 0), "{}\n{rest}", first.stderr);
    assert!(rest.contains("5 files are there already"), "{rest}");
    assert_eq!(stage.hub.bytes_sent(Origin::Cdn), WEIGHTS + 300_000, "nothing was fetched twice");
}

pub(crate) async fn one_file_goes_where_cp_would_put_it(stage: Stage) {
    publish(&stage);
    std::fs::create_dir(stage.scratch().join("there")).unwrap();
    std::fs::write(stage.scratch().join("old.json"), "to be replaced").unwrap();
    std::fs::write(stage.scratch().join("plain"), "mine").unwrap();
    for (destination, place) in [
        (None, "config.json"),
        (Some("there"), "there/config.json"),
        (Some("new/"), "new/config.json"),
        (Some("other.json"), "other.json"),
        (Some("old.json"), "old.json"),
        (Some("a/b/c.json"), "a/b/c.json"),
    ] {
        let words = ["file", MODEL, "onnx/config.json"].into_iter().chain(destination);
        let ended = run(stage.hfdown(words)).await;
        assert_eq!(ended.code, 0, "{destination:?}: {}", ended.stderr);
        assert_eq!(std::fs::read_to_string(stage.scratch().join(place)).unwrap(), "{}", "{destination:?}");
    }
    let before = everything(stage.scratch());
    assert!(
        !before.iter().any(|file| file.contains(".cache")),
        "no bookkeeping among a person's own: {before:?}"
    );
    let said = refused(&stage, &["file", MODEL, "config.json", "plain/c.json"], &[], 1).await;
    assert!(said.contains("caused by: SCRATCH/plain is not a folder"), "{said}");
    let said = refused(&stage, &["file", MODEL, "config.json", "plain/"], &[], 1).await;
    assert!(said.contains("caused by: SCRATCH/plain is not a folder"), "{said}");
    std::fs::create_dir(stage.scratch().join("there/new.json")).unwrap();
    let ended = run(stage.hfdown(["file", MODEL, "new.json", "there"])).await;
    let said = plain(&stage, &ended.stderr);
    assert_eq!(ended.code, 1, "{said}");
    assert!(said.contains("error: cannot fetch new.json: a folder stands at new.json"), "{said}");
    std::fs::remove_dir(stage.scratch().join("there/new.json")).unwrap();
    assert_eq!(everything(stage.scratch()), before);
}
