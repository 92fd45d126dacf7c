//! What `attach` and `stop` say, and how they end, where all is not well.

use hfdown_tests::hub::{Content, Fault, Origin, When};
use hfdown_tests::processes;
use hfdown_tests::ssh_host::Keys;
use hfdown_tests::stage::{Ended, Stage, ended, run};
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

pub(crate) async fn a_box_that_can_not_be_reached_is_said_to_be_so(stage: Stage) {
    let (closed, root) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), stage.root());
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let wrong = Keys::generate(host(&stage).near(), "wrong", Algorithm::Ed25519).private;
    let wrong =
        format!("ssh -p {} -i {} root@127.0.0.1 -o BatchMode=yes", host(&stage).port(), wrong.display());
    for verb in ["attach", "stop"] {
        let visit = |ssh: &str| stage.hfdown([verb, ssh, root.to_str().unwrap(), "--wait", "0"]);
        let address = format!("cannot reach 127.0.0.1:{port}");
        let Ended { code, stderr, .. } = run(visit(&host(&stage).command_via(port))).await;
        assert_eq!(code, 6, "{stderr}");
        says(&stderr, [&address, "refused the connection", "check the port"]);
        let address = format!("cannot reach 127.0.0.1:{}", host(&stage).port());
        let Ended { code, stderr, .. } = run(visit(&wrong)).await;
        assert_eq!(code, 4, "{stderr}");
        says(&stderr, [&address, "did not let root in: tried ", "name the right key"]);
    }
}

pub(crate) async fn where_nothing_was_detached_that_is_said(stage: Stage) {
    for verb in ["attach", "stop"] {
        let Ended { code, stderr, .. } = run(visiting(&stage, verb, &[])).await;
        assert_eq!(code, 5, "{stderr}");
        let wish = if verb == "attach" { "watch" } else { "stop" };
        says(&stderr, [&format!("cannot {wish} the transfer to "), "no transfer to ", "--detach"]);
    }
}

pub(crate) async fn a_detached_agent_that_was_killed_is_said_to_have_vanished(stage: Stage) {
    let stall = public(&stage);
    let agent = detached(&stage, &[]).await;
    stall.reached_by(4).await;
    processes::kill(agent.pid);
    gone(&stage).await;
    let Ended { code, stderr, .. } = run(visiting(&stage, "attach", &[])).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("ended without a word"), "{stderr}");
    assert!(stderr.contains(", detached "), "{stderr}");
    // There is nothing to end, and so nothing has failed.
    assert_eq!(run(visiting(&stage, "stop", &[])).await.code, 0);
    stall.release();
    assert_eq!(stage.sync(MODEL, &[]).await.code, 0);
    assert!(is_whole(&stage));
}

pub(crate) async fn an_agent_that_is_killed_while_it_is_watched_is_said_to_have_vanished(stage: Stage) {
    let stall = public(&stage);
    let agent = detached(&stage, &[]).await;
    stall.reached_by(4).await;
    let mut attach = visiting(&stage, "attach", &[]).spawn().unwrap();
    let said = until_it_says(&mut attach, "detached ").await;
    processes::kill(agent.pid);
    let Ended { code, .. } = ended(attach).await;
    let said = said.await.unwrap();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("ended without a word"), "{said}");
    stall.release();
}

pub(crate) async fn a_later_run_that_stays_takes_the_place_of_what_was_detached(stage: Stage) {
    let stall = public(&stage);
    let agent = detached(&stage, &[]).await;
    stall.reached_by(4).await;
    processes::kill(agent.pid);
    gone(&stage).await;
    stall.release();
    assert_eq!(stage.sync(MODEL, &[]).await.code, 0);
    let Ended { code, stderr, .. } = run(visiting(&stage, "attach", &[])).await;
    assert_eq!(code, 5, "{stderr}");
    assert!(
        stderr.contains("detached ") && stderr.contains(": a later run took the folder over "),
        "{stderr}"
    );
    let Ended { code, stdout, stderr } = run(visiting(&stage, "stop", &["--json"])).await;
    assert_eq!(code, 0, "{stderr}");
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["conclusion"], "superseded", "{stdout}");
    // Whoever wants to leave no traces removes this one as well.
    std::fs::write(stage.root().join(FILE), "other bytes").unwrap();
    assert_eq!(stage.sync(MODEL, &["--no-trace"]).await.code, 0);
    assert!(!host(&stage).home().join(".cache/hfdown").exists());
    assert_eq!(run(visiting(&stage, "attach", &[])).await.code, 5);
}

pub(crate) async fn a_later_run_with_nothing_to_do_leaves_the_word_of_the_detached_one(stage: Stage) {
    let stall = public(&stage);
    detached(&stage, &[]).await;
    stall.release();
    gone(&stage).await;
    assert_eq!(stage.sync(MODEL, &[]).await.code, 0);
    let Ended { code, stderr, .. } = run(visiting(&stage, "attach", &[])).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains(": done "), "{stderr}");
}

/// How a detached transfer to a folder as it was prepared ended, as it is told afterwards, and the exit codes of that
/// and of a run that stays.
async fn told_and_lived(stage: &Stage) -> (serde_json::Value, i32, i32) {
    let Ended { stderr, .. } = stage.sync(MODEL, &["--detach"]).await;
    assert!(stderr.contains("detached: the box goes on by itself"), "{stderr}");
    gone(stage).await;
    let Ended { code, stdout, .. } = run(visiting(stage, "attach", &["--json"])).await;
    let told = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    (told, code, stage.sync(MODEL, &[]).await.code)
}

pub(crate) async fn what_is_told_afterwards_has_the_exit_code_of_a_run_that_stayed(stage: Stage) {
    let unavailable = stage.hub.fault(Fault::Status(404), When::file(FILE).at(Origin::Hub));
    // Nothing else is wanted or there: that it is not to be found is all there is to say.
    stage.hub.model(MODEL).lfs(FILE, Content::random(7, SIZE)).commit();
    let (_, told, lived) = told_and_lived(&stage).await;
    assert_eq!((told, lived), (5, 5));
    // What was there already counts as well.
    public(&stage).release();
    assert_eq!(stage.sync(MODEL, &[]).await.code, 3);
    let (ended, told, lived) = told_and_lived(&stage).await;
    assert_eq!((told, lived), (3, 3), "{ended}");
    assert_eq!((&ended["kept"], &ended["kept_bytes"]), (&1.into(), &2.into()), "{ended}");
    // And what is in the way of a file, when all that could be fetched was.
    unavailable.lift();
    std::fs::remove_file(stage.root().join("config.json")).unwrap();
    std::fs::create_dir_all(stage.root().join("config.json/in_the_way")).unwrap();
    let (ended, told, lived) = told_and_lived(&stage).await;
    assert_eq!((told, lived), (3, 3), "{ended}");
    assert_eq!((&ended["conclusion"], &ended["failed"]), (&"incomplete".into(), &1.into()), "{ended}");
    assert!(is_whole(&stage));
}

pub(crate) async fn a_hub_that_wants_to_be_left_alone_is_waited_for_before_the_box_is_left(stage: Stage) {
    private(&stage).release();
    let when = When::file(FILE).at(Origin::Hub).method("HEAD").first(2);
    let limited = stage.hub.fault(Fault::RateLimited { seconds: 1 }, when);
    let mut command = stage.syncing(MODEL, &["--detach"]);
    command.env("HF_TOKEN", TOKEN);
    let Ended { code, stderr, .. } = run(command).await;
    assert_eq!((code, limited.times_struck()), (0, 2), "{stderr}");
    let (waiting, left) = (stderr.find("trying again in"), stderr.find("detached: the box goes on"));
    assert!(waiting.is_some() && waiting < left, "{stderr}");
    gone(&stage).await;
    assert!(is_whole(&stage));
}

pub(crate) async fn a_box_is_not_left_with_questions_that_only_time_answers(stage: Stage) {
    private(&stage).release();
    // Longer than anybody waits.
    let when = When::file(FILE).at(Origin::Hub).method("HEAD");
    let limited = stage.hub.fault(Fault::RateLimited { seconds: 3600 }, when);
    let mut command = stage.syncing(MODEL, &["--detach"]);
    command.env("HF_TOKEN", TOKEN);
    let Ended { code, stderr, .. } = run(command).await;
    assert_eq!(code, 6, "{stderr}");
    says(&stderr, ["cannot fetch acme/large", &format!("does not say where {FILE} is"), "nothing has begun"]);
    gone(&stage).await;
    assert!(stage.files().is_empty(), "{:?}", stage.files());
    assert_eq!(run(visiting(&stage, "attach", &[])).await.code, 5);
    // What is refused for good is the box's to tell.
    limited.lift();
    stage.hub.fault(Fault::Status(404), When::file(FILE).at(Origin::Hub));
    let mut command = stage.syncing(MODEL, &["--detach"]);
    command.env("HF_TOKEN", TOKEN);
    assert_eq!(run(command).await.code, 0);
    gone(&stage).await;
    assert_eq!(run(visiting(&stage, "attach", &[])).await.code, 3);
    assert_eq!(stage.files(), ["config.json"]);
}
