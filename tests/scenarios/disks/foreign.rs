//! Files and folders of another user: the program runs as `nobody`, and they are root's, for real.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Stdio;

use hfdown_tests::hub::Content;
use hfdown_tests::mount::{is_root, left_out};
use hfdown_tests::sandbox::{Ended, Sandbox, run};
use tokio::process::Command;

use crate::refusals::words::{plain, refusal};

const MODEL: &str = "acme/shared";
const NOBODY: u32 = 65_534;
const LARGE: u64 = 3_000_000;

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything below is that user's.
fn give(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let entry = entry.path();
        if entry.is_dir() { give(&entry, uid) } else { chown(&entry, Some(uid), Some(uid)).unwrap() }
    }
}

/// Gives a folder and all that is in it to `nobody`.
pub(crate) fn give_to_nobody(path: &Path) {
    give(path, NOBODY);
}

/// What `nobody` runs. `None` where that can't be.
async fn as_nobody(sandbox: &Sandbox, more: &[&str]) -> Option<Ended> {
    Some(run(nobodys(sandbox, &sandbox.syncing(MODEL, more))?).await)
}

/// The same command as `nobody` would run it.
pub(crate) fn nobodys(sandbox: &Sandbox, plain: &Command) -> Option<Command> {
    if !is_root() {
        left_out("only root can become another user");
        return None;
    }
    let program = sandbox.scratch().join("hfdown");
    if !program.exists() {
        fs::copy(crate::places::HFDOWN, &program).unwrap();
    }
    open(sandbox.scratch(), 0o755);
    open(&program, 0o755);
    give(&sandbox.scratch().join("home"), NOBODY);
    let plain = plain.as_std();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(plain.get_args());
    command.env_clear().current_dir(sandbox.scratch());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

fn publish(sandbox: &Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").file("theirs/new.json", "[]");
    let draft = draft.file("closed/new.json", "[]").file("sticky/new.json", "[]").file("secret.json", "{1}");
    draft.lfs("model.safetensors", Content::random(1, LARGE)).commit();
}

fn errors(said: &str) -> Vec<&str> {
    let mut lines: Vec<_> = said.lines().filter(|line| line.starts_with("error: cannot fetch ")).collect();
    lines.sort_unstable();
    lines
}

async fn what_is_another_users_is_named_with_its_owner_and_the_others_arrive(sandbox: Sandbox) {
    publish(&sandbox);
    let root = sandbox.root();
    for folder in ["theirs", "closed", "sticky"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("sticky/new.json"), "root's").unwrap();
    // Of the same size, so that it would have to be read.
    fs::write(root.join("secret.json"), "{0}").unwrap();
    open(&root.join("theirs"), 0o755);
    open(&root.join("closed"), 0o700);
    open(&root.join("sticky"), 0o1777);
    open(&root.join("secret.json"), 0o600);
    chown(&root, Some(NOBODY), Some(NOBODY)).unwrap();
    for run in ["the first", "the second"] {
        let Some(ended) = as_nobody(&sandbox, &[]).await else { return };
        refusal(&sandbox, &ended, 3);
        let said = plain(&sandbox, &ended.stderr);
        let expected = [
            "closed/new.json: cannot look at closed/new.json: the folder closed belongs to root (uid 0), and nobody (uid 65534) may not write to it (mode 0700); `sudo chown 65534 SCRATCH/models/model/closed` makes it yours",
            "sticky/new.json: cannot place it: sticky/new.json belongs to root (uid 0), and in the folder sticky only the owner of a file may replace it (mode 1777); `sudo chown 65534 SCRATCH/models/model/sticky/new.json` makes it yours",
            "theirs/new.json: cannot place it: the folder theirs belongs to root (uid 0), and nobody (uid 65534) may not write to it (mode 0755); `sudo chown 65534 SCRATCH/models/model/theirs` makes it yours",
        ]
        .map(|line| format!("error: cannot fetch {line}"));
        assert_eq!(errors(&said), expected, "{run}: {said}");
        assert!(sandbox.read("model.safetensors").unwrap() == Content::random(1, LARGE).to_vec(), "{run}");
        assert_eq!(sandbox.read("config.json").unwrap(), b"{}", "{run}");
        assert_eq!(sandbox.read("secret.json").unwrap(), b"{1}", "{run}: its folder lets it be replaced");
        assert_eq!(sandbox.read("sticky/new.json").unwrap(), b"root's", "{run}");
    }
    give(&root, NOBODY);
    let Some(ended) = as_nobody(&sandbox, &[]).await else { return };
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

async fn what_hf_left_there_as_root_is_a_courtesy_and_what_is_hfdowns_is_named(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let root = sandbox.root();
    fs::create_dir_all(root.join(".cache/huggingface/download")).unwrap();
    chown(&root, Some(NOBODY), Some(NOBODY)).unwrap();
    // `hf` has run as root, in a container.
    let Some(ended) = as_nobody(&sandbox, &[]).await else { return };
    let said = refusal(&sandbox, &ended, 1);
    let cause = "caused by: cannot write to SCRATCH/models/model: the folder .cache belongs to root (uid 0), and nobody (uid \
                 65534) may not write to it (mode 0755); `sudo chown 65534 SCRATCH/models/model/.cache` makes it yours\n";
    assert!(said.contains(cause), "{said}");
    assert_eq!(sandbox.files(), [""; 0]);

    chown(root.join(".cache"), Some(NOBODY), Some(NOBODY)).unwrap();
    let Some(ended) = as_nobody(&sandbox, &[]).await else { return };
    let said = plain(&sandbox, &ended.stderr);
    assert_eq!(ended.code, 0, "{said}");
    let warning = "so that `hf` will look at them again: cannot write there: the folder .cache/huggingface/download belongs to \
                   root (uid 0), and nobody (uid 65534) may not write to it (mode 0755); `sudo chown 65534 \
                   SCRATCH/models/model/.cache/huggingface/download` makes it yours\n";
    assert!(said.contains(warning) && said.matches("warning: ").count() == 1, "{said}");
    let Some(again) = as_nobody(&sandbox, &[]).await else { return };
    assert!(again.code == 0 && again.stderr.contains("the file is there already"), "{}", again.stderr);
}

async fn a_destination_of_another_users_is_one_error_and_not_one_per_file(sandbox: Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").file("changed.json", "old");
    draft.file("mine/config.json", "{}").commit();
    let root = sandbox.root();
    let looked = "error: cannot look at SCRATCH/models/model\ncaused by: cannot write to SCRATCH/models/model: SCRATCH/models/model \
                  belongs to root (uid 0), and nobody (uid 65534) may not write to it (mode 0755); `sudo chown 65534 \
                  SCRATCH/models/model` makes it yours\n\nhint: choose a folder that you may write to";
    fs::create_dir_all(&root).unwrap();
    open(&root, 0o755);
    let Some(dry) = as_nobody(&sandbox, &["--dry-run"]).await else { return };
    assert_eq!(refusal(&sandbox, &dry, 1), looked, "there is nothing yet");

    chown(&root, Some(NOBODY), Some(NOBODY)).unwrap();
    let Some(ended) = as_nobody(&sandbox, &[]).await else { return };
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // What is below stays this user's, hfdown's own folder too.
    chown(&root, Some(0), Some(0)).unwrap();
    let Some(ended) = as_nobody(&sandbox, &[]).await else { return };
    assert!(ended.code == 0 && ended.stderr.contains("3 files are there already"), "{}", ended.stderr);
    let draft = sandbox
        .hub
        .model(MODEL)
        .file("changed.json", "new")
        .file("new.json", "{}")
        .file("fresh/new.json", "{}");
    draft.commit();
    for more in [&["--dry-run"][..], &[]] {
        let Some(ended) = as_nobody(&sandbox, more).await else { return };
        assert_eq!(refusal(&sandbox, &ended, 1), looked, "{more:?}");
    }

    // Where another file can have its place, it has it.
    sandbox.hub.model(MODEL).file("mine/new.json", "{}").commit();
    let Some(ended) = as_nobody(&sandbox, &[]).await else { return };
    refusal(&sandbox, &ended, 3);
    let said = plain(&sandbox, &ended.stderr);
    let names: Vec<_> = errors(&said).iter().map(|line| line.split(' ').nth(3).unwrap()).collect();
    assert_eq!(names, ["changed.json:", "fresh/new.json:", "new.json:"], "{said}");
    assert_eq!(sandbox.read("mine/new.json").unwrap(), b"{}");
    assert_eq!(sandbox.read("changed.json").unwrap(), b"old");
}

here! {
    a_destination_of_another_users_is_one_error_and_not_one_per_file,
    what_is_another_users_is_named_with_its_owner_and_the_others_arrive,
    what_hf_left_there_as_root_is_a_courtesy_and_what_is_hfdowns_is_named,
}
