//! Disks that are short of something else than bytes, and disks that do not say how much is left.

use std::path::PathBuf;

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::mount::Mount;
use hfdown_tests::sandbox::Sandbox;

use crate::refusals::words::{plain, refusal};

fn image(sandbox: &Sandbox) -> PathBuf {
    sandbox.scratch().join("image")
}

fn publish(sandbox: &Sandbox, model: &str, files: usize) {
    let draft = sandbox.hub.model(model).lfs("model.safetensors", Content::random(1, 2_000_000));
    let draft =
        (0..files).fold(draft, |draft, index| draft.file(&format!("part-{index}.json"), index.to_string()));
    draft.commit();
}

async fn a_disk_without_inodes_is_called_that(sandbox: Sandbox) {
    publish(&sandbox, "acme/many", 100);
    publish(&sandbox, "acme/several", 14);
    publish(&sandbox, "acme/few", 1);
    let models = sandbox.scratch().join("models");
    let Some(disk) = Mount::of_few_files(&models, &image(&sandbox), 40) else { return };
    let left = rustix::fs::statvfs(&models).unwrap().f_favail;
    for taken in 25..left {
        std::fs::write(models.join(format!("taken-{taken}")), "").unwrap();
    }
    let ended = sandbox.sync("acme/many", &[]).await;
    let said = refusal(&sandbox, &ended, 1);
    assert!(said.contains("caused by: the disk of SCRATCH/models/model can hold "), "{said}");
    assert!(said.contains(" more files (inodes), and 101 are missing\n"), "{said}");
    assert!(said.contains("hint: remove files that are not needed there, however small (`df -i`"), "{said}");
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0, "before the first byte");

    // There would be room for the files, and is none for what `hf` reads of them.
    let ended = sandbox.sync("acme/several", &[]).await;
    let said = refusal(&sandbox, &ended, 1);
    let cause = "no inodes are free on the disk of SCRATCH/models/model: it can't hold one more file\n";
    assert!(said.contains(cause) && !said.contains("are free\n"), "{said}");
    assert!(said.contains("hint: remove files that are not needed there"), "{said}");

    std::fs::remove_dir_all(sandbox.root()).unwrap();
    let ended = sandbox.sync("acme/few", &[]).await;
    assert_eq!(ended.code, 0, "what fits is welcome: {}", ended.stderr);
    drop(disk);
}

async fn a_disk_that_does_not_say_how_much_is_left_is_tried(sandbox: Sandbox) {
    publish(&sandbox, "acme/few", 1);
    // Of no size at all, as `statvfs` tells: many a FUSE says the same.
    let Some(_disk) = Mount::memory(&sandbox.scratch().join("models"), "size=0,nr_inodes=0") else { return };
    let ended = sandbox.sync("acme/few", &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("free space unknown"), "{}", plain(&sandbox, &ended.stderr));
    assert_eq!(sandbox.files(), ["model.safetensors", "part-0.json"]);
}

everywhere! {
    a_disk_without_inodes_is_called_that,
}

here_and_on_a_box! {
    a_disk_that_does_not_say_how_much_is_left_is_tried,
}
