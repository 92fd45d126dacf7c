//! The hub cache: what is found wrong in a snapshot, what `hf cache verify` says of it, and what `--repair` leaves.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use hfdown_tests::hf::Hf;
use hfdown_tests::sandbox::{Ended, Sandbox, run};
use hfdown_tests::ssh_host::SshHost;

use super::{MODEL, flaws, publish};

const FOLDER: &str = "models--acme--verified";

fn cache(sandbox: &Sandbox) -> PathBuf {
    sandbox.scratch().join("hub")
}

async fn hfdown(sandbox: &Sandbox, verb: &str, more: &[&str]) -> Ended {
    let (cache, ssh) = (cache(sandbox), sandbox.host.as_ref().map(SshHost::command));
    let verb = if verb == "sync" && ssh.is_some() { "rsync-to-vast" } else { verb };
    let words = [verb, MODEL].into_iter().chain(ssh.as_deref());
    let words = words.chain(["--cache-dir", cache.to_str().unwrap()]);
    run(sandbox.hfdown(words.chain(more.iter().copied()))).await
}

async fn a_snapshot_is_judged_like_hf_does_and_repaired(sandbox: Sandbox) {
    publish(&sandbox);
    let ended = hfdown(&sandbox, "verify", &[]).await;
    assert_eq!(ended.code, 5, "{}", ended.stderr);
    assert_eq!(hfdown(&sandbox, "sync", &[]).await.code, 0);
    let ended = hfdown(&sandbox, "verify", &["--json"]).await;
    assert_eq!((ended.code, flaws(&ended).len()), (0, 0), "{}", ended.stderr);

    let repository = cache(&sandbox).join(FOLDER);
    let commit = fs::read_to_string(repository.join("refs/main")).unwrap();
    let snapshot = repository.join("snapshots").join(&commit);
    // A corrupt blob under a right name, a link to nowhere, one to another blob, none at all, and a foreign file.
    let blob = fs::canonicalize(snapshot.join("model.safetensors")).unwrap();
    let mut bytes = fs::read(&blob).unwrap();
    bytes[1_000_000] ^= 1;
    fs::write(&blob, bytes).unwrap();
    fs::remove_file(fs::canonicalize(snapshot.join("onnx/model.onnx")).unwrap()).unwrap();
    let other = fs::read_link(snapshot.join("empty.txt")).unwrap();
    fs::remove_file(snapshot.join("config.json")).unwrap();
    symlink(other, snapshot.join("config.json")).unwrap();
    fs::remove_file(snapshot.join("onnx/config.json")).unwrap();
    fs::write(snapshot.join("notes.txt"), "mine").unwrap();
    let expected = [
        "config.json wrong other_link",
        "model.safetensors wrong other_content",
        "notes.txt extra foreign",
        "onnx/config.json missing -",
        "onnx/model.onnx missing -",
    ];
    let offline: &[&[&str]] = if sandbox.host.is_none() { &[&[], &["--offline"]] } else { &[&[]] };
    for more in offline {
        sandbox.hub.forget_requests();
        let ended = hfdown(&sandbox, "verify", &[&["--json"], *more].concat()).await;
        assert_eq!(
            (ended.code, flaws(&ended)),
            (7, expected.map(str::to_owned).to_vec()),
            "{}",
            ended.stderr
        );
        assert!(more.is_empty() || sandbox.hub.requests().is_empty());
    }
    let directory = cache(&sandbox);
    let directory = ["--cache-dir", directory.to_str().unwrap()];
    let hf = Hf::at(&sandbox.hub);
    if let Some(hf) = &hf {
        let said = hf.run(&["cache", "verify", MODEL, directory[0], directory[1]]);
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        for name in ["config.json", "model.safetensors"] {
            assert!(said.contains(&format!("- {name}: expected")), "{name}: {said}");
        }
    }

    let ended = hfdown(&sandbox, "verify", &["--repair"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let ended = hfdown(&sandbox, "verify", &["--json"]).await;
    assert_eq!(
        (ended.code, flaws(&ended)),
        (0, vec!["notes.txt extra foreign".to_owned()]),
        "{}",
        ended.stderr
    );
    if let Some(hf) = &hf {
        hf.succeeds(&["cache", "verify", MODEL, directory[0], directory[1]]);
    }
}

async fn a_corrupt_blob_in_the_shared_store_is_replaced_and_not_written_through(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(hfdown(&sandbox, "sync", &[]).await.code, 0);
    let repository = cache(&sandbox).join(FOLDER);
    let commit = fs::read_to_string(repository.join("refs/main")).unwrap();
    let blob = fs::canonicalize(repository.join("snapshots").join(commit).join("onnx/model.onnx")).unwrap();
    let store = cache(&sandbox).join("blobs/ab");
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join("stored"), vec![7; 300_000]).unwrap();
    fs::remove_file(&blob).unwrap();
    symlink("../../blobs/ab/stored", &blob).unwrap();
    let ended = hfdown(&sandbox, "verify", &["--json"]).await;
    assert_eq!((ended.code, flaws(&ended)), (7, vec!["onnx/model.onnx wrong other_content".to_owned()]));
    assert_eq!(hfdown(&sandbox, "verify", &["--repair"]).await.code, 0);
    assert_eq!(fs::read(store.join("stored")).unwrap(), vec![7; 300_000]);
    assert_eq!(hfdown(&sandbox, "verify", &[]).await.code, 0);
}

here_and_on_a_box! {
    a_snapshot_is_judged_like_hf_does_and_repaired,
}

here! {
    a_corrupt_blob_in_the_shared_store_is_replaced_and_not_written_through,
}
