//! Mirrors that want a token for everything, whatever they say of a repository, and that send their files themselves.

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::{
    AccessClaim, Bodies, Content, Guarded, HubFault, HubOrigin, HubRequest, Mirror, RetryAfterForm, When,
};
use hfdown_tests::processes;
use hfdown_tests::proxy::Proxy;
use hfdown_tests::sandbox::{Ended, Sandbox, ended, run};
use tokio::process::Command;

const MODEL: &str = "acme/mirrored";
const TOKEN: &str = "cmVmdGtuOjAxOjE3ODk6anVzdEFUZXN0";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 40_000_000;
/// Regular and LFS files that are asked for once each.
const SMALL: usize = 20;
/// More than is sent inline, less than is divided.
const MIDDLE: u64 = 3_000_000;
/// At most this much is fetched twice: what each connection had in its hands.
const IN_HANDS: u64 = 4 * 2_000_000;
/// Four connections have 3 MB each when they stall, less what waits to be written.
const BEGUN: u64 = 9_000_000;

fn content() -> Content {
    Content::random(31, SIZE)
}

fn publish(sandbox: &Sandbox, mirror: Mirror) {
    let draft = sandbox.hub.model(MODEL).lfs(FILE, content()).lfs("middle.bin", Content::random(32, MIDDLE));
    let draft = draft.file("empty", "");
    (0..SMALL)
        .fold(draft, |draft, number| {
            draft.file(&format!("sub/{number}.json"), format!("{{\"{number}\": 1}}"))
        })
        .commit();
    sandbox.hub.token(TOKEN);
    sandbox.hub.mirror(mirror);
}

fn syncing(sandbox: &Sandbox, more: &[&str]) -> Command {
    let mut command = sandbox.syncing(MODEL, more);
    command.env("HF_TOKEN", TOKEN).env("HF_ENDPOINT", sandbox.hub.endpoint());
    command
}

async fn sync(sandbox: &Sandbox, more: &[&str]) -> Ended {
    run(syncing(sandbox, more)).await
}

#[track_caller]
fn assert_whole(sandbox: &Sandbox, ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == content().to_vec()));
    assert!(sandbox.read("middle.bin").is_some_and(|bytes| bytes == Content::random(32, MIDDLE).to_vec()));
    assert_eq!(sandbox.files().len(), SMALL + 3);
    let requests = sandbox.hub.requests();
    assert!(!requests.iter().any(|request| request.origin == HubOrigin::Cdn && request.authorized()));
}

fn is_for_a_file(request: &HubRequest) -> bool {
    request.origin == HubOrigin::Hub && request.file.is_some()
}

/// Questions for files without the token.
fn in_vain(sandbox: &Sandbox) -> usize {
    sandbox.hub.requests().iter().filter(|request| is_for_a_file(request) && !request.authorized()).count()
}

/// Nothing is fetched by a second run, and all of it is known.
async fn assert_known(sandbox: &Sandbox, more: &[&str]) {
    sandbox.hub.forget_requests();
    let again = sync(sandbox, more).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(!sandbox.hub.requests().iter().any(|request| request.file.is_some()), "{}", again.stderr);
}

async fn what_is_refused_without_the_token_is_asked_for_with_it_from_then_on(sandbox: Sandbox) {
    publish(&sandbox, Mirror { bodies: Bodies::Cdn, ..Mirror::default() });
    let ended = sync(&sandbox, &["--connections", "1"]).await;
    assert_whole(&sandbox, &ended);
    assert_eq!(in_vain(&sandbox), 1, "once, and so on for the whole run");
    assert!(
        sandbox.hub.bytes_sent(HubOrigin::Cdn) >= SIZE,
        "signed addresses are fetched from where the files go"
    );
    assert_known(&sandbox, &[]).await;
}

async fn every_way_to_want_a_token_is_understood(sandbox: Sandbox) {
    for (number, (mirror, what)) in (0..).zip([
        (Mirror { refusal: 403, guards: Guarded::Files, ..Mirror::default() }, "403 for files alone"),
        (Mirror { says: AccessClaim::Nothing, bodies: Bodies::Cdn, ..Mirror::default() }, "says nothing"),
        (Mirror { says: AccessClaim::OpenInWords, ..Mirror::default() }, "says False"),
        (Mirror { prefix: "", refusal: 403, bodies: Bodies::Cdn, ..Mirror::default() }, "no path"),
        (Mirror { head: Some(405), ..Mirror::default() }, "no HEAD"),
        (Mirror { head: Some(501), guards: Guarded::Files, ..Mirror::default() }, "no HEAD at all"),
        (
            Mirror { head: Some(403), bodies: Bodies::Cdn, refusal: 403, ..Mirror::default() },
            "HEAD is refused",
        ),
        (Mirror { head: Some(404), ..Mirror::default() }, "HEAD finds nothing"),
    ]) {
        if number == 0 {
            publish(&sandbox, mirror);
        }
        sandbox.hub.mirror(mirror);
        sandbox.hub.forget_requests();
        let ended = sync(&sandbox, &[]).await;
        assert_eq!(ended.code, 0, "{what}: {}", ended.stderr);
        assert_whole(&sandbox, &ended);
        assert!(in_vain(&sandbox) <= 16, "{what}: {} questions in vain", in_vain(&sandbox));
        let heads = sandbox.hub.requests().iter().filter(|request| request.method == "HEAD").count();
        assert!(mirror.head.is_none() || heads <= 16, "{what}: {heads} questions with HEAD");
        std::fs::remove_dir_all(sandbox.root()).unwrap();
    }
}

async fn large_files_are_read_through_the_controller_in_ranges(sandbox: Sandbox) {
    publish(&sandbox, Mirror::default());
    let ended = sync(&sandbox, &["--json"]).await;
    assert_whole(&sandbox, &ended);
    let ranges: Vec<_> = sandbox.hub.requests_for(FILE);
    let ranges =
        ranges.iter().filter(|request| request.status == 206 && request.range() != Some("bytes=0-0"));
    assert!(ranges.count() >= 4, "it comes in ranges, side by side");
    let finished: serde_json::Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    let fetched = finished["fetched"].as_u64().unwrap();
    assert!((SIZE + MIDDLE..SIZE + MIDDLE + IN_HANDS).contains(&fetched), "{finished}");
    assert_eq!(finished["written"].as_u64().unwrap() / 1000, (SIZE + MIDDLE) / 1000, "{finished}");
    assert_known(&sandbox, &[]).await;
}

async fn other_verbs_do_so_as_well(sandbox: Sandbox) {
    publish(&sandbox, Mirror::default());
    for words in [vec!["download", MODEL, "all"], vec!["file", MODEL, FILE, "one.bin"]] {
        let mut command = sandbox.hfdown(&words);
        command.env("HF_TOKEN", TOKEN).env("HF_ENDPOINT", sandbox.hub.endpoint());
        let ended = run(command).await;
        assert_eq!(ended.code, 0, "{words:?}: {}", ended.stderr);
    }
    for file in ["all/model.safetensors", "one.bin"] {
        let bytes = std::fs::read(sandbox.scratch().join(file)).unwrap();
        assert!(bytes == content().to_vec(), "{file}");
    }
}

async fn hf_beside_it_gets_the_same_files(sandbox: Sandbox) {
    publish(&sandbox, Mirror::default());
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    hf.succeeds(&["download", MODEL, "--local-dir", "here", "--token", TOKEN]);
    let ended = sync(&sandbox, &[]).await;
    assert_whole(&sandbox, &ended);
    for file in sandbox.files() {
        let theirs = std::fs::read(hf.home().join("here").join(&file)).unwrap();
        assert!(sandbox.read(&file).is_some_and(|ours| ours == theirs), "{file}");
    }
}

async fn a_run_that_is_killed_goes_on_where_it_was(sandbox: Sandbox) {
    publish(&sandbox, Mirror::default());
    let large = || When::file(FILE).at(HubOrigin::Hub).method("GET").ranged();
    for is_killed in [true, false] {
        let stall = sandbox.hub.stall(3_000_000, large());
        let mut child = syncing(&sandbox, &["--connections", "4"]).spawn().unwrap();
        stall.reached_by(4).await;
        while sandbox.claimed() < BEGUN {
            assert!(child.try_wait().unwrap().is_none(), "the run ended too soon");
            tokio::task::yield_now().await;
        }
        if is_killed {
            child.kill().await.unwrap();
        } else {
            processes::interrupt(child.id().unwrap());
            assert_eq!(ended(child).await.code, 130);
        }
        stall.release();
        let there = sandbox.claimed();
        assert!(there >= BEGUN);
        sandbox.hub.forget_requests();
        let ended = sync(&sandbox, &[]).await;
        assert_whole(&sandbox, &ended);
        let sent: u64 = sandbox.hub.requests_for(FILE).iter().map(|request| request.bytes_sent).sum();
        assert!(sent <= SIZE - there + IN_HANDS, "{sent} bytes were sent, {there} were there");
        std::fs::remove_dir_all(sandbox.root()).unwrap();
    }
}

async fn faults_of_such_a_server_are_those_of_every_server(sandbox: Sandbox) {
    publish(&sandbox, Mirror::default());
    let large = || When::file(FILE).at(HubOrigin::Hub).method("GET");
    let patience = |status| HubFault::RetryAfter { status, seconds: 1, form: RetryAfterForm::Seconds };
    for (fault, when, code) in [
        (HubFault::CutAfter(1_500_000), large().ranged().first(3), 0),
        (HubFault::ResetAfter(1_500_000), large().ranged().first(3), 0),
        (HubFault::ShortBody(10), large().ranged().first(2), 0),
        (HubFault::IgnoresRange, large(), 0),
        (HubFault::WrongContentRange, large().ranged().first(1), 0),
        (patience(503), large().ranged().first(2), 0),
        (patience(429), large().ranged().first(1), 0),
        (HubFault::Status(500), large().ranged().first(3), 0),
        (HubFault::WrongBytes { at: 20_000_000 }, large().first(1), 0),
        (HubFault::WrongBytes { at: 20_000_000 }, large(), 7),
    ] {
        let what = format!("{fault:?}");
        let armed = sandbox.hub.fault(fault, when);
        let ended = sync(&sandbox, &["--first-wait", "10"]).await;
        armed.lift();
        assert!(armed.times_struck() > 0, "{what} never struck: {}", ended.stderr);
        assert_eq!(ended.code, code, "{what}: {}", ended.stderr);
        assert_eq!(sandbox.read(FILE).is_some(), code == 0, "{what}");
        if code == 0 {
            assert_whole(&sandbox, &ended);
        }
        let requests = sandbox.hub.requests();
        for (asked, early) in requests.iter().filter_map(|request| Some((request, request.not_before?))) {
            let next = requests.iter().filter(|next| next.came > asked.came && next.file == asked.file);
            assert!(asked.status != 429 || next.into_iter().all(|next| next.came >= early), "{what}");
        }
        std::fs::remove_dir_all(sandbox.root()).unwrap();
        sandbox.hub.forget_requests();
    }
}

async fn a_connection_that_falls_silent_is_given_up(sandbox: Sandbox) {
    publish(&sandbox, Mirror::default());
    let stall =
        sandbox.hub.stall(1_000_000, When::file(FILE).at(HubOrigin::Hub).method("GET").ranged().first(1));
    let mut command = syncing(&sandbox, &["--connections", "2", "--first-wait", "10"]);
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    let ended = run(command).await;
    assert_whole(&sandbox, &ended);
    stall.release();
}

async fn without_a_token_it_is_said_that_one_is_wanted(sandbox: Sandbox) {
    publish(&sandbox, Mirror { guards: Guarded::Files, ..Mirror::default() });
    let mut command = sandbox.syncing(MODEL, &[]);
    command.env("HF_ENDPOINT", sandbox.hub.endpoint());
    let ended = run(command).await;
    // The one that is empty needs no asking.
    assert_eq!((ended.code, sandbox.files()), (3, vec!["empty".to_owned()]), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("hint: ").count(), 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("may want a token for files, also of what it lists as public"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("not allowed: 401"), "{}", ended.stderr);
    let asked = sandbox.hub.requests_for(FILE).len();
    assert!(asked <= 3, "{asked} questions for one file");
}

async fn a_token_that_opens_nothing_is_said_to(sandbox: Sandbox) {
    publish(&sandbox, Mirror { guards: Guarded::Files, refusal: 403, ..Mirror::default() });
    let mut command = syncing(&sandbox, &["--json"]);
    command.env("HF_TOKEN", "another");
    let ended = run(command).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let events: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = events.iter().filter(|event| event["type"] == "failed");
    assert!(
        failed.clone().count() == SMALL + 2 && failed.clone().all(|event| event["kind"] == "not_allowed")
    );
    let hints: Vec<_> = events.iter().filter(|event| event["type"] == "hint").collect();
    assert!(
        hints.len() == 1 && hints[0]["text"].as_str().unwrap().contains("what it is allowed to read"),
        "{hints:?}"
    );
    assert!(sandbox.hub.requests_for(FILE).len() <= 4, "a refusal with the token is final");
}

async fn a_box_is_told_why_it_can_not_have_what_only_the_token_opens(sandbox: Sandbox) {
    publish(&sandbox, Mirror::default());
    let ended = sync(&sandbox, &[]).await;
    // What is small is read here, proved, and sent.
    assert_eq!((ended.code, sandbox.files().len()), (3, SMALL + 2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("only to those who show the token, which a box never gets"),
        "{}",
        ended.stderr
    );
    let hint = "gives out no signed addresses that a box could fetch from: `--through-controller` sends 1 file (40 MB) over \
                the link, by way of this machine";
    assert_eq!(ended.stderr.matches(hint).count(), 1, "{}", ended.stderr);
    let ended = sync(&sandbox, &["--through-controller"]).await;
    assert_whole(&sandbox, &ended);
}

/// An agent that keeps a copy of all it hears and says, started in the real one's place.
fn tapped_agent(sandbox: &Sandbox) -> std::path::PathBuf {
    let path = sandbox.scratch().join("tapped-agent");
    let real = env!("CARGO_BIN_EXE_hfdown-agent-tested");
    let taps = sandbox.scratch().display();
    std::fs::write(&path, format!("#!/bin/sh\ntee {taps}/heard | {real} \"$@\" | tee {taps}/said\n"))
        .unwrap();
    path
}

async fn through_the_controller_a_box_gets_everything_but_the_token(sandbox: Sandbox) {
    publish(&sandbox, Mirror::default());
    let mut command = syncing(&sandbox, &["--through-controller", "--verbose"]);
    command.env("HFDOWN_AGENT_X86_64", tapped_agent(&sandbox));
    let ended = run(command).await;
    assert_whole(&sandbox, &ended);
    let cost = ended.stderr.find("travel twice").unwrap();
    assert!(
        ended.stderr[..cost].contains("plan: fetch") && !ended.stderr[..cost].contains("placed"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("up to 43 MB down this machine's line and 43 MB up"), "{}", ended.stderr);
    // What a slow connection was helped out with came twice.
    assert!((43..=51).any(|sum| ended.stderr.contains(&format!(" {sum} MB in"))), "{}", ended.stderr);
    for tap in ["heard", "said"] {
        let bytes = std::fs::read(sandbox.scratch().join(tap)).unwrap();
        assert!(!bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()), "the token was {tap}");
    }
    assert_eq!(in_vain(&sandbox), 0, "the controller asks for everything");
    assert_known(&sandbox, &["--through-controller"]).await;
}

async fn signed_addresses_are_still_the_boxs_own_way(sandbox: Sandbox) {
    publish(&sandbox, Mirror { bodies: Bodies::Cdn, ..Mirror::default() });
    let ended = sync(&sandbox, &["--through-controller"]).await;
    assert_whole(&sandbox, &ended);
    assert!(sandbox.hub.bytes_sent(HubOrigin::Cdn) >= SIZE);
}

async fn a_link_that_breaks_in_mid_file_costs_what_was_in_hands(sandbox: Sandbox) {
    publish(&sandbox, Mirror::default());
    let host = sandbox.host.as_ref().unwrap();
    let proxy = Proxy::to(host.port()).await;
    let stall = sandbox.hub.stall(3_000_000, When::file(FILE).at(HubOrigin::Hub).method("GET").ranged());
    let more = ["--through-controller", "--connections", "4"];
    let mut command = sandbox.syncing_via(proxy.port(), MODEL, &more);
    command.env("HF_TOKEN", TOKEN).env("HF_ENDPOINT", sandbox.hub.endpoint());
    let mut child = command.spawn().unwrap();
    stall.reached_by(4).await;
    while sandbox.claimed() < BEGUN {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be interrupted");
        tokio::task::yield_now().await;
    }
    let agents = host.agent_pids();
    proxy.cut();
    while host.agent_pids().iter().any(|pid| agents.contains(pid)) {
        tokio::task::yield_now().await;
    }
    stall.release();
    let ended = ended(child).await;
    assert_whole(&sandbox, &ended);
    assert!(ended.stderr.contains("reconnecting"), "{}", ended.stderr);
    let sent: u64 = sandbox.hub.requests_for(FILE).iter().map(|request| request.bytes_sent).sum();
    assert!(sent <= SIZE + IN_HANDS, "{sent} bytes were sent for {SIZE}");
}

async fn a_box_that_is_left_alone_has_what_it_needs(sandbox: Sandbox) {
    publish(&sandbox, Mirror { bodies: Bodies::Cdn, ..Mirror::default() });
    let ended = sync(&sandbox, &["--detach", "--through-controller"]).await;
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    let ended = sync(&sandbox, &["--detach"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let (ssh, root) = (sandbox.host.as_ref().unwrap().command(), sandbox.root());
    let mut command = sandbox.hfdown(["attach", &ssh, root.to_str().unwrap()]);
    command.env("HF_TOKEN", TOKEN).env("HF_ENDPOINT", sandbox.hub.endpoint());
    let ended = run(command).await;
    assert_whole(&sandbox, &ended);
    assert_eq!(in_vain(&sandbox), 1, "it is tried out before the box is left");
}

everywhere! {
    what_is_refused_without_the_token_is_asked_for_with_it_from_then_on,
}

here! {
    every_way_to_want_a_token_is_understood,
    large_files_are_read_through_the_controller_in_ranges,
    other_verbs_do_so_as_well,
    hf_beside_it_gets_the_same_files,
    a_run_that_is_killed_goes_on_where_it_was,
    faults_of_such_a_server_are_those_of_every_server,
    a_connection_that_falls_silent_is_given_up,
}

here_and_on_a_box! {
    without_a_token_it_is_said_that_one_is_wanted,
    a_token_that_opens_nothing_is_said_to,
}

on_boxes! {
    a_box_is_told_why_it_can_not_have_what_only_the_token_opens,
    through_the_controller_a_box_gets_everything_but_the_token,
    signed_addresses_are_still_the_boxs_own_way,
    a_link_that_breaks_in_mid_file_costs_what_was_in_hands,
    a_box_that_is_left_alone_has_what_it_needs,
}
