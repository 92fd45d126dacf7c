//! What `attach` and `stop` say, and how they end, where all is not well.

use hfdown_tests::hub::{Content, HubFault, HubOrigin, When};
use hfdown_tests::processes;
use hfdown_tests::sandbox::{Ended, Sandbox, ended, run};
use hfdown_tests::ssh_host::Keys;
use russh::keys::Algorithm;

use super::detached::{FILE, MODEL, SIZE, TOKEN, detached, gone, host, is_whole, private, public, visiting};
use super::lost::until_it_says;

/// `error: …`, what caused it and what to do, as far as it says so.
fn says(stderr: &str, lines: [&str; 3]) {
    let [error, cause, hint] = lines;
    let position = |start: &str, text: &str| {
        let found = stderr.lines().position(|line| line.starts_with(start) && line.contains(text));
        found.unwrap_or_else(|| panic!("`{start}…{text}` is missing in: {stderr}"))
    };
    assert!(position("error: ", error) < position("caused by: ", cause), "{stderr}");
    assert!(position("caused by: ", cause) < position("hint: ", hint), "{stderr}");
}

async fn a_box_that_can_not_be_reached_is_said_to_be_so(sandbox: Sandbox) {
    let (closed, root) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), sandbox.root());
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let wrong = Keys::generate(host(&sandbox).near(), "wrong", Algorithm::Ed25519).private;
    let wrong =
        format!("ssh -p {} -i {} root@127.0.0.1 -o BatchMode=yes", host(&sandbox).port(), wrong.display());
    for verb in ["attach", "stop"] {
        let visit = |ssh: &str| sandbox.hfdown([verb, ssh, root.to_str().unwrap(), "--wait", "0"]);
        let address = format!("cannot reach 127.0.0.1:{port}");
        let Ended { code, stderr, .. } = run(visit(&host(&sandbox).command_via(port))).await;
        assert_eq!(code, 6, "{stderr}");
        says(&stderr, [&address, "refused the connection", "check the port"]);
        let address = format!("cannot reach 127.0.0.1:{}", host(&sandbox).port());
        let Ended { code, stderr, .. } = run(visit(&wrong)).await;
        assert_eq!(code, 4, "{stderr}");
        says(&stderr, [&address, "did not let root in: tried ", "name the right key"]);
    }
}

async fn where_nothing_was_detached_that_is_said(sandbox: Sandbox) {
    for verb in ["attach", "stop"] {
        let Ended { code, stderr, .. } = run(visiting(&sandbox, verb, &[])).await;
        assert_eq!(code, 5, "{stderr}");
        let wish = if verb == "attach" { "watch" } else { "stop" };
        says(&stderr, [&format!("cannot {wish} the transfer to "), "no transfer to ", "--detach"]);
    }
}

async fn a_detached_agent_that_was_killed_is_said_to_have_vanished(sandbox: Sandbox) {
    let stall = public(&sandbox);
    let agent = detached(&sandbox, &[]).await;
    stall.reached_by(4).await;
    processes::kill(agent.pid);
    gone(&sandbox).await;
    let Ended { code, stderr, .. } = run(visiting(&sandbox, "attach", &[])).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("ended without a word"), "{stderr}");
    assert!(stderr.contains(", detached "), "{stderr}");
    // There is nothing to end, and so nothing has failed.
    assert_eq!(run(visiting(&sandbox, "stop", &[])).await.code, 0);
    stall.release();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    assert!(is_whole(&sandbox));
}

async fn an_agent_that_is_killed_while_it_is_watched_is_said_to_have_vanished(sandbox: Sandbox) {
    let stall = public(&sandbox);
    let agent = detached(&sandbox, &[]).await;
    stall.reached_by(4).await;
    let mut attach = visiting(&sandbox, "attach", &[]).spawn().unwrap();
    let said = until_it_says(&mut attach, "detached ").await;
    processes::kill(agent.pid);
    let Ended { code, .. } = ended(attach).await;
    let said = said.await.unwrap();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("ended without a word"), "{said}");
    stall.release();
}

async fn a_later_run_that_stays_takes_the_place_of_what_was_detached(sandbox: Sandbox) {
    let stall = public(&sandbox);
    let agent = detached(&sandbox, &[]).await;
    stall.reached_by(4).await;
    processes::kill(agent.pid);
    gone(&sandbox).await;
    stall.release();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let Ended { code, stderr, .. } = run(visiting(&sandbox, "attach", &[])).await;
    assert_eq!(code, 5, "{stderr}");
    assert!(
        stderr.contains("detached ") && stderr.contains(": a later run took the folder over "),
        "{stderr}"
    );
    let Ended { code, stdout, stderr } = run(visiting(&sandbox, "stop", &["--json"])).await;
    assert_eq!(code, 0, "{stderr}");
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["conclusion"], "superseded", "{stdout}");
    // A run that is to leave no traces removes this one as well.
    std::fs::write(sandbox.root().join(FILE), "other bytes").unwrap();
    assert_eq!(sandbox.sync(MODEL, &["--no-trace"]).await.code, 0);
    assert!(!host(&sandbox).home().join(".cache/hfdown").exists());
    assert_eq!(run(visiting(&sandbox, "attach", &[])).await.code, 5);
}

async fn a_later_run_with_nothing_to_do_leaves_the_word_of_the_detached_one(sandbox: Sandbox) {
    let stall = public(&sandbox);
    detached(&sandbox, &[]).await;
    stall.release();
    gone(&sandbox).await;
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let Ended { code, stderr, .. } = run(visiting(&sandbox, "attach", &[])).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains(": done "), "{stderr}");
}

/// How a detached transfer to a folder as it was prepared ended, as it is told afterwards, and the exit codes of that
/// and of a run that stays.
async fn told_and_lived(sandbox: &Sandbox) -> (serde_json::Value, i32, i32) {
    let Ended { stderr, .. } = sandbox.sync(MODEL, &["--detach"]).await;
    assert!(stderr.contains("detached: the box goes on by itself"), "{stderr}");
    gone(sandbox).await;
    let Ended { code, stdout, .. } = run(visiting(sandbox, "attach", &["--json"])).await;
    let told = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    (told, code, sandbox.sync(MODEL, &[]).await.code)
}

async fn what_is_told_afterwards_has_the_exit_code_of_a_run_that_stayed(sandbox: Sandbox) {
    let unavailable = sandbox.hub.fault(HubFault::Status(404), When::file(FILE).at(HubOrigin::Hub));
    // Nothing else is wanted or there: that it is not to be found is all there is to say.
    sandbox.hub.model(MODEL).lfs(FILE, Content::random(7, SIZE)).commit();
    let (_, told, lived) = told_and_lived(&sandbox).await;
    assert_eq!((told, lived), (5, 5));
    // What was there already counts as well.
    public(&sandbox).release();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 3);
    let (ended, told, lived) = told_and_lived(&sandbox).await;
    assert_eq!((told, lived), (3, 3), "{ended}");
    assert_eq!((&ended["kept"], &ended["kept_bytes"]), (&1.into(), &2.into()), "{ended}");
    // And what is in the way of a file, when all that could be fetched was.
    unavailable.lift();
    std::fs::remove_file(sandbox.root().join("config.json")).unwrap();
    std::fs::create_dir_all(sandbox.root().join("config.json/in_the_way")).unwrap();
    let (ended, told, lived) = told_and_lived(&sandbox).await;
    assert_eq!((told, lived), (3, 3), "{ended}");
    assert_eq!((&ended["conclusion"], &ended["failed"]), (&"incomplete".into(), &1.into()), "{ended}");
    assert!(is_whole(&sandbox));
}

async fn a_hub_that_wants_to_be_left_alone_is_waited_for_before_the_box_is_left(sandbox: Sandbox) {
    private(&sandbox).release();
    let when = When::file(FILE).at(HubOrigin::Hub).method("HEAD").first(2);
    let limited = sandbox.hub.fault(HubFault::RateLimited { seconds: 1 }, when);
    let mut command = sandbox.syncing(MODEL, &["--detach"]);
    command.env("HF_TOKEN", TOKEN);
    let Ended { code, stderr, .. } = run(command).await;
    assert_eq!((code, limited.times_struck()), (0, 2), "{stderr}");
    let (waiting, left) = (stderr.find("trying again in"), stderr.find("detached: the box goes on"));
    assert!(waiting.is_some() && waiting < left, "{stderr}");
    gone(&sandbox).await;
    assert!(is_whole(&sandbox));
}

async fn a_box_is_not_left_with_questions_that_only_time_answers(sandbox: Sandbox) {
    private(&sandbox).release();
    // Longer than any client waits.
    let when = When::file(FILE).at(HubOrigin::Hub).method("HEAD");
    let limited = sandbox.hub.fault(HubFault::RateLimited { seconds: 3600 }, when);
    let mut command = sandbox.syncing(MODEL, &["--detach"]);
    command.env("HF_TOKEN", TOKEN);
    let Ended { code, stderr, .. } = run(command).await;
    assert_eq!(code, 6, "{stderr}");
    says(&stderr, ["cannot fetch acme/large", &format!("does not say where {FILE} is"), "nothing has begun"]);
    gone(&sandbox).await;
    assert!(sandbox.files().is_empty(), "{:?}", sandbox.files());
    assert_eq!(run(visiting(&sandbox, "attach", &[])).await.code, 5);
    // What is refused for good is the box's to tell.
    limited.lift();
    sandbox.hub.fault(HubFault::Status(404), When::file(FILE).at(HubOrigin::Hub));
    let mut command = sandbox.syncing(MODEL, &["--detach"]);
    command.env("HF_TOKEN", TOKEN);
    assert_eq!(run(command).await.code, 0);
    gone(&sandbox).await;
    assert_eq!(run(visiting(&sandbox, "attach", &[])).await.code, 3);
    assert_eq!(sandbox.files(), ["config.json"]);
}

on_boxes! {
    a_box_that_can_not_be_reached_is_said_to_be_so,
    where_nothing_was_detached_that_is_said,
    a_detached_agent_that_was_killed_is_said_to_have_vanished,
    an_agent_that_is_killed_while_it_is_watched_is_said_to_have_vanished,
    a_hub_that_wants_to_be_left_alone_is_waited_for_before_the_box_is_left,
    a_box_is_not_left_with_questions_that_only_time_answers,
    what_is_told_afterwards_has_the_exit_code_of_a_run_that_stayed,
    a_later_run_that_stays_takes_the_place_of_what_was_detached,
    a_later_run_with_nothing_to_do_leaves_the_word_of_the_detached_one,
}
