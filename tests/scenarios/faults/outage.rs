//! A Hub that goes away in the middle of a transfer and comes back. That the waits between attempts bridge a minute is
//! shown beside them, in `agent/src/transfer/slot.rs`; here it is seen that they are used.

use hfdown_tests::hub::{Content, HubOrigin, HubRequest, When};
use hfdown_tests::sandbox::{DestinationKind, ended};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::faulty::{FILE, MODEL, SIZE, cdn, sandbox};

/// What four connections may have had in their hands.
const IN_HANDS: u64 = 4 * 1_500_000;

async fn a_hub_that_goes_away_and_comes_back(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let stall = sandbox.hub.stall(2_000_000, cdn().first(4));
    let mut child = sandbox.syncing(MODEL, &["--json", "--verbose"]).spawn().expect("the program starts");
    let mut events = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
    stall.reached_by(4).await;
    sandbox.hub.go_away().await;
    stall.release();
    let mut refused = 0;
    // The first is the loss of what was underway, the others are attempts at a port where no server listens.
    while refused < 2 {
        let line = events.next_line().await.expect("it is text").expect("the run goes on");
        let event: serde_json::Value = serde_json::from_str(&line).expect("a line is an object");
        assert_ne!(event["type"], "failed", "{line}");
        // The small file meets the outage as well when it is late.
        if event["type"] == "retrying" && event["path"] == FILE {
            refused += u32::from(event["why"].as_str().is_some_and(|why| why.contains("cannot connect")));
            assert_eq!(event["kind"], "unreachable", "{line}");
        }
    }
    sandbox.hub.come_back();
    while events.next_line().await.expect("it is text").is_some() {}
    let ended = ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent <= SIZE + IN_HANDS, "{sent} bytes were sent for {SIZE}");
}

async fn a_hub_that_is_away_when_addresses_must_be_signed(place: DestinationKind) {
    const TOKEN: &str = "hf_tokenOfThisTest";
    const MORE: &str = "onnx/model.onnx";
    let sandbox = sandbox(place).await;
    sandbox.hub.model(MODEL).lfs(MORE, Content::random(12, SIZE)).private(TOKEN).commit();
    // One connection: while it is held up in one file, the other's address has not been asked for.
    let stall = sandbox.hub.stall(2_000_000, When::always().at(HubOrigin::Cdn).first(1));
    let mut command = sandbox.syncing(MODEL, &["--json", "--connections", "1"]);
    let mut child = command.env("HF_TOKEN", TOKEN).spawn().expect("the program starts");
    let mut events = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
    stall.reached().await;
    sandbox.hub.go_away().await;
    // What was signed before is worth nothing when it is back.
    sandbox.hub.expire_signed_addresses();
    stall.release();
    loop {
        let line = events.next_line().await.expect("it is text").expect("the run goes on");
        let event: serde_json::Value = serde_json::from_str(&line).expect("a line is an object");
        assert_ne!(event["type"], "failed", "{line}");
        // The controller asks for the other's, at a port where no server listens.
        if event["type"] == "delayed" {
            assert!(event["why"].as_str().is_some_and(|why| why.contains("connection refused")), "{line}");
            break;
        }
    }
    sandbox.hub.come_back();
    while events.next_line().await.expect("it is text").is_some() {}
    let ended = ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for (file, seed) in [(FILE, 11), (MORE, 12)] {
        assert!(
            sandbox.read(file).is_some_and(|bytes| bytes == Content::random(seed, SIZE).to_vec()),
            "{file}"
        );
    }
    let to_the_cdn = |request: &HubRequest| request.origin == HubOrigin::Cdn;
    assert!(!sandbox.hub.requests().iter().any(|request| to_the_cdn(request) && request.authorized()));
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent <= 2 * SIZE + IN_HANDS, "{sent} bytes were sent for {}", 2 * SIZE);
}

here_and_on_a_box! {
    a_hub_that_is_away_when_addresses_must_be_signed,
    a_hub_that_goes_away_and_comes_back,
}
