//! Disks that are too small, from the start or in the end.

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::mount::Mount;
use hfdown_tests::sandbox::{Sandbox, ended};

use super::words::refusal;

const MODEL: &str = "acme/large";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 40_000_000;

fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).lfs(FILE, Content::random(7, SIZE)).commit();
    sandbox.hub.model("acme/small").file("config.json", "{}").commit();
}

async fn a_small_disk_is_refused_before_the_first_byte(sandbox: Sandbox) {
    publish(&sandbox);
    let Some(_disk) = Mount::memory(&sandbox.scratch().join("models"), "size=8m") else { return };
    let ended = sandbox.sync(MODEL, &[]).await;
    let said = refusal(&sandbox, &ended, 1);
    assert!(said.starts_with("error: cannot fetch acme/large to "), "{said}");
    let rest = said.split_once('\n').expect("causes follow").1;
    assert_eq!(
        rest,
        "caused by: the disk of SCRATCH/models/model is too small for what is missing and its bookkeeping
caused by: 46 MB are needed, 8.4 MB are free

hint: make room, or choose another folder, and run the same command again: what has arrived is kept"
    );
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
    assert_eq!(sandbox.files(), [""; 0]);

    let ended = sandbox.sync("acme/small", &[]).await;
    assert_eq!(ended.code, 0, "what fits is welcome: {}", ended.stderr);
}

async fn a_disk_that_fills_up_keeps_what_arrived(sandbox: Sandbox) {
    publish(&sandbox);
    let models = sandbox.scratch().join("models");
    let Some(_disk) = Mount::memory(&models, "size=64m") else { return };
    // Each connection comes to a halt in mid-file, so that the disk fills up before the file is there.
    let stall = sandbox.hub.stall(3_000_000, When::file(FILE).at(HubOrigin::Cdn));
    let child = sandbox.syncing(MODEL, &[]).spawn().expect("the program starts");
    stall.reached_by(4).await;
    let filler = models.join("another-users");
    fill(&filler);
    stall.release();
    let ended = ended(child).await;
    let said = refusal(&sandbox, &ended, 1);
    assert!(said.starts_with("error: cannot fetch acme/large to "), "{said}");
    assert!(said.contains("caused by: cannot write model.safetensors: no space left on device\n"), "{said}");
    assert!(said.contains("caused by: 0 B are free\n"), "{said}");
    assert!(said.contains("hint: make room") && said.contains("what has arrived is kept"), "{said}");
    assert_eq!(sandbox.files(), [""; 0], "no half-file has a name");

    std::fs::remove_file(filler).expect("it is ours");
    let before = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(7, SIZE).to_vec()));
    let again = sandbox.hub.bytes_sent(HubOrigin::Cdn) - before;
    assert!(again <= SIZE - 4_000_000, "{again} bytes were fetched again of {SIZE}");
}

/// Takes all the room there is.
fn fill(path: &std::path::Path) {
    let mut file = std::fs::File::create(path).expect("a file can be made");
    let mut size = 1 << 20;
    while size > 0 {
        match std::io::Write::write(&mut file, &vec![0; size]) {
            Ok(_) => {}
            Err(_) => size /= 2,
        }
    }
}

everywhere! {
    a_small_disk_is_refused_before_the_first_byte,
    a_disk_that_fills_up_keeps_what_arrived,
}
