//! Boxes that want something else than a key, or more: passwords, second factors, another key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hfdown::link::{
    AnswerFailure, Echo, KeyFailure, Keyring, LinkError, LinkSettings, UserAnswer, UserPrompt,
};
use hfdown_tests::hub::{Content, When};
use hfdown_tests::proxy::Proxy;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};
use hfdown_tests::ssh_host::{HostOptions, Keys, LoginQuestion, LoginStep, SshHost, SshServerKind};
use hfdown_tests::terminal::TestTerminal;
use russh::keys::Algorithm;

use super::echo::{error, go, talk};
use crate::places::HFDOWN;
use crate::terminal::without_terminal;

const MODEL: &str = "acme/small";
const PASSWORD: &str = "correct horse";

const CODE: LoginQuestion = LoginQuestion { prompt: "Verification code: ", shown: false, answer: "314159" };
const PIN: LoginQuestion = LoginQuestion { prompt: "Your \u{1b}]0;desk\u{7}", shown: true, answer: "4b" };
const PAM_PASSWORD: LoginQuestion = LoginQuestion { prompt: "Password: ", shown: false, answer: PASSWORD };

/// A sandbox whose box lets in who passes these steps.
async fn sandbox(place: DestinationKind, login: &'static [LoginStep]) -> Option<Sandbox> {
    let options = HostOptions { login, ..HostOptions::default() };
    let sandbox = Sandbox::start_with(place, HFDOWN, options).await?;
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    Some(sandbox)
}

fn host(sandbox: &Sandbox) -> &SshHost {
    sandbox.host.as_ref().unwrap()
}

/// `user@127.0.0.1:port`.
fn login_of(host: &SshHost) -> String {
    format!("{}:{}", host.command_without_key().rsplit(' ').next().unwrap(), host.port())
}

/// The error without a terminal, with the default wait, after the one login that it may cost.
async fn refused_at_once(sandbox: &Sandbox, more: &[&str]) -> String {
    let before = host(sandbox).connections();
    let Ended { code, stderr, .. } = run(without_terminal(&sandbox.syncing(MODEL, more))).await;
    assert_eq!(code, 4, "{stderr}");
    assert_eq!(host(sandbox).connections() - before, 1, "{stderr}");
    assert!(!stderr.contains("not ready"), "it is not waited for: {stderr}");
    let address = format!("127.0.0.1:{}", host(sandbox).port());
    stderr.replace(&address, "BOX").replace(host(sandbox).near().to_str().unwrap(), "NEAR")
}

async fn a_box_that_takes_no_keys_says_so_at_once(place: DestinationKind) {
    let Some(sandbox) = sandbox(place, &[LoginStep::Password(PASSWORD)]).await else { return };
    let said = refused_at_once(&sandbox, &[]).await;
    assert!(said.contains("caused by: BOX takes no keys; it takes password\n"), "{said}");
    assert!(said.contains("hint: run hfdown on a terminal, where it asks"), "{said}");
    // An option that forbids to ask is named, also where there is a terminal.
    let ssh = format!("{} -o BatchMode=yes", host(&sandbox).command());
    let root = sandbox.root();
    let syncing = sandbox.hfdown(["rsync-to-vast", MODEL, &ssh, root.to_str().unwrap()]);
    let (said, status) = TestTerminal::start(&syncing).ended().await;
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("takes no keys; it takes password"), "{said}");
    assert!(said.contains("without BatchMode"), "{said}");
}

/// PAM's questions are those of the server in this process: the real one has them from the machine's configuration.
#[tokio::test]
async fn a_box_that_asks_questions_alone_is_said_to() {
    let steps = &[LoginStep::Questions(&[PAM_PASSWORD])];
    let Some(sandbox) = sandbox(DestinationKind::InProcess, steps).await else { return };
    let said = refused_at_once(&sandbox, &[]).await;
    assert!(said.contains("caused by: BOX takes no keys; it takes keyboard-interactive\n"), "{said}");
    assert!(said.contains("the box says: Have your [31mphone at hand"), "{said}");
}

async fn a_password_is_asked_for_and_never_shown(place: DestinationKind) {
    let Some(sandbox) = sandbox(place, &[LoginStep::Password(PASSWORD)]).await else { return };
    let question = format!("{}'s password: ", login_of(host(&sandbox)));
    let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &[]));
    for password in ["not it", PASSWORD] {
        terminal.until(&question).await;
        terminal.until_it_hides().await;
        terminal.enter(&format!("{password}\r")).await;
    }
    let said = terminal.until("done: ").await;
    let (rest, status) = terminal.ended().await;
    assert!(status.success(), "{said}{rest}");
    assert!(!said.contains("horse"), "{said}");
    assert_eq!(sandbox.files(), ["config.json"]);
    // Three times, as OpenSSH does; or never.
    for (answers, why) in
        [(&["a\r", "b\r", "c\r"][..], "did not let"), (&["\u{4}"], "the password (no answer was given)")]
    {
        let before = host(&sandbox).connections();
        let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &[]));
        for answer in answers {
            terminal.until(&question).await;
            terminal.until_it_hides().await;
            terminal.enter(answer).await;
        }
        let (said, status) = terminal.ended().await;
        assert_eq!(status.code(), Some(4), "{said}");
        assert!(said.contains(why), "{said}");
        assert_eq!(host(&sandbox).connections() - before, 1, "{said}");
    }
}

/// A program that gives these answers in turn, and counts its questions in a file.
fn askpass(sandbox: &Sandbox, answers: &[&str]) -> (PathBuf, PathBuf) {
    let (program, asked) = (sandbox.scratch().join("askpass"), sandbox.scratch().join("asked"));
    let cases = answers.iter().enumerate().map(|(at, answer)| format!("{}) echo '{answer}';;\n", at + 1));
    let script = format!(
        "#!/bin/sh\necho asked >> '{asked}'\ncase $(wc -l < '{asked}') in\n{}*) exit 1;;\nesac\n",
        cases.collect::<String>(),
        asked = asked.display(),
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    (program, asked)
}

async fn a_password_is_asked_for_once_though_the_link_breaks(place: DestinationKind) {
    let Some(sandbox) = sandbox(place, &[LoginStep::Password(PASSWORD)]).await else { return };
    once_for_a_link_that_breaks(&sandbox, &format!("{PASSWORD}\n")).await;
}

/// The password of the box is kept in memory for the next link, and asked for by `SSH_ASKPASS`.
async fn once_for_a_link_that_breaks(sandbox: &Sandbox, answer: &str) {
    let (Ended { code, stderr, .. }, asked) = after_a_link_that_breaks(sandbox, answer).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("reconnecting"), "{stderr}");
    assert_eq!(asked, 1);
}

/// How a run ends whose link breaks once, and how often it asked `SSH_ASKPASS`.
async fn after_a_link_that_breaks(sandbox: &Sandbox, answer: &str) -> (Ended, usize) {
    sandbox.hub.model(MODEL).lfs("model.bin", Content::random(7, 8_000_000)).commit();
    let stall = sandbox.hub.stall(1_000_000, When::file("model.bin"));
    let (program, asked) = askpass(sandbox, &[answer.trim()]);
    let proxy = Proxy::to(host(sandbox).port()).await;
    let mut syncing = sandbox.syncing_via(proxy.port(), MODEL, &[]);
    syncing.env("SSH_ASKPASS", &program).env("SSH_ASKPASS_REQUIRE", "force");
    let mut run = tokio::spawn(run(without_terminal(&syncing)));
    tokio::select! {
        ended = &mut run => panic!("it has not begun: {ended:?}"),
        () = stall.reached_by(1) => {}
    }
    proxy.cut();
    stall.release();
    (run.await.unwrap(), fs::read_to_string(asked).unwrap().lines().count())
}

#[tokio::test]
async fn a_password_that_a_box_asks_for_by_pam_is_remembered_and_a_code_is_not() {
    let steps = &[LoginStep::Questions(&[PAM_PASSWORD])];
    let Some(sandbox) = sandbox(DestinationKind::InProcess, steps).await else { return };
    once_for_a_link_that_breaks(&sandbox, PASSWORD).await;

    // A code is asked for anew; where there is none, the run ends with a word about it.
    let steps = &[LoginStep::Key, LoginStep::Questions(&[CODE])];
    let Some(sandbox) = self::sandbox(DestinationKind::InProcess, steps).await else { return };
    let (Ended { code, stderr, .. }, asked) = after_a_link_that_breaks(&sandbox, CODE.answer).await;
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("wants keyboard-interactive (a second factor) as well"), "{stderr}");
    assert!(stderr.contains("hint: run the same command again"), "{stderr}");
    assert_eq!(asked, 2);
}

async fn a_second_factor_is_named(place: DestinationKind) {
    let steps = &[LoginStep::Key, LoginStep::Password(PASSWORD)];
    let Some(sandbox) = sandbox(place, steps).await else { return };
    let said = refused_at_once(&sandbox, &[]).await;
    let why = "caused by: the key NEAR/id_ed25519 was accepted, and BOX wants password (a second factor) as well: \
               there is no terminal to answer on\n";
    assert!(said.contains(why), "{said}");
    assert!(said.contains("hint: run hfdown on a terminal"), "{said}");
    // It is asked for where it can be.
    let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &[]));
    terminal.until("'s password: ").await;
    terminal.until_it_hides().await;
    terminal.enter(&format!("{PASSWORD}\r")).await;
    let (said, status) = terminal.ended().await;
    assert!(status.success(), "{said}");
}

#[tokio::test]
async fn what_a_second_factor_asks_is_named_and_asked() {
    let steps = &[LoginStep::Key, LoginStep::Questions(&[CODE, PIN])];
    let Some(sandbox) = sandbox(DestinationKind::InProcess, steps).await else { return };
    let said = refused_at_once(&sandbox, &[]).await;
    let why = "BOX wants keyboard-interactive (a second factor) as well: it asked `Verification code:`, and there is no \
               terminal to answer on\n";
    assert!(said.contains(why), "{said}");
    let login = login_of(host(&sandbox));
    let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &[]));
    let heading = terminal.until(&format!("({login}) Verification code: ")).await;
    assert!(heading.contains("Have your [31mphone at hand\r\n"), "{heading:?}");
    terminal.until_it_hides().await;
    terminal.enter("314159\r").await;
    let between = terminal.until(&format!("({login}) Your ]0;desk ")).await;
    assert!(!between.contains("314159"), "{between:?}");
    assert!(terminal.shows_what_is_typed(), "the server says that it is no secret");
    terminal.enter("4b\r").await;
    terminal.until("4b").await;
    let (said, status) = terminal.ended().await;
    assert!(status.success(), "{said}");
    // A wrong code is asked for again, three times in all.
    let before = host(&sandbox).connections();
    let mut terminal = TestTerminal::start(&sandbox.syncing(MODEL, &[]));
    for _ in 0..3 {
        terminal.until("Verification code: ").await;
        terminal.until_it_hides().await;
        terminal.enter("1\r").await;
        terminal.until("desk ").await;
        terminal.enter("1\r").await;
    }
    let (said, status) = terminal.ended().await;
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("and the answer was wrong"), "{said}");
    assert_eq!(host(&sandbox).connections() - before, 1, "{said}");
}

async fn two_keys_open_a_box_that_wants_two(kind: SshServerKind) {
    let options = HostOptions { login: &[LoginStep::Key, LoginStep::Key], ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    let other = Keys::generate(host.near(), "other", Algorithm::Ed25519);
    let failed = error(go(&host.command(), &host.settings()).await);
    let said = failed.to_string();
    assert!(said.ends_with("wants another key as well"), "{said}");
    host.authorize(&other);
    talk(&mut go(&format!("{} -i ~/other", host.command()), &host.settings()).await.unwrap()).await;
}

/// Notes what it is asked, and has one answer.
struct Answering(Mutex<Vec<String>>, &'static str);

impl UserPrompt for Answering {
    fn ask(&self, prompt: String, echo: Echo) -> Pin<Box<dyn Future<Output = UserAnswer> + Send + '_>> {
        assert_eq!(echo, Echo::Hidden);
        self.0.lock().unwrap().push(prompt);
        Box::pin(async { UserAnswer::Given(self.1.to_owned().into()) })
    }
}

fn asking(host: &SshHost, answer: &'static str) -> (LinkSettings, Arc<Answering>) {
    let prompter = Arc::new(Answering(Mutex::default(), answer));
    let keyring = Keyring::default().with_prompt(prompter.clone());
    (LinkSettings { keyring, ..host.settings() }, prompter)
}

async fn a_host_on_the_way_asks_by_its_name(kind: SshServerKind) {
    let options = HostOptions { login: &[LoginStep::Password(PASSWORD)], ..HostOptions::default() };
    let Some(jump) = SshHost::start(SshServerKind::Sshd, options).await else { return };
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let command = format!("{} -J {}", host.command(), login_of(&jump));
    let failed = error(go(&command, &host.settings()).await);
    let LinkError::Jump { source, .. } = &failed else { panic!("{failed:?}") };
    assert!(matches!(**source, LinkError::NoKeys { .. }), "{source:?}");
    let (settings, prompter) = asking(&host, PASSWORD);
    for _ in ["first", "again"] {
        talk(&mut go(&command, &settings).await.unwrap()).await;
    }
    assert_eq!(*prompter.0.lock().unwrap(), [format!("{}'s password: ", login_of(&jump))]);
}

async fn what_ssh_may_not_try_is_not_tried(kind: SshServerKind) {
    let options = HostOptions { login: &[LoginStep::Password(PASSWORD)], ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    let (settings, prompter) = asking(&host, "wrong");
    for forbids in
        ["PasswordAuthentication=no", "PreferredAuthentications=publickey", "NumberOfPasswordPrompts=0"]
    {
        let failed = error(go(&format!("{} -o {forbids}", host.command()), &settings).await);
        assert!(failed.to_string().contains("password"), "{failed}");
    }
    assert_eq!(prompter.0.lock().unwrap().len(), 0);
    let once = format!("{} -o NumberOfPasswordPrompts=1", host.command());
    let failed = error(go(&once, &settings).await);
    let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
    assert_eq!(tried[0].result, KeyFailure::Answer(AnswerFailure::Wrong));
    assert_eq!(prompter.0.lock().unwrap().len(), 1);
}

/// 0 s and 2 s: what follows is in the unit test of the pauses.
async fn a_key_that_is_not_taken_is_shown_again_after_a_pause(place: DestinationKind) {
    let Some(sandbox) = sandbox(place, &[LoginStep::Key]).await else { return };
    let host = host(&sandbox);
    let other = Keys::generate(host.near(), "other", Algorithm::Ed25519);
    let ssh = format!("{} -i {}", host.command_without_key(), other.private.display());
    let root = sandbox.root();
    let words = ["rsync-to-vast", MODEL, &ssh, root.to_str().unwrap(), "--wait", "2"];
    let Ended { code, stderr, .. } = run(sandbox.hfdown(words)).await;
    assert_eq!(code, 4, "{stderr}");
    assert_eq!(host.connections(), 2, "{stderr}");
}

/// Falls silent when it asks.
struct Silencing(Proxy);

impl UserPrompt for Silencing {
    fn ask(&self, _: String, _: Echo) -> Pin<Box<dyn Future<Output = UserAnswer> + Send + '_>> {
        self.0.go_silent();
        Box::pin(async { UserAnswer::Given(PASSWORD.to_owned().into()) })
    }
}

async fn a_server_that_falls_silent_within_a_login_is_not_waited_for_for_ever(kind: SshServerKind) {
    for login in [&[LoginStep::Key][..], &[LoginStep::Password(PASSWORD)]] {
        let Some(host) = SshHost::start(kind, HostOptions { login, ..HostOptions::default() }).await else {
            return;
        };
        host.client_keys().lock(PASSWORD);
        let proxy = Proxy::to(host.port()).await;
        let command = format!("{} -o ConnectTimeout=60", host.command_via(proxy.port()));
        let keyring = Keyring::default().with_prompt(Arc::new(Silencing(proxy)));
        let connect_timeout = Duration::from_millis(250);
        let settings = LinkSettings { keyring, connect_timeout, ..host.settings() };
        let failed = error(go(&command, &settings).await);
        assert!(matches!(failed, LinkError::Timeout { .. }) && failed.is_of_the_moment(), "{failed:?}");
    }
}

/// A server without PAM offers keyboard-interactive, and then refuses it without a question: no answer was wrong, and the
/// box may still learn the key.
#[tokio::test]
async fn a_server_that_refuses_without_a_question_is_said_to() {
    for (methods, logins, told) in [
        (
            "publickey keyboard-interactive",
            2,
            "keyboard-interactive (the server refused it without a question); it takes ",
        ),
        ("publickey,keyboard-interactive", 1, " as well: the server refused it without a question\n"),
    ] {
        let lines = format!("Match all\nKbdInteractiveAuthentication yes\nAuthenticationMethods {methods}");
        let options = HostOptions { configuration: Some(lines), ..HostOptions::default() };
        let Some(sandbox) = Sandbox::start_with(DestinationKind::Sshd, HFDOWN, options).await else { return };
        sandbox.hub.model(MODEL).file("config.json", "{}").commit();
        let host = host(&sandbox);
        let other = Keys::generate(host.near(), "other", Algorithm::Ed25519);
        let key = if logins == 2 { &other } else { host.client_keys() };
        let ssh = format!("{} -i {}", host.command_without_key(), key.private.display());
        let root = sandbox.root();
        let words = ["rsync-to-vast", MODEL, &ssh, root.to_str().unwrap(), "--wait", "2"];
        let Ended { code, stderr, .. } = run(without_terminal(&sandbox.hfdown(words))).await;
        assert_eq!(code, 4, "{stderr}");
        assert!(stderr.contains(told) && !stderr.contains("wrong"), "{stderr}");
        assert_eq!(host.connections(), logins, "{stderr}");
    }
}

on_boxes! {
    a_box_that_takes_no_keys_says_so_at_once,
    a_password_is_asked_for_and_never_shown,
    a_password_is_asked_for_once_though_the_link_breaks,
    a_second_factor_is_named,
    two_keys_open_a_box_that_wants_two,
    a_host_on_the_way_asks_by_its_name,
    what_ssh_may_not_try_is_not_tried,
    a_key_that_is_not_taken_is_shown_again_after_a_pause,
    a_server_that_falls_silent_within_a_login_is_not_waited_for_for_ever,
}
