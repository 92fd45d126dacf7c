//! What stands where hfdown keeps its books, by accident or ill will: nothing blocks, nothing outside is touched, and
//! what is not hfdown's own is not believed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::mount::{Mount, is_root, left_out};
use hfdown_tests::odd_file::{OddFile, Untouched};
use hfdown_tests::processes::{self, Process};
use hfdown_tests::sandbox::{Ended, Sandbox, ended};
use hfdown_tests::ssh_host::SshHost;

use super::words::{everything, refusal};

const MODEL: &str = "acme/tiny";
const WEIGHTS: u64 = 3_000_000;
/// For one run. None of them takes a tenth of it.
const LONGEST: Duration = Duration::from_secs(60);
/// From the first Ctrl-C to the end, on a disk that does not answer. The program gives itself 30 s.
const STOPPED: Duration = Duration::from_secs(45);

fn weights() -> Content {
    Content::random(1, WEIGHTS)
}

fn publish(sandbox: &Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").file("onnx/config.json", "{}");
    draft.lfs("model.safetensors", weights()).commit();
}

/// The names of files below `.cache` that a run reads or writes.
fn names() -> Vec<String> {
    let part = format!("hfdown/parts/{}", weights().sha256());
    let journal = format!("{part}.journal");
    let fixed = [
        "hfdown/lock",
        "hfdown/records",
        "hfdown/records.new",
        "hfdown/.gitignore",
        "hfdown/.gitignore.new",
        "huggingface/CACHEDIR.TAG",
        "huggingface/.gitignore",
        "huggingface/download/config.json.metadata",
        "huggingface/download/model.safetensors.metadata",
        "huggingface/download/.hfdown-new",
        "huggingface/download/onnx/config.json.metadata",
        "huggingface/download/onnx/.hfdown-new",
    ];
    let new = format!("{journal}.new");
    fixed.map(str::to_owned).into_iter().chain([part, journal, new]).collect()
}

/// A run that ends, and a destination whose files are right where it says so.
async fn sync(sandbox: &Sandbox, what: &str, more: &[&str]) -> Ended {
    let run = tokio::time::timeout(LONGEST, sandbox.sync(MODEL, more));
    let ended = run.await.unwrap_or_else(|_| panic!("{what}: it hangs"));
    if ended.code == 0 && more.is_empty() {
        for (file, content) in [
            ("config.json", b"{}".to_vec()),
            ("onnx/config.json", b"{}".to_vec()),
            ("model.safetensors", weights().to_vec()),
        ] {
            assert!(sandbox.read(file) == Some(content), "{what}: {file}");
        }
    }
    ended
}

/// A file outside of the destination that is none of ours.
fn theirs(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.scratch().join("outside");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("theirs");
    fs::write(&file, "theirs").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    file
}

async fn what_is_no_file_of_ours_is_replaced(sandbox: Sandbox) {
    publish(&sandbox);
    let (theirs, cache) = (theirs(&sandbox), sandbox.root().join(".cache"));
    let before = Untouched::of(&theirs);
    for odd in OddFile::REPLACED {
        if sandbox.root().exists() {
            fs::remove_dir_all(sandbox.root()).unwrap();
        }
        if !names().iter().all(|name| odd.put(&cache.join(name), &theirs)) {
            continue;
        }
        let what = format!("{odd:?}");
        let ended = sync(&sandbox, &what, &["--dry-run"]).await;
        assert_eq!(ended.code, 0, "{what}: {}", ended.stderr);
        let ended = sync(&sandbox, &what, &[]).await;
        assert_eq!(ended.code, 0, "{what}: {}", ended.stderr);
        let ended = sync(&sandbox, &what, &[]).await;
        assert!(
            ended.code == 0 && ended.stderr.contains("3 files are there already"),
            "{what}: {}",
            ended.stderr
        );
        assert_eq!(Untouched::of(&theirs), before, "{what}");
        assert_eq!(everything(theirs.parent().unwrap()), ["theirs"], "{what}");
    }
}

async fn a_folder_where_a_file_should_be_is_named_and_stays(sandbox: Sandbox) {
    publish(&sandbox);
    let (theirs, cache) = (theirs(&sandbox), sandbox.root().join(".cache"));
    for name in names() {
        if sandbox.root().exists() {
            fs::remove_dir_all(sandbox.root()).unwrap();
        }
        OddFile::Folder.put(&cache.join(&name), &theirs);
        let ended = sync(&sandbox, &name, &[]).await;
        let is_said = ended.stderr.contains(&format!("a folder stands at .cache/{name}"));
        if name.starts_with("huggingface") {
            assert_eq!(ended.code, 0, "{name} is a courtesy: {}", ended.stderr);
        } else if ended.code != 0 {
            // What concerns one file alone does not stop the others.
            refusal(&sandbox, &ended, if ended.code == 3 { 3 } else { 1 });
            assert!(is_said, "{name}: {}", ended.stderr);
        }
        assert!(cache.join(&name).join("kept").exists(), "{name}");
    }
}

async fn folders_that_are_links_are_not_followed(sandbox: Sandbox) {
    publish(&sandbox);
    let root = sandbox.root();
    for name in [
        ".cache",
        ".cache/hfdown",
        ".cache/hfdown/parts",
        ".cache/huggingface",
        ".cache/huggingface/download",
    ] {
        // Also within the destination, where it does no harm that another could not do there.
        for to in [sandbox.scratch().join("outside"), root.join("inside")] {
            if root.exists() {
                fs::remove_dir_all(&root).unwrap();
            }
            fs::create_dir_all(&to).unwrap();
            fs::write(to.join("theirs"), "theirs").unwrap();
            let link = root.join(name);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(&to, &link).unwrap();
            let ended = sync(&sandbox, name, &[]).await;
            let not_followed = format!("{name} is a link, and is not followed");
            if name.contains("huggingface") {
                // What `hf` reads of the files is a courtesy.
                assert!(ended.code == 0 && ended.stderr.contains(&not_followed), "{}", ended.stderr);
            } else {
                let said = refusal(&sandbox, &ended, 1);
                assert!(said.contains(&not_followed), "{said}");
            }
            assert_eq!(everything(&to), ["theirs"], "{name}");
        }
    }
}

async fn a_folder_of_ours_that_is_not_ours_alone_is_refused(sandbox: Sandbox) {
    publish(&sandbox);
    let own = sandbox.root().join(".cache/hfdown");
    assert_eq!(sync(&sandbox, "at first", &[]).await.code, 0);
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (folder, mode) in [(own.clone(), 0o777), (own.join("parts"), 0o775)] {
        open(&folder, mode);
        let said = refusal(&sandbox, &sync(&sandbox, "open to all", &[]).await, 1);
        assert!(said.contains(&format!("may be written to by other users (mode {mode:04o})")), "{said}");
        assert!(said.contains("run `chmod go-w SCRATCH/models/model/.cache/hfdown"), "{said}");
        assert_eq!(sync(&sandbox, "only looked at", &["--dry-run"]).await.code, 0);
        open(&folder, 0o755);
        let ended = sync(&sandbox, "mended", &[]).await;
        assert!(ended.code == 0 && ended.stderr.contains("3 files are there already"), "{}", ended.stderr);
    }
    if !is_root() {
        return left_out("only root can give a folder away");
    }
    for folder in [own.clone(), own.join("parts")] {
        chown(&folder, Some(1234), None).unwrap();
        // What another user says was verified is not believed.
        fs::write(sandbox.root().join("config.json"), "[]").unwrap();
        let said = refusal(&sandbox, &sync(&sandbox, "another's", &[]).await, 1);
        assert!(
            said.contains(
                "belongs to another user, uid 1234, and this one is root (uid 0), and what is in it"
            ),
            "{said}"
        );
        assert!(said.contains("`chown 0 SCRATCH/models/model/.cache/hfdown"), "{said}");
        chown(&folder, Some(0), None).unwrap();
        assert_eq!(sync(&sandbox, "mended", &[]).await.code, 0);
    }
}

async fn ctrl_c_ends_a_run_among_pipes(sandbox: Sandbox) {
    publish(&sandbox);
    let (theirs, cache) = (theirs(&sandbox), sandbox.root().join(".cache"));
    for name in names() {
        OddFile::Pipe.put(&cache.join(name), &theirs);
    }
    let stall = sandbox.hub.stall(1_000_000, When::file("model.safetensors").at(HubOrigin::Cdn));
    let child = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    stall.reached().await;
    processes::interrupt(child.id().unwrap());
    let ended = tokio::time::timeout(STOPPED, ended(child)).await.expect("it ends");
    assert_eq!(ended.code, 130, "{}", ended.stderr);
}

async fn ctrl_c_ends_a_run_on_a_disk_that_does_not_answer(sandbox: Sandbox) {
    publish(&sandbox);
    let Some(_disk) = Mount::silent(&sandbox.scratch().join("models")) else { return };
    let mut child = sandbox.syncing(MODEL, &["--json"]).spawn().unwrap();
    let pid = child.id().unwrap();
    let is_held_up = || {
        let agents = sandbox.host.as_ref().map_or_else(|| vec![pid], SshHost::agent_pids);
        agents.into_iter().any(|pid| Process { pid }.waits_in("fuse"))
    };
    while !is_held_up() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before the disk held it up");
        tokio::task::yield_now().await;
    }
    processes::interrupt(pid);
    let stopped = tokio::time::timeout(STOPPED, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(stopped.code(), Some(130));
}

here_and_on_a_box! {
    what_is_no_file_of_ours_is_replaced,
    folders_that_are_links_are_not_followed,
    ctrl_c_ends_a_run_among_pipes,
    ctrl_c_ends_a_run_on_a_disk_that_does_not_answer,
}

here! {
    a_folder_where_a_file_should_be_is_named_and_stays,
    a_folder_of_ours_that_is_not_ours_alone_is_refused,
}
