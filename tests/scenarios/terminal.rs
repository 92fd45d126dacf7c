//! What the program does on a terminal: it asks for passphrases.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use hfdown_tests::proxy::Proxy;
use hfdown_tests::sandbox::{DestinationKind, Sandbox, run};
use hfdown_tests::ssh_host::{Keys, SshHost};
use hfdown_tests::terminal::TestTerminal;
use tokio::process::Command;

use crate::places::HFDOWN;

const MODEL: &str = "acme/small";
const SECRET: &str = "a long secret";

/// A sandbox on the real `sshd` whose key has a passphrase.
async fn sandbox() -> Option<Sandbox> {
    let sandbox = Sandbox::start(DestinationKind::Sshd, HFDOWN).await?;
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    host(&sandbox).client_keys().lock(SECRET);
    Some(sandbox)
}

fn host(sandbox: &Sandbox) -> &SshHost {
    sandbox.host.as_ref().unwrap()
}

fn question(sandbox: &Sandbox) -> String {
    format!("Enter passphrase for key '{}': ", host(sandbox).client_keys().private.display())
}

/// Without a terminal, whatever the test was started from.
pub(crate) fn without_terminal(command: &Command) -> Command {
    let command = command.as_std();
    let mut detached = Command::new("setsid");
    detached.arg("--wait").arg(command.get_program()).args(command.get_args()).env_clear();
    detached.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    detached.current_dir(command.get_current_dir().unwrap()).stdin(std::process::Stdio::null());
    detached.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).kill_on_drop(true);
    detached
}

#[tokio::test]
async fn a_passphrase_is_asked_for_and_never_shown() {
    let Some(sandbox) = sandbox().await else { return };
    let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &[]));
    terminal.until(&question(&sandbox)).await;
    terminal.until_it_hides().await;
    terminal.enter("not it\r").await;
    terminal.until("Bad passphrase, try again for key").await;
    terminal.until_it_hides().await;
    terminal.enter(&format!("{SECRET}\r")).await;
    let said = terminal.until("done: ").await;
    let (rest, status) = terminal.ended().await;
    assert!(status.success(), "{said}{rest}");
    assert!(!said.contains("secret"), "{said}");
    assert_eq!(sandbox.files(), ["config.json"]);
}

#[tokio::test]
async fn objects_for_programs_and_questions_for_people_go_together() {
    let Some(sandbox) = sandbox().await else { return };
    let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &["--json"]));
    terminal.until(&question(&sandbox)).await;
    terminal.until_it_hides().await;
    terminal.enter(&format!("{SECRET}\r")).await;
    terminal.until("\"type\":\"finished\"").await;
    assert!(terminal.ended().await.1.success());
}

#[tokio::test]
async fn ctrl_c_at_the_question_ends_the_run_and_leaves_a_terminal_in_order() {
    let Some(sandbox) = sandbox().await else { return };
    let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &[]));
    terminal.until(&question(&sandbox)).await;
    terminal.until_it_hides().await;
    terminal.enter("half a sec\u{3}").await;
    let (said, status) = terminal.ended().await;
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.starts_with("\r\n"), "what follows begins a line: {said:?}");
    assert!(!said.contains("half"), "{said}");
    assert!(terminal.shows_what_is_typed());
}

#[tokio::test]
async fn a_run_that_is_told_to_end_at_the_question_leaves_a_terminal_in_order() {
    let Some(sandbox) = sandbox().await else { return };
    let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &[]));
    terminal.until(&question(&sandbox)).await;
    terminal.until_it_hides().await;
    let pid = terminal.child.id().unwrap().to_string();
    assert!(Command::new("kill").arg(pid).status().await.unwrap().success());
    let (said, status) = terminal.ended().await;
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(terminal.shows_what_is_typed());
}

#[tokio::test]
async fn who_does_not_know_the_passphrase_is_let_go() {
    let Some(sandbox) = sandbox().await else { return };
    // Ctrl-D, an empty line, three wrong ones.
    for (answers, why) in [
        (&["\u{4}"][..], "accepted, but no passphrase was given"),
        (&["\r"], "accepted, but no passphrase was given"),
        (&["a\r", "b\r", "c\r"], "accepted, but its passphrase was wrong three times"),
    ] {
        let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &[]));
        for answer in answers {
            terminal.until("for key '").await;
            terminal.until("': ").await;
            terminal.until_it_hides().await;
            terminal.enter(answer).await;
        }
        let (said, status) = terminal.ended().await;
        assert_eq!(status.code(), Some(4), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(terminal.shows_what_is_typed());
    }
}

#[tokio::test]
async fn without_a_terminal_the_error_says_what_to_do() {
    let Some(sandbox) = sandbox().await else { return };
    let ended = run(without_terminal(&sandbox.syncing(MODEL, &[]))).await;
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let key = host(&sandbox).client_keys().private.display().to_string();
    let why = format!("{key} (accepted, but it has a passphrase, and no ssh-agent holds it)");
    assert!(ended.stderr.contains(&why), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("hint: run `ssh-add {key}`, then try again")), "{}", ended.stderr);
    assert!(!ended.stderr.contains("after"), "it is not waited for: {}", ended.stderr);
}

/// A program that answers, and counts its questions in a file.
fn askpass(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let (program, asked) = (sandbox.scratch().join("askpass"), sandbox.scratch().join("asked"));
    let script = format!("#!/bin/sh\necho \"$1\" >> '{}'\necho '{SECRET}'\n", asked.display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    (program, asked)
}

#[tokio::test]
async fn a_program_asks_where_that_is_wished_for() {
    let Some(sandbox) = sandbox().await else { return };
    let (program, asked) = askpass(&sandbox);
    let mut syncing = sandbox.syncing(MODEL, &[]);
    syncing.env("SSH_ASKPASS", &program).env("DISPLAY", ":0");
    // Without a terminal, or before one.
    let ended = run(without_terminal(&syncing)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    syncing.env("SSH_ASKPASS_REQUIRE", "force").env_remove("DISPLAY");
    let mut terminal = TestTerminal::start(&syncing);
    let (said, status) = terminal.ended().await;
    assert!(status.success(), "{said}");
    let asked = fs::read_to_string(asked).unwrap();
    assert_eq!(asked.lines().collect::<Vec<_>>(), [&question(&sandbox), &question(&sandbox)]);
    fs::write(&program, "#!/no/such/shell\n").unwrap();
    let ended = run(without_terminal(&syncing)).await;
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("askpass (SSH_ASKPASS) can't be run: "), "{}", ended.stderr);
}

#[tokio::test]
async fn a_box_that_learns_the_key_later_and_a_link_that_breaks_ask_once() {
    let Some(sandbox) = Sandbox::start(DestinationKind::Sshd, HFDOWN).await else { return };
    let host = host(&sandbox);
    sandbox.hub.model(MODEL).lfs("model.bin", hfdown_tests::hub::Content::random(7, 8_000_000)).commit();
    let stall = sandbox.hub.stall(1_000_000, hfdown_tests::hub::When::file("model.bin"));
    let keys = Keys::generate(host.near(), "other", russh::keys::Algorithm::Ed25519);
    keys.lock(SECRET);
    let (program, asked) = askpass(&sandbox);
    let proxy = Proxy::to(host.port()).await;
    let user = host.command_without_key();
    let user = user.rsplit(' ').next().unwrap();
    let ssh = format!("ssh -p {} -i {} {user}", proxy.port(), keys.private.display());
    let root = sandbox.root();
    let mut syncing = sandbox.hfdown(["rsync-to-vast", MODEL, &ssh, root.to_str().unwrap()]);
    syncing.env("SSH_ASKPASS", &program).env("SSH_ASKPASS_REQUIRE", "force");
    let mut terminal = TestTerminal::start(&syncing);
    terminal.until("(rejected)").await;
    assert!(!asked.exists(), "a key that opens nothing is not asked for");
    host.authorize(&keys);
    terminal.until("model.bin").await;
    stall.reached_by(1).await;
    proxy.cut();
    terminal.until("reconnecting").await;
    stall.release();
    let (said, status) = terminal.ended().await;
    assert!(status.success(), "{said}");
    assert_eq!(fs::read_to_string(asked).unwrap().lines().count(), 1);
}
