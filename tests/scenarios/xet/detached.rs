//! Transfers out of the store that go on when the laptop's lid is closed: what they need of it is given in advance.

use hfdown_tests::hub::{Content, HubFault, StallHandle, When, XET_TOKEN};
use hfdown_tests::sandbox::{Sandbox, run};

use super::{FILE, MODEL, SIZE, XORBS, publish, questions, sent, weights};
use crate::sync::detached::{gone, host, visiting};

const TOKEN: &str = "hf_reader";
/// Where each of the first connections stops.
const STOP: u64 = 1_000_000;

on_boxes! {
    terms_given_in_advance_are_enough, stale_terms_are_renewed_by_the_client_that_attaches,
    without_terms_a_public_file_comes_as_it_is,
}

/// Detaches while the first connections stand still.
async fn detached(sandbox: &Sandbox, more: &[&str]) {
    let mut command = sandbox.syncing(MODEL, &[&["--detach", "--connections", "2"], more].concat());
    command.env("HF_TOKEN", TOKEN);
    let ended = run(command).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains(" over the wire") && ended.stderr.contains("detached: "),
        "{}",
        ended.stderr
    );
}

fn stalled(sandbox: &Sandbox) -> StallHandle {
    sandbox.hub.stall(STOP, When::path(XORBS).first(2))
}

fn private(sandbox: &Sandbox) -> Vec<u8> {
    let bytes = weights(2, SIZE);
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").private(TOKEN);
    draft.in_xet(FILE, Content::from(bytes.clone())).commit();
    bytes
}

async fn terms_given_in_advance_are_enough(sandbox: Sandbox) {
    let bytes = private(&sandbox);
    let stall = stalled(&sandbox);
    // What breaks goes on by the same terms.
    let broken = sandbox.hub.fault(HubFault::CutAfter(2_000_000), When::path(XORBS).after(2).first(2));
    detached(&sandbox, &[]).await;
    stall.reached_by(2).await;
    let asked = questions(&sandbox);
    for pid in host(&sandbox).agent_pids() {
        let agent = hfdown_tests::processes::Process { pid };
        let known = agent.arguments().into_iter().chain(agent.environment());
        assert!(known.into_iter().all(|text| !text.contains(TOKEN) && !text.contains(XET_TOKEN)));
    }
    stall.release();
    gone(&sandbox).await;
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    assert_eq!((questions(&sandbox), broken.times_struck()), (asked, 2));
    let (xorbs, plain) = sent(&sandbox);
    // Each that broke begins its part of a xorb again, of 4 MB at most.
    assert!(plain == 0 && xorbs < SIZE as u64 + 8_000_000, "{xorbs} {plain}");
    assert_eq!(run(visiting(&sandbox, "attach", &[])).await.code, 0);
}

async fn stale_terms_are_renewed_by_the_client_that_attaches(sandbox: Sandbox) {
    let bytes = private(&sandbox);
    let stall = stalled(&sandbox);
    detached(&sandbox, &[]).await;
    stall.reached_by(2).await;
    sandbox.hub.expire_signed_addresses();
    stall.release();
    let asked = questions(&sandbox);
    let mut attach = visiting(&sandbox, "attach", &["--json"]);
    attach.env("HF_TOKEN", TOKEN);
    let ended = run(attach).await;
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    gone(&sandbox).await;
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    assert!(questions(&sandbox) > asked, "{}", ended.stdout);
    assert_eq!(sent(&sandbox).1, 0, "{}", ended.stdout);
}

async fn without_terms_a_public_file_comes_as_it_is(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    sandbox.hub.token(TOKEN);
    let stall = stalled(&sandbox);
    detached(&sandbox, &[]).await;
    stall.reached_by(2).await;
    sandbox.hub.fault(HubFault::Expired, When::path(XORBS));
    stall.release();
    gone(&sandbox).await;
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    let (xorbs, plain) = sent(&sandbox);
    assert!(xorbs > STOP && plain > 0 && plain < SIZE as u64, "{xorbs} {plain}");
}
