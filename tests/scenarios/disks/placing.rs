//! One file that can't have its place is one file: immutable, under a mount, in the way of a folder. The others arrive, and
//! what has arrived of it waits for a run that can place it. Files are made so for real: `chattr`, mounts.

use std::fs;

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::mount::{Mount, Protected};
use hfdown_tests::sandbox::{Ended, Sandbox, ended};

use crate::refusals::words::{lines, plain, refusal};

const MODEL: &str = "acme/odd";
const LARGE: u64 = 5_000_000;
const SMALL: u64 = 300_000;

fn large() -> Content {
    Content::random(1, LARGE)
}

fn small() -> Content {
    Content::random(2, SMALL)
}

/// The lines about files that could not be had, sorted: which of them is first is up to the network.
fn errors(sandbox: &Sandbox, ended: &Ended) -> Vec<String> {
    let mut errors = lines(sandbox, ended, "error: cannot fetch ");
    errors.sort();
    errors
}

async fn what_shows_before_is_said_before_and_the_others_arrive(sandbox: Sandbox) {
    let names =
        ["append.log", "bound.json", "frozen.json", "frozen/new.json", "mounted/new.json", "fine.json"];
    let draft =
        names.iter().fold(sandbox.hub.model(MODEL), |draft, name| draft.file(name, format!("new {name}")));
    draft.file("taken.json", "{}").lfs("model.safetensors", large()).commit();
    let root = sandbox.root();
    for folder in ["frozen", "mounted", "taken.json"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for file in ["append.log", "bound.json", "frozen.json", "fine.json"] {
        fs::write(root.join(file), "old").unwrap();
    }
    let other = sandbox.scratch().join("other");
    fs::write(&other, "another disk's").unwrap();
    let Some(_disk) = Mount::memory(&root.join("mounted"), "size=1m") else { return };
    let Some(bound) = Mount::bound(&other, &root.join("bound.json")) else { return };
    let protect = |name: &str, attribute| Protected::new(&root.join(name), attribute);
    let Some(append) = protect("append.log", 'a') else { return };
    let Some(frozen) = protect("frozen.json", 'i') else { return };
    let Some(frozen_folder) = protect("frozen", 'i') else { return };

    let root_name = "SCRATCH/models/model";
    let expected = [
        format!("append.log: cannot place it: append.log belongs to root (uid 0) and may only be appended to; `chattr -a {root_name}/append.log` lets it be replaced"),
        format!("bound.json: cannot place it: bound.json is a mount point: another disk's file is mounted there; `umount {root_name}/bound.json` frees the name"),
        format!("frozen.json: cannot place it: frozen.json belongs to root (uid 0) and is immutable; `chattr -i {root_name}/frozen.json` lets it be replaced"),
        format!("frozen/new.json: cannot place it: the folder frozen belongs to root (uid 0) and is immutable; `chattr -i {root_name}/frozen` lets files be put there or removed"),
        "mounted/new.json: cannot place it: another disk or folder is mounted at the folder mounted or above it, and a proved file gets its name by a rename, which does not lead from one to the other: unmount it, or sync to a folder without such mounts".to_owned(),
        "taken.json: a folder stands at taken.json".to_owned(),
    ]
    .map(|line| format!("error: cannot fetch {line}"));
    let dry = sandbox.sync(MODEL, &["--dry-run"]).await;
    assert_eq!((dry.code, errors(&sandbox, &dry)), (3, expected.to_vec()), "{}", dry.stderr);
    for run in ["the first", "the second"] {
        let ended = sandbox.sync(MODEL, &[]).await;
        refusal(&sandbox, &ended, 3);
        assert_eq!(errors(&sandbox, &ended), expected, "{run}");
        assert_eq!(sandbox.read("fine.json").unwrap(), b"new fine.json", "{run}");
        assert!(sandbox.read("model.safetensors").unwrap() == large().to_vec(), "{run}");
        for file in ["append.log", "frozen.json"] {
            assert_eq!(sandbox.read(file).unwrap(), b"old", "{run}: {file}");
        }
        assert_eq!(fs::read(&other).unwrap(), b"another disk's");
    }
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), LARGE, "nothing is fetched in vain");

    drop((append, bound, frozen, frozen_folder));
    fs::remove_dir(root.join("taken.json")).unwrap();
    let ended = sandbox.sync(MODEL, &[]).await;
    refusal(&sandbox, &ended, 3);
    assert_eq!(errors(&sandbox, &ended), [expected[4].clone()]);
    for file in ["append.log", "bound.json", "frozen.json", "frozen/new.json"] {
        assert_eq!(sandbox.read(file).unwrap(), format!("new {file}").into_bytes());
    }
}

async fn what_shows_only_in_the_end_costs_no_byte_twice(sandbox: Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("fine.json", "{}").lfs("model.safetensors", large());
    draft.lfs("small.bin", small()).lfs("sub/new.bin", Content::random(3, SMALL)).commit();
    let root = sandbox.root();
    fs::create_dir_all(root.join("sub")).unwrap();
    for file in ["model.safetensors", "small.bin"] {
        fs::write(root.join(file), "old").unwrap();
    }
    let stall = sandbox.hub.stall(100_000, When::always().at(HubOrigin::Cdn));
    let child = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    stall.reached_by(3).await;
    let Some(large_file) = Protected::new(&root.join("model.safetensors"), 'i') else { return };
    let Some(small_file) = Protected::new(&root.join("small.bin"), 'i') else { return };
    let Some(folder) = Protected::new(&root.join("sub"), 'i') else { return };
    stall.release();
    let ended = ended(child).await;
    refusal(&sandbox, &ended, 3);
    let expected = [
        "model.safetensors: cannot place it: model.safetensors belongs to root (uid 0) and is immutable; `chattr -i SCRATCH/models/model/model.safetensors` lets it be replaced",
        "small.bin: cannot place it: small.bin belongs to root (uid 0) and is immutable; `chattr -i SCRATCH/models/model/small.bin` lets it be replaced",
        "sub/new.bin: cannot place it: the folder sub belongs to root (uid 0) and is immutable; `chattr -i SCRATCH/models/model/sub` lets files be put there or removed",
    ]
    .map(|line| format!("error: cannot fetch {line}"));
    assert_eq!(errors(&sandbox, &ended), expected, "{}", ended.stderr);
    assert_eq!(sandbox.read("fine.json").unwrap(), b"{}");
    assert_eq!(sandbox.read("small.bin").unwrap(), b"old");

    drop((large_file, small_file, folder));
    let before = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read("model.safetensors").unwrap() == large().to_vec());
    assert!(sandbox.read("small.bin").unwrap() == small().to_vec());
    assert!(sandbox.read("sub/new.bin").unwrap() == Content::random(3, SMALL).to_vec());
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn) - before, 0, "all of it had arrived");
    let again = sandbox.sync(MODEL, &[]).await;
    assert!(again.code == 0 && again.stderr.contains("4 files are there already"), "{}", again.stderr);
}

async fn what_hf_reads_of_the_files_is_a_courtesy(sandbox: Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").file("sub/config.json", "[]");
    draft.lfs("model.safetensors", large()).commit();
    let (root, outside) = (sandbox.root(), sandbox.scratch().join("outside"));
    let hf = root.join(".cache/huggingface");
    fs::create_dir(&outside).unwrap();
    let left_out = |why: &str| {
        format!(
            "warning: the files are complete, but `.cache/huggingface` in SCRATCH/models/model is not up to date, so that `hf` \
             will look at them again: cannot write there: {why}"
        )
    };
    for (what, why) in [
        ("a link", ".cache/huggingface is a link, and is not followed"),
        ("a file", ".cache/huggingface is no folder"),
        ("a folder below", "a folder stands at .cache/huggingface/download/config.json.metadata"),
        (
            "immutable",
            "the folder .cache/huggingface belongs to root (uid 0) and is immutable; `chattr -i \
             SCRATCH/models/model/.cache/huggingface` lets files be put there or removed",
        ),
        ("read-only", "the disk that is mounted at the folder .cache/huggingface is read-only"),
    ] {
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        fs::create_dir_all(root.join(".cache")).unwrap();
        let (mut disk, mut protected) = (None, None);
        match what {
            "a link" => std::os::unix::fs::symlink(&outside, &hf).unwrap(),
            "a file" => fs::write(&hf, "mine").unwrap(),
            "a folder below" => fs::create_dir_all(hf.join("download/config.json.metadata/kept")).unwrap(),
            "immutable" => {
                fs::create_dir(&hf).unwrap();
                protected = Protected::new(&hf, 'i');
                if protected.is_none() {
                    continue;
                }
            }
            _ => {
                disk = Mount::memory(&hf, "size=1m,ro");
                if disk.is_none() {
                    continue;
                }
            }
        }
        let ended = sandbox.sync(MODEL, &[]).await;
        let said = plain(&sandbox, &ended.stderr);
        assert_eq!(ended.code, 0, "{what}: {said}");
        assert_eq!(lines(&sandbox, &ended, "warning: "), [left_out(why)], "{what}");
        assert_eq!(sandbox.files(), ["config.json", "model.safetensors", "sub/config.json"], "{what}");
        let again = sandbox.sync(MODEL, &[]).await;
        assert!(
            again.code == 0 && again.stderr.contains("3 files are there already"),
            "{what}: {}",
            again.stderr
        );
        assert!(!again.stderr.contains("warning: "), "{what}: nothing was to be written: {}", again.stderr);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{what}");
        drop((disk, protected));
    }
}

async fn what_is_left_over_and_can_not_be_removed_is_one_file(sandbox: Sandbox) {
    sandbox
        .hub
        .model(MODEL)
        .file("config.json", "{}")
        .file("old/one.json", "1")
        .file("two.json", "2")
        .commit();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    sandbox.hub.model(MODEL).remove("old/one.json").remove("two.json").commit();
    let Some(_protected) = Protected::new(&sandbox.root().join("old"), 'i') else { return };
    let ended = sandbox.sync(MODEL, &["--delete"]).await;
    let said = plain(&sandbox, &ended.stderr);
    let line = "warning: cannot remove old/one.json: the folder old belongs to root (uid 0) and is immutable; `chattr -i \
                SCRATCH/models/model/old` lets files be put there or removed\n";
    assert!(said.contains(line), "{said}");
    assert_eq!(sandbox.files(), ["config.json", "old/one.json"], "{said}");
}

here_and_on_a_box! {
    what_shows_before_is_said_before_and_the_others_arrive,
    what_shows_only_in_the_end_costs_no_byte_twice,
    what_hf_reads_of_the_files_is_a_courtesy,
}

here! {
    what_is_left_over_and_can_not_be_removed_is_one_file,
}
