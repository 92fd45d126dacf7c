//! Boxes that ask this machine for everything: xorbs are at signed addresses, so that they fetch these by themselves.

use hfdown_tests::hub::{Content, HubFault, HubOrigin, Mirror, When};
use hfdown_tests::sandbox::{Sandbox, run};

use super::{FILE, MODEL, SIZE, objects, sent, weights};

on_boxes! { a_mirror_with_a_store_sends_no_file_twice, }
here_and_on_a_box! { a_mirror_without_a_store_is_asked_for_access_once, }

const TOKEN: &str = "hf_of_the_mirror";

fn publish(sandbox: &Sandbox) -> Vec<u8> {
    let bytes = weights(1, SIZE);
    sandbox.hub.model(MODEL).in_xet(FILE, Content::from(bytes.clone())).commit();
    sandbox.hub.token(TOKEN);
    sandbox.hub.mirror(Mirror::default());
    bytes
}

/// Bytes of files that the mirror has sent itself.
fn of_the_mirror(sandbox: &Sandbox) -> u64 {
    let requests = sandbox.hub.requests();
    let of_files =
        requests.iter().filter(|request| request.origin == HubOrigin::Hub && request.file.is_some());
    of_files.map(|request| request.bytes_sent).sum()
}

async fn a_mirror_with_a_store_sends_no_file_twice(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let mut command = sandbox.syncing(MODEL, &["--through-controller", "--json"]);
    command.env("HF_TOKEN", TOKEN);
    let ended = run(command).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    assert!(objects(&ended, "fell_back").is_empty(), "{}", ended.stdout);
    assert!(sent(&sandbox).0 > 0 && of_the_mirror(&sandbox) < 100_000, "{}", of_the_mirror(&sandbox));
    let requests = sandbox.hub.requests();
    assert!(!requests.iter().any(|request| request.origin == HubOrigin::Cdn && request.authorized()));
}

async fn a_mirror_without_a_store_is_asked_for_access_once(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let armed = sandbox.hub.fault(HubFault::Status(404), When::path("xet-read-token"));
    let more: &[&str] = if sandbox.host.is_some() { &["--through-controller"] } else { &[] };
    let mut command = sandbox.syncing(MODEL, &[more, &["--json"]].concat());
    command.env("HF_TOKEN", TOKEN);
    let ended = run(command).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    assert_eq!((armed.times_struck(), objects(&ended, "fell_back").len()), (1, 1), "{}", ended.stdout);
    assert!(sent(&sandbox).0 == 0 && of_the_mirror(&sandbox) >= SIZE as u64);
}
