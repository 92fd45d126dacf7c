//! Hubs whose operator means no good, and boxes that would be told what they read.

use hfdown_tests::hub::{Content, Gate, HubFault, HubOrigin, When};
use hfdown_tests::sandbox::{Sandbox, run};

use axum::response::Response;

use crate::stranger::Stranger;

const TOKEN: &str = "hf_verySecretTokenOfTheTests";
const MODEL: &str = "acme/private";
const SMALL: &str = "config.json";
const LARGE: &str = "model.safetensors";
const RIGHT: &[u8] = b"the right bytes of a small file";
/// What a box must not hear: an answer of the user's own network.
const SECRET: &str = "the passwords of the user's router";

/// An agent that keeps a copy of all that it hears, started in the real one's place.
fn tapped_agent(sandbox: &Sandbox) -> std::path::PathBuf {
    let path = sandbox.scratch().join("tapped-agent");
    let real = env!("CARGO_BIN_EXE_hfdown-agent-tested");
    let tap = sandbox.scratch().join("heard");
    std::fs::write(&path, format!("#!/bin/sh\ntee '{}' | {real} \"$@\"\n", tap.display())).unwrap();
    path
}

fn publish(sandbox: &Sandbox) {
    let model = sandbox.hub.model(MODEL).file(SMALL, RIGHT).lfs(LARGE, Content::random(3, 1_000_000));
    model.private(TOKEN).commit();
}

async fn sync(sandbox: &Sandbox) -> hfdown_tests::sandbox::Ended {
    let mut command = sandbox.syncing(MODEL, &["--verbose"]);
    command.env("HF_TOKEN", TOKEN).env("HFDOWN_AGENT_X86_64", tapped_agent(sandbox));
    run(command).await
}

/// Whether a box has heard this. An agent of this process is no box.
fn heard(sandbox: &Sandbox, text: &[u8]) -> bool {
    let Some(_) = &sandbox.host else { return false };
    let bytes = std::fs::read(sandbox.scratch().join("heard")).unwrap();
    assert!(bytes.len() > 100, "the tap recorded the conversation");
    bytes.windows(text.len()).any(|window| window == text)
}

async fn what_a_small_file_is_redirected_to_is_not_read(sandbox: Sandbox) {
    publish(&sandbox);
    let stranger = Stranger::start(|_| Response::new(SECRET.into())).await;
    let target = format!("{}/admin", stranger.endpoint);
    let when = When::file(SMALL).at(HubOrigin::Hub).method("GET");
    let armed = sandbox.hub.fault(HubFault::RedirectTo(target), when);
    let ended = sync(&sandbox).await;
    assert_eq!((ended.code, armed.times_struck()), (3, 1), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("leads to {}", stranger.endpoint)), "{}", ended.stderr);
    assert_eq!(stranger.asked(), []);
    assert!(!heard(&sandbox, SECRET.as_bytes()));
    assert_eq!(sandbox.files(), [LARGE]);
}

async fn wrong_bytes_of_a_small_file_stay_here(sandbox: Sandbox) {
    publish(&sandbox);
    let wrong = [&[RIGHT[0] ^ 0xff], &RIGHT[1..]].concat();
    let small = When::file(SMALL).at(HubOrigin::Hub);
    let armed = sandbox.hub.fault(HubFault::WrongBytes { at: 0 }, small.clone());
    let ended = sync(&sandbox).await;
    assert_eq!((ended.code, armed.times_struck()), (7, 2), "{}", ended.stderr);
    assert!(ended.stderr.contains("where the Hub lists"), "{}", ended.stderr);
    assert!(!heard(&sandbox, &wrong[1..]));
    assert_eq!(sandbox.files(), [LARGE]);
    armed.lift();

    let once = sandbox.hub.fault(HubFault::WrongBytes { at: 0 }, small.first(1));
    let ended = sync(&sandbox).await;
    assert_eq!((ended.code, once.times_struck()), (0, 1), "{}", ended.stderr);
    assert_eq!(sandbox.read(SMALL).as_deref(), Some(RIGHT));
    assert!(!heard(&sandbox, &wrong));
}

/// A Hub by a name that is nowhere, which the test Hub answers for as a proxy.
const PUBLIC: &str = "http://hub.example";

/// What is asked without the proxy, where the guard is: what the proxy connects to is its business.
const DIRECT: &str = "127.0.0.0/8,::ffff:127.0.0.1,localhost";

/// The same sync with the Hub behind a proxy, here and on the box.
async fn sync_by_proxy(sandbox: &Sandbox) -> hfdown_tests::sandbox::Ended {
    let (proxy, agent) = (sandbox.hub.endpoint(), sandbox.scratch().join("agent"));
    let real = env!("CARGO_BIN_EXE_hfdown-agent-tested");
    std::fs::write(&agent, format!("#!/bin/sh\nhttp_proxy={proxy} no_proxy={DIRECT} exec {real} \"$@\"\n"))
        .unwrap();
    let mut command = sandbox.syncing(MODEL, &["--verbose"]);
    command
        .env("HF_ENDPOINT", PUBLIC)
        .env("http_proxy", proxy)
        .env("no_proxy", DIRECT)
        .env("HFDOWN_AGENT_X86_64", agent);
    run(command).await
}

async fn a_hub_on_the_open_internet_leads_into_no_private_network(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file(SMALL, RIGHT).lfs(LARGE, Content::random(3, 1_000_000)).commit();
    let ended = sync_by_proxy(&sandbox).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let host = sandbox.hub.cdn_origin().replace("http://", "");
    let words = format!("{host} is in a private network, and the Hub that leads there is not");
    assert!(ended.stderr.contains(&words), "{}", ended.stderr);
    assert_eq!((sandbox.read(SMALL).as_deref(), sandbox.files()), (Some(RIGHT), vec![SMALL.to_owned()]));
    assert!(sandbox.hub.requests().iter().all(|request| request.origin == HubOrigin::Hub));
}

/// The same where the controller reads the redirect and hands it down.
async fn nor_do_the_addresses_that_it_signs(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file(SMALL, RIGHT).gated(Gate::Auto, TOKEN).commit();
    let stranger = Stranger::start(|_| Response::new(SECRET.into())).await;
    for host in ["127.0.0.1", "127.1", "[::ffff:127.0.0.1]", "localhost"] {
        let (_, port) = stranger.endpoint.rsplit_once(':').unwrap();
        let target = format!("http://{host}:{port}/admin?signed");
        let armed = sandbox.hub.fault(HubFault::RedirectTo(target), When::file(SMALL));
        let ended = sync_by_proxy(&sandbox).await;
        assert_ne!((ended.code, armed.times_struck()), (0, 0), "{host}: {}", ended.stderr);
        assert!(ended.stderr.contains("is in a private network"), "{host}: {}", ended.stderr);
        armed.lift();
    }
    assert_eq!(stranger.asked(), []);
}

everywhere! {
    a_hub_on_the_open_internet_leads_into_no_private_network,
    nor_do_the_addresses_that_it_signs,
    what_a_small_file_is_redirected_to_is_not_read,
    wrong_bytes_of_a_small_file_stay_here,
}
